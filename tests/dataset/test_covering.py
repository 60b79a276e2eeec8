from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paring.dataset import covering
from paring.dataset.covering import k_centre
from paring.errors import InputError

few = arrays(
    np.float32, st.tuples(st.integers(1, 8), st.integers(1, 3)), elements=st.integers(-5, 5)
)


def walked(features: np.ndarray, k: int, first: int) -> tuple[list[int], list[float]]:
    """The same from a first row on by the definition, row by row."""
    rows = [[float(v) for v in row] for row in features]

    def apart(a: list[float], b: list[float]) -> float:
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))

    order = [first]
    radius = []
    for _ in range(k):
        left = {
            r: min(apart(rows[r], rows[c]) for c in order)
            for r in range(len(rows))
            if r not in order
        }
        radius.append(max(left.values(), default=0.0) ** 0.5)
        if left:
            order.append(max(left, key=lambda r: (left[r], -r)))
    return order[:k], radius


def test_the_first_is_nearest_to_the_mean_and_the_next_are_farthest() -> None:
    # mean 3.75: row 2 is nearest; then 9 is 4 away and 0 is 5 away
    order, radius = k_centre(np.array([[0.0], [1.0], [5.0], [9.0]]), 4)
    assert order.tolist() == [2, 0, 3, 1]
    assert radius.tolist() == [5.0, 4.0, 1.0, 0.0]


@given(few, st.data())
def test_it_chooses_what_the_definition_chooses(features: np.ndarray, draw: st.DataObject) -> None:
    k = draw.draw(st.integers(1, len(features)))
    order, radius = k_centre(features, k)
    apart = np.linalg.norm(features - features.mean(axis=0, dtype=float), axis=1)
    assert np.isclose(apart[order[0]], apart.min())
    expected = walked(features, k, int(order[0]))
    assert order.tolist() == expected[0]
    assert np.allclose(radius, expected[1])


@settings(max_examples=60)
@given(few, st.integers(1, 4))
def test_the_radius_is_at_most_twice_the_best_there_is(features: np.ndarray, k: int) -> None:
    k = min(k, len(features))
    apart = np.linalg.norm(features[:, None].astype(float) - features[None], axis=2)
    best = min(apart[list(c)].min(axis=0).max() for c in combinations(range(len(features)), k))
    order, radius = k_centre(features, k)
    assert np.isclose(radius[-1], apart[order].min(axis=0).max())
    assert radius[-1] <= 2 * best + 1e-9


@given(few)
def test_fewer_centres_are_the_beginning_of_more_and_the_radius_never_grows(
    features: np.ndarray,
) -> None:
    order, radius = k_centre(features, len(features))
    assert sorted(order.tolist()) == list(range(len(features)))
    assert (np.diff(radius) <= 0).all()
    half = (len(features) + 1) // 2
    assert k_centre(features, half)[0].tolist() == order[:half].tolist()


def test_equal_rows_are_each_chosen_once_in_order() -> None:
    order, radius = k_centre(np.ones((4, 2), np.float32), 4)
    assert order.tolist() == [0, 1, 2, 3]
    assert radius.tolist() == [0, 0, 0, 0]


def test_the_first_row_can_be_named() -> None:
    assert k_centre(np.array([[0.0], [1.0], [5.0]]), 2, first=1)[0].tolist() == [1, 2]


def test_blocks_do_not_change_what_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).normal(size=(57, 7)).astype(np.float32)
    whole = k_centre(features, 20)
    monkeypatch.setattr(covering, "_BLOCK", 40)
    parts = k_centre(features, 20)
    assert (whole[0] == parts[0]).all()
    assert (whole[1] == parts[1]).all()


def test_small_differences_far_from_zero_are_not_lost() -> None:
    # squares expanded as |a|^2 - 2ab + |b|^2 in float32 would see all of these as equal
    features = np.array([[16384.0], [16384.25], [16385.0]], np.float32)
    assert k_centre(features, 3)[1].tolist() == [0.75, 0.25, 0.0]


@pytest.mark.parametrize(
    ("features", "k", "first", "said"),
    [
        (np.zeros((3, 2)), 0, None, "between 1 and 3, not 0"),
        (np.zeros((3, 2)), 4, None, "between 1 and 3, not 4"),
        (np.zeros((3, 2)), 1, 3, "first row must lie between 0 and 2"),
        (np.zeros(3), 1, None, "not of 1 axes"),
        (np.array([[0.0], [np.nan]]), 1, None, "features of row 1 are not finite"),
    ],
)
def test_what_cannot_be_is_refused(
    features: np.ndarray, k: int, first: int | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        k_centre(features, k, first=first)
