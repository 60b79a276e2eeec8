"""Communities of a similarity network and the images that stand for them (PRIME, section 3.3)."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.network.graph import degrees

if TYPE_CHECKING:
    from scipy.sparse import csr_array, csr_matrix

Method = Literal["louvain", "leiden"]

_LEAST_GAIN = 1e-5
"""Louvain goes on while a pass over the nodes raises the modularity by more than this.

Finer than its 1e-3, which in a network of 100,000 edges leaves small communities in halves. Not
finer still: its sums have seven digits, and below their rounding it might never end.
"""


def find_communities(
    network: csr_array, *, method: Method = "louvain", resolution: float = 1.0, seed: int = 0
) -> NDArray[np.int64]:
    """Community of each node (n,), found by raising the modularity (PRIME section 3.3.1).

    Communities are numbered by their first node in data set order. A node without edges is a
    community of its own, and no community holds nodes that no path connects. Its inner nodes may
    still hang together only through nodes of other communities where the method is Louvain.

    Parameters
    ----------
    network : as `paring.images.network.similarity_network` gives it (n, n).
    method : ``"louvain"``, the paper's; ``"leiden"`` gives communities that are connected
        within, and takes longer.
    resolution : weight of what chance would connect; above 1 gives more, smaller communities.
    seed : decides the order in which nodes are visited, on which the result depends. The result
        is the same on every run and in every process.

    Raises
    ------
    InputError
        For a method that is not known, a resolution that is not above 0, a negative seed.

    References
    ----------
    Blondel et al. 2008 (Louvain); Traag et al. 2019 (Leiden); PRIME, section 3.3.1.

    Example
    -------
    >>> from paring.images.network.graph import similarity_network
    >>> two_triangles = np.array([0, 0, 1, 3, 3, 4, 2]), np.array([1, 2, 2, 4, 5, 5, 3])
    >>> find_communities(similarity_network(*two_triangles, 6)).tolist()
    [0, 0, 0, 1, 1, 1]
    """
    if method not in ("louvain", "leiden"):
        raise InputError(f"method {method!r} is not known; it is 'louvain' or 'leiden'")
    if not 0 < resolution < np.inf:
        raise InputError(f"the resolution must be above 0, not {resolution:g}")
    if not 0 <= seed < 2**32:
        raise InputError(f"the seed must lie between 0 and 2^32 - 1, not {seed}")
    nodes = int(network.shape[0])
    degree = degrees(network)
    labels = np.arange(nodes, dtype=np.int64)
    joined = np.flatnonzero(degree)
    if not len(joined):
        return labels
    if len(joined) < nodes:
        network = network[joined][:, joined]
    find = _louvain if method == "louvain" else _leiden
    labels[joined] = nodes + find(network, resolution, seed)
    return _numbered_by_first(labels)


def representatives(
    network: csr_array, labels: NDArray[np.int64], *, keep: float = 0.1
) -> NDArray[np.bool_]:
    """Which nodes stand for their communities (n,): the best connected of each (PRIME Eq. 6).

    Of a community of n nodes ceil(keep * n) stay, which is at least one: those with most
    neighbours within the community, at equal number those with most neighbours at all, then the
    first in data set order.

    Parameters
    ----------
    network : as `paring.images.network.similarity_network` gives it (n, n).
    labels : the community of each node (n,).
    keep : the share of each community that stays, above 0; PRIME's p, there 10 %.

    Raises
    ------
    InputError
        Where `keep` is not above 0 and at most 1.

    References
    ----------
    PRIME, section 3.3.2.

    Example
    -------
    >>> from paring.images.network.graph import similarity_network
    >>> star_and_one = similarity_network(np.array([1, 1, 1]), np.array([0, 2, 3]), 5)
    >>> representatives(star_and_one, np.array([0, 0, 0, 0, 1]), keep=0.25).tolist()
    [False, True, False, False, True]
    """
    if len(labels) != network.shape[0]:
        raise ValueError(f"{network.shape[0]} nodes need as many labels, not {len(labels)}")
    _, community, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    quota = share_up(sizes, keep)
    degree = degrees(network)
    row = np.repeat(np.arange(len(degree)), degree)
    inside = community[row] == community[network.indices]
    within = np.bincount(row[inside], minlength=len(degree))
    order = np.lexsort((-degree, -within, community))  # stable: then data set order
    first = np.cumsum(sizes) - sizes
    rank = np.arange(len(degree)) - np.repeat(first, sizes)
    kept = np.zeros(len(degree), dtype=bool)
    kept[order[rank < np.repeat(quota, sizes)]] = True
    return kept


def fewest_kept(sizes: NDArray[np.int64], keep: float) -> int:
    """The fewest nodes that any communities can keep, from the sizes of the components (m,).

    Communities lie within components, and cutting a component in two never rounds fewer up.

    >>> fewest_kept(np.array([1, 1, 25]), 0.1)
    5
    """
    return int(share_up(sizes, keep).sum())


def share_up(sizes: NDArray[np.int64], keep: float) -> NDArray[np.int64]:
    """``ceil(keep * size)`` of each size (n,), exact in the decimal digits of the share.

    So 0.07 of 100 is 7; in binary it would be 8. Raises `InputError` unless 0 < keep <= 1.

    >>> share_up(np.array([1, 9, 10, 11, 100]), 0.07).tolist()
    [1, 1, 1, 1, 7]
    """
    if not 0 < keep <= 1:
        raise InputError(f"the share to keep must be above 0 and at most 1, not {keep:g}")
    share = Fraction(str(float(keep)))
    # a size at a time, in whole numbers of any length; the sizes of communities are few
    distinct, which = np.unique(np.asarray(sizes, dtype=np.int64), return_inverse=True)
    up = [-(-size * share.numerator // share.denominator) for size in distinct.tolist()]
    return np.array(up, dtype=np.int64)[which]


def _options(resolution: float, seed: int) -> dict[str, Any]:
    return {
        "resolution": resolution,
        "tol_optimization": _LEAST_GAIN,
        "tol_aggregation": _LEAST_GAIN,
        "shuffle_nodes": True,  # or the random state is not used, and every seed gives the same
        "sort_clusters": False,
        "return_probs": False,
        "return_aggregate": False,
        "random_state": seed,
    }


def _louvain(network: csr_array, resolution: float, seed: int) -> NDArray[np.int64]:
    from scipy.sparse import csr_matrix
    from sknetwork.clustering import Louvain

    louvain = Louvain(**_options(resolution, seed))
    labels: NDArray[np.int64] = louvain.fit_predict(csr_matrix(network)).astype(np.int64)
    return labels


def _leiden(network: csr_array, resolution: float, seed: int) -> NDArray[np.int64]:
    from scipy.sparse import csr_array, csr_matrix
    from scipy.sparse.csgraph import connected_components
    from sknetwork.clustering import Leiden

    leiden = Leiden(**_options(resolution, seed))
    # scikit-network 0.33 refines by C's rand(), which no seed of its own sets, and goes round for
    # ever on regular networks, where rounding takes ties for gains; refine as Traag et al. do
    leiden._optimize_refine = partial(_refined, resolution)
    labels = leiden.fit_predict(csr_matrix(network))
    # it may stop before the last communities are refined; to part what does not hang together
    # loses no edge and raises the modularity
    row = np.repeat(np.arange(len(labels)), degrees(network))
    inside = labels[row] == labels[network.indices]
    ends = row[inside], network.indices[inside]
    within = csr_array((np.ones(len(ends[0])), ends), shape=network.shape)
    parts: NDArray[np.int64] = connected_components(within, directed=False)[1].astype(np.int64)
    return parts


def _refined(
    resolution: float,
    labels: NDArray[np.int64],
    start: NDArray[np.int64],
    adjacency: csr_matrix,
    weight: NDArray[np.float64],
    _: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Leiden's refinement: each community as connected groups, grown from single nodes (n,).

    Each node that is still alone joins the group of its community, among those it has an edge to,
    where the modularity gains most, if it gains. Once with others, a node stays. `adjacency` and
    `weight` (degree) sum to 1.
    """
    group = start.tolist()
    alone = [True] * len(group)
    bounds, ends = adjacency.indptr.tolist(), adjacency.indices.tolist()
    values, community = adjacency.data.tolist(), labels.tolist()
    share = np.asarray(weight, dtype=np.float64).tolist()
    total = list(share)  # of each group
    for node in range(len(group)):
        if not alone[node]:
            continue
        links: dict[int, float] = {}
        for place in range(bounds[node], bounds[node + 1]):
            end = ends[place]
            if end != node and community[end] == community[node]:
                links[group[end]] = links.get(group[end], 0.0) + values[place]
        best, most = group[node], 0.0
        for other, link in sorted(links.items()):
            gain = link - resolution * share[node] * total[other]
            if gain > most:
                best, most = other, gain
        if best != group[node]:  # groups bear the number of the node that they grew from
            group[node] = best
            total[best] += share[node]
            alone[node] = alone[best] = False
    return np.array(group, dtype=np.int64)


def _numbered_by_first(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same partition (n,), groups numbered 0, 1, ... by their first member."""
    _, first, group = np.unique(labels, return_index=True, return_inverse=True)
    number = np.empty(len(first), dtype=np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[group]
