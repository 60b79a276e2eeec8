"""Rows of a table that cover all others: greedy k-centre."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring.errors import InputError

_BLOCK = 2**20  # numbers worked on at a time


def k_centre(
    features: NDArray[np.floating[Any]], k: int, *, first: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose k rows that cover all of them, the farthest one first (greedy k-centre).

    After the first row, each next one is the row farthest from all chosen so far; ties go to the
    lowest row. The covering radius, the largest distance of any row to the nearest chosen one, is
    at most twice that of the best k rows. Takes O(n k d) time and O(n) memory beside the features.

    Parameters
    ----------
    features : (n, d), compared by Euclidean distance in float64.
    k : number of rows to choose, 1 to n.
    first : the row to begin with; by default the one nearest to the mean of all.

    Returns
    -------
    order : chosen rows (k,), each choice of fewer rows being the beginning of it.
    radius : covering radius after each choice (k,).

    Raises
    ------
    InputError
        Where k or first cannot be, or a feature is not a finite number.

    References
    ----------
    Sener and Savarese, Active Learning for Convolutional Neural Networks: A Core-Set Approach,
    ICLR 2018; Gonzalez, Clustering to Minimize the Maximum Intercluster Distance, 1985.

    Example
    -------
    >>> order, radius = k_centre(np.array([[0.0], [1.0], [5.0], [9.0]]), 3)
    >>> order, radius
    (array([2, 0, 3]), array([5., 4., 1.]))
    """
    table = np.asarray(features)
    if table.ndim != 2:
        raise InputError(f"features are a table of rows (n, d), not of {table.ndim} axes")
    n = len(table)
    if not 1 <= k <= n:
        raise InputError(f"the number of centres must lie between 1 and {n:,}, not {k}")
    wrong = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(wrong):
        raise InputError(f"the features of row {wrong[0]} are not finite numbers")
    if first is None:
        first = int(np.argmin(_distances(table, table.mean(axis=0, dtype=np.float64))))
    elif not 0 <= first < n:
        raise InputError(f"the first row must lie between 0 and {n - 1:,}, not {first}")
    order, radius = np.empty(k, np.int64), np.empty(k)
    nearest = np.full(n, np.inf)  # squared, to the chosen rows; -1 marks these
    chosen = first
    for step in range(k):
        order[step] = chosen
        np.minimum(nearest, _distances(table, table[chosen].astype(np.float64)), out=nearest)
        nearest[chosen] = -1.0
        chosen = int(nearest.argmax())
        radius[step] = np.sqrt(max(nearest[chosen], 0.0))
    return order, radius


def _distances(
    table: NDArray[np.floating[Any]], centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Squared distance of each row to a centre (n,), block by block."""
    n, d = table.shape
    found = np.empty(n)
    step = max(1, _BLOCK // max(1, d))
    for start in range(0, n, step):
        apart = table[start : start + step].astype(np.float64)
        apart -= centre
        np.einsum("ij,ij->i", apart, apart, out=found[start : start + step])
    return found
