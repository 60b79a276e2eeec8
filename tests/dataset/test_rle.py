import numpy as np
import pytest
from faster_coco_eval import mask as coco_mask
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from paring.dataset import ragged, rle

bitmaps = arrays(
    np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 1)
)


def encoded(maps: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    runs = [rle.encode_bitmap(m, 0, 0, *m.shape) for m in maps]
    return np.concatenate(runs), ragged.offsets_of(np.array([len(r) for r in runs]))


@given(st.lists(bitmaps, min_size=1, max_size=5))
def test_texts_equal_those_of_the_coco_tools(maps: list[np.ndarray]) -> None:
    counts, offsets = encoded(maps)
    expected = [coco_mask.encode(np.asfortranarray(m))["counts"] for m in maps]
    assert rle.encode_text(counts, offsets) == expected


@given(st.lists(bitmaps, min_size=1, max_size=5))
def test_texts_decode_to_the_runs_they_came_from(maps: list[np.ndarray]) -> None:
    counts, offsets = encoded(maps)
    again, bounds = rle.decode_text(rle.encode_text(counts, offsets))
    assert again.tolist() == counts.tolist()
    assert bounds.tolist() == offsets.tolist()


@given(st.lists(bitmaps, min_size=1, max_size=5))
def test_areas_boxes_and_bitmaps_equal_those_of_the_pixels(maps: list[np.ndarray]) -> None:
    counts, offsets = encoded(maps)
    heights = np.array([m.shape[0] for m in maps], np.int32)
    boxes = rle.boxes(counts, offsets, heights)
    assert rle.areas(counts, offsets).tolist() == [int(m.sum()) for m in maps]
    for k, m in enumerate(maps):
        coded = coco_mask.encode(np.asfortranarray(m))
        x, y, w, h = boxes[k]
        assert [x, y, w, h] == (coco_mask.toBbox(coded).tolist() if m.any() else [0, 0, 0, 0])
        crop = rle.bitmap(counts[offsets[k] : offsets[k + 1]], m.shape[0], boxes[k])
        assert np.array_equal(crop, m[y : y + h, x : x + w])


@given(bitmaps, st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_a_crop_encodes_as_the_frame_it_lies_in(
    crop: np.ndarray, top: int, left: int, below: int, right: int
) -> None:
    height, width = top + crop.shape[0] + below, left + crop.shape[1] + right
    frame = np.zeros((height, width), np.uint8)
    frame[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    in_place = rle.encode_bitmap(crop, top, left, height, width)
    assert in_place.tolist() == rle.encode_bitmap(frame, 0, 0, height, width).tolist()


def test_long_runs_survive_their_text() -> None:
    counts = np.array([0, 2**31, 5, 3, 2**30], np.uint32)
    again, _ = rle.decode_text(rle.encode_text(counts, np.array([0, 5])))
    assert again.tolist() == counts.tolist()


@pytest.mark.parametrize("text", [b"6\x10", b"6~", b"P", b"PPPPPPPPP0", "6é".encode()])
def test_a_text_that_is_no_code_is_named_by_its_position(text: bytes) -> None:
    with pytest.raises(ValueError, match="^1$"):
        rle.decode_text([b"61", text, b"61"])


def test_the_first_character_past_the_code_is_refused() -> None:
    with pytest.raises(ValueError, match="^0$"):
        rle.decode_text([b"6p"])  # "o" is the last of the 64 characters


def test_any_value_above_zero_is_foreground() -> None:
    crop = np.array([[0, 255]], np.uint8)
    assert rle.encode_bitmap(crop, 0, 0, 1, 2).tolist() == [1, 1]
