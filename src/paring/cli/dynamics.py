"""`paring images entropy, el2n, aum, forgetting`: rank images by what a training recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar, Protocol

import typer

from paring.cli import console
from paring.cli.cutting import cut
from paring.cli.options import Output, Selection, Source, shares
from paring.dataset.reading import Progress
from paring.dataset.record import Record
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.images.aggregation import Cells, Instances
from paring.images.dynamics import aum_scores, el2n_scores, entropy_scores, forgetting_scores
from paring.images.selection import keep_top
from paring.report.words import count


class CellsName(StrEnum):
    """How cells make instances."""

    mean = "mean"
    sum = "sum"


class InstancesName(StrEnum):
    """How instances make images."""

    sum = "sum"
    mean = "mean"
    max = "max"


@dataclass
class Trained:
    """Which training, and how its scores of cells become those of images."""

    panel: ClassVar[str] = "Scores"

    from_run: Annotated[Path, typer.Option("--from", metavar="RUN", help="Folder of the training.")]
    cells: Annotated[
        CellsName, typer.Option(help="Mean over an instance's cells, or their sum by its area.")
    ] = CellsName.mean
    instances: Annotated[
        InstancesName,
        typer.Option(help="An image has the sum, the mean, or the hardest of its instances."),
    ] = InstancesName.sum


class Measure(Protocol):
    """A function that scores images by a record."""

    def __call__(
        self,
        record: Record,
        data: Dataset,
        *,
        epoch: int | None = None,
        cells: Cells = "mean",
        instances: Instances = "sum",
    ) -> Scores:
        """Scores of the images of a data set."""


_LAST = "The last epoch that counts, from 0; all recorded ones by default."


@shares
def entropy(
    source: Source,
    selection: Selection,
    trained: Trained,
    output: Output,
    epoch: Annotated[
        int | None, typer.Option(min=0, help="Recorded epoch, from 0; the last by default.")
    ] = None,
) -> None:
    """Keep the images of which a trained model was least certain.

    Example: `paring images entropy demo/scenes.json --from trained --rate 0.5 -o run`
    """
    _cut(source, selection, trained, output, entropy_scores, epoch)


@shares
def el2n(
    source: Source,
    selection: Selection,
    trained: Trained,
    output: Output,
    epoch: Annotated[
        int | None,
        typer.Option(min=0, help="Recorded epoch, from 0; half of the training by default."),
    ] = None,
) -> None:
    """Keep the images that a model was farthest from early in its training (EL2N).

    Example: `paring images el2n demo/scenes.json --from trained --rate 0.5 -o run`
    """
    _cut(source, selection, trained, output, el2n_scores, epoch)


@shares
def aum(
    source: Source,
    selection: Selection,
    trained: Trained,
    output: Output,
    epoch: Annotated[int | None, typer.Option(min=0, help=_LAST)] = None,
) -> None:
    """Keep the images of the smallest margins over a training (AUM).

    Example: `paring images aum demo/scenes.json --from trained --rate 0.5 -o run`
    """
    _cut(source, selection, trained, output, aum_scores, epoch)


@shares
def forgetting(
    source: Source,
    selection: Selection,
    trained: Trained,
    output: Output,
    epoch: Annotated[int | None, typer.Option(min=0, help=_LAST)] = None,
) -> None:
    """Keep the images that a training learned and forgot most often.

    Example: `paring images forgetting demo/scenes.json --from trained --rate 0.5 -o run`
    """
    _cut(source, selection, trained, output, forgetting_scores, epoch)


def _cut(
    source: Source,
    selection: Selection,
    trained: Trained,
    output: Output,
    measure: Measure,
    epoch: int | None,
) -> None:
    """Score by a record, keep the hard end, and say which epochs the scores are of."""
    record = Record.open(trained.from_run)

    def choose(data: Dataset, _: Progress) -> tuple[Subset, Scores]:
        scores = measure(
            record,
            data,
            epoch=epoch,
            cells=trained.cells.value,
            instances=trained.instances.value,
        )
        planned = record.about["epochs"]
        if "epoch" in scores.parameters:
            console.say(f"scored at epoch {scores.parameters['epoch']} of {planned}, from 0")
        else:
            console.say(f"scored over {count(scores.parameters['epochs'], 'recorded epoch')}")
        return keep_top(scores, data=data, **selection.amount()), scores

    cut(source, output, choose)
