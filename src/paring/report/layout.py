"""Where the communities of an image similarity network are drawn: each a disc, packed closely."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paring.report.packing import Packing, around

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
# until the whole is scaled, a node has an area of pi
_RIM = 0.75  # how far a disc reaches beyond its outermost node
_GAP = 0.5  # between discs


@dataclass(frozen=True, eq=False)
class Layout:
    """Places of nodes and discs, all of it in [-1, 1] x [-1, 1].

    Attributes
    ----------
    nodes : the nodes drawn (m,), in the order of their discs.
    x, y : their places (m,).
    discs : centre x, centre y and radius of each community drawn (c, 3), the largest first.
    labels : which community each disc is (c,).
    edges : pairs of indices into `nodes` (e, 2), the smaller one first.
    values : similarity of each edge (e,), falling.
    left_out_nodes, left_out_communities, left_out_edges : how many are not drawn.
    """

    nodes: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    discs: NDArray[np.float64]
    labels: NDArray[np.int64]
    edges: NDArray[np.int64]
    values: NDArray[np.float64]
    left_out_nodes: int
    left_out_communities: int
    left_out_edges: int


def lay_out(
    labels: NDArray[np.int64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    values: NDArray[np.float64],
    *,
    important: NDArray[np.bool_],
    closeness: NDArray[np.float64],
    most_nodes: int = 2000,
    most_edges: int = 10_000,
) -> Layout:
    """Draw each community as a disc of its nodes, and communities with edges near each other.

    Communities are drawn whole, from the largest on (of equal ones the smallest label), up to the
    first that would make it more than `most_nodes`; of a largest one that is larger than that,
    only its first nodes are. Of more than `most_edges` edges between drawn nodes the most similar
    are drawn, whether within communities or between them. Equal networks give equal layouts.

    Parameters
    ----------
    labels : community of each node (k,).
    first, second, values : the two nodes and the similarity of each edge (E,).
    important : nodes (k,) in the middle of their disc.
    closeness : of the other nodes (k,), the highest nearest the middle; NaN is farthest.
    most_nodes, most_edges : how many are drawn at most; at least one node.

    Raises `ValueError` for arrays that do not fit together.

    >>> pair, nan = np.array([0, 0, 1]), np.full(3, np.nan)
    >>> kept = np.array([False, True, True])
    >>> edge = np.array([0]), np.array([1]), np.array([0.9])
    >>> drawn = lay_out(pair, *edge, important=kept, closeness=nan)
    >>> drawn.nodes.tolist(), drawn.labels.tolist(), drawn.edges.tolist()
    ([1, 0, 2], [0, 1], [[0, 1]])
    """
    if not len(labels) == len(important) == len(closeness):
        raise ValueError("labels, important and closeness need one value for each node")
    if not len(first) == len(second) == len(values):
        raise ValueError("first, second and values need one value for each edge")
    if most_nodes < 1 or most_edges < 0:
        raise ValueError("at least one node is drawn, and no less than no edge")
    nodes, names, sizes = _drawn(labels, important, closeness, most_nodes)
    low, high, similarity = _among(nodes, len(labels), first, second, values)
    disc = np.repeat(np.arange(len(sizes)), sizes)
    discs = _discs(sizes, _links(disc[low], disc[high], len(sizes)))
    x, y = _sunflowers(sizes)
    x, y = x + discs[disc, 0], y + discs[disc, 1]
    centre, scale = _frame(discs)
    strongest = np.lexsort((high, low, -similarity))[:most_edges]
    return Layout(
        nodes=nodes,
        x=np.clip((x - centre[0]) / scale, -1, 1),
        y=np.clip((y - centre[1]) / scale, -1, 1),
        discs=(discs - (*centre, 0)) / scale,
        labels=names,
        edges=np.stack((low, high), axis=1)[strongest],
        values=similarity[strongest],
        left_out_nodes=len(labels) - len(nodes),
        left_out_communities=len(np.unique(labels)) - len(names),
        left_out_edges=len(values) - len(strongest),
    )


def _drawn(
    labels: NDArray[np.int64],
    important: NDArray[np.bool_],
    closeness: NDArray[np.float64],
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Nodes drawn, community by community; label and number of drawn nodes of each community."""
    names, community, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    by_size = np.lexsort((names, -sizes))
    rank = np.argsort(by_size)
    far = np.where(np.isnan(closeness), np.inf, -closeness)
    far[important] = -np.inf
    order = np.lexsort((np.arange(len(labels)), far, ~important, rank[community]))
    fit = int(np.searchsorted(np.cumsum(sizes[by_size]), most, side="right"))
    by_size = by_size[: max(fit, 1)]
    sizes = np.minimum(sizes[by_size], most)
    return order[: sizes.sum()], names[by_size], sizes


