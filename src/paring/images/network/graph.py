"""The similarity network of a data set and what can be said of it (PRIME, section 3.2, appendix B).

A node is an image, an edge joins two images that are similar enough. A network is a symmetric
`scipy.sparse.csr_array` of ones, nodes in data set order.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_MOST_BYTES_OF_WORDS = 1 << 27
"""How much the neighbourhoods of all nodes may take, packed 64 nodes to a word."""

_WORDS_AT_ONCE = 1 << 23
"""How many 64-bit words (64 MiB) a step may gather, unless the network itself is larger."""


@dataclass(frozen=True)
class NetworkStatistics:
    """What PRIME's appendix B says of a network, all of it ready for JSON (never NaN).

    Parameters
    ----------
    nodes, edges, components, communities : counts; a node without edges is a component.
    average_degree : 2 E / N, in edges.
    density : edges over the N (N - 1) / 2 possible ones, 0 for fewer than two nodes.
    modularity : Eq. 5; 0 for a network without edges.
    average_path_length, diameter : mean and largest number of edges on the shortest path between
        two connected nodes; None for a network without edges, which has no such pair.
    paths_exact : whether paths were walked from every node. If not, the mean is an estimate and
        the diameter a lower bound.
    path_sources : from how many nodes paths were walked.
    average_clustering : mean local clustering coefficient over all nodes, where nodes of degree 0
        and 1 count as 0 (networkx).
    average_clustering_of_degree_2_up : the mean over nodes with two or more neighbours only
        (Gephi); 0 if there is none.
    degree_distribution : pairs (degree, number of nodes), by degree.
    community_size_distribution : pairs (size, number of communities), by size.
    """

    nodes: int
    edges: int
    average_degree: float
    density: float
    components: int
    communities: int
    modularity: float
    average_path_length: float | None
    diameter: int | None
    paths_exact: bool
    path_sources: int
    average_clustering: float
    average_clustering_of_degree_2_up: float
    degree_distribution: list[tuple[int, int]]
    community_size_distribution: list[tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, as JSON holds them: pairs are lists."""
        pairs = ("degree_distribution", "community_size_distribution")
        return asdict(self) | {name: [list(pair) for pair in getattr(self, name)] for name in pairs}


