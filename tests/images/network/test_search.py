import re
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from dense_similarities import DenseSimilarities, random_matrix
from paring.errors import InputError
from paring.images.network.community import share_up
from paring.images.network.search import (
    Edges,
    Partition,
    Rule,
    ThresholdSearch,
    _rate,
    partition,
)
from paring.images.selection import kept_count
from paring.images.similarity.measures import Progress, TooManyPairs
from paring.images.similarity.tiles import Found

LOWEST = -1.0


def search_of(matrix: np.ndarray, rule: Rule) -> ThresholdSearch:
    return ThresholdSearch(DenseSimilarities(matrix), np.arange(len(matrix)), rule)


def every_threshold(matrix: np.ndarray, rule: Rule) -> dict[float, Partition]:
    """The paper's rule at every distinct similarity, the highest first."""
    n = len(matrix)
    edges = Edges(DenseSimilarities(matrix).pairs(LOWEST), np.arange(n))
    values = sorted(set(matrix[np.triu_indices(n, 1)].tolist()), reverse=True)
    return {value: partition(edges, n, value, rule) for value in values}


def random_case(seed: int) -> tuple[np.ndarray, Rule]:
    rng = np.random.default_rng(1_000 + seed)
    n, levels = int(rng.integers(2, 61)), int(rng.integers(5, 100))
    keep = float(rng.choice([0.05, 0.1, 0.3, 0.5]))
    return random_matrix(n, seed, levels=levels), Rule(keep=keep, seed=seed)


@pytest.mark.parametrize("seed", range(16))
def test_a_count_is_met_as_closely_as_any_threshold_can(seed: int) -> None:
    matrix, rule = random_case(seed)
    n = len(matrix)
    counts = [part.n_kept for part in every_threshold(matrix, rule).values()]
    assert len(counts) < 512
    fewest = int(share_up(np.array([n]), rule.keep)[0])
    for wanted in sorted({*np.random.default_rng(seed).integers(1, n, 2).tolist(), min(counts)}):
        possible = [count for count in counts if count <= wanted]
        search = search_of(matrix, rule)
        if not possible or wanted < fewest:
            assert not possible
            with pytest.raises(InputError, match="can be reached"):
                search.keeping(wanted)
            continue
        found = search.keeping(wanted)
        assert found.n_kept == max(possible)
        again = search_of(matrix, rule).at(found.threshold)
        assert again.kept.tolist() == found.kept.tolist()
        assert again.labels.tolist() == found.labels.tolist()


def test_a_pair_at_the_threshold_itself_is_an_edge() -> None:
    matrix = np.array([[1.0, 0.5, 0.25], [0.5, 1.0, 0.0], [0.25, 0.0, 1.0]])
    search = search_of(matrix, Rule())
    assert search.at(0.5).network.nnz == 2
    assert search.at(np.nextafter(0.5, 1)).network.nnz == 0
    assert search.at(0.25).network.nnz == 4
    assert search.at(-2.0).network.nnz == 6


def test_more_edges_can_keep_more_images() -> None:
    rises = 0
    for seed in range(8):
        counts = [part.n_kept for part in every_threshold(*random_case(seed)).values()]
        rises += any(after > before for before, after in pairwise(counts))
    assert rises


@pytest.mark.parametrize("seed", range(6))
def test_the_bound_by_components_is_below_every_count_and_falls(seed: int) -> None:
    matrix, rule = random_case(seed)
    search = search_of(matrix, rule)
    search.at(LOWEST)
    bounds = [search._components_keep(rank) for rank in range(len(search._edges.ends))]
    assert bounds == sorted(bounds, reverse=True)
    counts = [part.n_kept for part in every_threshold(matrix, rule).values()]
    assert all(bound <= count for bound, count in zip(bounds, counts, strict=True))


