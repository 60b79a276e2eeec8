import json
import math
import tracemalloc

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paring.images.network import graph as module
from paring.images.network.graph import (
    degrees,
    modularity,
    network_statistics,
    similarity_network,
)


def of_edges(edges: list[tuple[int, int]], n: int):
    pairs = np.array(edges, dtype=np.int64).reshape(-1, 2)
    return similarity_network(pairs[:, 0], pairs[:, 1], n)


@st.composite
def pairs_of_images(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    n = draw(st.integers(1, 25))
    row = st.integers(0, n - 1)
    return n, draw(st.lists(st.tuples(row, row), max_size=90))


def plain_graph(n: int, edges: list[tuple[int, int]]) -> nx.Graph:
    graph = nx.empty_graph(n)
    graph.add_edges_from((a, b) for a, b in edges if a != b)
    return graph


def double_loop_modularity(graph: nx.Graph, labels: list[int]) -> float:
    """Eq. 5 as it stands."""
    edges = graph.number_of_edges()
    terms = [
        graph.has_edge(i, j) - graph.degree[i] * graph.degree[j] / (2 * edges)
        for i in graph
        for j in graph
        if labels[i] == labels[j]
    ]
    return sum(terms) / (2 * edges)


TWO_TRIANGLES = [(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)]


@given(pairs_of_images())
def test_a_network_holds_each_pair_once_in_both_directions_and_sorted(drawn) -> None:
    n, edges = drawn
    network = of_edges(edges, n)
    expected = np.zeros((n, n))
    for a, b in edges:
        if a != b:
            expected[a, b] = expected[b, a] = 1
    assert (network.toarray() == expected).all()
    assert (network.data == 1).all()
    fresh = type(network)((network.data, network.indices, network.indptr), shape=network.shape)
    assert fresh.has_canonical_format  # found out anew: columns ascend, none twice


def test_equal_sets_of_pairs_give_equal_bytes() -> None:
    one = of_edges([(0, 1), (2, 1), (3, 0)], 4)
    other = of_edges([(0, 3), (1, 0), (1, 2), (0, 1), (2, 2)], 4)
    for name in ("data", "indices", "indptr"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


@pytest.mark.parametrize("edge", [(0, 3), (-1, 0), (3, 3)])
def test_a_row_outside_the_data_set_is_refused(edge: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"\[0, 3\)"):
        of_edges([edge], 3)


@given(pairs_of_images(), st.randoms(use_true_random=False))
def test_every_statistic_is_that_of_networkx(drawn, random) -> None:
    n, edges = drawn
    graph = plain_graph(n, edges)
    labels = [random.randrange(4) for _ in range(n)]
    found = network_statistics(of_edges(edges, n), np.array(labels))
    lengths = [
        length
        for source, reached in nx.all_pairs_shortest_path_length(graph)
        for target, length in reached.items()
        if source != target
    ]
    local = nx.clustering(graph)
    grown = [local[node] for node in graph if graph.degree[node] > 1]
    groups = [{i for i in graph if labels[i] == c} for c in sorted(set(labels))]
    assert (found.nodes, found.edges) == (n, graph.number_of_edges())
    assert found.average_degree == pytest.approx(2 * found.edges / n)
    assert found.density == pytest.approx(nx.density(graph))
    assert found.components == nx.number_connected_components(graph)
    assert found.communities == len(groups)
    assert found.average_clustering == pytest.approx(nx.average_clustering(graph))
    mean_of_grown = sum(grown) / len(grown) if grown else 0
    assert found.average_clustering_of_degree_2_up == pytest.approx(mean_of_grown)
    assert found.diameter == max(lengths, default=None)
    mean = sum(lengths) / len(lengths) if lengths else None
    assert found.average_path_length == (None if mean is None else pytest.approx(mean))
    histogram = nx.degree_histogram(graph)
    assert found.degree_distribution == [(d, c) for d, c in enumerate(histogram) if c]
    sizes = [len(group) for group in groups]
    assert found.community_size_distribution == [(s, sizes.count(s)) for s in sorted(set(sizes))]
    if graph.number_of_edges():
        assert found.modularity == pytest.approx(nx.community.modularity(graph, groups))
        assert found.modularity == pytest.approx(double_loop_modularity(graph, labels))


def test_a_path_of_three_nodes_is_as_counted_by_hand() -> None:
    found = network_statistics(of_edges([(0, 1), (1, 2)], 3), np.zeros(3, dtype=np.int64))
    assert found.average_path_length == pytest.approx((1 + 1 + 2) / 3)
    assert (found.diameter, found.components, found.modularity) == (2, 1, 0)
    assert (found.average_clustering, found.density) == (0, pytest.approx(2 / 3))


def test_a_triangle_with_a_pendant_is_as_counted_by_hand() -> None:
    network = of_edges([(0, 1), (0, 2), (1, 2), (2, 3)], 4)
    found = network_statistics(network, np.zeros(4, dtype=np.int64))
    assert found.average_clustering == pytest.approx((1 + 1 + 1 / 3 + 0) / 4)
    assert found.average_clustering_of_degree_2_up == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert found.degree_distribution == [(1, 1), (2, 2), (3, 1)]


def test_two_triangles_joined_by_an_edge_have_a_modularity_of_five_fourteenths() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert modularity(of_edges(TWO_TRIANGLES, 6), labels) == pytest.approx(5 / 14, abs=1e-15)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_network_without_edges_has_no_paths_and_no_modularity(n: int) -> None:
    found = network_statistics(of_edges([], n), np.arange(n))
    assert (found.nodes, found.edges, found.components, found.communities) == (n, 0, n, n)
    assert (found.average_path_length, found.diameter, found.modularity) == (None, None, 0)
    assert (found.density, found.average_clustering, found.average_degree) == (0, 0, 0)


def test_statistics_come_back_from_json_as_they_went() -> None:
    for edges, n in ((TWO_TRIANGLES, 6), ([], 0), ([], 3)):
        said = network_statistics(of_edges(edges, n), np.zeros(n, dtype=np.int64)).to_dict()
        assert json.loads(json.dumps(said, allow_nan=False)) == said


def random_network(n: int, degree: float, seed: int):
    rows = np.random.default_rng(seed).integers(0, n, (2, int(n * degree / 2)))
    return similarity_network(rows[0], rows[1], n)


def test_sampled_paths_are_close_to_the_exact_ones_and_say_so() -> None:
    network, labels = random_network(1_500, 6, 0), np.zeros(1_500, dtype=np.int64)
    exact = network_statistics(network, labels)
    sampled = network_statistics(network, labels, exact_up_to=1_000, sample=200, seed=3)
    assert (exact.paths_exact, exact.path_sources) == (True, 1_500)
    assert (sampled.paths_exact, sampled.path_sources) == (False, 200)
    assert sampled.average_path_length == pytest.approx(exact.average_path_length, rel=0.02)
    assert sampled.average_path_length != exact.average_path_length
    assert exact.diameter - 3 <= sampled.diameter <= exact.diameter
    again = network_statistics(network, labels, exact_up_to=1_000, sample=200, seed=3)
    assert again == sampled


def test_paths_walked_in_many_chunks_are_those_walked_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, labels = random_network(300, 3, 1), np.zeros(300, dtype=np.int64)
    whole = network_statistics(network, labels)
    monkeypatch.setattr(module, "_WORDS_AT_ONCE", 1)
    assert network_statistics(network, labels) == whole
    graph = nx.from_scipy_sparse_array(network)
    farthest = max(
        length
        for _, reached in nx.all_pairs_shortest_path_length(graph)
        for length in reached.values()
    )
    assert whole.diameter == farthest


@pytest.mark.parametrize(("n", "degree"), [(70, 3), (70, 50), (200, 60), (64, 62)])
@pytest.mark.parametrize("at_once", [1 << 23, 50])
def test_both_ways_to_count_triangles_agree_with_networkx(
    monkeypatch: pytest.MonkeyPatch, n: int, degree: int, at_once: int
) -> None:
    monkeypatch.setattr(module, "_WORDS_AT_ONCE", at_once)
    network = random_network(n, degree, 5)
    expected = list(nx.triangles(nx.from_scipy_sparse_array(network)).values())
    assert module._triangles_of_sparse(network, degrees(network)).tolist() == expected
    assert module._triangles_of_dense(network).tolist() == expected


def test_a_complete_network_has_paths_of_one_and_clustering_of_one() -> None:
    one, other = np.triu_indices(150, 1)
    found = network_statistics(similarity_network(one, other, 150), np.arange(150))
    assert (found.average_path_length, found.diameter) == (1, 1)
    assert found.average_clustering == found.density == 1
    assert math.isclose(found.modularity, -1 / 150)


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="3 nodes need as many labels, not 2"):
        network_statistics(of_edges([], 3), np.zeros(2, dtype=np.int64))


def test_a_clique_among_many_lonely_nodes_takes_no_table_of_all_by_all() -> None:
    n = 60_000
    one, other = np.triu_indices(600, 1)
    network = similarity_network(one, other, n)
    tracemalloc.start()
    found = network_statistics(network, np.arange(n), sample=64)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < n * n // 8
    assert found.average_clustering_of_degree_2_up == 1
    assert (found.diameter, found.average_path_length) in {(1, 1.0), (None, None)}


def test_paths_along_a_chain_are_counted() -> None:
    n = 1_200
    network = similarity_network(np.arange(n - 1), np.arange(1, n), n)
    found = network_statistics(network, np.zeros(n, np.int64))
    assert found.diameter == n - 1
    assert found.average_path_length == pytest.approx((n + 1) / 3)
