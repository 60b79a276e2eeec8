"""Pairs in tiles: each tile of rows and columns is a task of its own.

A tile needs the tables and pixels of its rows and columns and nothing else, and its result does
not depend on which other tiles there are. So tiles can be done in any order, by any machine, and
work that was stopped goes on from the tiles that are done.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from paring.images.similarity.bounds import Bounds
from paring.images.similarity.formula import Metric, Moments, similarities
from paring.images.similarity.store import PixelStore

Which = Literal["all", "new", "across"]
"""All pairs; those with at least one new image; those of an old with a new image."""

_OFTEN = 0.25
"""Share of a tile's pairs from which one dense product is cheaper than pair after pair."""

_HOPELESS = 0.6
"""The same for the coarse bound, which the finer one may still thin out."""

_STRIPES = 4  # a worker's share of a tile, in so many parts, so that all end together


@dataclass(frozen=True)
class Tile:
    """Images `rows` against images `others`; on the diagonal both are the same."""

    rows: slice
    others: slice

    @property
    def diagonal(self) -> bool:
        """Whether only pairs with row < column count."""
        return self.rows == self.others

    @property
    def name(self) -> str:
        """For a file."""
        return f"{self.rows.start}-{self.rows.stop}-{self.others.start}-{self.others.stop}"

    @property
    def n_pairs(self) -> int:
        """How many pairs of images it holds."""
        height, width = (int(s.stop - s.start) for s in (self.rows, self.others))
        return height * (height - 1) // 2 if self.diagonal else height * width


def plan(n_images: int, block: int, *, new_from: int = 0, which: Which = "all") -> list[Tile]:
    """Tiles of `block` images a side that hold each wanted pair once.

    Images from row `new_from` on are new.

    >>> [tile.name for tile in plan(5, 3)]
    ['0-3-0-3', '0-3-3-5', '3-5-3-5']
    >>> [tile.name for tile in plan(5, 3, new_from=4, which="new")]
    ['0-3-4-5', '3-4-4-5', '4-5-4-5']
    """
    if which == "all":
        new_from = 0
    old = [slice(a, min(a + block, new_from)) for a in range(0, new_from, block)]
    new = [slice(a, min(a + block, n_images)) for a in range(new_from, n_images, block)]
    tiles = [Tile(a, b) for a in old for b in new]
    if which != "across":
        tiles += [Tile(a, b) for k, a in enumerate(new) for b in new[k:]]
    return tiles


@dataclass(frozen=True)
class Found:
    """Pairs of a tile and their similarities.

    Attributes
    ----------
    low : every pair whose similarity is at least this is here.
    complete : no pair under `low` is here; otherwise some are, which a bound had let through.
    first, second : int32 (k,), rows of the images; first < second, sorted.
    value : float64 (k,).
    """

    low: float
    complete: bool
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    value: NDArray[np.float64]


NO_PAIRS = Found(np.inf, True, np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0))
"""What there is above every similarity."""


