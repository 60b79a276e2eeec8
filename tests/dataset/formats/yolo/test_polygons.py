import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from paring.dataset import rle
from paring.dataset.formats.yolo.polygons import outline
from paring.dataset.masks import MaskStore

EIGHT = np.ones((3, 3))


def store(bitmap: np.ndarray) -> MaskStore:
    runs = rle.encode_bitmap(bitmap.astype(np.uint8), 0, 0, *bitmap.shape)
    return MaskStore.from_runs([runs], heights=[bitmap.shape[0]], widths=[bitmap.shape[1]])


def filled_as_coco(points: np.ndarray, height: int, width: int) -> np.ndarray:
    masks = MaskStore.from_polygons([[points.reshape(-1)]], heights=[height], widths=[width])
    top, left, crop = masks.crop(0)
    frame = np.zeros((height, width), np.uint8)
    frame[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return frame


def filled_as_opencv(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """Decimals are cut off and the border is drawn, as it is done before training."""
    frame = np.zeros((height, width), np.uint8)
    return cv2.fillPoly(frame, [points.astype(np.int32)], 1)


def blobs(seed: int, *, one: bool) -> np.ndarray:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(4, 50, 2)
    noise = rng.random((height, width)).astype(np.float32)
    bitmap = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.5, 3)) > rng.uniform(0.45, 0.55)
    bitmap[rng.integers(height), rng.integers(width)] = True
    if one:
        labels, _ = ndimage.label(bitmap, EIGHT)
        bitmap = labels == 1 + np.argmax(np.bincount(labels.reshape(-1))[1:])
    return bitmap.astype(np.uint8)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_run_lengths_come_back_pixel_by_pixel_but_for_their_holes(seed: int) -> None:
    bitmap = blobs(seed, one=False)
    shape = outline(store(bitmap), 0)
    written = np.round(shape.points / bitmap.shape[::-1], 6) * bitmap.shape[::-1]
    expected = ndimage.binary_fill_holes(bitmap)
    np.testing.assert_array_equal(filled_as_coco(written, *bitmap.shape), expected)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_one_part_comes_back_from_opencv_s_filling_too(seed: int) -> None:
    bitmap = blobs(seed, one=True)
    shape = outline(store(bitmap), 0)
    written = np.round(shape.points / bitmap.shape[::-1], 6) * bitmap.shape[::-1]
    expected = ndimage.binary_fill_holes(bitmap)
    np.testing.assert_array_equal(filled_as_opencv(written, *bitmap.shape), expected)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_parts_and_holes_are_those_of_connected_component_labelling(seed: int) -> None:
    bitmap = blobs(seed, one=False)
    shape = outline(store(bitmap), 0)
    filled = ndimage.binary_fill_holes(bitmap)
    outside_and_holes = ndimage.label(np.pad(bitmap == 0, 1, constant_values=True))[1]
    assert shape.parts == ndimage.label(filled, EIGHT)[1]
    assert shape.holes == outside_and_holes - 1


def test_a_pixel_becomes_a_square_a_quarter_inside_it() -> None:
    bitmap = np.zeros((5, 6), np.uint8)
    bitmap[2, 3] = 1
    points = outline(store(bitmap), 0).points
    assert {*map(tuple, points.tolist())} == {
        (3.25, 2.25),
        (3.75, 2.25),
        (3.75, 2.75),
        (3.25, 2.75),
    }


def test_polygons_of_one_part_keep_their_vertices() -> None:
    part = [1.5, 1, 8, 2, 4, 9.25]
    masks = MaskStore.from_polygons([[part, [1, 1, 2, 2]]], heights=[10], widths=[10])
    shape = outline(masks, 0)
    np.testing.assert_array_equal(shape.points.reshape(-1), part)
    assert (shape.parts, shape.holes) == (1, 0)


def test_parts_are_joined_from_nearest_point_to_nearest_point_and_back() -> None:
    near, far, last = [[0, 0, 2, 0, 2, 2, 0, 2], [20, 0, 22, 0, 22, 2], [10, 1, 12, 1, 12, 3]]
    masks = MaskStore.from_polygons([[near, far, last]], heights=[30], widths=[30])
    shape = outline(masks, 0)
    assert shape.parts == 3
    walked = [*map(tuple, shape.points.tolist())]
    # (2, 0) and (2, 2) are equally far from (10, 1): the first wins
    assert walked == [
        *[(0, 0), (2, 0), (10, 1), (12, 1)],
        *[(20, 0), (22, 0), (22, 2), (20, 0)],
        *[(12, 1), (12, 3), (10, 1)],
        *[(2, 0), (2, 2), (0, 2)],
    ]


def test_overlapping_parts_do_not_cancel_each_other_out() -> None:
    parts = [[0, 0, 10, 0, 10, 10, 0, 10], [5, 5, 15, 5, 15, 15, 5, 15]]
    masks = MaskStore.from_polygons([parts], heights=[20], widths=[20])
    points = outline(masks, 0).points
    assert filled_as_coco(points, 20, 20).sum() == 100 + 100 - 25


@pytest.mark.parametrize("parts", [[], [[1, 1, 2, 2]]])
def test_a_mask_without_area_has_no_points(parts: list[list[float]]) -> None:
    masks = MaskStore.from_polygons([parts], heights=[10], widths=[10])
    assert outline(masks, 0).points.shape == (0, 2)
    nothing = MaskStore.from_runs([np.array([100], np.uint32)], heights=[10], widths=[10])
    assert outline(nothing, 0).points.shape == (0, 2)
