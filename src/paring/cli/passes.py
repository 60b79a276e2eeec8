"""`paring images mc-dropout, consistency, k-centre`: rank images by what a network says now."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from paring.cli.cutting import cut
from paring.cli.dynamics import Trained
from paring.cli.extras import LIBRARIES, need_torch
from paring.cli.options import Output, Selection, Source, shares
from paring.dataset.reading import Progress
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.centres import keep_centres
from paring.images.consistency import consistency_scores, dropout_scores
from paring.images.selection import keep_top

_Seed = Annotated[int, typer.Option(min=0, help="Decides what is random in the passes.")]


class HowName(StrEnum):
    """How views are compared."""

    pairs = "pairs"
    majority = "majority"
    first = "first"


@shares
def mc_dropout(
    source: Source,
    selection: Selection,
    trained: Trained,
    output: Output,
    passes: Annotated[int, typer.Option(min=2, help="Predictions of each image.")] = 10,
    p: Annotated[float, typer.Option(help="Share of features dropped before the head.")] = 0.1,
    seed: _Seed = 0,
) -> None:
    """Keep the images of which a model is least certain with dropout on (MC-dropout).

    Example: `paring images mc-dropout demo/scenes.json --from trained --rate 0.5 -o run`
    """
    if not 0 < p < 1:
        raise InputError(f"the share of features dropped is 0 < p < 1, not {p:g}")
    need_torch("this score")

    def choose(data: Dataset, progress: Progress) -> tuple[Subset, Scores]:
        from paring.training.passes import dropout_passes

        found = dropout_passes(
            trained.from_run, data, passes=passes, p=p, seed=seed, progress=progress
        )
        scores = dropout_scores(
            found,
            data,
            parameters={"passes": passes, "p": p, "seed": seed},
            cells=trained.cells.value,
            instances=trained.instances.value,
        )
        return keep_top(scores, data=data, **selection.amount()), scores

    cut(source, output, choose, libraries=LIBRARIES)


@shares
def consistency(
    source: Source,
    selection: Selection,
    trained: Trained,
    output: Output,
    views: Annotated[int, typer.Option(min=2, help="Augmented views of each image.")] = 8,
    how: Annotated[
        HowName, typer.Option(help="Views that differ in pairs, from the majority, or the first.")
    ] = HowName.pairs,
    seed: _Seed = 0,
) -> None:
    """Keep the images of which a model predicts augmented views most differently.

    Example: `paring images consistency demo/scenes.json --from trained --rate 0.5 -o run`
    """
    need_torch("this score")

    def choose(data: Dataset, progress: Progress) -> tuple[Subset, Scores]:
        from paring.training.passes import augmented_passes

        found = augmented_passes(trained.from_run, data, views=views, seed=seed, progress=progress)
        scores = consistency_scores(
            found,
            data,
            how=how.value,
            parameters={"views": views, "seed": seed},
            cells=trained.cells.value,
            instances=trained.instances.value,
        )
        return keep_top(scores, data=data, **selection.amount()), scores

    cut(source, output, choose, libraries=LIBRARIES)


@shares
def k_centre(
    source: Source,
    output: Output,
    encoder: Annotated[str, typer.Option(metavar="NAME", help="Network that gives features.")],
    weights: Annotated[
        str,
        typer.Option(
            metavar="PATH", help="Its weights: a file, `hub`, or `none` for one never trained."
        ),
    ],
    rate: Annotated[
        float | None, typer.Option(help="Pruning rate p: the share of images removed.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Number of images to keep instead.")] = None,
    mean: Annotated[
        str | None, typer.Option(metavar="R,G,B", help="Mean of the images it was trained on.")
    ] = None,
    std: Annotated[
        str | None, typer.Option(metavar="R,G,B", help="Their standard deviation, from 0 to 1.")
    ] = None,
    size: Annotated[int, typer.Option(min=1, help="Side in pixels of what it sees.")] = 224,
) -> None:
    """Keep images that cover all others in the features of a network, before any annotation.

    Example: `paring images k-centre demo/images --encoder resnet50 --weights hub --rate 0.5 -o run`
    """
    need_torch("this score")
    means, deviations = _three("--mean", mean), _three("--std", std)

    def choose(data: Dataset, progress: Progress) -> tuple[Subset, None]:
        from paring.training.passes import image_features

        features = image_features(
            data,
            encoder,
            weights=None if weights == "none" else weights,
            size=size,
            mean=means,
            std=deviations,
            progress=progress,
        )
        said = {"encoder": encoder, "weights": weights, "size": size}
        said |= {"mean": means, "std": deviations}
        return keep_centres(features, data, rate=rate, count=count, parameters=said), None

    cut(source, output, choose, libraries=LIBRARIES)


def _three(option: str, text: str | None) -> tuple[float, float, float] | None:
    """Three numbers from text like ``0.5,0.5,0.5``."""
    if text is None:
        return None
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"{option} {text!r} is not three numbers like 0.5,0.5,0.5") from error
    return red, green, blue
