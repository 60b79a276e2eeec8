"""`paring labels from-images`: instance masks from images alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from rich.text import Text

from paring.cli import console
from paring.cli.comparison import OnErrorName
from paring.cli.extras import need_torch
from paring.cli.learning import (
    Learning,
    OnError,
    Overrides,
    Seed,
    Show,
    Weights,
    learning,
    tell,
    with_said,
)
from paring.cli.options import Place, Source, shares
from paring.cli.run import placed_at
from paring.cli.tables import values_table
from paring.report.words import count

if TYPE_CHECKING:
    from paring.dataset.table import Dataset
    from paring.labels.free.recipe import FreeRecipe
    from paring.labels.free.running import Freed

_EXAMPLES = 200
"""Images that the page can show."""


class StageName(StrEnum):
    """How far the command goes."""

    masks = "masks"
    trained = "trained"


@dataclass
class Finding:
    """How things are found."""

    panel: ClassVar[str] = "Finding"

    stage: Annotated[
        StageName,
        typer.Option(help="masks: free masks alone, in minutes; trained: networks learn on."),
    ] = StageName.trained
    recipe: Annotated[
        str, typer.Option(help="YAML file, or a built-in name: small, exemplar-freesolo.")
    ] = "small"
    weights: Weights = None
    features: Annotated[
        Path | None,
        typer.Option(
            help="Folder of features made elsewhere, a/b.npy (C, h, w) for the image a/b.jpg."
        ),
    ] = None
    exemplars: Annotated[
        Path | None,
        typer.Option(help="COCO boxes or masks that are the exemplars; cut out if not given."),
    ] = None
    exemplar_images: Annotated[
        Path | None, typer.Option(help="Folder of the images of --exemplars.")
    ] = None
    as_truth: Annotated[
        bool,
        typer.Option("--exemplars-as-truth", help="They are the truth of their images too."),
    ] = False
    seed: Seed = None
    on_error: OnError = OnErrorName.refuse

    def read(self, overrides: list[str] | None) -> FreeRecipe:
        """The recipe, with what is said here."""
        from paring.labels.free.recipe import load_free_recipe

        given = with_said(overrides, weights=self.weights, seed=self.seed)
        return load_free_recipe(self.recipe, given)


@shares
def from_images(
    source: Source,
    place: Place,
    finding: Finding,
    overrides: Overrides = None,
    show: Show = False,
) -> None:
    """Find things in images without any label, and learn to segment them (Exemplar-FreeSOLO).

    Masks are found in an encoder's features, and two networks are trained on them in turn, the
    second with exemplars. The run holds `pseudo_labels.json` (COCO, one category, to train on),
    `predictions.json` (all scored instances), their embeddings and the weights. Work that was
    stopped goes on from its last stage when the command is given again.

    Example: `paring labels from-images photos/ --weights hub -o run`
    """
    need_torch("learning from images alone")
    recipe = finding.read(overrides)
    if show:
        print(recipe.to_yaml(), end="")
        return
    from paring.labels.free.looking import FeatureFolder
    from paring.labels.free.running import labels_from_images

    with learning(source, place, finding.on_error) as work:
        exemplars = _given(finding)
        features = None if finding.features is None else FeatureFolder(finding.features)
        freed = labels_from_images(
            work.data,
            recipe,
            work.folder,
            until=finding.stage.value,
            features=features,
            exemplars=exemplars,
            truth=finding.as_truth,
            progress=work.progress,
            say=console.say,
        )
        about = _write(work, recipe, freed)
    tell(place, about, lambda: _show(freed, about))


def _given(finding: Finding) -> Dataset | None:
    """Exemplars, where they are named."""
    if finding.exemplars is None:
        return None
    import paring

    return paring.read(finding.exemplars, format="coco", images=finding.exemplar_images)


def _write(work: Learning, recipe: FreeRecipe, freed: Freed) -> dict[str, Any]:
    """Write the outcome into the run folder; gives what ``run.json`` says."""
    from paring.evaluation.results import write_results
    from paring.labels.arrays import write_arrays
    from paring.labels.free.examples import write_free_examples

    run, data = work.run, work.data
    run.folder.joinpath("recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    freed.pseudo_labels.data.write(run.folder / "pseudo_labels.json", format="coco")
    write_results(freed.predictions.data, run.folder / "predictions.json")
    write_arrays(
        run.folder / "embeddings.npz",
        instance_ids=freed.pseudo_labels.data.instances["instance_id"].to_numpy(),
        embeddings=freed.pseudo_labels.embeddings,
        maskness=freed.pseudo_labels.maskness,
    )
    if freed.network is not None:
        write_results(freed.masks.data, run.folder / "free_masks.json")
        (run.folder / freed.network.name).write_bytes(freed.network.read_bytes())
    if freed.exemplars is not None:
        freed.exemplars.write(run.folder / "exemplars.json", format="coco")
    write_free_examples(freed, run.folder, most=_EXAMPLES)
    run.facts |= {
        "method": "from-images",
        "stage": "masks" if freed.network is None else "trained",
        "seed": recipe.seed,
        "images": len(freed.data),
        "free_masks": len(freed.masks),
        "updated": None if freed.updated is None else len(freed.updated),
        "exemplars": None if freed.exemplars is None else len(freed.exemplars.instances),
        "active": freed.active,
        "predictions": len(freed.predictions),
        "pseudo_labels": len(freed.pseudo_labels),
        "images_labelled": freed.pseudo_labels.data.instances["image_id"].n_unique(),
        "seconds_of": freed.seconds,
        "trained": {
            name: {key: getattr(one, key) for key in one.__dataclass_fields__}
            for name, one in freed.trained.items()
        },
        "quality": _quality(data, freed),
        "said": freed.said,
        "skipped": work.skipped,
        "dataset": {
            "image_root": None if data.image_root is None else placed_at(run, data.image_root),
            "fingerprint": data.fingerprint,
        },
    }
    return run.finish()


def _quality(data: Dataset, freed: Freed) -> dict[str, float]:
    """How near what was found comes to the masks of the data set, where it has any."""
    if data.masks.is_empty.all():
        return {}
    from paring.evaluation import agnostic_metrics

    found = agnostic_metrics(data, freed.predictions.data)
    return {name: value for name, value in found.items() if value == value}  # no NaN


def _show(freed: Freed, about: dict[str, Any]) -> None:
    """What was found, and how good it is where that is known."""
    labels = count(about["pseudo_labels"], "pseudo-label")
    images = count(about["images"], "image")
    headline = f"{labels} in {about['images_labelled']:,} of {images}"
    console.out.print(Text(headline, style="bold"))
    steps = {
        "free masks": about["free_masks"],
        "kept for the second training": about["updated"],
        "exemplars": about["exemplars"],
        "predictions": about["predictions"] if freed.network is not None else None,
    }
    words = [f"{name} {number:,}" for name, number in steps.items() if number is not None]
    console.out.print(Text(" · ".join(words), style="dim"))
    if about["quality"]:
        console.out.print(values_table(about["quality"]))
        console.say(
            "measured against the masks of the data set, of which nothing was learnt; where it has "
            "not all things, AP counts those it lacks as wrong"
        )
