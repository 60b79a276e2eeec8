import numpy as np
import pytest
from faster_coco_eval import mask as coco_mask
from hypothesis import given, settings
from hypothesis import strategies as st

import factory
from paring.dataset.masks import MaskStore
from paring.errors import InputError


def full_frame(masks: MaskStore, row: int) -> np.ndarray:
    """The mask as COCO's own tools draw it, on the whole image."""
    height, width = int(masks.heights[row]), int(masks.widths[row])
    parts = [part.reshape(-1).tolist() for part in masks.polygon(row)]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(parts, height, width)))


def test_a_square_with_a_far_corner_has_the_area_and_perimeter_worked_out_by_hand() -> None:
    masks = MaskStore.from_polygons([[[0, 0, 3, 0, 3, 4]]], heights=[9], widths=[9])
    area, perimeter = masks.part_geometry()
    assert area.tolist() == [6.0]
    assert perimeter.tolist() == [12.0]
    assert masks.boxes().tolist() == [[0.0, 0.0, 3.0, 4.0]]


def test_direction_of_drawing_does_not_change_the_area() -> None:
    there = MaskStore.from_polygons([[[0, 0, 3, 0, 3, 4]]], heights=[9], widths=[9])
    back = MaskStore.from_polygons([[[3, 4, 3, 0, 0, 0]]], heights=[9], widths=[9])
    assert there.areas().tolist() == back.areas().tolist() == [6.0]


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_geometry_equals_a_plain_loop(seed: int) -> None:
    masks = factory.random_polygons(20, seed=seed)
    for k in range(len(masks)):
        parts = masks.polygon(k)
        expected = sum(abs(factory.shoelace(p.reshape(-1).tolist())) for p in parts)
        assert masks.areas()[k] == pytest.approx(expected, rel=1e-12)
        points = np.concatenate(parts)
        low, high = points.min(axis=0), points.max(axis=0)
        assert masks.boxes()[k].tolist() == [*low, *(high - low)]


def test_perimeter_equals_a_plain_loop_across_the_blocks_it_is_worked_on() -> None:
    masks = factory.random_polygons(9000, seed=1)
    assert len(masks.points) > 2**16
    _, perimeter = masks.part_geometry()
    for p in range(0, len(perimeter), 97):
        part = masks.points[masks.part_offsets[p] : masks.part_offsets[p + 1]]
        steps = np.roll(part, -1, axis=0) - part
        assert perimeter[p] == pytest.approx(np.hypot(*steps.T).sum(), rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_a_crop_is_the_full_frame_inside_its_box(seed: int) -> None:
    masks = factory.random_polygons(20, seed=seed)
    coded = masks.to_rle()
    for store in (masks, coded):
        for k in range(len(store)):
            expected = full_frame(masks, k)
            top, left, crop = store.crop(k)
            frame = np.zeros_like(expected)
            frame[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
            assert np.array_equal(frame, expected)
            if expected.any():
                assert crop[0].any()
                assert crop[-1].any()
                assert crop[:, 0].any()
                assert crop[:, -1].any()


def test_run_lengths_know_area_and_box_of_the_polygons_they_were_drawn_from() -> None:
    masks = factory.random_polygons(50, seed=3)
    coded = masks.to_rle()
    for k in range(50):
        frame = full_frame(masks, k)
        rows, columns = np.nonzero(frame)
        assert coded.areas()[k] == frame.sum()
        if len(rows):
            width, height = np.ptp(columns) + 1, np.ptp(rows) + 1
            assert coded.boxes()[k].tolist() == [columns.min(), rows.min(), width, height]


def test_taking_and_joining_keeps_every_mask() -> None:
    polygons = factory.random_polygons(7, seed=0)
    both = MaskStore.concat([polygons, polygons.to_rle(), polygons.take([])])
    assert both.is_polygon.tolist() == [True] * 7 + [False] * 7
    assert both.is_rle.tolist() == [False] * 7 + [True] * 7
    backwards = both.take(np.arange(14)[::-1])
    assert backwards.take(np.arange(14)[::-1]) == both
    assert backwards != both
    assert both.take(range(7)) == polygons


def test_a_mask_without_geometry_is_empty_and_has_no_area() -> None:
    masks = MaskStore.from_polygons([[], [[1, 1, 2, 2]]], heights=[5, 5], widths=[5, 5])
    assert masks.is_empty.tolist() == [True, False]
    assert masks.areas().tolist() == [0.0, 0.0]
    assert masks.crop(0)[2].shape == (0, 0)
    assert masks.crop(1)[2].shape == (0, 0)


def test_a_bitmap_too_large_to_hold_is_refused_before_it_is_made() -> None:
    far = [[0, 0, 900_000, 0, 900_000, 900_000, 0, 900_000]]
    masks = MaskStore.from_polygons([far], heights=[1_000_000], widths=[1_000_000])
    with pytest.raises(InputError, match=r"mask 0 spans 900002 x 900002 pixels"):
        masks.crop(0)


def test_buffers_that_disagree_are_refused() -> None:
    masks = factory.random_polygons(2, seed=0)
    with pytest.raises(ValueError, match="disagree"):
        MaskStore(**{**vars(masks), "heights": masks.heights[:1]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": np.zeros(1, np.int32)}, "disagree"),
        ({"points": np.zeros((1, 2))}, "do not end where"),
        ({"counts": np.ones(1, np.uint32)}, "do not end where"),
    ],
)
def test_every_buffer_that_disagrees_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskStore(**{**vars(factory.random_polygons(2, seed=0)), **change})


def test_run_lengths_too_large_to_draw_are_refused_before_a_bitmap_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("paring.dataset.masks.LARGEST_BITMAP", 5)
    masks = MaskStore.from_runs([np.array([0, 6], np.uint32)], heights=[2], widths=[3])
    with pytest.raises(InputError, match="mask 0 spans 2 x 3 pixels"):
        masks.crop(0)


def test_drawing_tells_how_many_masks_are_done() -> None:
    steps: list[int] = []
    factory.random_polygons(3, seed=0).to_rle(progress=steps.append)
    assert steps == [1, 2, 3]


def test_a_mask_keeps_the_size_of_its_own_image_when_taken() -> None:
    part = [factory.rectangle(0, 0, 2, 2)]
    masks = MaskStore.from_polygons([part, part], heights=[5, 7], widths=[6, 8])
    one = masks.take([1])
    assert (one.heights.tolist(), one.widths.tolist()) == ([7], [8])


def test_a_vertex_at_the_rounding_of_a_half_is_drawn_as_on_the_full_frame() -> None:
    for seed in (141, *range(200, 260)):
        masks = factory.random_polygons(20, seed=seed)
        for k in range(20):
            expected = full_frame(masks, k)
            top, left, crop = masks.crop(k)
            frame = np.zeros_like(expected)
            frame[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
            assert np.array_equal(frame, expected)
