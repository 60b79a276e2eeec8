from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import paring
from factory import from_bitmaps
from paring.dataset.labelmaps import VOID, LabelMaps
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.training.resizing import Geometry
from paring.training.targets import Crops
from paring.training.truth import Truth


def square(top: int, left: int, side: int) -> np.ndarray:
    bitmap = np.zeros((8, 8))
    bitmap[top : top + side, left : left + side] = 1
    return bitmap


@pytest.fixture
def nested() -> Dataset:
    """A small dog on a large cat, given first, and a crowd of dogs that both lie on."""
    data = from_bitmaps(
        [square(2, 2, 2), square(1, 1, 5), square(0, 0, 7)], image=[1, 1, 1], category=[2, 1, 2]
    )
    names = pl.DataFrame({"category_id": [1, 2], "name": ["cat", "dog"]})
    crowd = data.instances.with_columns(iscrowd=pl.Series([False, False, True]))
    return replace(data, categories=names, instances=crowd)


def expected(ground: int, crowd: int, cat: int, dog: int) -> np.ndarray:
    painted = np.full((8, 8), ground)
    painted[:7, :7] = crowd
    painted[1:6, 1:6] = cat
    painted[2:4, 2:4] = dog
    return painted


def test_small_instances_lie_on_large_ones_and_crowds_are_void(nested: Dataset) -> None:
    truth = Truth(nested, "semantic", ["background", "cat", "dog"])
    np.testing.assert_array_equal(truth.of(0, truth.whole(0)), expected(0, VOID, 1, 2))


def test_without_a_background_what_is_no_instance_is_void(nested: Dataset) -> None:
    truth = Truth(nested, "semantic", ["cat", "dog"])
    np.testing.assert_array_equal(truth.of(0, truth.whole(0)), expected(VOID, VOID, 0, 1))


def test_categories_that_are_no_class_are_not_painted(nested: Dataset) -> None:
    truth = Truth(nested, "semantic", ["background", "cat"])
    found = truth.of(0, truth.whole(0))
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, expected(0, 0, 1, 1))


def test_a_binary_target_is_1_on_every_instance_and_void_on_crowds(nested: Dataset) -> None:
    truth = Truth(nested, "binary", ["foreground"])
    np.testing.assert_array_equal(truth.of(0, truth.whole(0)), expected(0, VOID, 1, 1))


def test_a_binary_target_of_one_category_is_0_on_the_others(nested: Dataset) -> None:
    truth = Truth(nested, "binary", ["dog"])
    np.testing.assert_array_equal(truth.of(0, truth.whole(0)), expected(0, VOID, 0, 1))


def test_instances_leave_out_crowds_and_count_classes_from_1(nested: Dataset) -> None:
    truth = Truth(nested, "instance", ["cat", "dog"])
    rows, labels = truth.instances(0)
    assert (rows.tolist(), labels.tolist()) == ([0, 1], [2, 1])
    crops = truth.of(0, Geometry.fit((8, 8), (4, 4), "stretch"))
    assert isinstance(crops, Crops)
    assert crops.places.tolist() == [[1, 1, 1, 1], [0, 0, 3, 3]]


def test_what_lies_beside_a_padded_picture_is_void(nested: Dataset) -> None:
    truth = Truth(nested, "binary", ["foreground"])
    target = truth.of(0, Geometry((8, 8), (10, 9), (8, 8)))
    assert isinstance(target, np.ndarray)
    assert (target[8:] == VOID).all()
    assert (target[:, 8:] == VOID).all()
    np.testing.assert_array_equal(target[:8, :8], expected(0, VOID, 1, 1))


def with_maps(nested: Dataset, folder: Path, values: np.ndarray, lookup: list[int]) -> Dataset:
    cv2.imwrite(str(folder / "map.png"), values)
    paths = pl.DataFrame({"image_id": [1], "path": [str(folder / "map.png")]})
    return replace(nested, label_maps=LabelMaps(paths, np.array(lookup)))


def test_label_maps_go_before_instances_and_their_void_stays(
    nested: Dataset, tmp_path: Path
) -> None:
    values = np.random.default_rng(0).integers(0, 4, (8, 8)).astype(np.uint8)
    data = with_maps(nested, tmp_path, values, [2, VOID, 1, 9])  # 9 is no category
    truth = Truth(data, "semantic", ["cat", "dog"])
    expected = np.array([1, VOID, 0, VOID])[values]
    np.testing.assert_array_equal(truth.of(0, truth.whole(0)), expected)


def test_a_pixel_value_past_the_class_list_is_refused(nested: Dataset, tmp_path: Path) -> None:
    data = with_maps(nested, tmp_path, np.full((8, 8), 3, np.uint8), [1, 2])
    truth = Truth(data, "semantic", ["cat", "dog"])
    with pytest.raises(InputError, match=r"map\.png: pixel value 3 is not in the class list"):
        truth.of(0, truth.whole(0))


def test_a_picture_of_another_size_than_its_annotation_is_named(
    nested: Dataset, tmp_path: Path
) -> None:
    turned = Geometry.fit((8, 6), (4, 4), "stretch")
    with pytest.raises(
        InputError, match=r"^0001\.jpg: the picture is 6 x 8 pixels, but its masks are 8 x 8"
    ):
        Truth(nested, "instance", ["cat", "dog"]).of(0, turned)
    data = with_maps(nested, tmp_path, np.zeros((8, 8), np.uint8), [1])
    with pytest.raises(InputError, match=r"^0001\.jpg: .*but its label map is 8 x 8"):
        Truth(data, "semantic", ["cat"]).of(0, turned)


def test_an_image_without_a_label_map_is_named(nested: Dataset, tmp_path: Path) -> None:
    data = with_maps(nested, tmp_path, np.zeros((8, 8), np.uint8), [1])
    assert data.label_maps is not None
    data = replace(data, label_maps=data.label_maps.take(pl.Series([77])))
    truth = Truth(data, "semantic", ["cat"])
    with pytest.raises(InputError, match=r"^0001\.jpg: has no label map"):
        truth.of(0, truth.whole(0))


@pytest.mark.parametrize("size", [(31, 77), (240, 320), (300, 301)])
def test_packed_targets_never_take_more_bytes_than_foretold(size: tuple[int, int]) -> None:
    data = paring.scenes(20, seed=5)
    truth = Truth(data, "instance", data.categories["name"].to_list())
    for resize in ("stretch", "pad"):
        most = truth.most_bytes(size, resize)
        for row in range(len(data)):
            crops = truth.of(row, Geometry.fit((240, 320), size, resize))
            assert isinstance(crops, Crops)
            assert sum(map(len, crops.pack())) <= most[row]
