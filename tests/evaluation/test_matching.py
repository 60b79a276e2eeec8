from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import factory
import paring
from guesses import guessed
from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.evaluation import matching
from paring.evaluation.matching import IOUS, Curves, encoded, match


def test_the_thresholds_of_coco_are_ten_from_a_half_in_twentieths() -> None:
    assert pytest.approx([0.5 + k / 20 for k in range(10)], abs=1e-15) == list(IOUS)


def test_means_leave_out_what_has_no_truth() -> None:
    precision = np.full((2, 101, 2, 2, 1), -1.0)
    precision[0, :, 0, 0, 0], precision[1, :, 0, 0, 0] = 0.5, 0.25
    recall = np.array([0.5, 0.25, -1, -1])[:, None, None, None].reshape(2, 2, 1, 1)
    recall = np.concatenate((recall, np.full_like(recall, -1)), axis=2)
    curves = Curves(precision, recall, (0.5, 0.75), (4, 9), ("", "S"), (100,))
    assert curves.average_precision() == 0.375
    assert curves.average_precision(iou=0.75) == 0.25
    assert curves.average_precision(category=0) == 0.375
    assert np.isnan(curves.average_precision(category=1))
    assert np.isnan(curves.average_precision(area="S"))
    assert curves.average_recall(detections=100) == 0.375
    assert curves.average_recall(category=0) == 0.5
    assert np.isnan(curves.average_recall(area="S"))
    assert (curves.has(0.75), curves.has(0.7)) == (True, False)


def test_the_arrays_have_an_axis_for_all_that_was_asked() -> None:
    truth = paring.scenes(6, seed=3, size=(64, 80))
    asked = {"areas": (100.0, 900.0), "ious": (0.9, 0.4, 0.4), "max_detections": (7, 2)}
    curves = match(truth, guessed(truth, seed=1), **asked)
    assert curves.precision.shape == (2, 101, 8, 4, 2)
    assert curves.recall.shape == (2, 8, 4, 2)
    assert (curves.ious, curves.max_detections) == ((0.4, 0.9), (2, 7))
    assert curves.areas == ("", "S", "M", "L")
    alike = match(truth, guessed(truth, seed=1), class_agnostic=True)
    assert alike.precision.shape == (10, 101, 1, 1, 3)
    assert alike.category_ids == ()


def test_the_order_of_images_and_truths_does_not_matter() -> None:
    truth = paring.scenes(10, seed=3, size=(96, 128))
    found = guessed(truth, seed=4, decimals=9)
    rng = np.random.default_rng(0)
    images, rows = rng.permutation(len(truth)), rng.permutation(len(truth.instances))
    shuffled = replace(
        truth,
        images=truth.images[images],
        instances=truth.instances[rows],
        masks=truth.masks.take(rows),
        categories=truth.categories.reverse(),
    )
    one, other = match(truth, found), match(shuffled, found)
    assert (one.precision == other.precision).all()
    assert (one.recall == other.recall).all()


def test_a_truth_without_geometry_is_a_mask_without_pixels_that_nothing_finds() -> None:
    bitmap = np.ones((8, 8), np.uint8)
    truth = factory.from_bitmaps([bitmap, bitmap], image=[1, 1], category=[1, 1])
    found = replace(truth, instances=truth.instances.with_columns(score=pl.Series([0.9, 0.8])))
    nothing = MaskStore.from_polygons([[]], heights=[8], widths=[8])
    bare = replace(truth, masks=MaskStore.concat([truth.masks.take([0]), nothing]))
    assert match(truth, found).average_recall() == 1.0
    assert match(bare, found).average_recall() == 0.5


def test_text_made_block_by_block_is_the_text_made_at_once(monkeypatch) -> None:
    scenes = paring.scenes(8, seed=2, size=(64, 80))
    assert scenes.masks.is_polygon.any()
    assert scenes.masks.is_rle.any()
    masks = MaskStore.concat([scenes.masks, scenes.masks.to_rle(), scenes.masks])
    want = rle.encode_text(masks.counts, masks.count_offsets)
    for size in (1, 50, 10**6):
        monkeypatch.setattr(matching, "_BLOCK", size)
        assert [*encoded(masks)] == want


def test_images_of_several_sizes_in_any_order_of_ids_keep_their_size() -> None:
    # polygons are filled by the matcher, within the height and width of their own image
    sides = {9: (60, 20), 4: (20, 60), 6: (10, 10)}
    parts = [[factory.rectangle(2, 3, width - 4, height - 5)] for height, width in sides.values()]
    masks = MaskStore.from_polygons(
        parts, heights=[h for h, _ in sides.values()], widths=[w for _, w in sides.values()]
    )
    truth = factory.assemble(masks, [*sides], [1, 1, 1], sides)
    found = replace(
        truth,
        instances=truth.instances.with_columns(score=pl.Series([0.3, 0.2, 0.1])),
        masks=masks.to_rle(),
    )
    assert match(truth, found).average_precision() == 1.0


def test_a_part_of_two_points_has_no_pixels() -> None:
    line, square = [1, 1, 7, 7], factory.rectangle(2, 2, 3, 3)
    sides = {"heights": [10], "widths": [10]}
    both = MaskStore.from_polygons([[line, square]], **sides)
    truth = factory.assemble(both, [1], [1], {1: (10, 10)})
    alone = MaskStore.from_polygons([[square]], **sides)
    found = replace(
        truth, instances=truth.instances.with_columns(score=pl.lit(0.5)), masks=alone.to_rle()
    )
    assert match(truth, found).average_precision() == 1.0
