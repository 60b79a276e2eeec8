"""Proposals of single images."""

from __future__ import annotations

import numpy as np
import pytest

import paring
from paring.labels.atoms import atoms_of
from paring.labels.proposals import propose_image


def best_iou(masks, bitmap) -> float:
    best = 0.0
    for row in range(len(masks)):
        top, left, crop = masks.crop(row)
        full = np.zeros(bitmap.shape, bool)
        full[top : top + crop.shape[0], left : left + crop.shape[1]] = crop != 0
        best = max(best, (full & bitmap).sum() / (full | bitmap).sum())
    return best


def two_squares() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pixels = np.full((120, 160, 3), 70, np.uint8)
    one, other = np.zeros((2, 120, 160), bool)
    one[20:60, 20:70] = True
    other[50:110, 90:150] = True
    pixels[one], pixels[other] = (220, 40, 40), (40, 60, 210)
    return pixels, one, other


def test_squares_are_among_the_first_proposals() -> None:
    pixels, one, other = two_squares()
    found = propose_image(pixels, count=30)
    assert best_iou(found.masks, one) > 0.95
    assert best_iou(found.masks, other) > 0.9
    assert (found.masks.heights == 120).all()
    assert (found.masks.widths == 160).all()


def test_masks_are_of_the_size_of_the_image_wherever_they_are_made() -> None:
    pixels, one, _ = two_squares()
    large = np.repeat(np.repeat(pixels, 5, axis=0), 5, axis=1)
    found = propose_image(large, count=40, size=160)
    assert (found.masks.heights == 600).all()
    assert best_iou(found.masks, np.repeat(np.repeat(one, 5, axis=0), 5, axis=1)) > 0.9


def test_no_two_overlap_by_more_than_nine_tenths() -> None:
    pixels, *_ = two_squares()
    noise = np.random.default_rng(0).integers(-9, 9, pixels.shape)
    found = propose_image((pixels.astype(int) + noise).clip(0, 255).astype(np.uint8), count=60)
    iou, _ = atoms_of(found.masks).overlaps()
    assert iou[~np.eye(len(iou), dtype=bool)].max() <= 0.9
    assert len(found.masks) == len(found.scores)
    assert (np.diff(found.scores) <= 0).all()


def test_there_are_as_many_as_wanted_where_there_are_so_many_different() -> None:
    pixels, *_ = two_squares()
    noise = np.random.default_rng(1).integers(-25, 25, pixels.shape)
    noisy = (pixels.astype(int) + noise).clip(0, 255).astype(np.uint8)
    for count in (1, 4, 10, 60):
        assert len(propose_image(noisy, count=count).masks) == count


def test_the_same_image_gives_the_same_proposals() -> None:
    pixels, *_ = two_squares()
    one, other = (propose_image(pixels, count=25) for _ in range(2))
    assert one.masks == other.masks
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 3), (5, 9), (4, 3000), (2500, 4)])
def test_tiny_and_narrow_images_have_a_proposal(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    found = propose_image(pixels)
    assert len(found.masks) >= 1
    assert found.masks.heights[0] == size[0]
    assert found.masks.areas()[0] > 0


def test_a_flat_image_is_one_proposal() -> None:
    found = propose_image(np.full((90, 80, 3), 128, np.uint8))
    assert found.masks.areas().tolist() == [7200]


def test_numbers_below_one_are_refused() -> None:
    with pytest.raises(paring.InputError, match="1 or more"):
        propose_image(np.zeros((9, 9, 3), np.uint8), count=0)
