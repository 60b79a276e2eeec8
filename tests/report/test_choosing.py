import numpy as np
import pytest

from paring.report.choosing import by_rank, first_of, spread, where_they_disagree


@pytest.mark.parametrize("n", [1, 2, 3, 7, 64, 1000])
def test_a_spread_has_every_number_once(n: int) -> None:
    assert sorted(spread(n).tolist()) == list(range(n))


def test_every_beginning_of_a_spread_lies_evenly() -> None:
    for size in (10, 50, 200):
        first = np.sort(spread(1000)[:size])
        assert np.diff(np.append(first, 1000)).max() <= 3 * 1000 / size


def test_both_ends_and_the_border_of_a_ranking_come_first() -> None:
    order = np.random.default_rng(0).permutation(5000)
    rows = first_of(by_rank(order, 3000), 180)
    rank = np.empty(5000, int)
    rank[order] = np.arange(5000)
    assert sorted(rank[rows].tolist()) == [*range(60), *range(2970, 3030), *range(4940, 5000)]


def test_no_row_comes_twice_and_no_more_than_asked_for() -> None:
    rows = first_of(by_rank(np.arange(100), 50), 1000)
    assert sorted(rows) == list(range(100))
    assert first_of([[1, 2]], 0) == []


def test_disagreements_of_every_kind_come_in_turn() -> None:
    one = np.array([1, 1, 1, 1, 0, 1, 0, 0], bool)
    two = np.array([1, 0, 0, 0, 1, 1, 0, 0], bool)
    rows = first_of(where_they_disagree([one, two]), 4)
    assert rows[0] == 4  # the only one that the second alone keeps
    assert sorted(rows) == [1, 2, 3, 4]
    assert sorted(first_of(where_they_disagree([one, two]), 99)) == list(range(8))
