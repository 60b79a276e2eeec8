"""A store of bytes in memory that all workers of a loader share, of a size set before."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ByteCache:
    """Bytes by row; each row has a place of its own, so that no worker waits for another.

    The first rows that fit into the budget have places, the others are never kept. The memory is
    shared with processes that are forked from this one, and taken from the system as it is filled.
    In a process that is started afresh (spawned), the cache is one of its own and empty.

    Parameters
    ----------
    sizes : largest number of bytes of each row (n,).
    budget : bytes for all rows together.

    Example
    -------
    >>> cache = ByteCache([2, 2, 2], budget=5)
    >>> cache.put(0, np.array([7, 8], np.uint8))
    >>> cache.get(0), cache.get(1), cache.rows
    (array([7, 8], dtype=uint8), None, 2)
    """

    def __init__(self, sizes: Sequence[int] | NDArray[np.int64], *, budget: int) -> None:
        ends = np.cumsum(np.asarray(sizes, np.int64))
        self.rows = int(np.searchsorted(ends, budget, side="right"))
        """Number of rows that have a place."""
        self._bounds = np.concatenate(([0], ends[: self.rows]))
        self._allocate()

    def _allocate(self) -> None:
        total = int(self._bounds[-1])
        room = mmap.mmap(-1, max(1, total + self.rows))
        every = np.frombuffer(room, np.uint8)
        self._bytes, self._filled = every[:total], every[total:]

    def has_place(self, row: int) -> bool:
        """Whether the bytes of a row are kept when they are put here."""
        return row < self.rows

    def get(self, row: int) -> NDArray[np.uint8] | None:
        """The bytes of a row, to be read only; None where they are not here."""
        if not self.has_place(row) or not self._filled[row]:
            return None
        found = self._bytes[self._bounds[row] : self._bounds[row + 1]]
        found.flags.writeable = False
        return found

    def put(self, row: int, *parts: NDArray[np.uint8]) -> None:
        """Keep the bytes of a row, the parts one after the other, where it has a place."""
        if not self.has_place(row):
            return
        at, stop = int(self._bounds[row]), int(self._bounds[row + 1])
        for part in parts:
            flat = part.reshape(-1)
            if at + len(flat) > stop:
                raise ValueError(f"row {row} holds more than the {stop - self._bounds[row]} bytes")
            self._bytes[at : at + len(flat)] = flat
            at += len(flat)
        self._filled[row] = 1  # last, so that a reader never meets half a row

    def __getstate__(self) -> dict[str, Any]:
        return {"rows": self.rows, "_bounds": self._bounds}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._allocate()
