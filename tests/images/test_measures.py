import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paring.images.measures import area_under_margin, el2n, entropy, forgetting_counts

correct = arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 6)))


def test_entropy_is_that_of_the_textbook() -> None:
    assert np.allclose(entropy([0.5, 0.25, 1.0, 0.0]), [math.log(2), 0.5623351446188083, 0, 0])
    assert np.allclose(entropy([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]], axis=1), [0.693147, 1.039721])


def test_certain_predictions_have_an_entropy_of_plain_zero() -> None:
    assert not np.signbit(entropy([0.0, 1.0, 1 - 1e-17])).any()


@given(arrays(np.float64, st.integers(1, 8), elements=st.floats(0, 1)))
def test_two_classes_written_out_are_the_same_as_one_probability(p: np.ndarray) -> None:
    both = np.stack((1 - p, p))
    truth = np.arange(len(p)) % 2
    assert np.allclose(entropy(p), entropy(both, axis=0))
    assert np.allclose(el2n(p, truth), el2n(both, truth, axis=0))


def test_entropy_is_highest_where_the_model_knows_nothing() -> None:
    p = np.linspace(0, 1, 101)
    assert entropy(p).argmax() == 50
    assert (np.diff(entropy(p))[:50] > 0).all()


def test_el2n_is_the_distance_to_the_true_corner() -> None:
    p = [[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]]
    expected = [math.sqrt(0.09 + 0.04 + 0.01), math.sqrt(0.49 + 0.04 + 0.81)]
    assert np.allclose(el2n(p, [0, 2], axis=-1), expected)
    assert np.allclose(el2n(np.transpose(p), [0, 2], axis=0), expected)


def test_a_mislabelled_cell_has_a_higher_el2n_than_a_well_labelled_one() -> None:
    good, wrong = el2n([0.95, 0.95], [1, 0])
    assert (round(good, 6), round(wrong, 6)) == (0.070711, 1.343503)


def test_a_mislabelled_cell_has_the_lowest_area_under_the_margin() -> None:
    # three cells of the kind the model learns; the label of the last is wrong, so its margin is
    # the negative of theirs until it is learnt by heart in the end
    margins = [[0.5, 0.4, -0.5], [2.0, 1.8, -1.9], [4.0, 4.2, 1.0]]
    area = area_under_margin(margins)
    assert np.allclose(area, [6.5 / 3, 6.4 / 3, -1.4 / 3])
    assert area.argmin() == 2


def test_forgetting_is_counted_from_right_to_wrong_alone() -> None:
    epochs = [
        # memorised, learnt late, forgotten once, forgotten twice, never right
        [1, 0, 1, 1, 0],
        [1, 0, 0, 0, 0],
        [1, 1, 0, 1, 0],
        [1, 1, 1, 0, 0],
    ]
    assert forgetting_counts(epochs).tolist() == [0, 0, 1, 2, 4]
    assert forgetting_counts(epochs, never=9).tolist() == [0, 0, 1, 2, 9]


@given(correct)
def test_forgetting_is_what_a_walk_through_the_epochs_counts(epochs: np.ndarray) -> None:
    walked = []
    for cell in epochs.T.tolist():
        number = sum(a and not b for a, b in pairwise(cell))
        walked.append(number if any(cell) else len(cell))
    assert forgetting_counts(epochs).tolist() == walked


@given(correct)
def test_cells_that_were_never_right_are_harder_than_all_others(epochs: np.ndarray) -> None:
    counts, never = forgetting_counts(epochs), ~epochs.any(axis=0)
    if never.any() and not never.all():
        assert counts[never].min() > counts[~never].max()


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 3)])
def test_measures_work_on_any_shape(shape: tuple[int, ...]) -> None:
    p = np.full((*shape, 4), 0.25)
    assert entropy(p, axis=-1).shape == el2n(p, np.zeros(shape, int), axis=-1).shape == shape