@dataclass(frozen=True)
class Engine:
    """What finds the pairs of a tile: pixels, their moments and bounds, and the formula."""

    store: PixelStore
    moments: Moments
    bounds: Bounds
    metric: Metric
    data_range: float

    def exact(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
        """Similarities of pairs of rows."""
        return self.formula(first, second, self.store.products(first, second))

    def formula(
        self, first: NDArray[Any], second: NDArray[Any], products: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """The same from their products."""
        return similarities(
            self.moments, first, second, products, metric=self.metric, data_range=self.data_range
        )

    def find(
        self,
        tile: Tile,
        low: float,
        *,
        pool: ThreadPoolExecutor,
        workers: int,
        known: Found | None = None,
        prune: bool = True,
    ) -> Found:
        """All pairs of a tile with a similarity of at least `low`.

        Pairs in `known` are not computed again. Without `prune`, and where bounds would let too
        many pairs pass, the tile is one dense product.
        """
        if known is not None and known.low <= low:
            return known
        candidates = self._candidates(tile, low, pool, workers) if prune else None
        if candidates is None:
            return self._dense(tile, low, pool)
        first, second = candidates
        old_value = np.empty(0)
        if known is not None:
            width = tile.others.stop - tile.others.start
            old = _keys(known.first, known.second, tile, width)
            fresh = ~np.isin(_keys(first, second, tile, width), old, assume_unique=True)
            first, second, old_value = first[fresh], second[fresh], known.value
        parts = _cut(len(first), workers * _STRIPES)
        values = pool.map(lambda p: self.exact(first[p], second[p]), parts)
        value = np.concatenate([old_value, *values])
        if known is not None:
            first = np.concatenate((known.first, first))
            second = np.concatenate((known.second, second))
        order = np.lexsort((second, first))
        return Found(low, False, first[order], second[order], value[order])

    def _candidates(
        self, tile: Tile, low: float, pool: ThreadPoolExecutor, workers: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
        """Pairs whose bounds reach `low`; None where they are too many to go one by one."""
        from paring.images.similarity import kernel

        bounds, limit = self.bounds, self.bounds.lowered(low)
        table = bounds.coarse[tile.rows] @ bounds.coarse[tile.others].T
        height = tile.rows.stop - tile.rows.start

        def stripe(part: slice) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
            # a stripe of a diagonal tile begins at its own first row
            rows = slice(tile.rows.start + part.start, tile.rows.start + part.stop)
            skip = part.start if tile.diagonal else 0
            others = slice(tile.others.start + skip, tile.others.stop)
            bound = table[part, skip:]
            room = int(_HOPELESS * bound.size) + 1
            first, second = np.empty((2, room), np.int32)
            n_found = kernel.screen(
                bound,
                bounds.mean[rows],
                bounds.mean[others],
                bounds.variance[rows],
                bounds.variance[others],
                bounds.c1,
                bounds.c2,
                limit,
                tile.diagonal,
                first,
                second,
            )
            if n_found > room:
                return None
            first, second = first[:n_found] + rows.start, second[:n_found] + others.start
            covariance = bounds.refined(first, second)
            passed = bounds.reach(limit, first, second, covariance)
            return first[passed], second[passed]

        stripes = [s for s in pool.map(stripe, _cut(height, workers * _STRIPES)) if s is not None]
        if len(stripes) < len(_cut(height, workers * _STRIPES)):
            return None
        if sum(len(first) for first, _ in stripes) > max(_OFTEN * tile.n_pairs, 64):
            return None
        return (
            np.concatenate([first for first, _ in stripes]),
            np.concatenate([second for _, second in stripes]),
        )

    def _dense(self, tile: Tile, low: float, pool: ThreadPoolExecutor) -> Found:
        products = self.store.product_table(tile.rows, tile.others)
        others = np.arange(tile.others.start, tile.others.stop)

        def stripe(k: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
            begin = k + 1 if tile.diagonal else 0
            row = tile.rows.start + k
            second = others[begin:]
            value = self.formula(np.full(len(second), row), second, products[k, begin:])
            passed = value >= low
            count = int(np.count_nonzero(passed))
            return np.full(count, row, np.int32), second[passed].astype(np.int32), value[passed]

        rows = list(pool.map(stripe, range(len(products)), chunksize=16))
        first, second, value = (np.concatenate([r[k] for r in rows]) for k in range(3))
        return Found(low, True, first, second, value)


def _keys(
    first: NDArray[np.int32], second: NDArray[np.int32], tile: Tile, width: int
) -> NDArray[np.int64]:
    keys: NDArray[np.int64] = (first.astype(np.int64) - tile.rows.start) * width
    keys += second - tile.others.start
    return keys


def _cut(length: int, parts: int) -> Sequence[slice]:
    """A range in about equal parts, none of them empty but the only one."""
    ends = np.unique(np.linspace(0, length, min(parts, max(length, 1)) + 1).astype(int)).tolist()
    return [slice(a, b) for a, b in pairwise(ends)] or [slice(0, 0)]
