"""The slow and obvious way to measure contours: OpenCV, one full image per mask."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from paring.dataset.masks import MaskStore


def draw(parts: Sequence[ArrayLike], height: int, width: int) -> NDArray[np.uint8]:
    bitmap = np.zeros((height, width), np.uint8)
    for part in parts:
        points = np.asarray(part, np.float64).reshape(-1, 2).astype(np.int32)
        cv2.fillPoly(bitmap, [points], 1)
    return bitmap


def decode(counts: NDArray[np.uint32], height: int, width: int) -> NDArray[np.uint8]:
    values = np.arange(len(counts)) % 2
    flat = np.zeros(height * width, np.uint8)
    runs = np.repeat(values, counts)
    flat[: len(runs)] = runs
    return np.ascontiguousarray(flat.reshape(width, height).T)


def measure_bitmap(bitmap: NDArray[np.uint8]) -> tuple[float, float]:
    contours, _ = cv2.findContours(bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return 0.0, 0.0
    primary = max(contours, key=cv2.contourArea)
    return cv2.contourArea(primary), cv2.arcLength(primary, True)


def bitmap_of(masks: MaskStore, row: int) -> NDArray[np.uint8]:
    height, width = int(masks.heights[row]), int(masks.widths[row])
    if masks.is_rle[row]:
        return decode(masks.runs(row), height, width)
    return draw(masks.polygon(row), height, width)


def measure(masks: MaskStore) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    measured = [measure_bitmap(bitmap_of(masks, row)) for row in range(len(masks))]
    area, perimeter = np.array(measured, np.float64).reshape(-1, 2).T
    return area, perimeter


def random_part(rng: np.random.Generator, kind: str, height: int, width: int) -> NDArray:
    size = np.array((width, height), float)
    n = int(rng.integers(1, rng.choice([4, 8, 12, 30])))
    if kind == "inside":
        return rng.uniform(0, size, (n, 2))
    if kind == "around":
        return rng.uniform(-20, size + 20, (n, 2))
    if kind == "whole numbers":
        return rng.integers(-2, size.astype(int) + 3, (n, 2)).astype(float)
    if kind == "star":
        angle = np.sort(rng.uniform(0, 2 * np.pi, n))
        radius = rng.uniform(0.3, 1, n) * rng.uniform(1, 40)
        around = np.stack((np.cos(angle), np.sin(angle)), axis=1)
        return rng.uniform(-5, size + 5) + radius[:, None] * around
    if kind == "far away":
        return rng.uniform(-1e6, 1e6, (n, 2))
    if kind == "some far away":
        is_far = rng.random((n, 2)) < 0.3
        return np.where(is_far, rng.uniform(-1e3, 1e3, (n, 2)), rng.uniform(0, size, (n, 2)))
    if kind == "at the border":
        part = rng.integers(0, size.astype(int) + 1, (n, 2)).astype(float)
        part[rng.random(n) < 0.3, 0] = width
        return part
    assert kind == "coarse grid"  # touching corners, level edges, holes
    return 8.0 * rng.integers(0, size.astype(int) // 8 + 2, (n, 2))


KINDS = (
    *("inside", "around", "whole numbers", "star"),
    *("far away", "some far away", "at the border", "coarse grid"),
)


def random_polygons(seed: int, kind: str, n: int) -> MaskStore:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 70, (n, 2))
    polygons = [
        [random_part(rng, kind, h, w).reshape(-1) for _ in range(rng.choice([1, 1, 1, 2, 3, 6]))]
        for h, w in sizes.tolist()
    ]
    return MaskStore.from_polygons(polygons, heights=sizes[:, 0], widths=sizes[:, 1])


def random_runs(seed: int, n: int) -> MaskStore:
    """RLE masks from noise to solid, with empty runs, and some that end before the image does."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, (n, 2))
    runs = []
    for h, w in sizes.tolist():
        mean = float(rng.choice([0.7, 3, h / 2, 2 * h]))
        lengths = rng.poisson(mean * rng.uniform(0.3, 1.7, 2 * h * w)[: max(2, int(h * w / mean))])
        ends = np.minimum(np.cumsum(lengths), h * w)
        counts = np.diff(np.append(0, ends))
        runs.append(counts[: int(rng.integers(1, len(counts) + 1))].astype(np.uint32))
    return MaskStore.from_runs(runs, heights=sizes[:, 0], widths=sizes[:, 1])


@st.composite
def polygon_masks(draw_from: st.DrawFn) -> MaskStore:
    """One mask of few vertices, near and across the borders of a small image."""
    height, width = draw_from(st.integers(1, 24)), draw_from(st.integers(1, 24))
    near = st.integers(-3, 27).map(float) | st.floats(-3, 27) | st.floats(-1e6, 1e6)
    part = st.lists(st.tuples(near, near), min_size=1, max_size=7)
    parts = draw_from(st.lists(part, min_size=1, max_size=3))
    flat = [np.array(p, np.float64).reshape(-1) for p in parts]
    return MaskStore.from_polygons([flat], heights=[height], widths=[width])


@st.composite
def run_masks(draw_from: st.DrawFn) -> MaskStore:
    """One RLE mask of a small image."""
    height, width = draw_from(st.integers(1, 9)), draw_from(st.integers(1, 9))
    lengths = draw_from(st.lists(st.integers(0, 12), min_size=1, max_size=40))
    ends = np.minimum(np.cumsum(lengths), height * width)
    counts = np.diff(np.append(0, ends)).astype(np.uint32)
    return MaskStore.from_runs([counts], heights=[height], widths=[width])
