"""Which images are worth a thumbnail, where not all can have one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

import numpy as np
from numpy.typing import NDArray

_AT_EACH_END = 60


def first_of(lists: Iterable[Iterable[int]], most: int) -> list[int]:
    """The first `most` different rows of all lists, one list after the other.

    >>> first_of([[3, 1], [1, 2, 5]], 3)
    [3, 1, 2]
    """
    found: dict[int, None] = {}
    for row in chain.from_iterable(lists):
        if len(found) >= most:
            break
        found.setdefault(int(row))
    return list(found)


def spread(n: int) -> NDArray[np.int64]:
    """The numbers 0 to n - 1 in an order whose every beginning lies evenly over them (n,).

    >>> spread(8).tolist()
    [0, 4, 2, 6, 1, 5, 3, 7]
    """
    bits = max(n - 1, 1).bit_length()
    value = np.arange(2**bits)
    reverse = np.zeros_like(value)
    for bit in range(bits):
        reverse |= ((value >> bit) & 1) << (bits - 1 - bit)
    return reverse[reverse < n]


def by_rank(order: NDArray[np.int64], n_kept: int) -> list[Sequence[int]]:
    """Rows worth seeing of a ranking (best first): both ends, the border, and evenly the rest."""
    near = np.argsort(np.abs(np.arange(len(order)) - (n_kept - 0.5)), kind="stable")
    return [
        order[:_AT_EACH_END].tolist(),
        order[::-1][:_AT_EACH_END].tolist(),
        order[near[:_AT_EACH_END]].tolist(),
        order[spread(len(order))].tolist(),
    ]


def where_they_disagree(kept: Sequence[NDArray[np.bool_]]) -> list[Sequence[int]]:
    """Rows that some cuts keep and others drop, each pattern in turn; then all, evenly."""
    table = np.stack(kept, axis=1)
    patterns, which = np.unique(table, axis=0, return_inverse=True)
    split = [k for k, pattern in enumerate(patterns) if pattern.any() and not pattern.all()]
    of_each = [np.flatnonzero(which.reshape(-1) == k) for k in split]
    orders = [rows[spread(len(rows))].tolist() for rows in of_each]
    turns = [row for turn in zip_longest(*orders) for row in turn if row is not None]
    return [turns, spread(len(table)).tolist()]
