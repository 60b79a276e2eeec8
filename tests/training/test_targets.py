from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import from_bitmaps, random_polygons
from paring.dataset.labelmaps import LabelMaps
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.training.resizing import Geometry
from paring.training.targets import (
    Crops,
    boxes_of,
    choose_classes,
    class_of_categories,
    crops_of,
    crowds,
    painting_order,
)


def data_of(*names: str, maps: bool = False) -> Dataset:
    """One image with an instance of each category; or label maps of them, by ids from 5 on."""
    squares = [np.ones((4, 4))] * len(names)
    ids = range(5, 5 + len(names))
    data = from_bitmaps(squares, image=[1] * len(names), category=list(ids))
    categories = pl.DataFrame({"category_id": list(ids), "name": list(names)})
    paths = pl.DataFrame({"image_id": [1], "path": ["a.png"]})
    return replace(
        data,
        categories=categories,
        label_maps=LabelMaps(paths, np.arange(10)) if maps else None,
    )


@pytest.mark.parametrize(
    ("task", "names", "options", "classes"),
    [
        ("instance", ["cat", "dog"], {}, ["cat", "dog"]),
        ("instance", ["cat", "dog", "cat"], {}, ["cat", "dog"]),
        ("instance", ["cat", "dog"], {"wanted": ["dog"]}, ["dog"]),
        ("semantic", ["cat", "dog"], {}, ["background", "cat", "dog"]),
        ("semantic", ["cat", "dog"], {"background": "none"}, ["cat", "dog"]),
        ("semantic", ["background", "dog"], {}, ["background", "dog"]),
        ("semantic", ["cat", "dog"], {"wanted": ["dog"]}, ["background", "dog"]),
        ("semantic", ["sky", "tree"], {"maps": True}, ["sky", "tree"]),
        ("binary", ["cat", "dog"], {}, ["foreground"]),
        ("binary", ["polyp"], {}, ["polyp"]),
        ("binary", ["background", "polyp"], {"maps": True}, ["polyp"]),
        ("binary", ["cat", "dog"], {"wanted": ["dog"]}, ["dog"]),
    ],
)
def test_classes_follow_the_task_and_the_wish(
    task: Any, names: list[str], options: dict[str, Any], classes: list[str]
) -> None:
    data = data_of(*names, maps=options.pop("maps", False))
    assert choose_classes(data, task, **options) == classes


def test_a_wanted_category_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="has no category 'dogs'; did you mean 'dog'?"):
        choose_classes(data_of("cat", "dog"), "instance", wanted=["dogs"])


def test_more_classes_than_a_map_can_hold_are_refused() -> None:
    names = [f"c{k}" for k in range(256)]
    with pytest.raises(InputError, match="256 classes are more than 255"):
        choose_classes(data_of(*names, maps=True), "semantic")


@pytest.mark.parametrize(
    ("task", "classes", "expected"),
    [
        ("instance", ["cat", "dog"], {5: 1, 6: 2}),
        ("instance", ["dog"], {6: 1}),
        ("semantic", ["background", "dog", "cat"], {5: 2, 6: 1}),
        ("binary", ["foreground"], {5: 1, 6: 1}),
        ("binary", ["dog"], {5: 0, 6: 1}),
    ],
)
def test_categories_become_classes_by_name(
    task: Any, classes: list[str], expected: dict[int, int]
) -> None:
    assert class_of_categories(data_of("cat", "dog"), task, classes) == expected


def test_the_background_of_label_maps_is_not_the_class_of_a_binary_model() -> None:
    data = data_of("_background_", "cat", "dog", maps=True)
    assert class_of_categories(data, "binary", ["foreground"]) == {5: 0, 6: 1, 7: 1}


def test_crops_are_the_masks_of_the_whole_picture_resized() -> None:
    masks = random_polygons(12, seed=4)
    for geometry in (
        Geometry.fit((48, 64), (48, 64), "stretch"),
        Geometry.fit((48, 64), (30, 20), "stretch"),
        Geometry.fit((48, 64), (100, 100), "pad"),
    ):
        found = crops_of(masks, range(12), geometry).paint(geometry.size)
        for row, mask in enumerate(found):
            whole = np.zeros((48, 64), np.uint8)
            top, left, crop = masks.crop(row)
            whole[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
            expected = geometry.resize_labels(whole, np.array([0, 1], np.uint8), beside=0)
            np.testing.assert_array_equal(mask, expected)


def test_a_mask_that_falls_between_the_pixels_leaves_an_empty_crop() -> None:
    bitmap = np.zeros((9, 9))
    bitmap[0, 0] = 1
    masks = from_bitmaps([bitmap], image=[1], category=[1]).masks
    crops = crops_of(masks, [0], Geometry.fit((9, 9), (3, 3), "stretch"))
    assert crops.places.tolist() == [[0, 0, 0, 0]]
    assert not crops.paint((3, 3)).any()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=5), st.integers(0, 99))
def test_crops_come_out_of_their_bytes_as_they_went_in(
    sizes: list[tuple[int, int]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    bitmaps = [rng.integers(0, 2, size).astype(np.uint8) for size in sizes]
    places = np.array([(1, 2, *size) for size in sizes], np.int32).reshape(-1, 4)
    packed = np.concatenate([np.zeros(0, np.uint8), *Crops(places, bitmaps).pack(), [7]])
    back = Crops.unpack(packed.astype(np.uint8), len(sizes))
    np.testing.assert_array_equal(back.places, places)
    for found, bitmap in zip(back.bitmaps, bitmaps, strict=True):
        np.testing.assert_array_equal(found, bitmap)


def test_later_masks_are_painted_over_earlier_ones_and_only_where_they_are() -> None:
    places = np.array([[0, 0, 2, 3], [1, 1, 1, 2]], np.int32)
    bitmaps = [np.ones((2, 3), np.uint8), np.array([[1, 0]], np.uint8)]
    painted = Crops(places, bitmaps).paint_classes([4, 6], (3, 3), ground=9)
    assert painted.tolist() == [[4, 4, 4], [4, 6, 4], [9, 9, 9]]


def test_crowds_are_painted_first_then_the_larger_then_by_row() -> None:
    areas = np.array([5.0, 9.0, 5.0, 100.0, 1.0])
    crowd = np.array([False, False, False, False, True])
    assert painting_order(areas, crowd, np.arange(5)).tolist() == [4, 3, 1, 0, 2]
    assert painting_order(areas, crowd, np.array([2, 4])).tolist() == [4, 2]


def test_what_is_to_be_ignored_counts_as_a_crowd() -> None:
    data = data_of("cat", "dog", "cow")
    data = replace(
        data,
        instances=data.instances.with_columns(
            iscrowd=pl.Series([True, False, False]), ignore=pl.Series([None, True, False])
        ),
    )
    assert crowds(data).tolist() == [True, True, False]


@given(st.integers(0, 2**16))
def test_boxes_are_those_that_opencv_puts_about_the_masks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = (rng.random((3, 6, 9)) < rng.choice([0.0, 0.05, 0.5])).astype(np.uint8)
    for box, mask in zip(boxes_of(masks), masks, strict=True):
        x, y, w, h = cv2.boundingRect(mask)
        assert box.tolist() == ([x, y, x + w, y + h] if mask.any() else [0, 0, 0, 0])
