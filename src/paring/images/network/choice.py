"""Who stays: representatives, images brought back to meet a count, and floors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.floors import Floors, FloorUnit
from paring.images.network.coverage import Coverage
from paring.images.network.search import Partition
from paring.images.similarity.opening import Opened
from paring.images.similarity.sources import refuse_threshold


@dataclass(frozen=True)
class Amount:
    """How much to keep: one of the three; and the floors that hold whatever the rule says."""

    rate: float | None = None
    count: int | None = None
    threshold: float | None = None
    min_per_group: int = 0
    min_per_category: int = 0
    min_per_size: int = 0
    floor_unit: FloorUnit = "instances"

    def __post_init__(self) -> None:
        given = [v is not None for v in (self.rate, self.count, self.threshold)]
        if sum(given) != 1:
            raise InputError("give one of the rate to prune, the count to keep, or the threshold")
        if self.threshold is not None:
            refuse_threshold(self.threshold)
        if self.min_per_group < 0:
            raise InputError("a floor cannot be below 0")


@dataclass(frozen=True, eq=False)
class Choice:
    """Which nodes stay (k,), how they cover the others, and what was done besides the rule."""

    kept: NDArray[np.bool_]
    coverage: Coverage
    reasons: dict[int, str]  # by row of the data set


def choose(
    opened: Opened,
    nodes: NDArray[np.int64],
    part: Partition,
    wanted: int | None,
    amount: Amount,
    named: Sequence[str] | None,
) -> Choice:
    """The representatives of a partition; up to `wanted` of them, and what the floors ask for.

    `named` has the group of each image of the data set (n,). Raises `InputError` where so few
    images cannot hold the floors.
    """
    kept, reasons = part.kept.copy(), {}
    coverage = Coverage.of(opened.measures, nodes[kept], nodes[~kept])
    if wanted is not None:
        back = coverage.return_worst(opened.measures, wanted - part.n_kept)
        kept[np.searchsorted(nodes, back)] = True
        reasons = dict.fromkeys(back.tolist(), "brought back: the worst covered of those to go")
    floors = _floors(opened, nodes, amount, named)
    if floors is not None:
        order = _order(opened, nodes, kept, coverage)
        held, changed = floors.enforce(kept, order)
        if changed:
            coverage = Coverage.of(opened.measures, nodes[held], nodes[~held])
        kept = held
        reasons |= {int(nodes[node]): reason for node, reason in changed.items()}
    return Choice(kept, coverage, reasons)


def _floors(
    opened: Opened, nodes: NDArray[np.int64], amount: Amount, named: Sequence[str] | None
) -> Floors | None:
    if not (amount.min_per_group or amount.min_per_category or amount.min_per_size):
        return None
    data = opened.data.subset(opened.data.images["image_id"].gather(pl.Series(nodes)))
    return Floors.of(
        data,
        per_category=amount.min_per_category,
        per_size=amount.min_per_size,
        unit=amount.floor_unit,
        groups=None if named is None else [named[row] for row in nodes.tolist()],
        per_group=amount.min_per_group,
    )


def _order(
    opened: Opened, nodes: NDArray[np.int64], kept: NDArray[np.bool_], coverage: Coverage
) -> NDArray[np.int64]:
    """Nodes from the one to keep first to the one to give up first."""
    alike = np.zeros(len(nodes))
    rows = nodes[kept]
    if len(rows) > 1:
        alike[kept] = opened.measures.nearest(rows, rows)[1]
    alike[np.searchsorted(nodes, coverage.rows)] = coverage.similarity
    return np.lexsort((alike, ~kept))
