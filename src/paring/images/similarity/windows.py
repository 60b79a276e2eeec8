"""`WindowedSimilarities`: every pair's windowed SSIM, in one table of all images by all images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.similarity.measures import Progress, Rows
from paring.images.similarity.store import PixelStore
from paring.images.similarity.tiles import Found, Tile, Which, plan
from paring.images.similarity.work import Work, together

_BLOCK = 64  # images a side of a tile


class WindowedSimilarities:
    """All wanted pairs are computed at the first call, and held (8 bytes a pair, twice).

    Parameters
    ----------
    store : pixels of the images.
    data_range : L of the constants of SSIM.
    new_from, which : restrict the pairs, see `paring.images.similarity.tiles.plan`.
    memory : bytes that the table and the maps of a tile may take.

    Raises `InputError` where the table of all pairs would take more than half the memory.
    """

    def __init__(
        self,
        store: PixelStore,
        *,
        data_range: float,
        workers: int,
        memory: int,
        new_from: int = 0,
        which: Which = "all",
        work: Work | None = None,
    ) -> None:
        n = len(store)
        if 8 * n * n > memory // 2:
            raise InputError(
                f"windowed SSIM of {n:,} images holds a table of {8 * n * n / 2**30:.3g} GiB, more "
                f"than half of {memory / 2**30:.3g} GiB; use the global window or more --memory"
            )
        self._store, self._data_range, self._workers = store, data_range, workers
        self._memory, self._work = memory, work
        self._tiles = plan(n, _BLOCK, new_from=new_from, which=which)
        self._table: NDArray[np.float64] | None = None

    def pairs(self, low: float, *, progress: Progress | None = None) -> Found:
        """All wanted pairs of at least `low`."""
        table = self._filled(progress)
        found = []
        for tile in self._tiles:
            part = table[tile.rows, tile.others]
            passed = part >= low
            if tile.diagonal:
                passed &= np.triu(np.ones_like(passed), 1)
            first, second = np.nonzero(passed)
            rows = (first + tile.rows.start).astype(np.int32)
            others = (second + tile.others.start).astype(np.int32)
            found.append(Found(low, True, rows, others, part[passed]))
        return together(found, low)

    def exact(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        """Similarities of pairs of rows, from the table where they are there."""
        table = self._filled(None)
        value: NDArray[np.float64] = table[first, second]
        missing = np.isnan(value) & self._store.done[first] & self._store.done[second]
        if missing.any():
            value[missing] = self._compute(first[missing], second[missing])
        return value

    def nearest(self, rows: Rows, among: Rows) -> tuple[Rows, NDArray[np.float64]]:
        """The most similar of the images `among` for each of `rows`, itself aside."""
        best, value = np.empty(len(rows), np.int64), np.empty(len(rows))
        for k, row in enumerate(rows.tolist()):
            found = self.exact(np.full(len(among), row), among)
            found[(among == row) | np.isnan(found)] = -np.inf
            place = int(found.argmax())
            value[k] = found[place]
            best[k] = among[place] if np.isfinite(value[k]) else -1
        return best, value

    def exceeding(self, row: int, rows: Rows, least: NDArray[np.float64]) -> NDArray[np.float64]:
        """All of them."""
        found = self.exact(np.full(len(rows), row), rows)
        return np.where(found > least, found, -1.0)

    def estimates(self, rows: Rows) -> NDArray[np.float32]:
        """The values themselves, -1 where a pair is not wanted."""
        return np.nan_to_num(self._filled(None)[rows], nan=-1.0).astype(np.float32)

    def _filled(self, progress: Progress | None) -> NDArray[np.float64]:
        """The symmetric table, NaN where a pair is not wanted or an image was not read."""
        if self._table is not None:
            return self._table
        n, done = len(self._store), 0
        table = np.full((n, n), np.nan)
        total = sum(tile.n_pairs for tile in self._tiles)
        for tile in self._tiles:
            found = self._tile(tile)
            table[found.first, found.second] = found.value
            table[found.second, found.first] = found.value
            done += tile.n_pairs
            if progress is not None:
                progress("comparing images (pairs)", done, total)
        self._table = table
        return table

    def _tile(self, tile: Tile) -> Found:
        name = f"windowed-{self._data_range!r}-{self._store.mark()}"
        known = None if self._work is None else self._work.load(name, tile)
        if known is not None:
            return known
        rows = np.arange(tile.rows.start, tile.rows.stop)
        others = np.arange(tile.others.start, tile.others.stop)
        first, second = np.repeat(rows, len(others)), np.tile(others, len(rows))
        wanted = self._store.done[first] & self._store.done[second]
        if tile.diagonal:
            wanted &= first < second
        first, second = first[wanted], second[wanted]
        value = self._compute(first, second)
        found = Found(-np.inf, True, first.astype(np.int32), second.astype(np.int32), value)
        if self._work is not None:
            self._work.save(name, tile, found)
        return found

    def _compute(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        from paring.images.similarity.windowed import windowed_ssim

        size = self._store.size
        return windowed_ssim(
            np.asarray(self._store.pixels).reshape(-1, size, size),
            first,
            second,
            data_range=self._data_range,
            workers=self._workers,
            memory=max(self._memory // 4, 2**28),
        )