def similarity_network(
    source_rows: NDArray[np.int64], target_rows: NDArray[np.int64], n_images: int
) -> csr_array:
    """Network of n images from the rows (m,) and (m,) of the pairs that are similar (Eq. 4).

    Unweighted and undirected: a pair counts once however often and in whichever order it comes,
    and an image is no neighbour of its own. The array (n, n) is symmetric and canonical, its
    values are 1.0 (float32), so equal sets of pairs give equal bytes.

    Raises `ValueError` for a row outside [0, n).

    >>> network = similarity_network(np.array([1, 0, 2]), np.array([0, 1, 2]), 3)
    >>> network.toarray().tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    from scipy.sparse import csr_array

    source = np.asarray(source_rows, dtype=np.int64)
    target = np.asarray(target_rows, dtype=np.int64)
    if source.shape != target.shape or source.ndim != 1:
        raise ValueError(
            f"pairs need as many sources as targets, not {source.shape} {target.shape}"
        )
    for rows in (source, target):
        if len(rows) and (rows.min() < 0 or rows.max() >= n_images):
            raise ValueError(f"rows of pairs must lie in [0, {n_images}), the rows of the data set")
    apart = source != target
    source, target = source[apart], target[apart]
    low, high = np.minimum(source, target), np.maximum(source, target)
    code = np.unique(low * n_images + high)  # one number a pair, sorted
    low, high = np.divmod(code, n_images) if len(code) else (low, high)
    # by row, then column: of each row first the lower neighbours, then the higher ones
    code = np.sort(np.concatenate((code, high * n_images + low)))
    row, column = np.divmod(code, max(n_images, 1))
    bounds = np.searchsorted(row, np.arange(n_images + 1))
    index = np.int32 if max(len(code), n_images) < 2**31 else np.int64
    network = csr_array(
        (np.ones(len(code), dtype=np.float32), column.astype(index), bounds.astype(index)),
        shape=(n_images, n_images),
    )
    network.has_canonical_format = True
    return network


def degrees(network: csr_array) -> NDArray[np.int64]:
    """Number of neighbours of each node (n,).

    >>> degrees(similarity_network(np.array([0, 1]), np.array([1, 2]), 4)).tolist()
    [1, 2, 1, 0]
    """
    count: NDArray[np.int64] = np.diff(network.indptr).astype(np.int64)
    return count


def modularity(network: csr_array, labels: NDArray[np.int64]) -> float:
    """How much denser communities are than chance would have it (PRIME Eq. 5), in [-0.5, 1).

    ``Q = sum over communities of (edges within / E - (sum of degrees / 2 E)^2)``, which is Eq. 5
    summed by community. The sums are whole numbers and exact. 0 for a network without edges.

    >>> two = similarity_network(np.array([0, 2]), np.array([1, 3]), 4)
    >>> modularity(two, np.array([0, 0, 1, 1]))
    0.5
    """
    ends = int(network.nnz)
    if not ends:
        return 0.0
    _, community = np.unique(labels, return_inverse=True)
    degree = degrees(network)
    row = np.repeat(np.arange(len(degree)), degree)
    within = int((community[row] == community[network.indices]).sum())
    total = np.zeros(community.max() + 1, dtype=np.int64)
    np.add.at(total, community, degree)
    squares = sum(value * value for value in total.tolist())
    return float((within * ends - squares) / ends**2)


def network_statistics(
    network: csr_array,
    labels: NDArray[np.int64],
    *,
    exact_up_to: int = 5_000,
    sample: int = 1_000,
    seed: int = 0,
) -> NetworkStatistics:
    """Describe a similarity network and its communities as PRIME's appendix B does.

    Parameters
    ----------
    network : as `similarity_network` gives it (n, n).
    labels : the community of each node (n,).
    exact_up_to : networks of up to so many nodes have their paths walked from every node.
    sample : from how many nodes, drawn by chance, in larger networks.
    seed : decides the draw.

    References
    ----------
    PRIME, Eq. 5 and appendix B. Watts and Strogatz 1998 for clustering and path length.

    Example
    -------
    >>> triangle_and_one = similarity_network(np.array([0, 0, 1]), np.array([1, 2, 2]), 4)
    >>> found = network_statistics(triangle_and_one, np.array([0, 0, 0, 1]))
    >>> found.average_clustering, found.average_clustering_of_degree_2_up, found.diameter
    (0.75, 1.0, 1)
    """
    from scipy.sparse.csgraph import connected_components

    nodes, edges = int(network.shape[0]), int(network.nnz) // 2
    if len(labels) != nodes:
        raise ValueError(f"{nodes} nodes need as many labels, not {len(labels)}")
    degree = degrees(network)
    sources = np.arange(nodes)
    if nodes > exact_up_to and sample < nodes:
        sources = np.sort(np.random.default_rng(seed).choice(nodes, sample, replace=False))
    components, component = connected_components(network, directed=False) if nodes else (0, degree)
    total, pairs, longest = _walk(network, sources, component)
    clustering = _local_clustering(network, degree)
    sizes = np.unique(labels, return_counts=True)[1]
    return NetworkStatistics(
        nodes=nodes,
        edges=edges,
        average_degree=2 * edges / max(nodes, 1),
        density=2 * edges / max(nodes * (nodes - 1), 1),
        components=int(components),
        communities=len(sizes),
        modularity=modularity(network, labels),
        average_path_length=total / pairs if pairs else None,
        diameter=longest if pairs else None,
        paths_exact=len(sources) == nodes,
        path_sources=len(sources),
        average_clustering=float(clustering.sum()) / max(nodes, 1),
        average_clustering_of_degree_2_up=float(clustering.sum()) / max(int((degree > 1).sum()), 1),
        degree_distribution=_distribution(degree),
        community_size_distribution=_distribution(sizes),
    )


def _distribution(values: NDArray[np.int64]) -> list[tuple[int, int]]:
    found, count = np.unique(values, return_counts=True)
    return list(zip(found.tolist(), count.tolist(), strict=True))


def _walk(
    network: csr_array, sources: NDArray[np.int64], component: NDArray[np.int64]
) -> tuple[int, int, int]:
    """Sum of path lengths, number of pairs (source, other node reached) and the longest path.

    Walks from 64 sources to a word at once: bit s of a node's word in `new` says that source s
    came there in the last step, in `missing` that it still has to; a step takes the words of all
    neighbours together with "or". Costs grow with the longest path, which is short in networks
    of similar images.
    """
    degree = degrees(network)
    sources = sources[degree[sources] > 0]
    words = int(np.clip(_WORDS_AT_ONCE // max(int(network.nnz), 1), 1, 64))
    total = pairs = longest = 0
    for start in range(0, len(sources), 64 * words):
        chunk = sources[start : start + 64 * words]
        word, bit = np.divmod(np.arange(len(chunk)), 64)
        mark = np.uint64(1) << bit.astype(np.uint64)
        new = np.zeros((len(degree), int(word[-1]) + 1), dtype=np.uint64)
        new[chunk, word] = mark
        of_component = np.zeros((component.max() + 1, new.shape[1]), dtype=np.uint64)
        np.bitwise_or.at(of_component, (component[chunk], word), mark)
        missing = of_component[component] & ~new
        front = np.sort(chunk)  # the nodes that someone reached in the last step
        distance = 0
        while True:
            around = network[front].indices
            if 4 * len(around) > len(degree):  # nearly all nodes: marking beats sorting
                near = np.zeros(len(degree), dtype=bool)
                near[around] = True
                reached = np.flatnonzero(near)
            else:
                reached = np.unique(around)
            reached = reached[missing[reached].any(axis=1)]
            if not len(reached):
                break
            ends = network[reached]
            arrived = np.bitwise_or.reduceat(new[ends.indices], ends.indptr[:-1], axis=0)
            arrived &= missing[reached]
            missing[reached] ^= arrived
            new[front] = 0
            new[reached] = arrived
            front = reached[arrived.any(axis=1)]
            distance += 1
            count = int(np.bitwise_count(arrived).sum(dtype=np.int64))
            total, pairs = total + distance * count, pairs + count
            longest = max(longest, distance) if count else longest
    return total, pairs, longest


def _local_clustering(network: csr_array, degree: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of each node's pairs of neighbours that are neighbours themselves (n,); 0 of none."""
    # a product costs the neighbours' neighbours; words cost n / 64 an edge, and n / 8 bytes a node
    paths, nodes = int((degree**2).sum()), len(degree)
    cheaper = paths > int(network.nnz) * (nodes // 64 + 1)
    by_words = cheaper and nodes * nodes // 8 <= _MOST_BYTES_OF_WORDS
    triangles = _triangles_of_dense(network) if by_words else _triangles_of_sparse(network, degree)
    possible = degree * (degree - 1) // 2
    share = np.zeros(len(degree))
    np.divide(triangles, possible, out=share, where=possible > 0)
    return share


def _triangles_of_sparse(network: csr_array, degree: NDArray[np.int64]) -> NDArray[np.int64]:
    """Triangles at each node (n,), by products of rows in blocks of bounded size."""
    work = np.cumsum(network @ degree.astype(np.float64))
    twice = np.zeros(len(degree), dtype=np.int64)
    start = 0
    while start < len(degree):
        done = work[start - 1] if start else 0.0
        stop = max(start + 1, int(np.searchsorted(work, done + _WORDS_AT_ONCE, side="right")))
        rows = network[start:stop]
        twice[start:stop] = (rows @ network).multiply(rows).sum(axis=1)
        start = stop
    return twice // 2


def _triangles_of_dense(network: csr_array) -> NDArray[np.int64]:
    """Triangles at each node (n,), from neighbourhoods packed 64 nodes to a word."""
    nodes = int(network.shape[0])
    words = nodes // 64 + 1
    bits = np.zeros((nodes, 8 * words), dtype=np.uint8)
    step = max(1, _WORDS_AT_ONCE // nodes)
    for start in range(0, nodes, step):
        packed = np.packbits(network[start : start + step].toarray() > 0, axis=1)
        bits[start : start + step, : packed.shape[1]] = packed
    neighbours = bits.view(np.uint64)
    row = np.repeat(np.arange(nodes), degrees(network))
    upper = row < network.indices
    one, other = row[upper], network.indices[upper]
    common = np.zeros(len(one), dtype=np.int64)
    step = max(1, _WORDS_AT_ONCE // (4 * words))
    for start in range(0, len(one), step):
        part = slice(start, start + step)
        both = neighbours[one[part]] & neighbours[other[part]]
        common[part] = np.bitwise_count(both).sum(axis=1, dtype=np.int64)
    twice = np.zeros(nodes, dtype=np.int64)
    np.add.at(twice, one, common)
    np.add.at(twice, other, common)
    return twice // 2
