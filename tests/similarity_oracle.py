"""What the tests of similarities share: images of many kinds, and the slow, obvious formulas."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from paring.images.similarity.bounds import Bounds
from paring.images.similarity.formula import Metric
from paring.images.similarity.store import PixelStore
from paring.images.similarity.tiles import Engine, Found, Tile

METRICS: tuple[Metric, ...] = ("ssim", "pcc")


# -- the formulas ------------------------------------------------------------------------------


def exactly(x: NDArray, y: NDArray, metric: Metric, data_range: float) -> float:
    """Eq. 2 and Eq. 3 in rational numbers, rounded once at the end."""
    one, other = ([Fraction(int(v)) for v in image.reshape(-1)] for image in (x, y))
    n = len(one)
    mx, my = sum(one) / n, sum(other) / n
    vx, vy = sum((a - mx) ** 2 for a in one) / n, sum((b - my) ** 2 for b in other) / n
    cov = sum((a - mx) * (b - my) for a, b in zip(one, other, strict=True)) / n
    return of_moments(mx, my, vx, vy, cov, metric, data_range)


def of_moments(
    mx: Fraction,
    my: Fraction,
    vx: Fraction,
    vy: Fraction,
    cov: Fraction,
    metric: Metric,
    data_range: float,
) -> float:
    if metric == "pcc":
        if not vx * vy:
            return float("nan")
        with localcontext() as context:
            context.prec = 60
            return float(decimal(cov) / decimal(vx * vy).sqrt())
    span = Fraction(data_range)
    c1, c2 = (span / 100) ** 2, (3 * span / 100) ** 2
    return float((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))


def decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def all_similarities(pixels: NDArray, metric: Metric, data_range: float) -> NDArray[np.float64]:
    """Every image (n, P) with every one, in doubles, in the two-pass form: (n, n)."""
    mean = pixels.mean(axis=1, dtype=np.float64)
    rest = pixels - mean[:, None]
    covariance = rest @ rest.T / pixels.shape[1]
    variance = (rest * rest).mean(axis=1)
    if metric == "pcc":
        scale = np.sqrt(np.outer(variance, variance))
        nowhere = np.full_like(scale, np.nan)
        return np.divide(covariance, scale, out=nowhere, where=scale > 0)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    square = mean * mean
    above = (2 * np.outer(mean, mean) + c1) * (2 * covariance + c2)
    return above / ((square[:, None] + square + c1) * (variance[:, None] + variance + c2))


# -- images ------------------------------------------------------------------------------------


def images_of_all_kinds(size: int, bits: int = 8, seed: int = 0) -> NDArray:
    """Smooth, noisy, high-frequency, constant, nearly constant, alike and opposite, (n, P)."""
    rng = np.random.default_rng(seed)
    dtype, top = (np.uint16, 65_535) if bits == 16 else (np.uint8, 255)
    y, x = np.mgrid[:size, :size] / size
    smooth = [np.sin(a * x + b * y + c) * 0.45 + 0.5 for a, b, c in rng.uniform(0, 9, (4, 3))]
    noisy = [
        image + rng.normal(0, 0.03, image.shape) for image in (smooth[0], smooth[0], smooth[1])
    ]
    noise = [rng.random((size, size)) for _ in range(2)]
    checks = np.indices((size, size)).sum(axis=0) % 2
    fine = 0.1 * rng.choice([-1, 1], (size, size))
    alike_below = [smooth[2] * 0.6 + 0.2 + fine, smooth[2] * 0.6 + 0.2 - fine]
    drawn = [*smooth, *noisy, *noise, checks, 1 - checks, *alike_below, smooth[0], 1 - smooth[0]]
    images = [np.clip(np.rint(image * top), 0, top) for image in drawn]
    for level in (0, 1, top // 2, top - 1, top):
        images.append(np.full((size, size), level))
        spotted = np.full((size, size), level)
        spotted[tuple(rng.integers(0, size, (2, 3)))] = level - 1 if level == top else level + 1
        images.append(spotted)
    faint = top - 3 + rng.integers(0, 3, (2, size, size))
    return np.stack([*images, *faint]).astype(dtype).reshape(len(images) + 2, -1)


def store_of(pixels: NDArray, folder: Path | None = None) -> PixelStore:
    size = int(np.sqrt(pixels.shape[1]))
    bits = 8 * pixels.dtype.itemsize
    store = PixelStore(len(pixels), size=size, bits=bits, folder=folder)
    for row, image in enumerate(pixels):
        store.put(row, image.reshape(size, size))
    return store


def engine_of(pixels: NDArray, metric: Metric = "ssim", data_range: float | None = None) -> Engine:
    store = store_of(pixels)
    span = float(np.iinfo(pixels.dtype).max) if data_range is None else data_range
    moments = store.moments()
    bounds = Bounds.of(store.pixels, moments, size=store.size, metric=metric, data_range=span)
    return Engine(store, moments, bounds, metric, span)


def bursts(n: int, size: int = 32, seed: int = 0, bits: int = 8, *, spread: float = 0.0) -> NDArray:
    """Images (n, P) in runs of five near-duplicates: few pairs are alike, as in real data.

    With a spread, some are noisier than others, so that pairs of a run are more or less alike.
    """
    rng = np.random.default_rng(seed)
    top = 2**bits - 1
    y, x = np.mgrid[:size, :size] / size
    drawn = []
    for k in range(n):
        if k % 5 == 0:
            waves = rng.uniform(2, 25, (4, 3))
            scene = sum(np.sin(a * x + b * y + c) for a, b, c in waves) / 8 + 0.5
        noise = 0.02 + spread * rng.random()
        drawn.append(scene + rng.normal(0, noise, scene.shape))
    flat = np.stack(drawn).reshape(n, -1)
    return np.clip(np.rint(flat * top), 0, top).astype(np.uint16 if bits == 16 else np.uint8)


# -- pairs -------------------------------------------------------------------------------------


def pairs_of(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All pairs of rows, first < second, sorted."""
    first, second = np.triu_indices(n, 1)
    return first, second


def find(engine: Engine, tile: Tile, low: float, *, workers: int = 2, **more: object) -> Found:
    with ThreadPoolExecutor(workers) as pool:
        return engine.find(tile, low, pool=pool, workers=workers, **more)


def rows_and_values(found: Found, low: float) -> list[tuple[int, int, float]]:
    """The pairs of at least `low`, which is what a result promises."""
    pairs = zip(found.first.tolist(), found.second.tolist(), found.value.tolist(), strict=True)
    return [(i, j, value) for i, j, value in pairs if value >= low]


# -- files -------------------------------------------------------------------------------------


def write_images(folder: Path, images: dict[str, NDArray]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        assert cv2.imwrite(str(folder / name), image)
    return folder
