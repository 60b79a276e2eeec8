from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st

from paring.channels.groups import Group
from paring.channels.ranking import (
    Ranking,
    largest_network,
    rank_by_importance,
    rank_by_redundancy,
    rounded,
    sequence,
)
from paring.channels.structure import Structure
from paring.errors import InputError

pytestmark = pytest.mark.torch


def structure(**sizes: int) -> Structure:
    return Structure(tuple(Group(n.replace("_", "."), k, (), ()) for n, k in sizes.items()), {})


def tracker(*weights):
    left = iter(weights)
    return SimpleNamespace(edge_weights=lambda _: next(left))


def naive(weights: np.ndarray) -> tuple[list[int], list[float], list[float]]:
    """Algorithm 1 with everything computed anew."""
    alive, order, means, sums = list(range(len(weights))), [], [], []
    while alive:
        total = [sum(weights[i, j] for j in alive if j != i) for i in alive]
        k = min(range(len(alive)), key=lambda n: (round(total[n], 9), alive[n]))
        order.append(alive.pop(k))
        means.append(total[k] / len(alive) if alive else np.inf)
        sums.append(-total[k] if alive else np.inf)
    return order, means, sums


def test_means_never_fall_and_sums_are_never_above_those_to_come() -> None:
    rng = np.random.default_rng(0)
    w = rng.random((9, 9))
    w = (w + w.T) * (1 - np.eye(9))
    order, means, sums = naive(w)
    (by_mean,) = rank_by_redundancy(structure(a=9), tracker(w), score="mean")
    (by_sum,) = rank_by_redundancy(structure(a=9), tracker(w))
    assert by_mean.order.tolist() == by_sum.order.tolist() == order
    np.testing.assert_allclose(by_mean.scores, np.maximum.accumulate(means))
    np.testing.assert_allclose(by_sum.scores, [min(sums[k:]) for k in range(9)])
    with pytest.raises(InputError, match="score 'max' is not known"):
        rank_by_redundancy(structure(a=9), tracker(w), score="max")


def test_units_without_edges_go_before_all_and_do_not_save_the_others() -> None:
    w = np.ones((6, 6)) - np.eye(6)
    w[[1, 4]] = w[:, [1, 4]] = 0
    (by_sum,) = rank_by_redundancy(structure(a=6), tracker(w))
    (plain,) = rank_by_redundancy(structure(a=4), tracker(np.ones((4, 4)) - np.eye(4)))
    assert by_sum.order[:2].tolist() == [1, 4]
    assert by_sum.scores[:2].tolist() == [-np.inf, -np.inf]
    assert by_sum.scores[2:].tolist() == plain.scores.tolist() == [-3, -2, -1, np.inf]
    (by_mean,) = rank_by_redundancy(structure(a=6), tracker(w), score="mean")
    assert by_mean.scores.tolist() == [0, 0, 1, 1, 1, np.inf]


def test_as_many_of_each_is_scored_by_how_many_are_left() -> None:
    one = Ranking(np.array([2, 0, 1]), np.array([5.0, 6.0, 7.0])).by_count()
    assert one.order.tolist() == [2, 0, 1]
    assert one.scores.tolist() == [-2, -1, 0]


def test_a_group_of_which_nothing_is_known_has_no_ranking() -> None:
    two = structure(a=3, b=2)
    ranked = rank_by_redundancy(two, tracker(None, np.ones((2, 2)) - np.eye(2)))
    assert ranked[0] is None
    assert ranked[1].scores.tolist() == [-1.0, np.inf]
    ranked = rank_by_importance(two, {"b": [2.0, 1.0]})
    assert ranked[0] is None
    assert ranked[1].order.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"c": [1.0]}, "there is no group 'c'"),
        ({"a": [1.0, 2.0]}, "the importance of group 'a' must be 3 numbers"),
        ({"a": [1.0, 2.0, float("nan")]}, "the importance of group 'a' must be 3 numbers"),
    ],
)
def test_importance_that_does_not_fit_is_said(given: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        rank_by_importance(structure(a=3), given)


def rankings(*scores) -> list[Ranking]:
    return [Ranking(np.arange(len(s)), np.array(s, float)) for s in scores]


def test_the_lowest_of_all_goes_first_and_a_floor_stays() -> None:
    both = structure(a=4, b=3)
    order = sequence(both, rankings([1, 4, 5, 9], [2, 3, 9]), floor=0.0, apart=[])
    assert order.tolist() == [0, 1, 1, 0, 0]
    order = sequence(both, rankings([1, 4, 5, 9], [2, 3, 9]), floor=0.5, apart=[])
    assert order.tolist() == [0, 1, 1, 0]  # of three the half, rounded down, is one
    assert sequence(both, [None, None], floor=0.0, apart=[]).tolist() == []


def test_parts_lose_the_same_share_each() -> None:
    both = structure(enc_a=5, enc_b=5, head_c=5)
    given = rankings([1, 2, 3, 4, 9], [5, 6, 7, 8, 9], [90, 91, 92, 93, 99])
    order = sequence(both, given, floor=0.0, apart=["enc"])
    half = np.bincount(order[: len(order) // 2], minlength=3)
    assert half.tolist() == [4, 0, 2]
    together = sequence(both, given, floor=0.0, apart=[])
    assert np.bincount(together[: len(order) // 2], minlength=3).tolist() == [4, 2, 0]


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.floats(0.1, 1.0), st.sampled_from([1, 4]))
def test_the_network_found_is_the_largest_prefix_within_the_budget(
    seed: int, share: float, multiple: int
) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 30, 5)
    order = rng.permutation(np.repeat(np.arange(5), sizes - 1))
    price = rng.random(5)

    def cost(gone: np.ndarray) -> float:
        return float(((sizes - gone) * price).sum() ** 2)

    budget = share * cost(np.zeros(5))
    found = largest_network(order, sizes, cost, budget, multiple=multiple)
    each = [
        rounded(sizes, np.bincount(order[:n], minlength=5), multiple) for n in range(len(order) + 1)
    ]
    fits = [one for one in each if cost(one) <= budget]
    if not fits:
        assert found is None
        return
    assert cost(found) <= budget
    assert cost(found) >= cost(fits[0])
    if multiple > 1 or cost(fits[0]) >= 0.99 * budget:
        assert found.tolist() == fits[0].tolist()
    else:  # what came back leaves no room for another unit
        for k in np.flatnonzero(found):
            more = found.copy()
            more[k] -= 1
            assert cost(more) > budget