@pytest.mark.parametrize("levels", [None, 30])
@pytest.mark.parametrize("seed", range(6))
def test_where_the_floor_was_first_decides_nothing(monkeypatch, seed: int, levels) -> None:
    # 40 images without ties have 780 thresholds, more than are tried one by one
    matrix, rule = random_matrix(40, seed, levels=levels), Rule(keep=0.1, seed=seed)
    for wanted in (30, 13, 6):
        found = []
        for floor in (1.0, 0.7, 0.0, LOWEST):
            monkeypatch.setattr(ThresholdSearch, "_first_floor", first_floor_at(floor))
            found.append(search_of(matrix, rule).keeping(wanted))
        assert len({part.threshold for part in found}) == 1
        assert len({part.kept.tobytes() for part in found}) == 1


def first_floor_at(floor: float):
    original = ThresholdSearch._first_floor

    def first(search: ThresholdSearch, n_kept: int) -> float:
        original(search, n_kept)
        return floor

    return first


def test_the_floor_sinks_no_deeper_than_the_walk_around_the_answer() -> None:
    rng = np.random.default_rng(0)
    points = np.repeat(rng.normal(size=(75, 12)), 4, axis=0) + 0.25 * rng.normal(size=(300, 12))
    distance = ((points[:, None] - points[None, :]) ** 2).sum(axis=2)
    matrix = np.exp(-distance / 12)
    search = search_of(matrix, Rule())
    found = search.keeping(150)
    asked = search.measures.asked
    assert found.n_kept == 150
    assert len(asked) <= 3
    assert asked == sorted(asked, reverse=True)
    assert (matrix[np.triu_indices(300, 1)] >= asked[-1]).sum() < 4_000  # of 44,850 pairs


def named_count(error: BaseException) -> tuple[float, int]:
    match = re.search(r"rate (?:of|found is) ([\d.]+)[^(]*\(([\d,]+) kept\)", str(error))
    assert match is not None
    return float(match[1]), int(match[2].replace(",", ""))


