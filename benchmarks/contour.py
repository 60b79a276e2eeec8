"""Time per instance of measuring contours: full images against boxes against compiled code.

One run draws COCO-like masks (640 x 480, about 21 vertices, 1.1 parts, log-normal sizes, one in ten
at the border), measures them in every way, asserts that all numbers are equal and writes medians,
spreads and ratios to the results. The ways take turns, so that a slow spell of the machine meets
all of them.

    python benchmarks/contour.py [--instances 2000] [--repeats 7] [--seed 0]
"""

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from machine import machine, save, spread, words
from paring.dataset.masks import MaskStore
from paring.images.contours.measure import measure_contours
from paring.images.shape import outlines

WIDTH, HEIGHT = 640, 480
SMALLEST_SIDE, LARGEST_SIDE = 3.0, 440.0
MEDIAN_SIDE, SPREAD_OF_LOG_SIDE = 45.0, 1.0
MEAN_VERTICES, VERTEX_SHAPE = 21.0, 4.0
SHARE_AT_BORDER = 0.1
EXTRA_PARTS = (0.92, 0.06, 0.02)  # shares of instances with none, one, two

Measured = tuple[NDArray[np.float64], NDArray[np.float64]]


def draw_part(rng: np.random.Generator, centre: NDArray[np.float64], side: float) -> NDArray:
    """One closed outline: a smooth star with some noise, rounded as annotations are."""
    vertices = max(4, round(rng.gamma(VERTEX_SHAPE, MEAN_VERTICES / VERTEX_SHAPE)))
    angle = 2 * np.pi * (np.arange(vertices) + rng.uniform(0, 0.8, vertices)) / vertices
    waves = np.arange(2, 5)
    weight, phase = rng.normal(0, 0.16, 3), rng.uniform(0, 2 * np.pi, 3)
    swell = (weight * np.cos(angle[:, None] * waves + phase)).sum(axis=1)
    radius = side / 2 * np.exp(swell + rng.normal(0, 0.06, vertices))
    part = centre + radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return np.round(np.clip(part, 0, (WIDTH, HEIGHT)), 2)


def draw_masks(n: int, seed: int) -> MaskStore:
    """Masks with the statistics of COCO's."""
    rng = np.random.default_rng(seed)
    size = np.array((WIDTH, HEIGHT), float)
    polygons = []
    for _ in range(n):
        side = float(np.exp(rng.normal(np.log(MEDIAN_SIDE), SPREAD_OF_LOG_SIDE)))
        side = min(max(side, SMALLEST_SIDE), LARGEST_SIDE)
        margin = np.minimum(0.8 * side, 0.48 * size)
        centre = rng.uniform(margin, size - margin)
        if rng.random() < SHARE_AT_BORDER:
            axis = rng.integers(2)
            centre[axis] = rng.choice((0, size[axis]))
        parts = [draw_part(rng, centre, side)]
        for _ in range(rng.choice(len(EXTRA_PARTS), p=EXTRA_PARTS)):
            beside = centre + rng.normal(0, side, 2)
            parts.append(draw_part(rng, np.clip(beside, 0, size), side / 2))
        polygons.append([part.reshape(-1) for part in parts])
    return MaskStore.from_polygons(polygons, heights=[HEIGHT] * n, widths=[WIDTH] * n)


def measure_full_frames(masks: MaskStore) -> Measured:
    """The published way: every mask drawn in an image of its own."""
    area, perimeter = np.zeros(len(masks)), np.zeros(len(masks))
    for row in range(len(masks)):
        bitmap = np.zeros((masks.heights[row], masks.widths[row]), np.uint8)
        for part in masks.polygon(row):
            cv2.fillPoly(bitmap, [part.astype(np.int32)], 1)
        contours, _ = cv2.findContours(bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if contours:
            primary = max(contours, key=cv2.contourArea)
            area[row], perimeter[row] = cv2.contourArea(primary), cv2.arcLength(primary, True)
    return area, perimeter


WAYS: dict[str, Callable[[MaskStore], Measured]] = {
    "full frame (published)": measure_full_frames,
    "raster, OpenCV in boxes": lambda masks: measure_contours(masks, engine="opencv"),
    "raster, compiled, 1 core": lambda masks: measure_contours(masks, engine="compiled", workers=1),
    "raster, compiled, 2 cores": lambda masks: measure_contours(
        masks, engine="compiled", workers=2
    ),
    "polygon, 1 core": lambda masks: outlines(masks, contour="polygon"),
}
BASELINE, EXACT = "full frame (published)", "polygon, 1 core"
SLOW = (BASELINE, "raster, OpenCV in boxes")


def time_ways(slow: MaskStore, fast: MaskStore, repeats: int) -> dict[str, list[float]]:
    """Microseconds per instance of each way and repeat; the fast ways get more to do."""
    micros: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way, measure in WAYS.items():
            masks = slow if way in SLOW else fast
            began = time.perf_counter()
            measure(masks)
            micros[way].append(1e6 * (time.perf_counter() - began) / len(masks))
    return micros


def main() -> None:
    """Measure, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()

    masks = draw_masks(chosen.instances, chosen.seed)
    many = MaskStore.concat([masks] * 10)
    expected = measure_full_frames(masks)
    for way, measure in WAYS.items():  # this is the warm-up, too: it compiles what is compiled
        found = measure(masks)
        if way != EXACT:  # which measures another thing: the vertices as they are
            assert all(np.array_equal(f, e) for f, e in zip(found, expected, strict=True)), way
        measure(many if way not in SLOW else masks)
    micros = time_ways(masks, many, chosen.repeats)

    reference = np.array(micros[BASELINE])
    ways = {
        way: {
            "microseconds_an_instance": spread(taken, 2),
            # neighbours in time are compared, so that a slow spell of the machine meets both
            "times_as_fast": spread((reference / np.array(taken)).tolist(), 2),
        }
        for way, taken in micros.items()
    }
    box = masks.boxes()
    at_border = (box[:, :2] <= 0) | (box[:, :2] + box[:, 2:] >= (WIDTH, HEIGHT))
    parts = np.diff(masks.instance_parts)
    result = {
        "machine": machine("numpy", "opencv-python-headless", "numba"),
        "instances": len(masks),
        "seed": chosen.seed,
        "vertices_per_instance": round(len(masks.points) / len(masks), 2),
        "parts_per_instance": round(float(parts.mean()), 3),
        "share_at_border": round(float(at_border.any(axis=1).mean()), 3),
        "raster_ways_equal_bit_for_bit": True,
        "ways": ways,
    }
    lines = [
        f"{len(masks):,} masks like COCO's ({WIDTH} x {HEIGHT}, "
        f"{result['vertices_per_instance']:.0f} vertices, "
        f"{result['parts_per_instance']:.1f} parts, {result['share_at_border']:.0%} at a border); "
        "all raster ways give the same numbers, bit for bit.",
        "",
        "| way | an instance | times as fast as the published loop | goal |",
        "|---|---|---|---|",
    ]
    bounds = ("", "", "at least 8", "at least 12", "at least 30")
    for (way, row), bound in zip(ways.items(), bounds, strict=True):
        micro, ratio = row["microseconds_an_instance"], row["times_as_fast"]
        lines.append(f"| {way} | {words(micro, 'µs')} | {words(ratio, '')} | {bound} |")
    save("contour", result, lines)


if __name__ == "__main__":
    main()
