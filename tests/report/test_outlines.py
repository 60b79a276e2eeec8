import re
from dataclasses import replace

import cv2
import numpy as np
import polars as pl
import pytest

import paring
from factory import assemble, from_bitmaps, random_polygons, rectangle
from paring.dataset import masks as mask_store
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.report.outlines import outlines

PATH = re.compile(r"(M\d+ \d+l-?\d+(?:[ -]\d+)*z)+")


def rings_of(path: str) -> list[np.ndarray]:
    """Vertices of each closed line of path data, by the rules of SVG."""
    rings = []
    for part in path.split("z")[:-1]:
        numbers = [int(n) for n in re.findall(r"-?\d+", part)]
        assert part.startswith("M")
        assert part.count("l") == 1
        rings.append(np.cumsum(np.reshape(numbers, (-1, 2)), axis=0))
    return rings


def drawn(path: str, size: tuple[int, int]) -> np.ndarray:
    """Bitmap (height, width), a pixel a unit, of what ``nonzero`` fills."""
    winding = np.zeros((size[1], size[0]), int)
    for ring in rings_of(path):
        filled = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillPoly(filled, [ring.astype(np.int32)], 1)
        winding += np.sign(area_of(ring)).astype(int) * filled
    return winding != 0


def area_of(ring: np.ndarray) -> float:
    x, y = ring.astype(float).T
    return float(x @ np.roll(y, -1) - np.roll(x, -1) @ y) / 2


def mask_in_units(data: Dataset, row: int, size: tuple[int, int]) -> np.ndarray:
    """The mask of an instance as a bitmap of the whole coordinate system."""
    top, left, crop = data.masks.crop(row)
    whole = np.zeros((int(data.masks.heights[row]), int(data.masks.widths[row])), np.uint8)
    whole[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return cv2.resize(whole, size, interpolation=cv2.INTER_NEAREST) > 0


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def by_area(data: Dataset, row: int) -> list[int]:
    """Rows of the instances of an image, the largest first."""
    here = np.flatnonzero(data.image_rows == row)
    return sorted(here.tolist(), key=lambda k: (-data.masks.areas()[k], k))


def spans(path: str) -> list[int]:
    """Least x and y, largest x and y."""
    points = np.concatenate(rings_of(path))
    return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]


