import math
import subprocess
import sys
from fractions import Fraction

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paring.errors import InputError
from paring.images.network.community import fewest_kept, find_communities, representatives, share_up
from paring.images.network.graph import modularity, similarity_network

METHODS = ("louvain", "leiden")


def of_graph(graph: nx.Graph):
    edges = np.array(list(graph.edges), dtype=np.int64).reshape(-1, 2)
    return similarity_network(edges[:, 0], edges[:, 1], len(graph))


def random_network(n: int, m: int, seed: int):
    rows = np.random.default_rng(seed).integers(0, n, (2, m))
    return similarity_network(rows[0], rows[1], n)


def groups_of(labels) -> list[set[int]]:
    return [set(np.flatnonzero(labels == c).tolist()) for c in range(max(labels) + 1)]


def plain_representatives(network, labels: list[int], keep: float) -> list[bool]:
    graph, kept = nx.from_scipy_sparse_array(network), set()
    for community in set(labels):
        members = [i for i in graph if labels[i] == community]

        def rank(i: int, members: list[int] = members) -> tuple[int, int, int]:
            return -sum(j in members for j in graph[i]), -graph.degree[i], i

        kept |= set(sorted(members, key=rank)[: math.ceil(Fraction(str(keep)) * len(members))])
    return [i in kept for i in graph]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(5))
def test_two_triangles_joined_by_an_edge_are_two_communities(method, seed: int) -> None:
    network = of_graph(nx.Graph([(0, 1), (0, 2), (1, 2), (3, 4), (3, 5), (4, 5), (2, 3)]))
    labels = find_communities(network, method=method, seed=seed)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert modularity(network, labels) == pytest.approx(5 / 14)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(0, 120), st.integers(0, 9))
def test_communities_are_numbered_by_first_node_and_lie_within_components(method, n, m, seed):
    network = random_network(n, m, seed)
    labels = find_communities(network, method=method, seed=seed)
    assert labels.shape == (n,)
    assert labels.dtype == np.int64
    firsts = [labels.tolist().index(c) for c in range(labels.max() + 1)]
    assert firsts == sorted(firsts)
    graph = nx.from_scipy_sparse_array(network)
    for group in groups_of(labels):
        assert len({frozenset(nx.node_connected_component(graph, i)) for i in group}) == 1
        if method == "leiden":
            assert nx.is_connected(graph.subgraph(group))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [0, 1, 5])
def test_nodes_without_edges_are_communities_of_their_own(method, n: int) -> None:
    none = np.zeros(0, dtype=np.int64)
    network = similarity_network(none, none, n)
    labels = find_communities(network, method=method)
    assert labels.tolist() == list(range(n))
    assert representatives(network, labels).tolist() == [True] * n


@pytest.mark.parametrize("method", METHODS)
def test_communities_are_as_modular_as_those_of_networkx(method) -> None:
    for seed in range(3):
        graph = nx.random_partition_graph([30, 40, 50, 20, 60], 0.3, 0.02, seed=seed)
        plain = nx.Graph(graph.edges)
        plain.add_nodes_from(graph)
        network = of_graph(plain)
        rival = nx.community.modularity(plain, nx.community.louvain_communities(plain, seed=seed))
        labels = find_communities(network, method=method, seed=seed)
        assert modularity(network, labels) >= rival - 0.01


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_is_real_and_decides_all(method) -> None:
    network = random_network(400, 1_200, 0)
    found = [find_communities(network, method=method, seed=s).tolist() for s in (0, 0, 1, 2)]
    assert found[0] == found[1]
    assert found[0] != found[2] or found[0] != found[3]


@pytest.mark.parametrize("method", METHODS)
def test_a_fresh_process_finds_the_same_communities(method) -> None:
    code = f"""
import numpy as np
from paring.images.network.community import find_communities
from paring.images.network.graph import similarity_network
rows = np.random.default_rng(4).integers(0, 300, (2, 900))
network = similarity_network(rows[0], rows[1], 300)
print(find_communities(network, method={method!r}, seed=7).tolist())
"""
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    here = find_communities(random_network(300, 900, 4), method=method, seed=7)
    assert there.stdout.strip() == str(here.tolist())


