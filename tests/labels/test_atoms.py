"""Atoms: overlaps of masks as one product, equal to pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from labels_masks import random_bitmaps, store_of
from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.labels.atoms import atoms_of


def pairwise(bitmaps: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n = len(bitmaps)
    iou, contains = np.zeros((n, n)), np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            shared = (bitmaps[i] & bitmaps[j]).sum()
            either = (bitmaps[i] | bitmaps[j]).sum()
            iou[i, j] = shared / either if either else 0
            contains[i, j] = shared / bitmaps[j].sum() if bitmaps[j].any() else 0
    return iou, contains


@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 12), st.integers(1, 12))
def test_overlaps_equal_those_pixel_by_pixel(seed: int, n: int, high: int, wide: int) -> None:
    bitmaps = random_bitmaps(seed, n, high, wide)
    atoms = atoms_of(store_of(bitmaps))
    iou, contains = atoms.overlaps()
    expected_iou, expected_contains = pairwise(bitmaps)
    np.testing.assert_allclose(iou, expected_iou, atol=1e-6)
    np.testing.assert_allclose(contains, expected_contains, atol=1e-6)


def test_atoms_say_of_each_pixel_which_masks_it_is_in() -> None:
    bitmaps = random_bitmaps(3, 8, 20, 30)
    atoms = atoms_of(store_of(bitmaps))
    covered = bitmaps.any(axis=0)
    assert ((atoms.of_pixels >= 0) == covered).all()
    np.testing.assert_array_equal(atoms.members[:, atoms.of_pixels[covered]], bitmaps[:, covered])
    assert atoms.areas.sum() == covered.sum()
    # no two atoms lie in the same masks
    assert len(np.unique(atoms.members, axis=1).T) == len(atoms.areas)


def test_iou_with_other_sets_of_atoms() -> None:
    bitmaps = random_bitmaps(5, 6, 16, 16)
    atoms = atoms_of(store_of(bitmaps))
    unions = np.stack((atoms.members[0] | atoms.members[1], atoms.members[2]))
    iou = atoms.iou_with(unions)
    both = bitmaps[0] | bitmaps[1]
    shared = (bitmaps & both).sum(axis=(1, 2))
    either = (bitmaps | both).sum(axis=(1, 2))
    np.testing.assert_allclose(iou[:, 0], shared / np.maximum(either, 1), atol=1e-9)
    np.testing.assert_allclose(iou[:, 1], atoms.overlaps()[0][:, 2], atol=1e-9)


def test_large_images_are_counted_in_double_precision() -> None:
    # 2^24 + 1 pixels cannot be told from 2^24 in float32
    high, wide = 4097, 4096
    full = rle.encode_bitmap(np.ones((high, wide), np.uint8), 0, 0, high, wide)
    less = np.array([1, high * wide - 1], np.uint32)
    atoms = atoms_of(MaskStore.from_runs([full, less], heights=[high] * 2, widths=[wide] * 2))
    assert atoms.intersections()[0, 1] == high * wide - 1
    assert atoms.overlaps()[0][0, 1] < 1


def test_polygons_are_filled_as_everywhere() -> None:
    triangle = [[(1, 1), (9, 1), (1, 9)]]
    masks = MaskStore.from_polygons([triangle], heights=[10], widths=[10])
    assert atoms_of(masks).mask_areas()[0] == masks.to_rle().areas()[0]


def test_masks_of_several_sizes_and_none_are_refused() -> None:
    bad = MaskStore.from_runs([np.array([0, 4], np.uint32)] * 2, heights=[2, 4], widths=[2, 1])
    with pytest.raises(ValueError, match="several sizes"):
        atoms_of(bad)
    with pytest.raises(ValueError, match="no mask"):
        atoms_of(bad.take(np.empty(0, np.int64)))
