import numpy as np
import pytest

import factory
from dense_similarities import DenseSimilarities, random_matrix
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.network.choice import Amount, choose
from paring.images.network.search import Partition, Rule, ThresholdSearch
from paring.images.similarity.opening import Opened


def squares(category: list[int]) -> Dataset:
    """An image for each square, of the category given."""
    n = len(category)
    masks = MaskStore.from_polygons(
        [[factory.rectangle(1, 1, 9, 9)]] * n, heights=[50] * n, widths=[50] * n
    )
    sizes = dict.fromkeys(range(1, n + 1), (50, 50))
    return factory.assemble(masks, list(range(1, n + 1)), category, sizes)


def opened_of(matrix: np.ndarray, category: list[int] | None = None) -> Opened:
    n = len(matrix)
    data = squares(category or [1] * n)
    readable = ~np.isnan(np.diag(matrix))
    grey = np.where(readable, 1.0, np.nan)
    return Opened(data, DenseSimilarities(matrix), readable, {}, 255.0, grey, grey)


def searched(opened: Opened, wanted: int) -> tuple[np.ndarray, Partition]:
    nodes = np.flatnonzero(opened.readable)
    return nodes, ThresholdSearch(opened.measures, nodes, Rule()).keeping(wanted)


@pytest.mark.parametrize("wanted", [10, 23, 39, 40])
@pytest.mark.parametrize("seed", range(4))
def test_exactly_the_count_stays_and_the_representatives_are_among_it(seed, wanted) -> None:
    opened = opened_of(random_matrix(40, seed, levels=8))
    nodes, part = searched(opened, wanted)
    choice = choose(opened, nodes, part, wanted, Amount(count=wanted), None)
    assert choice.kept.sum() == wanted
    assert choice.kept[part.kept].all()
    assert set(choice.reasons) == set(np.flatnonzero(choice.kept & ~part.kept).tolist())
    assert choice.coverage.rows.tolist() == np.flatnonzero(~choice.kept).tolist()


def test_under_a_threshold_nothing_comes_back() -> None:
    opened = opened_of(random_matrix(30, 3, levels=8))
    part = ThresholdSearch(opened.measures, np.arange(30), Rule()).at(0.2)
    choice = choose(opened, np.arange(30), part, None, Amount(threshold=0.2), None)
    assert choice.kept.tolist() == part.kept.tolist()
    assert choice.reasons == {}


@pytest.mark.parametrize("seed", range(6))
def test_floors_hold_at_the_count_over_the_images_that_could_be_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = random_matrix(40, seed, levels=8)
    gone = rng.choice(40, 6, replace=False)
    matrix[gone] = matrix[:, gone] = np.nan
    category = rng.choice([1, 2, 3], 40, p=[0.8, 0.15, 0.05]).tolist()
    groups = [f"site {k}" for k in rng.choice(6, 40)]
    opened = opened_of(matrix, category)
    nodes, part = searched(opened, 17)
    amount = Amount(count=17, min_per_group=2, min_per_category=3, floor_unit="images")
    choice = choose(opened, nodes, part, 17, amount, groups)
    assert choice.kept.sum() == 17
    for names, floor in ((groups, 2), (category, 3)):
        for name in {names[row] for row in nodes}:
            there = [row for row in nodes if names[row] == name]
            stay = sum(names[row] == name for row in nodes[choice.kept])
            assert stay >= min(floor, len(there))
    assert set(choice.reasons) <= set(nodes.tolist())
    covered = choice.coverage
    assert covered.rows.tolist() == nodes[~choice.kept].tolist()
    expected = matrix[np.ix_(covered.rows, nodes[choice.kept])].max(axis=1)
    assert covered.similarity.tolist() == expected.tolist()


def test_for_a_floor_the_worst_covered_comes_and_the_kept_one_most_like_another_goes() -> None:
    matrix = np.full((6, 6), 0.1)
    np.fill_diagonal(matrix, 1.0)
    for one, other, value in ((0, 4, 0.9), (1, 5, 0.8), (0, 2, 0.5)):
        matrix[one, other] = matrix[other, one] = value
    opened = opened_of(matrix)
    part = ThresholdSearch(opened.measures, np.arange(6), Rule()).at(0.8)
    assert np.flatnonzero(part.kept).tolist() == [0, 1, 2, 3]  # 4 is 0.9, 5 is 0.8 like a kept one
    groups = ["b", "c", "b", "d", "a", "a"]
    amount = Amount(threshold=0.8, min_per_group=1)
    choice = choose(opened, np.arange(6), part, None, amount, groups)
    # 5 is covered worse than 4; of the groups only b can spare one, and both are 0.5 like another
    assert choice.kept[5]
    assert not choice.kept[4]
    assert choice.kept.sum() == 4
    assert set(choice.reasons.values()) == {
        "kept for the floor of group 'a'",
        "gave way to a floor",
    }


def test_floors_that_the_count_cannot_hold_are_refused_with_one_that_can() -> None:
    opened = opened_of(random_matrix(20, 1, levels=8))
    nodes, part = searched(opened, 5)
    groups = [f"site {k % 8}" for k in range(20)]
    with pytest.raises(InputError, match="they hold with a count of 8"):
        choose(opened, nodes, part, 5, Amount(count=5, min_per_group=1), groups)


@pytest.mark.parametrize(
    "asked", [{}, {"rate": 0.1, "count": 3}, {"rate": 0.1, "threshold": 0.9}, {"min_per_group": 1}]
)
def test_an_amount_is_one_of_rate_count_and_threshold(asked: dict) -> None:
    with pytest.raises(InputError, match="give one of"):
        Amount(**asked)


def test_an_amount_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="below 0"):
        Amount(count=1, min_per_group=-1)
    for threshold in (float("inf"), float("nan")):
        with pytest.raises(InputError, match="threshold"):
            Amount(threshold=threshold)
