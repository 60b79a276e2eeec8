"""From images alone to masks, in stages that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.free.exemplars import with_masks
from paring.labels.free.found import FreeLabels
from paring.labels.free.looking import Features
from paring.labels.free.recipe import FreeRecipe
from paring.labels.free.way import NETWORK, Say, Way, refuse_nothing
from paring.labels.stages import Stages
from paring.training.fitting import Fitted

Until = Literal["masks", "trained"]


@dataclass(frozen=True)
class Freed:
    """What images led to.

    Attributes
    ----------
    data : the images.
    masks : free masks.
    updated : pseudo-labels of the second training, or None where nothing was trained.
    exemplars : exemplar objects, or None.
    predictions : all that the last network finds; free masks where nothing was trained.
    pseudo_labels : those of them whose score suffices.
    network : file of the last network's weights, or None.
    active : share of embeddings with a non-zero contrast, or None.
    seconds : of each stage.
    trained : how long each training took, and on what.
    said : sentences on what was decided.
    """

    data: Dataset
    masks: FreeLabels
    updated: FreeLabels | None
    exemplars: Dataset | None
    predictions: FreeLabels
    pseudo_labels: FreeLabels
    network: Path | None
    active: float | None
    seconds: dict[str, float]
    trained: dict[str, Fitted]
    said: list[str]


def labels_from_images(
    data: Dataset,
    recipe: FreeRecipe,
    folder: str | Path,
    *,
    until: Until = "trained",
    features: Features | None = None,
    exemplars: Dataset | None = None,
    truth: bool = False,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Freed:
    """Find things in images without any label, and learn to segment them (Exemplar-FreeSOLO).

    The stages are free masks, a first network trained on them, the pseudo-labels that it updates
    them to, exemplar objects, a second network trained on these and contrasted with the exemplars,
    and its predictions. A call with the same images, recipe and folder goes on where one before
    was cut short; stages whose recipe changed are made anew, with all that follow.

    Parameters
    ----------
    data : images; what is annotated is not looked at.
    recipe : see `load_free_recipe`.
    folder : of the stages.
    until : ``"masks"`` stops after the free masks, which need no training.
    features : made elsewhere, for the free masks; see `FeatureFolder`.
    exemplars : boxes or masks that are taken for exemplars, in place of those that are cut out of
        images of the data.
    truth : whether these are the truth of their images too, which must be among `data`.
    progress : called with a label, steps done and steps to do.
    say : called with sentences on what was decided.

    Raises
    ------
    InputError
        Where the folder of the images is not known, an image cannot be read, a stage finds nothing
        to learn from, or exemplars are given that have no pixel.
    TrainingFailed
        Where a loss is no number.
    """
    if data.image_root is None:
        raise InputError("the folder of the images is not known; give --images DIR")
    if not len(data):
        raise InputError("there is no image to look at")
    if truth and exemplars is None:
        raise InputError("no exemplars are given that could be the truth; give --exemplars FILE")
    said: list[str] = []

    def tell(sentence: str) -> None:
        said.append(sentence)
        if say is not None:
            say(sentence)

    given = None if exemplars is None else with_masks(exemplars, "the exemplars")
    way = Way(data, recipe, Stages(Path(folder)), features=features, progress=progress, say=tell)
    contrasts = given is not None or bool(recipe.exemplars.count)
    way.check(trains=until == "trained", contrasts=contrasts)
    masks = way.masks()
    picked = way.picked(masks, recipe.first)
    if until == "masks":
        if not len(picked):
            tell("nothing was found in any image; masks.least and first.score say what counts")
        return _freed(way, data, masks, masks, said, labels=picked)
    refuse_nothing(picked, "search for free masks")
    true = given if truth else None
    first = way.network("first", picked, after=("masks",), truth=true)
    updated = way.update(first, after=("first",))
    refuse_nothing(updated, "first network")
    before = ["update"]
    if given is None and recipe.exemplars.count:
        given = way.exemplars(first, after=("first",))
        before.append("exemplars")
    second = way.network("second", updated, after=before, exemplars=given, truth=true)
    active = None if given is None else way.active("second")
    predictions = way.predictions(second, after=("second",))
    labels = predictions.take(
        np.flatnonzero(predictions.data.instances["score"].to_numpy() >= recipe.keep)
    )
    if not len(labels):
        tell(
            f"nothing reached a score of {recipe.keep:g}, so there are no pseudo-labels; a lower "
            "keep or more training helps"
        )
    return _freed(
        way, data, masks, predictions, said, labels=labels, updated=updated, exemplars=given,
        network=way.stages.folder / "second" / NETWORK, active=active,
    )  # fmt: skip


def _freed(
    way: Way,
    data: Dataset,
    masks: FreeLabels,
    predictions: FreeLabels,
    said: list[str],
    *,
    labels: FreeLabels,
    updated: FreeLabels | None = None,
    exemplars: Dataset | None = None,
    network: Path | None = None,
    active: float | None = None,
) -> Freed:
    return Freed(
        data=data,
        masks=masks,
        updated=updated,
        exemplars=exemplars,
        predictions=predictions,
        pseudo_labels=labels,
        network=network,
        active=active,
        seconds=way.stages.seconds,
        trained=way.trained,
        said=said,
    )
