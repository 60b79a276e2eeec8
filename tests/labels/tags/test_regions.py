"""Proposals as the network sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import paring
from labels_masks import random_bitmaps, store_of
from paring.labels.tags.assignment import Assigned
from paring.labels.tags.peaks import Peaks
from paring.labels.tags.regions import Regions, cut_regions, regions_of


def some(seed: int = 0) -> tuple[np.ndarray, Regions]:
    bitmaps = random_bitmaps(seed, 10, 23, 31)
    bitmaps = bitmaps[bitmaps.any(axis=(1, 2))]
    atoms, boxes, small = cut_regions(store_of(bitmaps))
    n = len(bitmaps)
    assigned = Assigned(np.arange(n) % 3, np.arange(n), np.zeros((0, 0), bool))
    peaks = Peaks(np.array([[0.2, 0.7]]), np.array([1]), np.array([3.5]))
    return bitmaps, regions_of(atoms, boxes, small, np.arange(n) + 40, assigned, peaks)


def test_boxes_and_small_masks_equal_those_of_the_bitmaps() -> None:
    bitmaps, regions = some()
    for bitmap, box, small in zip(bitmaps, regions.boxes, regions.masks, strict=True):
        ys, xs = np.nonzero(bitmap)
        assert box.tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        crop = bitmap[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
        for i in range(7):
            for j in range(7):
                y = int((i + 0.5) * crop.shape[0] / 7)
                x = int((j + 0.5) * crop.shape[1] / 7)
                assert small[i, j] == crop[y, x]


def test_regions_come_back_from_their_file(tmp_path: Path) -> None:
    _, regions = some()
    regions.save(tmp_path / "1.npz")
    back = Regions.load(tmp_path / "1.npz")
    assert back.size == regions.size
    for name in ("rows", "boxes", "masks", "members", "areas", "labels", "clusters"):
        np.testing.assert_array_equal(getattr(back, name), getattr(regions, name))
        assert getattr(back, name).dtype == getattr(regions, name).dtype
    assert back.peaks.pixels((10, 10)).tolist() == [[2, 7]]
    one, other = regions.overlaps(), back.overlaps()
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "1.npz").write_bytes(b"none")
    with pytest.raises(paring.InputError, match=r"1\.npz"):
        Regions.load(tmp_path / "1.npz")
