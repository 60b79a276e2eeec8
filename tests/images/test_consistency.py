import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import paring
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.consistency import (
    Pass,
    consistency_scores,
    disagreement,
    dropout_scores,
    predictive_entropy,
)

labels = arrays(
    np.int64, st.tuples(st.integers(2, 6), st.integers(1, 5)), elements=st.integers(0, 3)
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return paring.scenes(6, seed=2)


def test_the_entropy_is_that_of_the_mean_and_not_the_mean_of_entropies() -> None:
    # two passes that are each certain and contradict each other know nothing together
    assert np.allclose(predictive_entropy([[0.0], [1.0]]), [math.log(2)])
    assert np.allclose(predictive_entropy([[0.2, 1.0], [0.4, 1.0]]), [0.610864302, 0.0])


def test_classes_lie_along_the_axis_that_is_named() -> None:
    last = np.array([[[1.0, 0.0, 0.0]], [[0.0, 0.5, 0.5]]])  # passes, cells, classes
    expected = -(0.5 * math.log(0.5) + 2 * 0.25 * math.log(0.25))
    assert np.allclose(predictive_entropy(last, axis=-1), [expected])
    assert np.allclose(predictive_entropy(last, axis=2), [expected])
    assert np.allclose(predictive_entropy(last.transpose(0, 2, 1), axis=1), [expected])
    with pytest.raises(ValueError, match="the first axis is that of the passes"):
        predictive_entropy(last, axis=0)


def test_passes_in_float32_are_averaged_without_loss() -> None:
    p = np.full((10, 3), 0.1, np.float32)
    assert np.allclose(predictive_entropy(p), predictive_entropy(p.astype(np.float64)), atol=1e-15)


def test_disagreement_by_hand() -> None:
    views = np.array([[1, 0, 2], [1, 1, 1], [1, 1, 0], [1, 1, 1]])
    assert np.allclose(disagreement(views), [0, 3 / 6, 5 / 6])
    assert np.allclose(disagreement(views, how="majority"), [0, 1 / 4, 2 / 4])
    assert np.allclose(disagreement(views, how="first"), [0, 1, 1])


@given(labels)
def test_pairs_are_counted_as_if_each_were_looked_at(views: np.ndarray) -> None:
    looked = np.mean([a != b for a, b in combinations(views, 2)], axis=0)
    assert np.allclose(disagreement(views), looked)


@given(labels)
def test_the_majority_is_the_most_frequent_label(views: np.ndarray) -> None:
    most = [max(column.count(v) for v in column) for column in views.T.tolist()]
    expected = 1 - np.array(most) / len(views)
    assert np.allclose(disagreement(views, how="majority"), expected)


@given(labels)
def test_the_order_of_views_does_not_matter(views: np.ndarray) -> None:
    turned = views[::-1]
    for how in ("pairs", "majority"):
        assert (disagreement(views, how=how) == disagreement(turned, how=how)).all()  # type: ignore[arg-type]


def test_one_view_and_unknown_ways_are_refused() -> None:
    with pytest.raises(InputError, match="so two are needed, not 1"):
        disagreement([[1, 0]])
    with pytest.raises(InputError, match="how 'votes' is not known"):
        disagreement([[1], [0]], how="votes")  # type: ignore[arg-type]


def drawn(data: Dataset, seed: int = 0) -> Iterator[Pass]:
    rng = np.random.default_rng(seed)
    for image, instance in data.instances.select("image_id", "instance_id").iter_rows():
        yield image, instance, rng.random((5, 4, 4)).astype(np.float32)


def test_images_have_the_sum_of_their_instances_mean_entropies(data: Dataset) -> None:
    scores = dropout_scores(drawn(data), data, parameters={"passes": 5, "p": 0.1})
    by_hand = dict.fromkeys(data.images["image_id"].to_list(), 0.0)
    for image, _, p in drawn(data):
        m = p.astype(np.float64).mean(axis=0)
        by_hand[image] += -(m * np.log(m) + (1 - m) * np.log(1 - m)).mean()
    assert np.allclose(scores.frame["score"], list(by_hand.values()))
    assert (scores.method, scores.hard) == ("mc-dropout", "high")
    assert scores.parameters["passes"] == 5
    assert scores.frame["instances"].sum() == len(data.instances)


def test_images_have_the_sum_of_their_instances_mean_disagreements(data: Dataset) -> None:
    scores = consistency_scores(drawn(data), data, how="majority")
    by_hand = dict.fromkeys(data.images["image_id"].to_list(), 0.0)
    for image, _, p in drawn(data):
        votes = (p > 0.5).sum(axis=0)
        by_hand[image] += (np.minimum(votes, 5 - votes) / 5).mean()
    assert np.allclose(scores.frame["score"], list(by_hand.values()))
    assert (scores.method, scores.parameters["how"]) == ("consistency", "majority")


def test_an_image_on_which_the_passes_differ_ranks_before_one_on_which_they_agree(
    data: Dataset,
) -> None:
    ids = data.images["image_id"].to_list()
    torn = np.stack((np.zeros((2, 2)), np.ones((2, 2))))
    for score in (dropout_scores, consistency_scores):
        passes = [(i, None, torn if i == ids[3] else np.full((2, 2, 2), 0.99)) for i in ids]
        assert score(passes, data).ranking()[0] == 3


def test_four_axes_are_classes_and_their_labels_the_most_probable(data: Dataset) -> None:
    ids = data.images["image_id"].to_list()
    views = np.zeros((2, 3, 1, 2))
    views[:, 0, 0, 0] = 1.0  # both views say class 0 of the first cell
    views[0, 1, 0, 1] = views[1, 2, 0, 1] = 1.0  # and differ in the second
    passes = [(i, None, views) for i in ids]
    assert np.allclose(consistency_scores(passes, data).frame["score"], 0.5)
    assert np.allclose(dropout_scores(passes, data).frame["score"], math.log(2) / 2)


def test_predictions_that_do_not_fit_are_refused(data: Dataset) -> None:
    image = data.images["image_id"][0]
    square = np.zeros((2, 2, 2))
    with pytest.raises(InputError, match="predictions: names image_id 99"):
        dropout_scores([(99, None, square)], data)
    with pytest.raises(ValueError, match="was predicted twice"):
        dropout_scores([(image, None, square)] * 2, data)
    with pytest.raises(ValueError, match="have 2 to 4 axes, not 1"):
        dropout_scores([(image, None, square[0, 0])], data)
    with pytest.raises(InputError, match="so consistency cannot rank"):
        consistency_scores([], data)


def test_a_prediction_without_cells_does_not_count(data: Dataset) -> None:
    ids = data.images["image_id"].to_list()
    passes = [(i, None, np.full((2, min(k, 1), 3), 0.5)) for k, i in enumerate(ids)]
    frame = dropout_scores(passes, data).frame
    assert frame.filter(pl.col("image_id") == ids[0])["unseen"].to_list() == [1]
    assert frame["score"].to_list() == [0.0, *[pytest.approx(math.log(2))] * 5]
