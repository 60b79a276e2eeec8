"""Ragged arrays: one flat buffer and its offsets, handled without a Python loop.

Row ``i`` of a ragged array is ``values[offsets[i]:offsets[i + 1]]``; ``offsets`` has one entry
more than there are rows, starts at 0 and never falls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Offsets: TypeAlias = NDArray[np.int64]
T = TypeVar("T", bound=np.generic)


def offsets_of(lengths: NDArray[np.integer[Any]]) -> Offsets:
    """Offsets (n + 1,) of rows with the given lengths (n,).

    >>> offsets_of(np.array([2, 0, 3]))
    array([0, 2, 2, 5])
    """
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def byte_lengths(texts: Iterable[Any]) -> NDArray[np.int64]:
    """Length in bytes of each bytes-like object (n,)."""
    views: Iterable[memoryview[int]] = map(memoryview, texts)
    return np.array([*map(len, views)], np.int64)


def take(offsets: Offsets, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], Offsets]:
    """Positions in the flat buffer that rows (k,) cover in their order, and their new offsets.

    >>> take(np.array([0, 2, 2, 5]), np.array([2, 0]))
    (array([2, 3, 4, 0, 1]), array([0, 3, 5]))
    """
    lengths = offsets[rows + 1] - offsets[rows]
    fresh = offsets_of(lengths)
    positions = np.arange(fresh[-1], dtype=np.int64)
    positions += np.repeat(offsets[rows] - fresh[:-1], lengths)
    return positions, fresh


def rows_of(offsets: Offsets) -> NDArray[np.int64]:
    """The row number of every entry of the flat buffer.

    >>> rows_of(np.array([0, 2, 2, 5]))
    array([0, 0, 2, 2, 2])
    """
    return np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))


def reduce(ufunc: np.ufunc, values: NDArray[T], offsets: Offsets, empty: float = 0) -> NDArray[T]:
    """``ufunc`` (add, minimum, maximum) over each row; ``empty`` where a row has no entry.

    >>> reduce(np.add, np.array([1, 2, 3, 4, 5]), np.array([0, 2, 2, 5]))
    array([ 3,  0, 12])
    """
    out = np.full((len(offsets) - 1, *values.shape[1:]), empty, dtype=values.dtype)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    if len(filled):
        out[filled] = ufunc.reduceat(values, offsets[filled], axis=0)
    return out


def first_maximum(values: NDArray[Any], offsets: Offsets) -> NDArray[np.int64]:
    """Position in the flat buffer of each row's largest value, the first on ties; -1 if empty.

    >>> first_maximum(np.array([1, 5, 5, 2]), np.array([0, 3, 3, 4]))
    array([ 1, -1,  3])
    """
    largest = reduce(np.maximum, values, offsets)
    hits = np.flatnonzero(values == np.repeat(largest, np.diff(offsets)))
    out = np.full(len(offsets) - 1, -1, dtype=np.int64)
    rows = np.searchsorted(offsets, hits, side="right") - 1
    out[rows[::-1]] = hits[::-1]
    return out


def blocks(offsets: Offsets, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows (first, stop) that hold about `size` entries each, at least one row.

    >>> list(blocks(np.array([0, 2, 4, 9, 10]), 4))
    [(0, 2), (2, 3), (3, 4)]
    """
    first, rows = 0, len(offsets) - 1
    while first < rows:
        stop = int(np.searchsorted(offsets, offsets[first] + size, side="right")) - 1
        stop = min(max(stop, first + 1), rows)
        yield first, stop
        first = stop
