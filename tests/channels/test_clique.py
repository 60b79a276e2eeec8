from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paring.channels.clique import exact_clique, greedy_clique, local_search_clique
from paring.errors import InputError


def random_weights(n: int, seed: int) -> np.ndarray:
    upper = np.triu(np.random.default_rng(seed).random((n, n)), 1)
    return upper + upper.T


def naive_order(weights: np.ndarray) -> tuple[list[int], list[float]]:
    """Every sum computed anew before every removal."""
    left, order, sums = list(range(len(weights))), [], []
    while left:
        each = [sum(weights[i, j] for j in left if j != i) for i in left]
        place = int(np.argmax(np.array(each) <= min(each) + 1e-12 * len(weights)))
        sums.append(each[place])
        order.append(left.pop(place))
    return order, sums


def heaviest(weights: np.ndarray, keep: int) -> float:
    return max(
        sum(weights[i, j] for i, j in combinations(chosen, 2))
        for chosen in combinations(range(len(weights)), keep)
    )


@given(st.integers(1, 40), st.integers(0, 10_000))
def test_order_and_sums_are_those_of_computing_every_sum_anew(n: int, seed: int) -> None:
    weights = random_weights(n, seed)
    order, sums = naive_order(weights)
    found = greedy_clique(weights)
    assert found.order.tolist() == order
    assert np.allclose(found.sums, sums, rtol=0, atol=1e-12 * n)


def test_running_sums_do_not_drift_at_the_width_of_a_wide_layer() -> None:
    weights = random_weights(512, 3)
    order, sums = naive_order(weights)
    found = greedy_clique(weights, 100)
    assert found.order.tolist() == order
    assert np.abs(found.sums - sums).max() < 1e-10
    assert found.kept.tolist() == sorted(order[-100:])


@given(st.integers(2, 12), st.integers(0, 10_000), st.data())
def test_no_clique_is_heavier_than_the_exact_one_and_the_search_lies_between(
    n: int, seed: int, draw: st.DataObject
) -> None:
    weights = random_weights(n, seed)
    keep = draw.draw(st.integers(1, n))
    greedy = greedy_clique(weights, keep)
    searched = local_search_clique(weights, keep, seed=seed)
    exact = exact_clique(weights, keep)
    assert exact.proven
    assert exact.weight == pytest.approx(heaviest(weights, keep), abs=1e-9)
    assert greedy.weight <= searched.weight + 1e-9 <= exact.weight + 2e-9
    for clique in (greedy, searched, exact):
        assert len(set(clique.kept.tolist())) == keep
        assert clique.kept.tolist() == sorted(clique.kept.tolist())


def test_of_weights_below_zero_the_exact_one_is_the_heaviest_too() -> None:
    weights = random_weights(8, 1) - 0.7
    np.fill_diagonal(weights, 0)
    assert exact_clique(weights, 4).weight == pytest.approx(heaviest(weights, 4))


def test_of_two_twins_one_stays_where_a_sum_over_the_whole_graph_would_drop_both() -> None:
    """The example of the paper's appendix A, against what FPGM prunes there."""
    weights = np.full((5, 5), 0.55)
    weights[:2] = weights[:, :2] = 0.6
    weights[0, 1] = weights[1, 0] = 0.0  # twins: nothing new in one beside the other
    np.fill_diagonal(weights, 0)
    over_the_whole_graph = set(np.argsort(weights.sum(axis=1), kind="stable")[:2].tolist())
    kept = set(greedy_clique(weights, 3).kept.tolist())
    assert over_the_whole_graph == {0, 1}
    assert len({0, 1} & kept) == 1


def test_equal_sums_go_from_the_lowest_number() -> None:
    assert greedy_clique(np.ones((5, 5))).order.tolist() == [0, 1, 2, 3, 4]


def test_the_diagonal_counts_for_nothing() -> None:
    weights = random_weights(9, 0)
    with_diagonal = weights + np.diag(np.arange(9.0))
    assert greedy_clique(weights).order.tolist() == greedy_clique(with_diagonal).order.tolist()


def test_a_search_that_ran_out_of_time_says_that_nothing_is_proven() -> None:
    clique = exact_clique(random_weights(40, 0), 20, time_limit=0.01)
    assert not clique.proven
    assert len(clique.kept) == 20


def test_the_same_seed_finds_the_same_clique() -> None:
    weights = random_weights(60, 5)
    first, second = (local_search_clique(weights, 25, seed=4) for _ in range(2))
    assert first.kept.tolist() == second.kept.tolist()


@pytest.mark.parametrize(
    ("weights", "keep", "words"),
    [
        (np.ones((2, 3)), 1, "square matrix, not of shape"),
        (np.ones((0, 0)), 1, "square matrix"),
        ([[0, 1], [2, 0]], 1, "must be symmetric, but those of 0 and 1 are 1 and 2"),
        ([[0, np.nan], [np.nan, 0]], 1, "weight of 0 and 1 is no finite number"),
        (np.ones((3, 3)), 4, "4 of 3 vertices cannot be kept"),
        (np.ones((3, 3)), 0, "0 of 3 vertices cannot be kept"),
    ],
)
def test_what_is_no_graph_is_refused(weights: object, keep: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        greedy_clique(weights, keep)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="time limit 0"):
        exact_clique(np.ones((3, 3)), 2, time_limit=0)
    with pytest.raises(InputError, match="starts -1"):
        local_search_clique(np.ones((3, 3)), 2, starts=-1)
