"""From tags to masks, in stages that are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.stages import Stages
from paring.labels.tags.given import Tags, tags_of
from paring.labels.tags.predicting import Found, gathered
from paring.labels.tags.recipe import TagRecipe
from paring.labels.tags.way import CLASSIFIER, NETWORK, Say, Way
from paring.training.fitting import Fitted


@dataclass(frozen=True)
class Mined:
    """What tags led to.

    Attributes
    ----------
    tags : what was learnt from.
    proposals : of all images of the data set.
    predictions : instances of all classes, scored.
    pseudo_labels : those of them that an image is tagged with and whose score suffices.
    found : places for the eye: peaks, seeds and pseudo ground truth of each image.
    classifier, network : files of their weights.
    seconds : of each stage.
    trained : how long each of the two trainings took, and on what.
    said : sentences on what was decided.
    """

    tags: Tags
    proposals: Dataset
    predictions: Dataset
    pseudo_labels: Dataset
    found: dict[int, Found]
    classifier: Path
    network: Path
    seconds: dict[str, float]
    trained: dict[str, Fitted]
    said: list[str]


def labels_from_tags(
    data: Dataset,
    recipe: TagRecipe,
    folder: str | Path,
    *,
    proposals: Dataset | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Mined:
    """Learn instance masks from image-level tags (CIM).

    The stages are proposals, classifier, pre-computed pseudo-labels, network and predictions. A
    call with the same data, recipe and folder goes on where one before was cut short; stages whose
    recipe changed are made anew, with all that follow.

    Parameters
    ----------
    data : images with tags, or with instances whose categories are the tags; nothing else of the
        instances is looked at.
    recipe : see `load_tag_recipe`.
    folder : of the stages.
    proposals : of these images, best first; unset, `paring.labels.propose` makes them.
    workers : processes that make proposals; unset, one a core.
    progress : called with a label, steps done and steps to do.
    say : called with sentences on what was decided.

    Raises
    ------
    InputError
        Where no image has a tag, the folder of the images is not known, no proposal is there, or
        proposals are of another size than their image.
    TrainingFailed
        Where a loss is no number.
    """
    if data.image_root is None:
        raise InputError("the folder of the images is not known; give --images DIR")
    said: list[str] = []

    def tell(sentence: str) -> None:
        said.append(sentence)
        if say is not None:
            say(sentence)

    tags = tags_of(data, say=tell)
    way = Way(tags, recipe, Stages(Path(folder)), progress, tell)
    way.check()
    proposals = way.proposals(proposals, workers)
    classifier = way.classifier()
    tags = way.regions(proposals, classifier)
    network = way.network(tags)
    found = way.predictions(tags, network)
    predictions, labels = gathered(found, tags, proposals, recipe.inference.keep)
    if not len(labels.instances):
        tell(
            f"no instance of a tag reached a score of {recipe.inference.keep:g}, so there are no "
            "pseudo-labels; a lower inference.keep or more training helps"
        )
    return Mined(
        tags=tags,
        proposals=proposals,
        predictions=predictions,
        pseudo_labels=labels,
        found=found,
        classifier=way.stages.folder / "classifier" / CLASSIFIER,
        network=way.stages.folder / "network" / NETWORK,
        seconds=way.stages.seconds,
        trained=way.trained,
        said=said,
    )