def _among(
    nodes: NDArray[np.int64],
    n_nodes: int,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    values: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The edges among drawn nodes, as places in `nodes`, the smaller one first."""
    place = np.full(n_nodes, -1)
    place[nodes] = np.arange(len(nodes))
    one, other = place[first], place[second]
    there = (one >= 0) & (other >= 0) & (one != other)
    low, high = np.minimum(one, other)[there], np.maximum(one, other)[there]
    return low, high, np.asarray(values, np.float64)[there]


def _links(one: NDArray[np.int64], other: NDArray[np.int64], n: int) -> csr_array:
    """Number of edges between each two of n communities (n, n), symmetric."""
    from scipy.sparse import csr_array

    apart = one != other
    one, other = one[apart], other[apart]
    ends = np.concatenate((one, other)), np.concatenate((other, one))
    links = csr_array((np.ones(2 * len(one)), ends), shape=(n, n))
    links.sum_duplicates()
    return links


def _sunflowers(sizes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of the nodes around the middles of their discs, each with the same area."""
    index = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    distance, angle = _distance(index), index * _GOLDEN_ANGLE
    return distance * np.cos(angle), distance * np.sin(angle)


def _distance(index: NDArray[np.int64]) -> NDArray[np.float64]:
    """How far the nodes of a disc are from its middle: the first in it, node i at sqrt(i + 1/2)."""
    distance: NDArray[np.float64] = np.sqrt(np.where(index > 0, index + 0.5, 0))
    return distance


def _frame(discs: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Middle and half the longer side of the box around discs."""
    if not len(discs):
        return np.zeros(2), 1.0
    low = (discs[:, :2] - discs[:, 2:]).min(axis=0)
    high = (discs[:, :2] + discs[:, 2:]).max(axis=0)
    return (low + high) / 2, float((high - low).max() / 2) * (1 + 1e-12)


def _discs(sizes: NDArray[np.int64], links: csr_array) -> NDArray[np.float64]:
    """Centres and radii (c, 3) of discs, not yet scaled, none overlapping another."""
    radii = _distance(sizes - 1) + _RIM
    wide = radii + _GAP / 2
    alone = (sizes == 1) & (np.diff(links.indptr) == 0)
    centres = np.zeros((len(sizes), 2))
    inner = np.array([disc for disc in _order(sizes, links) if not alone[disc]], np.int64)
    if len(inner):
        packing = Packing(wide, float(wide[inner].min()), float(wide[inner].max()))
        there = np.zeros(len(sizes), bool)
        for disc in inner.tolist():
            row = slice(links.indptr[disc], links.indptr[disc + 1])
            near, weight = links.indices[row], links.data[row]
            near, weight = near[there[near]], weight[there[near]]
            middle = weight @ packing.centres[near] / weight.sum() if len(near) else np.zeros(2)
            packing.add(disc, middle)
            there[disc] = True
        centres = packing.centres
        centres -= _frame(np.column_stack((centres, radii))[inner])[0]
    centres[alone] = around(centres[inner], wide[inner], int(alone.sum()), _RIM + _GAP / 2)
    return np.column_stack((centres, radii))


def _order(sizes: NDArray[np.int64], links: csr_array) -> list[int]:
    """Discs in the order they are placed: connected ones together, breadth-first."""
    from scipy.sparse.csgraph import connected_components

    if not len(sizes):
        return []
    _, component = connected_components(links, directed=False)
    total = np.bincount(component, weights=sizes)[component]
    order: list[int] = []
    seen = np.zeros(len(sizes), bool)
    for start in np.lexsort((np.arange(len(sizes)), -total)).tolist():
        queue = deque([] if seen[start] else [start])
        seen[start] = True
        while queue:
            disc = queue.popleft()
            order.append(disc)
            row = slice(links.indptr[disc], links.indptr[disc + 1])
            near = links.indices[row][np.lexsort((links.indices[row], -links.data[row]))]
            queue.extend(near[~seen[near]].tolist())
            seen[near] = True
    return order
