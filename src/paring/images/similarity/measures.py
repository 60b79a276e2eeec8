"""Similarities of a set of images: the pairs above a threshold, single pairs, nearest images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.similarity.tiles import Engine, Found, Tile, Which, plan
from paring.images.similarity.work import Work, together

Progress = Callable[[str, int, int], None]
Rows = NDArray[np.int64]  # (k,)

_BLOCK = 2048  # images a side of a tile, where memory allows
_BYTES_A_PAIR = 200  # from the tile over the sorted edges to the network and its communities
_FEW = 32  # candidates that suffice for the nearest of most images
_STEP = 4  # nearest images: pairs that are computed at a time for each image


class TooManyPairs(InputError):
    """More pairs reach a similarity than memory holds."""


class Similarities(Protocol):
    """What both kinds of similarity offer; rows are those of the data set's images.

    Images that could not be read have no pairs.
    """

    def pairs(self, low: float, *, progress: Progress | None = None) -> Found:
        """All wanted pairs of rows with a similarity of at least `low`, sorted."""

    def exact(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        """Similarities of pairs of rows (k,)."""

    def nearest(self, rows: Rows, among: Rows) -> tuple[Rows, NDArray[np.float64]]:
        """The most similar of the images `among` for each of `rows` (k,), itself aside.

        Of equally similar ones it is the first. Both are sorted. Where
        no similarity is defined, the row is -1 and the value minus infinity.
        """

    def exceeding(self, row: int, rows: Rows, least: NDArray[np.float64]) -> NDArray[np.float64]:
        """Similarities of one image to others (k,), -1 where they cannot exceed `least` (k,)."""

    def estimates(self, rows: Rows) -> NDArray[np.float32]:
        """Likely similarities of some images to all, (k, n); only a guess."""


class GlobalSimilarities:
    """Similarities from whole-image moments (SSIM of Eq. 2, PCC of Eq. 3), pruned by bounds.

    Parameters
    ----------
    engine : pixels, moments, bounds and formula.
    new_from, which : restrict the pairs, see `paring.images.similarity.tiles.plan`.
    memory : bytes that pairs may take; more pairs than that are refused.
    prune : False computes every pair, for comparison.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        workers: int,
        memory: int,
        new_from: int = 0,
        which: Which = "all",
        work: Work | None = None,
        prune: bool = True,
        block: int = _BLOCK,
    ) -> None:
        self.engine = engine
        self._workers, self._memory, self._work, self._prune = workers, memory, work, prune
        self._tiles = plan(len(engine.store), block, new_from=new_from, which=which)
        self._found: dict[str, Found] = {}

    def pairs(self, low: float, *, progress: Progress | None = None) -> Found:
        """All pairs of at least `low`; only those that no earlier call found are computed."""
        total = sum(tile.n_pairs for tile in self._tiles)
        done = n_held = 0
        with self._threads() as pool:
            for tile in self._tiles:
                found = self._tile(tile, low, pool)
                self._found[tile.name] = found
                n_held += len(found.value)
                if _too_many(n_held, self._memory):
                    n_held = self._drop_below(low)
                    _refuse_many(n_held, low, self._memory)
                done += tile.n_pairs
                if progress is not None:
                    progress("comparing images (pairs)", done, total)
        return together([self._found[tile.name] for tile in self._tiles], low)

    def _drop_below(self, low: float) -> int:
        """Let go of pairs that bounds let through and that are under `low`; how many are left."""
        for name, found in self._found.items():
            least = max(low, found.low)
            kept = found.value >= least
            first, second, value = found.first[kept], found.second[kept], found.value[kept]
            self._found[name] = Found(least, True, first, second, value)
        return sum(len(found.value) for found in self._found.values())

    def _tile(self, tile: Tile, low: float, pool: ThreadPoolExecutor) -> Found:
        known = self._found.get(tile.name)
        name = f"{self.engine.metric}-{self.engine.data_range!r}-{self.engine.store.mark()}"
        if known is None and self._work is not None:
            known = self._work.load(name, tile)
        if known is not None and known.low <= low:
            return known
        found = self.engine.find(
            tile, low, pool=pool, workers=self._workers, known=known, prune=self._prune
        )
        if self._work is not None:
            self._work.save(name, tile, found)
        return found

    def exact(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        """Similarities of pairs of rows."""
        if not len(first):
            return np.empty(0)
        parts = np.array_split(np.arange(len(first)), max(1, min(len(first), 8 * self._workers)))
        with self._threads() as pool:
            return np.concatenate(
                list(pool.map(lambda p: self.engine.exact(first[p], second[p]), parts))
            )

    def nearest(self, rows: Rows, among: Rows) -> tuple[Rows, NDArray[np.float64]]:
        """Exact nearest images: candidates are computed in the order of their bounds.

        An image is done when the best similarity found exceeds every bound that is left.
        """
        best = np.empty(len(rows), np.int64)
        value = np.full(len(rows), -np.inf)
        step = int(np.clip(self._memory // (80 * max(1, len(among))), 1, 512))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            best[part], value[part] = self._nearest(rows[part], among)
        return best, value

    def _nearest(self, rows: Rows, among: Rows) -> tuple[Rows, NDArray[np.float64]]:
        bound = self.engine.bounds.upper(rows, among)
        bound[rows[:, None] == among[None, :]] = -np.inf
        best, value = np.full(len(rows), -1), np.full(len(rows), -np.inf)
        left, few = np.arange(len(rows)), min(_FEW, len(among))
        # most images are done after few candidates, so only for the others all are looked at
        for count in dict.fromkeys((few, len(among))):
            top = bound[left]
            order = np.argpartition(-top, count - 1, axis=1)[:, :count]
            # no candidate that is left out has a higher bound than this
            rest = np.full(len(left), -np.inf)
            if count < len(among):
                rest = np.take_along_axis(top, order[:, -1:], axis=1)[:, 0]
            pairs = np.repeat(rows[left], count), among[order].reshape(-1)
            fine = self.engine.bounds.upper_of_pairs(*pairs).reshape(order.shape)
            fine[among[order] == rows[left, None]] = -np.inf
            inner = np.argsort(-fine, axis=1, kind="stable")
            order = np.take_along_axis(order, inner, axis=1)
            fine = np.take_along_axis(fine, inner, axis=1)
            left = self._walk(rows, among, left, order, fine, rest, best, value)
            if not len(left):
                break
        return best, value

    def _walk(
        self,
        rows: Rows,
        among: Rows,
        left: Rows,
        order: NDArray[np.int64],
        bound: NDArray[np.float32],
        rest: NDArray[np.float64],
        best: Rows,
        value: NDArray[np.float64],
    ) -> Rows:
        """Compute candidates of the images `left` in their order; gives those not yet done."""
        place = np.arange(len(left))
        for start in range(0, order.shape[1], _STEP):
            place = place[bound[place, start] >= value[left[place]]]
            if not len(place):
                break
            image = left[place]
            others = among[order[place, start : start + _STEP]]
            first = np.repeat(rows[image], others.shape[1])
            found = self.exact(first, others.reshape(-1)).reshape(others.shape)
            found[(others == rows[image, None]) | np.isnan(found)] = -np.inf
            # the greatest, and of equal ones the first in the data set
            k = np.lexsort((others, -found), axis=1)[:, 0]
            other, reached = others[np.arange(len(place)), k], found[np.arange(len(place)), k]
            better = (reached > value[image]) | (
                (reached == value[image]) & (other < best[image]) & np.isfinite(reached)
            )
            value[image[better]], best[image[better]] = reached[better], other[better]
        undone: Rows = left[rest >= value[left]]
        return undone

    def exceeding(self, row: int, rows: Rows, least: NDArray[np.float64]) -> NDArray[np.float64]:
        """Computed only where the bound allows for more than `least`."""
        bound = self.engine.bounds.upper(np.array([row]), rows)[0]
        found = np.full(len(rows), -1.0)
        maybe = np.flatnonzero(bound > least)
        found[maybe] = self.exact(np.full(len(maybe), row), rows[maybe])
        return found

    def estimates(self, rows: Rows) -> NDArray[np.float32]:
        """From the low frequencies alone."""
        return self.engine.bounds.estimate(rows, slice(None))

    @contextmanager
    def _threads(self) -> Iterator[ThreadPoolExecutor]:
        with ThreadPoolExecutor(self._workers) as pool:
            yield pool


def _too_many(n_pairs: int, memory: int) -> bool:
    return _BYTES_A_PAIR * n_pairs > memory


def _refuse_many(n_pairs: int, low: float, memory: int) -> None:
    if _too_many(n_pairs, memory):
        raise TooManyPairs(
            f"at a similarity of {low:.4g} there are at least {n_pairs:,} pairs to hold, too many "
            f"for {memory / 2**30:.3g} GiB; give a higher threshold, a lower rate or more --memory"
        )