@pytest.mark.parametrize("units", [512, 1024])
def test_a_path_fills_what_its_mask_fills(units: int) -> None:
    data = paring.scenes(20, seed=0)
    compared = 0
    for row, one in outlines(data, range(20), units=units).items():
        assert one.size == (units, units * 3 // 4)
        for instance, (_, _, path) in zip(by_area(data, row), one.shapes, strict=True):
            mask = mask_in_units(data, instance, one.size)
            if mask.sum() > 4000:
                assert overlap(drawn(path, one.size), mask) > 0.9
                compared += 1
    assert compared > 20


def test_shapes_tell_category_and_crowd_largest_first() -> None:
    data = paring.scenes(60, seed=1)
    found = outlines(data, range(60))
    crowds = 0
    for row, one in found.items():
        expected = [
            (data.instances["category_id"][k], data.instances["iscrowd"][k])
            for k in by_area(data, row)
        ]
        ids = data.categories["category_id"]
        assert [(ids[category], crowd) for category, crowd, _ in one.shapes] == expected
        crowds += sum(crowd for _, crowd, _ in one.shapes)
    assert crowds > 0
    assert sorted(found) == sorted(set(data.image_rows.tolist()))


def test_paths_are_short_and_only_whole_numbers() -> None:
    found = outlines(paring.scenes(40, seed=0), range(40))
    paths = [path for one in found.values() for _, _, path in one.shapes]
    assert all(PATH.fullmatch(path) for path in paths)
    assert sum(map(len, paths)) / len(paths) < 250


def test_a_bitmap_spans_the_edges_of_its_pixels() -> None:
    for side in (32, 64, 100, 1024):
        bitmap = np.zeros((side, side), np.uint8)
        bitmap[5:9, 3:20] = 1
        path = outlines(from_bitmaps([bitmap], image=[1], category=[1]), [0])[0].shapes[0][2]
        edges = np.array([3, 5, 20, 9]) * 1024 / side
        assert np.abs(np.array(spans(path)) - edges).max() <= 0.5


def test_where_pixels_are_finer_than_units_the_edge_is_met_within_a_unit() -> None:
    bitmap = np.zeros((300, 4000), np.uint8)
    bitmap[50:251, 100:3001] = 1
    one = outlines(from_bitmaps([bitmap], image=[1], category=[1]), [0])[0]
    assert one.size == (1024, 77)
    edges = np.array([100, 50, 3001, 251]) * 1024 / 4000
    assert np.abs(np.array(spans(one.shapes[0][2])) - edges).max() < 1


def test_a_mask_as_polygon_and_as_bitmap_lies_in_one_place() -> None:
    store = MaskStore.from_polygons([[rectangle(10, 20, 30, 8)]], heights=[48], widths=[64])
    paths = [
        outlines(assemble(masks, [1], [1], {1: (48, 64)}), [0])[0].shapes[0][2]
        for masks in (store, store.to_rle())
    ]
    assert spans(paths[0]) == spans(paths[1]) == [160, 320, 640, 448]


def test_a_hole_stays_open_and_what_lies_in_it_is_filled() -> None:
    bitmap = np.zeros((100, 100), np.uint8)
    cv2.circle(bitmap, (50, 50), 40, 1, -1)
    cv2.circle(bitmap, (50, 50), 25, 0, -1)
    cv2.circle(bitmap, (50, 50), 10, 1, -1)
    data = from_bitmaps([bitmap], image=[1], category=[1])
    one = outlines(data, [0])[0]
    assert len(rings_of(one.shapes[0][2])) == 3
    picture = drawn(one.shapes[0][2], one.size)
    assert overlap(picture, mask_in_units(data, 0, one.size)) > 0.97
    assert picture[512, 512]
    assert not picture[512, 512 + 180]


def test_all_parts_of_a_polygon_are_one_shape_and_their_union_is_filled() -> None:
    one_way = rectangle(10, 10, 40, 40)
    other_way = np.reshape(rectangle(20, 20, 50, 10), (-1, 2))[::-1].reshape(-1).tolist()
    far = rectangle(80, 80, 10, 10)
    masks = MaskStore.from_polygons([[one_way, other_way, far]], heights=[100], widths=[100])
    data = assemble(masks, [1], [1], {1: (100, 100)})
    one = outlines(data, [0])[0]
    assert len(rings_of(one.shapes[0][2])) == 3
    picture = drawn(one.shapes[0][2], one.size)
    assert overlap(picture, mask_in_units(data, 0, one.size)) > 0.97


def test_polygons_of_any_form_fill_what_their_masks_fill() -> None:
    masks = random_polygons(60, seed=0, height=480, width=640)
    masks = replace(masks, points=masks.points * 3)
    data = assemble(masks, [1] * 60, [1] * 60, {1: (480, 640)})
    one = outlines(data, [0])[0]
    assert len(one.shapes) == 60
    for row, (_, _, path) in zip(by_area(data, 0), one.shapes, strict=True):
        mask = mask_in_units(data, row, one.size)
        if mask.sum() > 1500:
            assert overlap(drawn(path, one.size), mask) > 0.9


@pytest.mark.parametrize("pixels", [1, 2])
def test_the_smallest_mask_is_seen(pixels: int) -> None:
    for side in (64, 1500, 5000):
        bitmap = np.zeros((side, side), np.uint8)
        bitmap[7 : 7 + pixels, 20] = 1
        data = from_bitmaps([bitmap], image=[1], category=[1])
        corners = [20, 7, 21, 7, 21, 7 + pixels]
        masks = MaskStore.from_polygons([[corners]], heights=[side], widths=[side])
        for given in (data, assemble(masks, [1], [1], {1: (side, side)})):
            one = outlines(given, [0])[0]
            ((_, _, path),) = one.shapes
            assert PATH.fullmatch(path)
            low, high = spans(path)[:2], spans(path)[2:]
            assert np.less(low, high).all()
            assert np.abs(np.array(low) - np.array([20, 7]) * 1024 / side).max() <= 1


def test_the_largest_instances_are_kept_and_the_others_counted() -> None:
    bitmaps = [np.zeros((40, 40), np.uint8) for _ in range(5)]
    for bitmap, side in zip(bitmaps, (4, 9, 7, 9, 2), strict=True):
        bitmap[:side, :side] = 1
    data = from_bitmaps(bitmaps, image=[1] * 5, category=[1, 2, 3, 4, 5])
    one = outlines(data, [0], most=3)[0]
    assert [category for category, _, _ in one.shapes] == [1, 3, 2]
    assert one.left_out == 2
    assert outlines(data, [0], most=5)[0].left_out == 0


def test_what_cannot_be_drawn_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    bitmaps = [np.zeros((40, 40), np.uint8) for _ in range(3)]
    bitmaps[0][3:30, 3:30] = 1
    bitmaps[1][5:8, 5:8] = 1
    data = from_bitmaps(bitmaps, image=[1] * 3, category=[1, 2, 3])
    monkeypatch.setattr(mask_store, "LARGEST_BITMAP", 100)
    one = outlines(data, [0])[0]
    assert [category for category, _, _ in one.shapes] == [1]
    assert one.left_out == 2


@pytest.mark.parametrize("point", [float("nan"), float("inf"), -float("inf")])
def test_a_polygon_that_is_nowhere_is_counted(point: float) -> None:
    parts = [[rectangle(1, 1, 5, 5)], [[point, 1, 5, 5, 1, 5]], [[1, 1, 5, 5]]]
    masks = MaskStore.from_polygons(parts, heights=[40] * 3, widths=[40] * 3)
    with np.errstate(invalid="ignore"):
        data = assemble(masks, [1] * 3, [1] * 3, {1: (40, 40)}, area=[1.0] * 3)
        one = outlines(data, [0])[0]
    assert (len(one.shapes), one.left_out) == (1, 2)


def test_a_polygon_that_leads_far_out_is_drawn() -> None:
    masks = MaskStore.from_polygons([[rectangle(10, 10, 1e30, 1e30)]], heights=[40], widths=[40])
    one = outlines(assemble(masks, [1], [1], {1: (40, 40)}), [0])[0]
    assert spans(one.shapes[0][2])[:2] == [256, 256]
    assert min(spans(one.shapes[0][2])[2:]) > 1024


def test_images_without_masks_or_without_a_size_have_none() -> None:
    masks = MaskStore.from_polygons(
        [[rectangle(1, 1, 5, 5)], [], [rectangle(1, 1, 5, 5)], [rectangle(1, 1, 5, 5)]],
        heights=[40] * 4,
        widths=[40] * 4,
    )
    sizes = {1: (40, 40), 2: (40, 40), 3: (0, 40), 4: (40, 0), 5: (40, 40)}
    data = assemble(masks, [1, 2, 3, 4], [7] * 4, sizes)
    assert list(outlines(data, [4, 3, 2, 1, 0])) == [0]


def test_images_come_in_the_order_asked_for_once_each() -> None:
    data = paring.scenes(6, seed=0)
    assert list(outlines(data, [5, 2, 5, 3])) == [5, 2, 3]
    assert outlines(data, []) == {}
    assert outlines(data, [3])[3] == outlines(data, [5, 2, 5, 3])[3]


def test_a_data_set_without_instances_has_none() -> None:
    data = paring.scenes(2, seed=0)
    none = np.zeros(0, np.int64)
    bare = replace(data, instances=data.instances.clear(), masks=data.masks.take(none))
    assert outlines(bare, [0, 1]) == {}


def test_a_flag_of_crowds_that_is_not_set_is_no_crowd() -> None:
    data = paring.scenes(2, seed=0)
    unknown = pl.lit(None, dtype=pl.Boolean).alias("iscrowd")
    found = outlines(replace(data, instances=data.instances.with_columns(unknown)), [0])[0]
    assert {crowd for _, crowd, _ in found.shapes} == {False}
