"""Pairs of similar images: bounds and exact sums beside a loop over pairs and one dense product.

    python benchmarks/similarity.py [DATA]

DATA holds ``kvasir/``; without it, generated frames alone are measured.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from frames import SIZE, frames
from machine import machine, save, seconds, spread, words
from paring.images import similar_pairs
from paring.images.similarity.bounds import Bounds
from paring.images.similarity.formula import constants
from paring.images.similarity.measures import GlobalSimilarities
from paring.images.similarity.store import PixelStore
from paring.images.similarity.tiles import Engine, plan

WORKERS = 2
C1, C2 = constants(255)
N_LOOP, N_DENSE = 900, 5_000
LOOP_PAIRS = 400
THRESHOLDS = (0.95, 0.9, 0.8)
BARS = {0.9: 8.0, 0.8: 3.0}  # against the dense product at 5,000 frames


# -- a loop over pairs ---------------------------------------------------------------------


def pair_in_a_loop(one: NDArray, other: NDArray) -> float:
    """SSIM of Eq. 2 as it reads, all moments taken anew for the pair."""
    x, y = one.astype(np.float64), other.astype(np.float64)
    mx, my = x.mean(), y.mean()
    vx, vy = x.var(), y.var()
    covariance = ((x - mx) * (y - my)).mean()
    return (2 * mx * my + C1) * (2 * covariance + C2) / ((mx**2 + my**2 + C1) * (vx + vy + C2))


def against_the_loop() -> dict[str, Any]:
    """The whole network of 900 frames from their files, and a sample of the loop's pairs."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for k, (_, frame) in enumerate(frames(N_LOOP, seed=1)):
            paths.append(Path(folder) / f"{k:06d}.jpg")
            cv2.imwrite(str(paths[-1]), frame)
        similar_pairs(paths[:8], threshold=0.9)  # compiles what is compiled
        ours, loop = [], []
        rng = np.random.default_rng(0)
        for _ in range(5):
            ours.append(seconds(lambda: similar_pairs(paths, threshold=0.9, workers=WORKERS)))
            images = [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in paths[:64]]
            some = rng.integers(0, 64, (LOOP_PAIRS, 2)).tolist()

            def walk(images: list = images, some: list = some) -> None:
                for i, j in some:
                    pair_in_a_loop(images[i], images[j])

            loop.append(seconds(walk) / LOOP_PAIRS)
    n_pairs = N_LOOP * (N_LOOP - 1) // 2
    ratios = [a * n_pairs / b for a, b in zip(loop, ours, strict=True)]
    return {
        "images": N_LOOP,
        "pairs": n_pairs,
        "ours_seconds": spread(ours),
        "loop_milliseconds_a_pair": spread([1000 * t for t in loop]),
        "loop_seconds_extrapolated": spread([t * n_pairs for t in loop], 1),
        "ratio": spread(ratios, 1),
        "bar": 100.0,
    }


# -- one dense product ---------------------------------------------------------------------


def dense(pixels: NDArray, thresholds: tuple[float, ...]) -> list[int]:
    """Edges at each threshold from one float32 product of all centred images."""
    grey = pixels.astype(np.float32)
    mean = grey.mean(axis=1, dtype=np.float64)
    grey -= mean.astype(np.float32)[:, None]
    covariance = grey @ grey.T
    covariance /= pixels.shape[1]
    variance = covariance.diagonal().copy()
    mean = mean.astype(np.float32)
    counts = np.zeros(len(thresholds), np.int64)
    for k in range(len(pixels)):
        above = (2 * mean[k] * mean[k + 1 :] + C1) * (2 * covariance[k, k + 1 :] + C2)
        below = (mean[k] ** 2 + mean[k + 1 :] ** 2 + C1) * (variance[k] + variance[k + 1 :] + C2)
        similarity = above / below
        counts += [np.count_nonzero(similarity >= t) for t in thresholds]
    return counts.tolist()


def pruned(store: PixelStore, threshold: float) -> GlobalSimilarities:
    """All that ours does once pixels are there: moments, tables, pairs."""
    measures = prepared(store)
    measures.pairs(threshold)
    return measures


def prepared(store: PixelStore, *, prune: bool = True) -> GlobalSimilarities:
    """Moments and tables."""
    moments = store.moments()
    bounds = Bounds.of(store.pixels, moments, size=SIZE, metric="ssim", data_range=255)
    engine = Engine(store, moments, bounds, "ssim", 255.0)
    return GlobalSimilarities(engine, workers=WORKERS, memory=2**32, prune=prune)


