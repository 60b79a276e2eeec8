import numpy as np
import pytest

from dense_similarities import DenseSimilarities, random_matrix
from paring.images.network.coverage import Coverage


def split(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    kept = np.random.default_rng(seed).random(n) < 0.4
    kept[0] = True
    return np.flatnonzero(kept), np.flatnonzero(~kept)


def from_scratch(matrix: np.ndarray, kept: list[int], dropped: list[int]) -> dict[int, float]:
    return {row: max(matrix[row, other] for other in kept) for row in dropped}


@pytest.mark.parametrize("seed", range(6))
def test_each_dropped_image_has_the_kept_one_most_like_it(seed: int) -> None:
    matrix = random_matrix(40, seed, levels=20)
    kept, dropped = split(40, seed)
    found = Coverage.of(DenseSimilarities(matrix), kept, dropped)
    assert found.rows.tolist() == dropped.tolist()
    expected = from_scratch(matrix, kept.tolist(), dropped.tolist())
    assert dict(zip(found.rows.tolist(), found.similarity.tolist(), strict=True)) == expected
    for row, by in zip(found.rows.tolist(), found.by.tolist(), strict=True):
        assert by == next(k for k in kept.tolist() if matrix[row, k] == expected[row])


@pytest.mark.parametrize("levels", [None, 6])
@pytest.mark.parametrize("seed", range(6))
def test_the_worst_covered_comes_back_first_and_covers_others_from_then_on(seed, levels) -> None:
    matrix = random_matrix(30, seed, levels=levels)
    measures = DenseSimilarities(matrix)
    kept, dropped = split(30, seed)
    for count in range(len(dropped) + 1):
        found = Coverage.of(measures, kept, dropped)
        back = found.return_worst(measures, count)
        stay, go, expected = kept.tolist(), dropped.tolist(), []
        for _ in range(count):
            covered = from_scratch(matrix, stay, go)
            worst = min(go, key=lambda row: (covered[row], row))
            expected.append(worst)
            stay.append(worst)
            go.remove(worst)
        assert back.tolist() == expected
        assert found.rows.tolist() == go
        left = from_scratch(matrix, stay, go)
        assert dict(zip(found.rows.tolist(), found.similarity.tolist(), strict=True)) == left
        assert matrix[found.rows, found.by].tolist() == found.similarity.tolist()
        assert set(found.by.tolist()) <= set(stay)


def test_of_equally_covered_images_the_first_comes_back() -> None:
    matrix = np.full((5, 5), 0.5)
    measures = DenseSimilarities(matrix)
    found = Coverage.of(measures, np.array([2]), np.array([0, 1, 3, 4]))
    assert found.return_worst(measures, 3).tolist() == [0, 1, 3]
    assert found.rows.tolist() == [4]


def test_nothing_comes_back_where_nothing_is_asked_for() -> None:
    measures = DenseSimilarities(random_matrix(6, 0))
    found = Coverage.of(measures, np.arange(3), np.arange(3, 6))
    back = found.return_worst(measures, 0)
    assert back.tolist() == []
    assert back.dtype == np.int64
    assert found.rows.tolist() == [3, 4, 5]


def test_a_summary_gives_the_quantiles_the_worst_first() -> None:
    similarity = np.array([0.5, 0.1, 0.3, 0.2, 0.4])
    found = Coverage(np.arange(5), np.full(5, 9), similarity).summary()
    assert found["dropped"] == 5
    assert [found[k] for k in ("min", "25 %", "median", "75 %", "max")] == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0.5]
    )
    assert Coverage(np.arange(0), np.arange(0), np.empty(0)).summary() == {"dropped": 0}


def test_images_that_no_kept_one_can_be_compared_with_are_counted_apart() -> None:
    similarity = np.array([-np.inf, 0.25, 0.75])
    found = Coverage(np.arange(3), np.array([-1, 7, 7]), similarity).summary()
    assert (found["dropped"], found["not comparable"], found["median"]) == (3, 1, 0.5)
    nothing = Coverage(np.arange(1), np.array([-1]), similarity[:1]).summary()
    assert nothing == {"dropped": 1, "not comparable": 1}