@pytest.mark.parametrize("keep", [0.07, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("n", [2, 7, 33, 60])
def test_a_count_out_of_reach_is_refused_with_the_rate_that_can_be(n: int, keep: float) -> None:
    rule = Rule(keep=keep)
    matrix = random_matrix(n, 4, levels=20)
    fewest = -(-n * Fraction(str(keep)) // 1)
    if fewest > 1:
        with pytest.raises(InputError, match="smaller share") as caught:
            search_of(matrix, rule).keeping(int(fewest) - 1)
        rate, least = named_count(caught.value)
        assert least == fewest
    else:
        rate = np.floor((n - 1) / n * 1e4) / 1e4
    wanted = n - int(Fraction(str(float(rate))) * n)
    assert search_of(matrix, rule).keeping(wanted).n_kept <= wanted


def test_images_that_nothing_can_be_compared_with_count_in_what_can_be_reached() -> None:
    matrix = random_matrix(12, 2)
    matrix[:5] = np.nan
    matrix[:, :5] = np.nan
    with pytest.raises(InputError, match=r"\(6 kept\)"):
        search_of(matrix, Rule()).keeping(3)
    assert search_of(matrix, Rule()).keeping(6).n_kept == 6
    with pytest.raises(InputError, match=r"largest rate found is 0 \(12 kept\)"):
        search_of(np.full((12, 12), np.nan), Rule()).keeping(3)


def test_a_high_resolution_is_refused_with_a_count_that_works() -> None:
    matrix, rule = random_matrix(20, 0, levels=10), Rule(resolution=3.0)
    with pytest.raises(InputError, match="no threshold was found") as caught:
        search_of(matrix, rule).keeping(2)
    _, least = named_count(caught.value)
    counts = [part.n_kept for part in every_threshold(matrix, rule).values()]
    assert least == min(counts) > 2
    assert search_of(matrix, rule).keeping(least).n_kept == least


@pytest.mark.parametrize("n", [1, 2, 9])
def test_to_keep_all_needs_no_threshold(n: int) -> None:
    search = search_of(np.ones((n, n)), Rule())
    found = search.keeping(n)
    assert found.kept.all()
    assert found.threshold == np.inf
    assert found.network.nnz == 0
    assert search.measures.asked == []


def test_of_duplicates_alone_a_tenth_stays() -> None:
    found = search_of(np.ones((25, 25)), Rule()).keeping(24)
    assert (found.n_kept, found.threshold) == (3, 1.0)


def test_nodes_are_numbered_without_the_images_that_are_left_out() -> None:
    matrix = random_matrix(20, 3, levels=20)
    nodes = np.array([0, 3, 4, 7, 11, 12, 15, 19])
    gone = np.setdiff1d(np.arange(20), nodes)
    holes = matrix.copy()
    holes[gone] = holes[:, gone] = np.nan
    found = ThresholdSearch(DenseSimilarities(holes), nodes, Rule()).keeping(5)
    alone = search_of(matrix[np.ix_(nodes, nodes)], Rule()).keeping(5)
    assert found.threshold == alone.threshold
    assert found.kept.tolist() == alone.kept.tolist()


def test_a_search_does_not_remember_what_was_asked_before() -> None:
    matrix = random_matrix(50, 6)
    used = search_of(matrix, Rule())
    used.at(0.3)
    used.keeping(40)
    used.keeping(10)
    for wanted in (10, 25):
        fresh = search_of(matrix, Rule()).keeping(wanted)
        again = used.keeping(wanted)
        assert again.threshold == fresh.threshold
        assert again.kept.tolist() == fresh.kept.tolist()


def test_points_tell_of_every_threshold_tried_the_highest_first() -> None:
    matrix, rule = random_matrix(40, 5, levels=30), Rule()
    search = search_of(matrix, rule)
    found = search.keeping(12)
    points = search.curve_points()
    thresholds = [point["threshold"] for point in points]
    assert thresholds == sorted(set(thresholds), reverse=True)
    assert found.threshold in thresholds
    known = every_threshold(matrix, rule)
    for point in points:
        part = known[point["threshold"]]
        assert point["kept"] == part.n_kept
        assert point["rate"] == pytest.approx(1 - part.n_kept / 40)
        assert point["edges"] == (matrix[np.triu_indices(40, 1)] >= part.threshold).sum()
        assert point["communities"] == len(set(part.labels.tolist()))


def test_who_stays_at_each_threshold_tried_is_remembered() -> None:
    matrix, rule = random_matrix(43, 0), Rule()  # 43 bits fill no whole bytes
    search = search_of(matrix, rule)
    search.keeping(7)
    known = every_threshold(matrix, rule)
    assert len(search.points) > 9
    for threshold in search.points:
        kept = search.kept_at(threshold)
        assert kept.dtype == bool
        assert kept.tolist() == known[threshold].kept.tolist()


class Tight(DenseSimilarities):
    """Refuses to hold more than some pairs."""

    most = 0

    def pairs(self, low: float, *, progress: Progress | None = None) -> Found:
        found = super().pairs(low, progress=progress)
        if len(found.value) > self.most:
            raise TooManyPairs("too many")
        return found


def test_a_floor_that_memory_forbids_is_approached_from_above() -> None:
    # all images are close: the first guess of a floor may take in far more than is needed
    rng = np.random.default_rng(0)
    n = 60
    matrix = 0.999 + 0.001 * rng.random((n, n))
    matrix = np.triu(matrix, 1) + np.triu(matrix, 1).T + np.eye(n)
    free = search_of(matrix, Rule()).keeping(30)
    measures = Tight(matrix)
    measures.most = 2 * free.network.nnz // 2
    tight = ThresholdSearch(measures, np.arange(n), Rule())
    assert tight.keeping(30).n_kept == free.n_kept
    measures.most = 3
    with pytest.raises(TooManyPairs):
        ThresholdSearch(measures, np.arange(n), Rule()).keeping(30)


@pytest.mark.parametrize(
    ("dropped", "n"), [(0, 7), (33, 37), (27, 37), (9, 10), (1, 3), (999, 1000)]
)
def test_a_rate_in_words_drops_the_number_it_stands_for(dropped: int, n: int) -> None:
    rate = _rate(dropped, n)
    assert n - kept_count(n, rate=float(rate)) == dropped
