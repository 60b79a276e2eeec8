from typing import Any

import numpy as np
import pytest

from paring.report.layout import Layout, lay_out


def of(labels: Any, edges: Any = (), **more: Any) -> Layout:
    """The layout of communities with edges (first, second, similarity), nothing else known."""
    labels = np.asarray(labels)
    table = np.reshape(np.asarray(edges, float), (-1, 3))
    first, second = table[:, :2].T.astype(np.int64)
    given = {"important": np.zeros(len(labels), bool), "closeness": np.full(len(labels), np.nan)}
    return lay_out(labels, first, second, table[:, 2], **(given | more))


def random_network(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Communities of very different sizes, and edges of all kinds."""
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.zipf(1.4, n), 90) * 3
    ends = np.sort(rng.integers(0, n, (2 * n // 3, 2)), axis=1)
    ends = np.unique(ends[ends[:, 0] < ends[:, 1]], axis=0)
    return labels, np.column_stack((ends, rng.uniform(0.5, 1, len(ends))))


def smallest_gap(discs: np.ndarray) -> float:
    apart = np.hypot(discs[:, None, 0] - discs[:, 0], discs[:, None, 1] - discs[:, 1])
    gaps = apart - discs[:, None, 2] - discs[:, 2]
    return float(gaps[~np.eye(len(discs), dtype=bool)].min(initial=np.inf))


def assert_well_drawn(drawn: Layout) -> None:
    assert smallest_gap(drawn.discs) > 0
    for axis in (0, 1):
        assert (drawn.discs[:, axis] - drawn.discs[:, 2]).min() >= -1
        assert (drawn.discs[:, axis] + drawn.discs[:, 2]).max() <= 1
    width = (drawn.discs[:, :2] + drawn.discs[:, 2:]).max(axis=0)
    assert width.max() == pytest.approx(1)  # and it fills the picture


@pytest.mark.parametrize("seed", range(5))
def test_every_node_lies_in_the_disc_of_its_community_and_nowhere_else(seed: int) -> None:
    labels, edges = random_network(seed)
    drawn = of(labels, edges)
    assert_well_drawn(drawn)
    assert sorted(drawn.nodes.tolist()) == list(range(300))
    apart = np.hypot(drawn.x[:, None] - drawn.discs[:, 0], drawn.y[:, None] - drawn.discs[:, 1])
    inside = apart < drawn.discs[:, 2]
    assert (inside.sum(axis=1) == 1).all()
    assert (drawn.labels[inside.argmax(axis=1)] == labels[drawn.nodes]).all()


@pytest.mark.parametrize(
    ("labels", "linked"),
    [
        (np.arange(2000), 0),
        (np.arange(2000), 1999),
        (np.arange(2000) // 2, 600),
        (np.arange(2000) // 4, 1999),
    ],
)
def test_two_thousand_nodes_in_many_communities_never_overlap(
    labels: np.ndarray, linked: int
) -> None:
    path = [(k, k + 1, 0.9) for k in range(linked)]
    drawn = of(labels, path)
    assert len(drawn.labels) == len(np.unique(labels))
    assert_well_drawn(drawn)


def test_nodes_have_the_same_room_in_communities_of_all_sizes() -> None:
    drawn = of(np.repeat(np.arange(3), (400, 100, 25)))
    for disc in range(3):
        mine = np.repeat(np.arange(3), (400, 100, 25)) == disc
        x, y = drawn.x[mine], drawn.y[mine]
        apart = np.hypot(x[:, None] - x, y[:, None] - y)
        np.fill_diagonal(apart, np.inf)
        nearest = np.sort(apart.min(axis=1))
        assert nearest[0] > 0.55 * drawn.discs[0, 2] / np.sqrt(100)
        assert np.median(nearest) == pytest.approx(1.7 * drawn.discs[0, 2] / 20.7, rel=0.15)


def test_nodes_that_stay_lie_in_the_middle_and_then_the_closest() -> None:
    closeness = np.array([0.3, 0.1, 0.9, 0.7, 0.9, np.nan])  # of those that stay it says nothing
    important = np.array([False, True, False, True, False, False])
    drawn = of([7] * 6, closeness=closeness, important=important)
    assert drawn.nodes.tolist() == [1, 3, 2, 4, 0, 5]
    apart = np.hypot(drawn.x - drawn.discs[0, 0], drawn.y - drawn.discs[0, 1])
    assert apart[0] == pytest.approx(0, abs=1e-12)
    assert (np.diff(apart) > 0).all()


def test_communities_are_drawn_from_the_largest_on() -> None:
    drawn = of([5, 4, 4, 4, 9, 9, 1, 1, 2])
    assert drawn.labels.tolist() == [4, 1, 9, 2, 5]
    assert drawn.nodes.tolist() == [1, 2, 3, 6, 7, 4, 5, 8, 0]
    assert (np.diff(drawn.discs[:, 2]) <= 0).all()


def test_what_is_too_much_is_left_out_and_counted() -> None:
    labels = [0] * 4 + [1] * 3 + [2]
    edges = [(0, 1, 0.8), (0, 4, 0.9), (4, 5, 0.7), (6, 7, 0.99), (2, 3, 0.95)]
    drawn = of(labels, edges, most_nodes=7, most_edges=2)
    assert drawn.labels.tolist() == [0, 1]
    assert drawn.edges.tolist() == [[2, 3], [0, 4]]  # the most similar of those drawn
    assert drawn.values.tolist() == [0.95, 0.9]
    left = drawn.left_out_nodes, drawn.left_out_communities, drawn.left_out_edges
    assert left == (1, 1, 3)
    assert of(labels, most_nodes=6).labels.tolist() == [0]  # whole or not at all


def test_of_a_community_that_is_too_large_the_first_nodes_are_drawn() -> None:
    important = np.array([False] * 5 + [True, False])
    closeness = np.array([0.1, 0.5, 0.4, 0.2, 0.3, np.nan, np.nan])
    drawn = of([0] * 6 + [1], most_nodes=3, important=important, closeness=closeness)
    assert drawn.nodes.tolist() == [5, 1, 2]
    assert (drawn.left_out_nodes, drawn.left_out_communities) == (4, 1)
    assert_well_drawn(drawn)


def test_edges_name_their_nodes_by_place_whichever_end_comes_first() -> None:
    labels, edges = random_network(3)
    swapped = edges[:, [1, 0, 2]]
    one, other = of(labels, edges), of(labels, swapped)
    assert one.edges.tolist() == other.edges.tolist()
    assert (one.edges[:, 0] < one.edges[:, 1]).all()
    found = {
        (*sorted((int(one.nodes[i]), int(one.nodes[j]))), value)
        for (i, j), value in zip(one.edges.tolist(), one.values.tolist(), strict=True)
    }
    assert found == {(int(a), int(b), value) for a, b, value in edges.tolist()}
    assert (np.diff(one.values) <= 0).all()


def test_connected_communities_lie_nearer_to_each_other_than_others() -> None:
    labels = np.repeat(np.arange(60), 5)
    pairs = [(k, k + 30) for k in range(30)]
    drawn = of(labels, [(5 * a + n, 5 * b + n, 0.9) for a, b in pairs for n in range(3)])
    centre = drawn.discs[np.argsort(drawn.labels), :2]
    connected = np.hypot(*(centre[:30] - centre[30:]).T)
    everything = np.hypot(*(centre[:, None] - centre[None]).transpose(2, 0, 1))
    assert np.median(connected) < 0.3 * np.median(everything)


def test_images_alone_lie_around_the_rest_and_not_between_it() -> None:
    drawn = of(np.concatenate((np.repeat(np.arange(7), 250), np.arange(7, 207))))
    radius = drawn.discs[0, 2]  # seven large discs, which leave holes that would hold an image
    distance = np.hypot(*(drawn.discs[:, :2] - drawn.discs[0, :2]).T)
    assert distance[1:7] == pytest.approx([2 * radius] * 6, rel=0.05)
    assert distance[7:].min() > 1.5 * radius


@pytest.mark.parametrize("seed", range(3))
def test_the_same_network_is_drawn_the_same(seed: int) -> None:
    labels, edges = random_network(seed)
    order = np.random.default_rng(seed).permutation(len(edges))
    one, other = of(labels, edges), of(labels, edges[order])
    for name in ("nodes", "x", "y", "discs", "labels", "edges", "values"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


def test_no_nodes_make_an_empty_layout() -> None:
    drawn = of(np.zeros(0, np.int64))
    assert (drawn.nodes.shape, drawn.discs.shape, drawn.edges.shape) == ((0,), (0, 3), (0, 2))


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="one value for each node"):
        of([0, 1], important=np.zeros(3, bool))
    with pytest.raises(ValueError, match="one value for each edge"):
        lay_out(
            *(np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros(2)),
            important=np.zeros(2, bool),
            closeness=np.zeros(2),
        )
    with pytest.raises(ValueError, match="at least one node"):
        of([0, 1], most_nodes=0)
