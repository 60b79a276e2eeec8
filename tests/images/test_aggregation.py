import numpy as np
import polars as pl
import pytest

import factory
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.aggregation import (
    Hard,
    image_values,
    ordered_sums,
    refuse_unknown,
    scores_of_units,
    unit_pixels,
)
from paring.images.selection import keep_top


@pytest.fixture
def data() -> Dataset:
    """Images 1 (squares of 4 and 9 pixels), 2 (a square of 16) and 3 (no instance)."""
    bitmaps = [np.pad(np.ones((side, side), bool), (0, 10 - side)) for side in (2, 3, 4)]
    found = factory.from_bitmaps(bitmaps, image=[1, 1, 2], category=[1, 2, 1])
    empty = pl.DataFrame({"image_id": [3], "file_name": ["c"], "width": [10], "height": [10]})
    return Dataset(
        images=pl.concat([found.images, empty]),
        instances=found.instances,
        categories=found.categories,
        masks=found.masks,
    )


def units(
    mean: list[float | None], *, image: list[int], instance: list[int | None]
) -> pl.DataFrame:
    schema = {"image_id": pl.Int64, "instance_id": pl.Int64, "mean": pl.Float64}
    return pl.DataFrame({"image_id": image, "instance_id": instance, "mean": mean}, schema=schema)


def of_instances(mean: list[float | None]) -> pl.DataFrame:
    return units(mean, image=[1, 1, 2], instance=[1, 2, 3])


def values(data: Dataset, frame: pl.DataFrame, **options: object) -> list[float]:
    scores = scores_of_units(data, frame, method="test", parameters={}, **options)  # type: ignore[arg-type]
    return scores.frame["score"].to_list()


def test_an_image_has_the_sum_of_the_means_of_its_instances(data: Dataset) -> None:
    scores = scores_of_units(data, of_instances([0.5, 0.25, 0.6]), method="m", parameters={"a": 1})
    assert scores.frame.to_dict(as_series=False) == {
        "image_id": [1, 2, 3],
        "score": [0.75, 0.6, 0.0],
        "instances": [2, 1, 0],
        "unseen": [0, 0, 0],
        "mean": [0.375, 0.6, None],
        "strongest_instance": [1, 3, None],
        "strongest_category": ["class 1", "class 1", None],
        "strongest_score": [0.5, 0.6, None],
    }
    assert (scores.hard, scores.dataset) == ("high", data.fingerprint)
    assert scores.parameters == {"a": 1, "cells": "mean", "instances": "sum"}


def test_the_sum_over_cells_weighs_an_instance_by_the_pixels_of_its_mask(data: Dataset) -> None:
    assert values(data, of_instances([0.5, 1.0, 0.25]), cells="sum") == [2 + 9, 4, 0]


def test_the_mean_and_the_hardest_instance_are_there_on_request(data: Dataset) -> None:
    frame = of_instances([0.5, 0.25, 0.6])
    assert values(data, frame, instances="mean") == [0.375, 0.6, 0]
    assert values(data, frame, instances="max") == [0.5, 0.6, 0]
    assert values(data, frame, instances="max", hard="low")[:2] == [0.25, 0.6]


def test_whole_images_are_units_with_all_their_pixels(data: Dataset) -> None:
    frame = units([0.5, 0.25, 0.75], image=[3, 2, 1], instance=[None] * 3)
    assert values(data, frame) == [0.75, 0.25, 0.5]
    assert values(data, frame, cells="sum") == [75, 25, 50]
    assert unit_pixels(data, frame).tolist() == [100, 100, 100]


@pytest.mark.parametrize("hard", ["high", "low"])
def test_an_image_without_instances_comes_last(data: Dataset, hard: Hard) -> None:
    for means in ([0.1, 0.2, 0.1], [-3.0, -1.0, -2.0], [5.0, 5.0, 1.0]):
        frame = of_instances(list(map(abs, means)) if hard == "high" else means)
        scores = scores_of_units(data, frame, method="test", parameters={}, hard=hard)
        assert scores.ranking()[-1] == 2
        assert keep_top(scores, count=2).dropped == [3]


def test_instances_that_were_not_seen_do_not_count_and_are_told(data: Dataset) -> None:
    frame = of_instances([0.5, None, None])
    scores = scores_of_units(data, frame, method="test", parameters={}).frame
    assert scores["score"].to_list() == [0.5, 0, 0]
    assert scores["instances"].to_list() == [1, 0, 0]
    assert scores["unseen"].to_list() == [1, 1, 0]


def test_a_model_that_has_seen_nothing_cannot_rank(data: Dataset) -> None:
    with pytest.raises(InputError, match="the model has seen no instance, so test cannot rank"):
        values(data, of_instances([None, None, None]))


def test_strongest_instances_are_told_only_where_their_share_says_something(data: Dataset) -> None:
    frame = of_instances([0.5, 0.25, 0.6])
    for options in ({"instances": "mean"}, {"hard": "low"}):
        scores = scores_of_units(data, frame, method="test", parameters={}, **options)  # type: ignore[arg-type]
        assert "strongest_instance" not in scores.frame.columns
    first = scores_of_units(data, of_instances([0.5, 0.5, 0.6]), method="test", parameters={})
    assert first.frame["strongest_instance"].to_list() == [1, 3, None]


def test_options_that_are_not_known_are_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="cells 'max' is not known"):
        values(data, of_instances([0.5, 0.2, 0.6]), cells="max")
    with pytest.raises(InputError, match="instances 'median' is not known"):
        values(data, of_instances([0.5, 0.2, 0.6]), instances="median")


def test_units_of_images_or_instances_that_are_not_there_are_refused(data: Dataset) -> None:
    refuse_unknown(data, of_instances([0, 0, 0]), "here")
    with pytest.raises(InputError, match="here: names image_id 7"):
        refuse_unknown(data, units([0], image=[7], instance=[None]), "here")
    with pytest.raises(InputError, match="here: names instance_id 9"):
        refuse_unknown(data, units([0], image=[1], instance=[9]), "here")


def test_the_order_of_units_cannot_change_a_sum() -> None:
    rng = np.random.default_rng(0)
    image, value = rng.integers(0, 5, 400), rng.normal(size=400) * 10.0 ** rng.integers(-9, 9, 400)
    order = rng.permutation(400)
    assert (ordered_sums(image, value, 6) == ordered_sums(image[order], value[order], 6)).all()
    for how in ("sum", "mean", "max"):
        one = image_values(image, value, 6, instances=how)  # type: ignore[arg-type]
        other = image_values(image[order], value[order], 6, instances=how)  # type: ignore[arg-type]
        assert np.array_equal(one, other, equal_nan=True)
