"""k-centre: keep the images that cover all others best in a space of features, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.selection import kept_count

METHOD = "k-centre"
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


def keep_centres(
    features: NDArray[np.floating[Any]],
    data: Dataset,
    *,
    rate: float | None = None,
    count: int | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Subset:
    """Keep the images that `k_centre` chooses.

    Parameters
    ----------
    features : of each image of the data set, in its order (n, d).
    rate, count : the share to remove, or the number to keep.
    parameters : how the features were made, as the subset will say it; the covering radius is
        added to them.

    Raises
    ------
    InputError
        As `k_centre`; also for a rate or count that cannot be, or another number of features.

    Example
    -------
    >>> import paring
    >>> data = paring.scenes(6, seed=0)
    >>> features = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0]])
    >>> keep_centres(features, data, count=3).kept == data.images["image_id"][[0, 3, 5]].to_list()
    True
    """
    if len(features) != len(data):
        raise InputError(f"there are {len(features):,} features for {len(data):,} images")
    order, radius = k_centre(features, kept_count(len(data), rate=rate, count=count))
    chosen = np.zeros(len(data), dtype=bool)
    chosen[order] = True
    return Subset.of(
        data.images["image_id"].to_list(),
        chosen.tolist(),
        method=METHOD,
        dataset=data.fingerprint,
        parameters={**(parameters or {}), "radius": float(radius[-1])},
    )


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
