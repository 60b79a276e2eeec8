"""Masks by chance, for the tests of labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paring.dataset import rle
from paring.dataset.masks import MaskStore


def store_of(bitmaps: NDArray[np.bool_]) -> MaskStore:
    n, high, wide = bitmaps.shape
    runs = [rle.encode_bitmap(one.astype(np.uint8), 0, 0, high, wide) for one in bitmaps]
    return MaskStore.from_runs(runs, heights=[high] * n, widths=[wide] * n)


def random_bitmaps(seed: int, n: int, high: int, wide: int) -> NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    out = np.zeros((n, high, wide), bool)
    for one in out:
        for _ in range(rng.integers(0, 3)):
            y, x = rng.integers(0, high), rng.integers(0, wide)
            one[y : y + rng.integers(1, high + 1), x : x + rng.integers(1, wide + 1)] = True
    return out
