"""`paring images ...`: fewer images, by the method named."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from paring.cli import dynamics, leaks, passes, similarity
from paring.cli.cutting import cut
from paring.cli.options import Output, Selection, Source, shares
from paring.dataset.reading import Progress
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.dataset.threads import cores
from paring.images.selection import keep_random, keep_stratified, keep_top
from paring.images.shape import count_scores, shape_scores

app = typer.Typer(no_args_is_help=True, help="Fewer images: rank, cut, and see what it cost.")
app.command("similarity")(similarity.similarity)
app.command("leaks")(leaks.leaks)
app.command("entropy")(dynamics.entropy)
app.command("el2n")(dynamics.el2n)
app.command("aum")(dynamics.aum)
app.command("forgetting")(dynamics.forgetting)
app.command("mc-dropout")(passes.mc_dropout)
app.command("consistency")(passes.consistency)
app.command("k-centre")(passes.k_centre)


class ContourName(StrEnum):
    """How outlines are measured."""

    raster = "raster"
    polygon = "polygon"


class Unscored(StrEnum):
    """What happens to images of score 0."""

    last = "last"
    drop = "drop"


_Seed = Annotated[int, typer.Option(min=0, help="Decides the random choice.")]
_Unscored = Annotated[
    Unscored, typer.Option(help="Images of score 0 rank last, or go whatever the rate.")
]


@app.command()
@shares
def shape(
    source: Source,
    selection: Selection,
    output: Output,
    contour: Annotated[
        ContourName, typer.Option(help="Measure drawn masks (as published) or annotated vertices.")
    ] = ContourName.raster,
    scale_invariant: Annotated[
        bool, typer.Option(help="Compare with a circle of equal area (SI-SCS).")
    ] = True,
    class_balanced: Annotated[
        bool, typer.Option(help="Share of the category's total (CB-SCS).")
    ] = True,
    min_image_side: Annotated[
        int, typer.Option(min=0, help="Smaller images score 0 (published: 32).")
    ] = 0,
    unscored: _Unscored = Unscored.last,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads; all cores by default.")
    ] = None,
) -> None:
    """Keep the images with the most intricate masks (TFDP), without training.

    Example: `paring images shape annotations/instances_train2017.json --rate 0.5 -o run`
    """

    def choose(data: Dataset, progress: Progress) -> tuple[Subset, Scores]:
        total = len(data.instances)
        scores = shape_scores(
            data,
            contour=contour.value,
            scale_invariant=scale_invariant,
            class_balanced=class_balanced,
            min_image_side=min_image_side,
            workers=workers or cores(),
            progress=lambda done: progress("measuring masks", done, total),
        )
        return _top(scores, data, selection, unscored), scores

    cut(source, output, choose)


@app.command()
@shares
def count(
    source: Source, selection: Selection, output: Output, unscored: _Unscored = Unscored.last
) -> None:
    """Keep the images with the most instances, each category weighing alike.

    Example: `paring images count annotations/instances_train2017.json --rate 0.5 -o run`
    """

    def choose(data: Dataset, _: Progress) -> tuple[Subset, Scores]:
        scores = count_scores(data)
        return _top(scores, data, selection, unscored), scores

    cut(source, output, choose)


@app.command("random")
@shares
def random_(source: Source, selection: Selection, output: Output, seed: _Seed = 0) -> None:
    """Keep images by chance: the baseline of every comparison.

    Example: `paring images random VOC2012 --rate 0.5 --seed 1 -o run`
    """

    def choose(data: Dataset, _: Progress) -> tuple[Subset, None]:
        return keep_random(data, seed=seed, **selection.amount()), None

    cut(source, output, choose)


@app.command()
@shares
def ccs(
    source: Source,
    selection: Selection,
    output: Output,
    scores: Annotated[Path, typer.Option(help="Scores of an earlier run (scores.parquet).")],
    strata: Annotated[int, typer.Option(min=1, help="Strata of equal width.")] = 50,
    cutoff: Annotated[
        float, typer.Option(help="Share of the images cut from the hard end first.")
    ] = 0.1,
    seed: _Seed = 0,
) -> None:
    """Keep images evenly over the range of their scores (coverage-centric selection).

    Example: `paring images ccs VOC2012 --scores run/scores.parquet --rate 0.7 -o run2`
    """

    def choose(data: Dataset, _: Progress) -> tuple[Subset, Scores]:
        found = Scores.load(scores)
        amount: dict[str, Any] = selection.amount()
        subset = keep_stratified(
            found, data=data, strata=strata, cutoff=cutoff, seed=seed, **amount
        )
        return subset, found

    cut(source, output, choose)


@app.command()
@shares
def apply(
    source: Source,
    output: Output,
    subset: Annotated[Path, typer.Option(help="Subset of an earlier run (subset.json).")],
    force: Annotated[
        bool, typer.Option("--force", help="Apply it to another data set than it was made from.")
    ] = False,
) -> None:
    """Keep what an earlier run kept, in this copy of its data set.

    Example: `paring images apply VOC2012 --subset run/subset.json -o run-again`
    """
    cut(source, output, lambda *_: (Subset.load(subset), None), force=force)


def _top(scores: Scores, data: Dataset, selection: Selection, unscored: Unscored) -> Subset:
    return keep_top(scores, data=data, unscored=unscored.value, **selection.amount())
