"""A cell of the table: one method at one rate, one seed and one budget, in a folder of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from paring.dataset.subset import Subset
from paring.dataset.writing import beside, clear_abandoned
from paring.errors import InputError

Budget = Literal["epochs", "steps"]
"""What a subset is trained for: as many epochs as the full data, or as many optimiser steps."""

FULL, CHANCE = "full", "random"
"""The two rows that every table has: all data, and images by chance."""

CELLS = "cells"
_CELL, _SUBSET = "cell.json", "subset.json"


@dataclass(frozen=True, order=True)
class Place:
    """Where a cell stands in the table.

    Attributes
    ----------
    method : a name of `paring.experiment.ranking.METHODS`.
    rate : the share of the images removed; 0 for the full data.
    seed : of the choice and of the training.
    budget : what the subset is trained for; ``"epochs"`` for the full data, whose epochs make
        the steps.

    Example
    -------
    >>> Place("shape-si-cb", 0.4, 1, "steps").folder.as_posix()
    'cells/shape-si-cb/0.4/1-steps'
    >>> print(Place("random", 0.4, 1, "steps"))
    random at 40 %, seed 1, equal steps
    """

    method: str
    rate: float
    seed: int
    budget: Budget

    @property
    def folder(self) -> Path:
        """The folder of the cell, from that of the comparison."""
        return Path(CELLS) / self.method / f"{self.rate:.12g}" / f"{self.seed}-{self.budget}"

    def __str__(self) -> str:
        if self.method == FULL:
            return f"full data, seed {self.seed}"
        at = f"{self.method} at {percent(self.rate)}"
        return f"{at}, seed {self.seed}, equal {self.budget}"


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a cell.

    Attributes
    ----------
    status : ``"done"``, or ``"failed"`` with the sentence that says why in `error`.
    metrics : what the evaluation gives, by name.
    images, instances : how many were trained on.
    seconds_to_rank : to score the images, and before that to train the model that scores them.
    seconds_to_train : of the training that was measured.
    steps : optimiser steps of that training.
    """

    status: Literal["done", "failed"]
    metrics: dict[str, float] = {}
    images: int | None = None
    instances: int | None = None
    seconds_to_rank: float | None = None
    seconds_to_train: float | None = None
    steps: int | None = None
    error: str | None = None


def percent(rate: float) -> str:
    """A rate in words.

    >>> percent(0.4), percent(0.562)
    ('40 %', '56.2 %')
    """
    return f"{100 * rate:.10g} %"


def load_cell(output: Path, place: Place) -> Cell | None:
    """What became of a cell, or None where it was not come to.

    Raises `InputError` where the file is there and no cell.
    """
    path = output / place.folder / _CELL
    try:
        cell = msgspec.json.decode(path.read_bytes(), type=Cell)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: is not what a comparison wrote ({error}); remove its folder to do it again"
        ) from error
    if cell.status == "failed" and not cell.error:
        raise InputError(f"{path}: failed without a reason; remove its folder to do it again")
    return cell


def save_cell(output: Path, place: Place, cell: Cell, subset: Subset | None) -> None:
    """Write a cell beside its place, then rename it; one that is there is replaced.

    Metrics that are no number (NaN, infinite) are left out: JSON has none, and no mean either.
    """
    target = output / place.folder
    clear_abandoned(target)
    finite = {name: value for name, value in cell.metrics.items() if math.isfinite(value)}
    cell = msgspec.structs.replace(cell, metrics=finite)
    with beside(target, overwrite=True) as fresh:
        fresh.mkdir()
        if subset is not None:
            subset.save(fresh / _SUBSET)
        (fresh / _CELL).write_bytes(msgspec.json.format(msgspec.json.encode(cell)) + b"\n")


def load_subset(output: Path, place: Place) -> Subset | None:
    """Which images a cell was trained on, or None where it did not come so far."""
    path = output / place.folder / _SUBSET
    return Subset.load(path) if path.is_file() else None


def finished(output: Path, places: Iterable[Place]) -> Iterator[tuple[Place, Cell]]:
    """The cells of some places that are there, in their order."""
    for place in places:
        cell = load_cell(output, place)
        if cell is not None:
            yield place, cell