def candidates(measures: GlobalSimilarities, threshold: float) -> tuple[int, int]:
    """Pairs that the coarse bound (256 numbers an image) and the fine one (1,024) let through."""
    bounds, coarse, fine = measures.engine.bounds, 0, 0
    for tile in plan(len(bounds), 1024):
        upper = bounds.upper(tile.rows, tile.others) >= threshold
        if tile.diagonal:
            upper = np.triu(upper, 1)
        first, second = (a.astype(np.int32) for a in np.nonzero(upper))
        coarse += len(first)
        first, second = first + tile.rows.start, second + tile.others.start
        limit = bounds.lowered(threshold)
        fine += int(bounds.reach(limit, first, second, bounds.refined(first, second)).sum())
    return coarse, fine


def against_dense(name: str, store: PixelStore, repeats: int) -> dict[str, Any]:
    """Both ways at each threshold, in turn; edges compared with all pairs done exactly."""
    pruned(store, 0.95)  # warm
    truth = prepared(store, prune=False).pairs(min(THRESHOLDS))
    times: dict[str, list[float]] = {"dense": []} | {str(t): [] for t in THRESHOLDS}
    counts: list[int] = []
    for _ in range(repeats):

        def all_at_once() -> None:
            counts[:] = dense(store.pixels, THRESHOLDS)

        times["dense"].append(seconds(all_at_once))
        for t in THRESHOLDS:
            times[str(t)].append(seconds(lambda t=t: pruned(store, t)))
    rows = []
    for t, of_dense in zip(THRESHOLDS, counts, strict=True):
        measures = pruned(store, t)
        found = measures.pairs(t)
        kept = truth.value >= t
        same = all(
            np.array_equal(getattr(found, part), getattr(truth, part)[kept])
            for part in ("first", "second", "value")
        )
        coarse, fine = candidates(measures, t)
        ratios = [a / b for a, b in zip(times["dense"], times[str(t)], strict=True)]
        rows.append(
            {
                "threshold": t,
                "edges": len(found.value),
                "edges_dense_float32": of_dense,
                "equal_to_all_pairs_exactly": bool(same),
                "candidates_an_edge_256": round(coarse / max(1, len(found.value)), 2),
                "candidates_an_edge_1024": round(fine / max(1, len(found.value)), 2),
                "seconds": spread(times[str(t)]),
                "ratio": spread(ratios, 2),
            }
        )
    n = len(store)
    return {
        "data": name,
        "images": n,
        "pairs": n * (n - 1) // 2,
        "dense_seconds": spread(times["dense"]),
        "thresholds": rows,
    }


# -- data ----------------------------------------------------------------------------------


def store_of(images: list[NDArray] | Callable[[], Any], n: int) -> PixelStore:
    """Pixels in memory."""
    store = PixelStore(n, size=SIZE, bits=8)
    for row, image in enumerate(images() if callable(images) else images):
        store.put(row, image)
    return store


def main() -> None:
    """Measure, and write tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    data = parser.parse_args().data
    loop = against_the_loop()
    sets = []
    if data is not None:
        paths = sorted((data / "kvasir").glob("*/images/*.jpg"))
        greys = [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in paths]
        sets.append(against_dense("Kvasir-SEG", store_of(greys, len(greys)), 5))
    made = store_of(lambda: (f for _, f in frames(N_DENSE)), N_DENSE)
    sets.append(against_dense("generated frames", made, 3))
    result = {"machine": machine("numpy", "numba"), "loop": loop, "dense": sets}
    lines = [
        f"**From files to edges, {N_LOOP} frames of {SIZE}x{SIZE}** (threshold 0.9, decoding "
        f"included): {words(loop['ours_seconds'])}. A loop that takes each pair's moments anew "
        f"takes {words(loop['loop_milliseconds_a_pair'], 'ms')} a pair, "
        f"{words(loop['loop_seconds_extrapolated'])} for all {loop['pairs']:,} (extrapolated from "
        f"{LOOP_PAIRS} pairs): **{words(loop['ratio'], 'x')}**; the aim is 100x.",
        "",
        "**Against one dense float32 product** of all pixels, without decoding, moments and tables "
        "included:",
        "",
        "| data | threshold | edges | dense | ours | ratio | candidates an edge: 256 numbers | "
        "1,024 | edges = all pairs exactly |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in sets:
        for row in one["thresholds"]:
            bar = BARS.get(row["threshold"]) if one["images"] == N_DENSE else None
            aim = "" if bar is None else f"; aim {bar:g}x"
            lines.append(
                f"| {one['data']}, {one['images']:,} | {row['threshold']} | {row['edges']:,} | "
                f"{words(one['dense_seconds'])} | {words(row['seconds'])} | "
                f"{words(row['ratio'], 'x')}{aim} | {row['candidates_an_edge_256']} | "
                f"{row['candidates_an_edge_1024']} | "
                f"{'yes' if row['equal_to_all_pairs_exactly'] else 'NO'} |"
            )
    save("similarity", result, lines)


if __name__ == "__main__":
    main()