@pytest.mark.parametrize("resolution", [0.1, 1.0, 30.0])
def test_leiden_comes_to_an_end_on_a_regular_network(resolution: float) -> None:
    # the library's own refinement goes round for ever on this one at 0.1
    torus = nx.convert_node_labels_to_integers(nx.grid_2d_graph(100, 99, periodic=True))
    network = of_graph(torus)
    labels = find_communities(network, method="leiden", resolution=resolution)
    assert all(nx.is_connected(torus.subgraph(group)) for group in groups_of(labels))


def test_a_higher_resolution_gives_more_communities() -> None:
    network = random_network(300, 1_500, 2)
    counts = [find_communities(network, resolution=r).max() + 1 for r in (0.3, 1.0, 5.0)]
    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "infomap"}, "'louvain' or 'leiden'"),
        ({"resolution": 0.0}, "above 0"),
        ({"resolution": -1.0}, "above 0"),
        ({"resolution": float("nan")}, "above 0"),
        ({"seed": -1}, "seed"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        find_communities(random_network(5, 5, 0), **options)


@given(st.integers(1, 40), st.integers(0, 150), st.integers(0, 99), st.integers(1, 100))
def test_representatives_are_those_of_the_plain_way(n, m, seed, percent) -> None:
    network = random_network(n, m, seed)
    labels = np.random.default_rng(seed).integers(0, 5, n)
    kept = representatives(network, labels, keep=percent / 100)
    assert kept.tolist() == plain_representatives(network, labels.tolist(), percent / 100)


def test_ties_go_to_the_higher_total_degree_then_to_the_order_of_the_data_set() -> None:
    # 0-1 and 2-3 are communities; 3 also knows 1, so within their communities all are equal
    network = of_graph(nx.Graph([(0, 1), (2, 3), (4, 5), (1, 3)]))
    kept = representatives(network, np.array([0, 0, 1, 1, 2, 2]), keep=0.5)
    assert kept.tolist() == [False, True, False, True, True, False]


def test_degree_within_the_community_goes_before_total_degree() -> None:
    # 1 is the middle of path 0-1-2; 2 has more neighbours, but in the other community
    network = of_graph(nx.Graph([(0, 1), (1, 2), (2, 3), (2, 4), (2, 5)]))
    kept = representatives(network, np.array([0, 0, 0, 1, 2, 3]), keep=0.1)
    assert kept.tolist() == [False, True, False, True, True, True]


def test_the_ceiling_is_exact_where_floating_point_is_not() -> None:
    assert math.ceil(0.07 * 100) == 8
    assert share_up(np.array([100]), 0.07).tolist() == [7]
    assert share_up(np.array([10**15]), 0.1).tolist() == [10**14]
    assert share_up(np.array([0, 1, 5]), 1e-300).tolist() == [0, 1, 1]


@given(st.integers(1, 999), st.lists(st.integers(1, 10_000), max_size=30))
def test_the_ceiling_is_that_of_whole_numbers(thousandths: int, sizes: list[int]) -> None:
    expected = [-(-size * thousandths // 1000) for size in sizes]
    assert share_up(np.array(sizes, dtype=np.int64), thousandths / 1000).tolist() == expected


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_outside_zero_to_one_is_refused(keep: float) -> None:
    with pytest.raises(InputError, match="above 0 and at most 1"):
        representatives(random_network(5, 5, 0), np.zeros(5, dtype=np.int64), keep=keep)


@given(st.integers(1, 60), st.integers(0, 120), st.integers(0, 50), st.integers(1, 100))
def test_no_communities_keep_fewer_than_the_components_say(n, m, seed, percent) -> None:
    network = random_network(n, m, seed)
    parts = nx.connected_components(nx.from_scipy_sparse_array(network))
    least = fewest_kept(np.array([len(part) for part in parts]), percent / 100)
    labels = find_communities(network, seed=seed)
    assert representatives(network, labels, keep=percent / 100).sum() >= least
