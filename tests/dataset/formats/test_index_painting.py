from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import factory
from paring.dataset.formats.index_painting import Painted, paint, palette, save_map
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError


def block(rows: slice, columns: slice, shape: tuple[int, int] = (4, 6)) -> NDArray[np.bool_]:
    bitmap = np.zeros(shape, bool)
    bitmap[rows, columns] = True
    return bitmap


def crowded(data: Dataset, rows: list[int]) -> Dataset:
    flags = pl.Series("iscrowd", [row in rows for row in range(len(data.instances))])
    return with_instances(data, data.instances.with_columns(flags))


def with_instances(data: Dataset, instances: pl.DataFrame) -> Dataset:
    return Dataset(data.images, instances, data.categories, data.masks)


def painted(data: Dataset) -> Painted:
    (one,) = paint(data, {c: c for c in data.categories["category_id"]})
    return one


def test_a_small_instance_stays_visible_on_a_large_one_and_the_overlap_is_counted() -> None:
    small, large = block(slice(1, 3), slice(1, 3)), block(slice(0, 4), slice(0, 5))
    one = painted(factory.from_bitmaps([small, large], image=[1, 1], category=[1, 2]))
    np.testing.assert_array_equal(one.objects, np.where(small, 1, np.where(large, 2, 0)))
    np.testing.assert_array_equal(one.classes, np.where(small, 1, np.where(large, 2, 0)))
    assert one.losses == {"overlapping pixels": 4}


def test_an_instance_with_no_pixel_left_is_counted_as_hidden() -> None:
    left, right = block(slice(0, 4), slice(0, 3)), block(slice(0, 4), slice(3, 6))
    across = block(slice(0, 4), slice(0, 6))
    data = factory.from_bitmaps([across, left, right], image=[1] * 3, category=[1, 2, 2])
    assert painted(data).losses == {"overlapping pixels": 24, "instances hidden by others": 1}


def test_crowd_regions_become_void_under_the_instances_on_them() -> None:
    crowd, one = block(slice(0, 2), slice(0, 6)), block(slice(1, 3), slice(1, 3))
    data = crowded(factory.from_bitmaps([crowd, one], image=[1, 1], category=[1, 2]), [0])
    result = painted(data)
    np.testing.assert_array_equal(result.objects, np.where(one, 1, np.where(crowd, 255, 0)))
    np.testing.assert_array_equal(result.classes, np.where(one, 2, np.where(crowd, 255, 0)))
    assert result.losses == {"crowd instances": 1}


def test_instances_without_mask_or_pixel_are_counted_apart() -> None:
    masks = MaskStore.from_polygons(
        [[], [factory.rectangle(50, 50, 3, 3)], [factory.rectangle(1, 1, 3, 2)]],
        heights=[4] * 3,
        widths=[6] * 3,
    )
    result = painted(factory.assemble(masks, [1] * 3, [1] * 3, {1: (4, 6)}))
    assert result.losses == {"instances without a mask": 1, "instances without a pixel": 1}
    assert (result.classes == 1).sum() == 6


def test_instances_past_the_254th_keep_their_class_but_are_void_as_objects() -> None:
    bitmaps = [np.zeros((16, 16), bool) for _ in range(256)]
    for place, bitmap in enumerate(bitmaps):
        bitmap.flat[place] = True
    result = painted(factory.from_bitmaps(bitmaps, image=[1] * 256, category=[3] * 256))
    assert result.objects.flatten().tolist() == [*range(1, 255), 255, 255]
    assert (result.classes == 3).all()
    assert result.losses == {"instances past the 254th of an image": 2}


def test_pixels_claimed_more_often_than_a_byte_can_count_are_overlaps_too() -> None:
    one = block(slice(0, 1), slice(0, 2))
    result = painted(factory.from_bitmaps([one] * 256, image=[1] * 256, category=[1] * 256))
    assert result.losses["overlapping pixels"] == 2


@given(st.integers(0, 10**6))
def test_losses_of_overlapping_polygons_are_those_counted_pixel_by_pixel(seed: int) -> None:
    masks = factory.random_polygons(7, seed=seed, height=24, width=30)
    image = [1, 1, 1, 1, 2, 2, 2]
    data = factory.assemble(masks, image, [1] * 7, {1: (24, 30), 2: (24, 30)})
    for image_id, result in zip([1, 2], paint(data, {1: 1}), strict=True):
        claims = np.zeros((24, 30), int)
        drawn = hidden = 0
        for number, row in enumerate(r for r in range(7) if image[r] == image_id):
            top, left, crop = masks.crop(row)
            claims[top : top + crop.shape[0], left : left + crop.shape[1]] += crop
            drawn += bool(crop.any())
            hidden += bool(crop.any()) and not (result.objects == number + 1).any()
        assert result.losses["overlapping pixels"] == (claims > 1).sum()
        assert result.losses["instances hidden by others"] == hidden
        np.testing.assert_array_equal(result.objects > 0, claims > 0)
        assert len(np.unique(result.objects[result.objects > 0])) == drawn - hidden


def test_masks_of_another_size_than_their_image_are_cut_at_its_border() -> None:
    masks = MaskStore.from_polygons([[factory.rectangle(2, 1, 6, 6)]], heights=[9], widths=[9])
    result = painted(factory.assemble(masks, [1], [1], {1: (4, 5)}))
    np.testing.assert_array_equal(result.objects, block(slice(1, 4), slice(2, 5), (4, 5)))


def test_images_without_instances_have_empty_maps() -> None:
    data = factory.from_bitmaps([block(slice(0, 1), slice(0, 1))], image=[1], category=[1])
    data = Dataset(data.images, data.instances.head(0), data.categories, data.masks.take([]))
    assert not painted(data).objects.any()
    assert painted(data).losses == {}


def test_an_image_too_large_for_a_map_is_refused_by_name() -> None:
    data = factory.assemble(factory.random_polygons(1, seed=0), [1], [1], {1: (90_000, 90_000)})
    with pytest.raises(InputError, match=r"0001\.jpg.*90000 x 90000"):
        painted(data)


def test_the_palette_is_that_of_voc() -> None:
    # colours of VOC's development kit: background, aeroplane, bicycle, bird, ..., tvmonitor, void
    colours = palette()
    assert colours[:4].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert colours[[20, 255]].tolist() == [[0, 64, 128], [224, 224, 192]]
    assert len(np.unique(colours, axis=0)) == 256


def test_a_saved_map_is_an_8_bit_palette_image_of_the_same_values(tmp_path: Path) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(8, 32)
    save_map(tmp_path / "inner" / "map.png", values)
    with Image.open(tmp_path / "inner" / "map.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), values)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), palette()[values])
