"""Which channels of a layer stay: the clique of a given size with the largest sum of edge weights.

Channels are the vertices of a complete graph, and the weight of an edge says how little two
channels repeat each other. To keep b of n channels so that they repeat each other least is the
maximum edge-weight clique problem (SIRFP, Definition 1 and Eq. 2). It is NP-hard; here are the
greedy way of SIRFP's Algorithm 1, a local search that starts from it, and an exact solver for sizes
at which one is of use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring.errors import InputError

Weights = NDArray[np.float64]  # (n, n), symmetric; the diagonal counts for nothing

_ROUNDING = 1e-12  # of the largest sum: sums that differ by less are equal


@dataclass(frozen=True, eq=False)
class Clique:
    """Vertices, and what their edges weigh.

    Attributes
    ----------
    kept : vertices that stay (b,), rising.
    weight : sum of the weights of their b(b-1)/2 edges, each once; half of the paper's Eq. 2, which
        counts each from both ends.
    proven : whether nothing heavier of that size exists.
    """

    kept: NDArray[np.intp]
    weight: float
    proven: bool = False


@dataclass(frozen=True, eq=False)
class Elimination(Clique):
    """A greedy clique, with the way to it and on from it until nothing is left.

    Attributes
    ----------
    order : all vertices (n,), the first to go first.
    sums : of the edges of each vertex to those that were left when it went (n,), in the order of
        `order`; 0 for the last.
    """

    order: NDArray[np.intp] = None  # type: ignore[assignment]  # both are always given
    sums: NDArray[np.float64] = None  # type: ignore[assignment]


def greedy_clique(weights: Any, keep: int = 1) -> Elimination:
    """Remove the vertex with the smallest sum of edges to those left, again and again.

    Sums are kept and not computed anew, so all of it takes n steps over n numbers. Of equal sums
    (to 1e-12 of the largest) the vertex with the lowest number goes first.

    Parameters
    ----------
    weights : (n, n), symmetric and finite; the diagonal counts for nothing.
    keep : how many stay, 1 to n. The elimination goes on to the end in any case, so the vertices
        that stay at another size are the last of its `order`.

    Raises
    ------
    InputError
        For weights that are no such matrix, or another number to keep.

    References
    ----------
    Structural Pruning via Spatial-aware Information Redundancy for Semantic Segmentation,
    Algorithm 1 and Eq. 6. The algorithm's loop runs over the number kept; its text says that C - b
    channels are removed, which is meant.

    Example
    -------
    Vertices 0 and 1 are twins: one of them goes, and then the other has no twin any more.

    >>> a = [[0, 0.1, 0.9, 0.8], [0.1, 0, 0.9, 0.8], [0.9, 0.9, 0, 0.7], [0.8, 0.8, 0.7, 0]]
    >>> clique = greedy_clique(a, keep=3)
    >>> clique.kept, round(clique.weight, 6), clique.order
    (array([1, 2, 3]), 2.4, array([0, 3, 1, 2]))
    """
    a = _checked(weights, keep)
    n = len(a)
    order, at_removal = np.empty(n, np.intp), np.empty(n)
    sums = a.sum(axis=1)
    least = _ROUNDING * float(np.abs(a).sum(axis=1).max())
    for step in range(n):
        k = int((sums <= sums.min() + least).argmax())
        order[step], at_removal[step] = k, sums[k]
        sums -= a[k]
        sums[k] = np.inf
    at_removal[-1] = 0.0  # but for rounding it is
    kept = np.sort(order[n - keep :])
    return Elimination(kept, _weight(a, kept), order=order, sums=at_removal)


def local_search_clique(weights: Any, keep: int, *, seed: int = 0, starts: int = 8) -> Clique:
    """Swap one vertex for another while that makes the clique heavier.

    It starts from the greedy clique, which it is never lighter than, and from cliques by chance,
    and each time takes the swap that brings most.

    Parameters
    ----------
    weights, keep : as `greedy_clique` takes them.
    seed : of the cliques by chance.
    starts : how many cliques by chance, 0 or more.

    Example
    -------
    >>> a = np.ones((6, 6)) - 0.9 * np.kron(np.eye(3), np.ones((2, 2)))  # three pairs of twins
    >>> local_search_clique(a, keep=3).kept % 2 * 0  # one of each pair
    array([0, 0, 0])
    """
    a = _checked(weights, keep)
    if starts < 0:
        raise InputError(f"starts {starts} cannot be; it is 0 or more")
    generator = np.random.default_rng(seed)
    firsts = [greedy_clique(a, keep).kept]
    firsts += [generator.choice(len(a), keep, replace=False) for _ in range(starts)]
    best: NDArray[np.intp] | None = None
    heaviest = -np.inf
    for first in firsts:
        found = _climbed(a, first)
        weight = _weight(a, found)
        if weight > heaviest:
            best, heaviest = found, weight
    assert best is not None
    return Clique(best, heaviest)


def _climbed(a: Weights, first: NDArray[np.intp]) -> NDArray[np.intp]:
    """The clique that no single swap makes heavier, uphill from a first one."""
    inside = np.zeros(len(a), bool)
    inside[first] = True
    if inside.all():
        return np.sort(first)
    sums = a[:, inside].sum(axis=1)
    least = _ROUNDING * float(np.abs(a).sum(axis=1).max())
    while True:
        members, others = np.flatnonzero(inside), np.flatnonzero(~inside)
        gains = sums[others] - sums[members][:, None] - a[np.ix_(members, others)]
        place = int(gains.argmax())
        if gains.flat[place] <= least:
            return members
        out, into = members[place // len(others)], others[place % len(others)]
        inside[out], inside[into] = False, True
        sums += a[into] - a[out]


def exact_clique(weights: Any, keep: int, *, time_limit: float = 60.0) -> Clique:
    """The heaviest clique of a size, by branch and bound (HiGHS through SciPy).

    The programme has a variable x of 0 or 1 for each vertex and y of 0 to 1 for each edge, seen
    from both ends as one::

        maximise sum a y   where   sum x = b,   y_ij <= x_i, x_j,   sum over j of y_ij = (b - 1) x_i

    of which the last makes y what it must be and the bound tight. It is of use to some 40 vertices.

    Parameters
    ----------
    weights, keep : as `greedy_clique` takes them.
    time_limit : seconds after which the best so far is given, with `proven` False; where nothing
        was found by then, that of the local search.

    Example
    -------
    >>> a = np.ones((6, 6)) - 0.9 * np.kron(np.eye(3), np.ones((2, 2)))
    >>> clique = exact_clique(a, keep=4)
    >>> round(clique.weight, 6), clique.proven
    (5.1, True)
    """
    a = _checked(weights, keep)
    n = len(a)
    if not time_limit > 0:
        raise InputError(f"time limit {time_limit:g} cannot be; it is above 0 seconds")
    if keep in (1, n):
        kept = np.arange(keep)
        return Clique(kept, _weight(a, kept), proven=True)
    result = _solved(a, keep, time_limit)
    if result.x is None:
        return local_search_clique(a, keep)
    kept = np.flatnonzero(result.x[:n] > 0.5)
    return Clique(kept, _weight(a, kept), proven=result.status == 0)


def _solved(a: Weights, keep: int, time_limit: float) -> Any:
    """What SciPy says of the programme; the first n of its variables are the vertices."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array, eye_array, hstack, vstack

    n = len(a)
    i, j = np.triu_indices(n, 1)
    m = len(i)
    edge = np.arange(m)
    ends = coo_array((np.ones(2 * m), (np.r_[i, j], np.r_[edge, edge])), shape=(n, m))
    first = coo_array((-np.ones(m), (edge, i)), shape=(m, n))
    second = coo_array((-np.ones(m), (edge, j)), shape=(m, n))
    below = vstack([hstack([first, eye_array(m)]), hstack([second, eye_array(m)])])
    degrees = hstack([-(keep - 1) * eye_array(n), ends])
    count = hstack([coo_array(np.ones((1, n))), coo_array((1, m))])
    return milp(
        np.r_[np.zeros(n), -a[i, j]],
        integrality=np.r_[np.ones(n), np.zeros(m)],
        bounds=Bounds(0, 1),
        constraints=[
            LinearConstraint(below, -np.inf, 0),
            LinearConstraint(degrees, 0, 0),
            LinearConstraint(count, keep, keep),
        ],
        options={"time_limit": time_limit, "mip_rel_gap": 0.0},
    )


def _weight(a: Weights, kept: NDArray[np.intp]) -> float:
    """Sum over the edges among some vertices, each once."""
    return float(a[np.ix_(kept, kept)].sum() / 2)


def _checked(weights: Any, keep: int) -> Weights:
    """The weights in double precision with nothing on the diagonal."""
    a = np.array(weights, np.float64)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not len(a):
        raise InputError(f"edge weights must be a square matrix, not of shape {a.shape}")
    np.fill_diagonal(a, 0)
    if not np.isfinite(a).all():
        row, column = np.argwhere(~np.isfinite(a))[0]
        raise InputError(f"the edge weight of {row} and {column} is no finite number")
    off = np.abs(a - a.T)
    if off.max() > 1e-6 * max(1.0, np.abs(a).max()):
        row, column = np.unravel_index(off.argmax(), a.shape)
        raise InputError(
            f"edge weights must be symmetric, but those of {row} and {column} are "
            f"{a[row, column]:g} and {a[column, row]:g}"
        )
    if not 1 <= keep <= len(a):
        raise InputError(f"{keep} of {len(a)} vertices cannot be kept; keep 1 to {len(a)}")
    return (a + a.T) / 2
