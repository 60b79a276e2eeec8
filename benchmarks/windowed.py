"""Time per pair of windowed SSIM: all pairs at once against a loop over scikit-image's function.

One run generates grey images (352 x 352, smooth random fields with noise), compares all pairs on
one core and on two, a sample of them with scikit-image in as many processes, and asserts that the
numbers agree. The ways take turns, so that a slow spell of the machine meets all of them. What we
do worse is measured too: a call for a single pair, which has nothing to reuse, and the first call
of a process, which has to load or compile first.

    python benchmarks/windowed.py [--images 60] [--sample 40] [--repeats 9] [--seed 0]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from machine import machine, save, spread, words
from paring.images.similarity.windowed import windowed_ssim

SIDE, DATA_RANGE = 352, 255.0
SMOOTHNESS = (4.0, 16.0)  # pixels
CONTRAST, NOISE = 45.0, 6.0  # standard deviations in grey levels
AGREEMENT = 1e-9
SINGLE_PAIRS = 10  # of them are timed, one call each
COLD_STARTS = 3

FIRST_CALL = """
import time
import numpy as np
began = time.perf_counter()
from paring.images.similarity.windowed import windowed_ssim
image, row = np.zeros((1, 11, 11), np.uint8), np.zeros(1, np.int64)
windowed_ssim(image, row, row, data_range=255)
print(time.perf_counter() - began)
"""


def draw_images(n: int, seed: int) -> NDArray[np.uint8]:
    """Smooth random fields with noise (n, SIDE, SIDE), half of each shared by all images."""
    rng = np.random.default_rng(seed)

    def field() -> NDArray[np.float64]:
        smooth = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)), (0, 0), rng.uniform(*SMOOTHNESS))
        return smooth / smooth.std()

    shared = field()
    images = np.empty((n, SIDE, SIDE), np.uint8)
    for image in images:
        grey = rng.uniform(90, 160) + CONTRAST * (shared + field()) / np.sqrt(2)
        image[:] = np.clip(np.rint(grey + rng.normal(0, NOISE, grey.shape)), 0, 255)
    return images


def by_scikit_image(images: NDArray[np.uint8]) -> float:
    """SSIM of two images (2, h, w)."""
    return float(
        structural_similarity(
            *images,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=DATA_RANGE,
        )
    )


def seconds_of_first_calls(cached: bool) -> list[float]:
    """Seconds from the import to the first value in fresh processes, with or without a cache."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(COLD_STARTS + cached):
            cache = folder if cached else f"{folder}/{number}"
            done = subprocess.run(
                [sys.executable, "-c", FIRST_CALL],
                env=os.environ | {"NUMBA_CACHE_DIR": cache},
                capture_output=True,
                text=True,
                check=True,
            )
            taken.append(float(done.stdout))
    return taken[1:] if cached else taken


def main() -> None:
    """Measure, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()

    images = draw_images(chosen.images, chosen.seed)
    first, second = np.triu_indices(chosen.images, 1)
    rng = np.random.default_rng(chosen.seed)
    sample = np.sort(rng.choice(len(first), chosen.sample, replace=False))
    two = [images[[i, j]] for i, j in zip(first[sample], second[sample], strict=True)]

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        share = -(-len(two) // 2)
        single = [np.array([k]) for k in sample[:SINGLE_PAIRS]]
        alone, together = "scikit-image, 1 core", "scikit-image, 2 cores"
        ways: dict[str, tuple[int, str, Callable[[], NDArray | list]]] = {
            alone: (len(two), alone, lambda: list(map(by_scikit_image, two))),
            "windowed_ssim, all pairs, 1 core": (
                len(first),
                alone,
                lambda: windowed_ssim(images, first, second, data_range=DATA_RANGE),
            ),
            "windowed_ssim, one pair a call, 1 core": (
                len(single),
                alone,
                lambda: [
                    windowed_ssim(images, first[k], second[k], data_range=DATA_RANGE)[0]
                    for k in single
                ],
            ),
            together: (
                len(two),
                together,
                lambda: list(processes.map(by_scikit_image, two, chunksize=share)),
            ),
            "windowed_ssim, all pairs, 2 cores": (
                len(first),
                together,
                lambda: windowed_ssim(images, first, second, data_range=DATA_RANGE, workers=2),
            ),
        }
        values = {way: np.array(work()) for way, (_, _, work) in ways.items()}  # the warm-up
        milliseconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(chosen.repeats):
            for way, (pairs, _, work) in ways.items():
                began = time.perf_counter()
                work()
                milliseconds[way].append(1e3 * (time.perf_counter() - began) / pairs)

    ours, theirs = values["windowed_ssim, all pairs, 1 core"], values[alone]
    assert np.array_equal(values["windowed_ssim, all pairs, 2 cores"], ours)
    difference = float(np.abs(ours[sample] - theirs).max())
    assert difference < AGREEMENT
    loading, compiling = seconds_of_first_calls(cached=True), seconds_of_first_calls(cached=False)

    table = {
        way: {
            "milliseconds_a_pair": spread(milliseconds[way], 3),
            # neighbours in time are compared, so that a slow spell of the machine meets both
            "times_as_fast": spread(
                (np.array(milliseconds[baseline]) / milliseconds[way]).tolist(), 2
            ),
        }
        for way, (_, baseline, _) in ways.items()
    }
    result = {
        "machine": machine("numpy", "numba", "scikit-image"),
        "images": len(images),
        "side": SIDE,
        "pairs": len(first),
        "pairs_of_scikit_image": len(two),
        "seed": chosen.seed,
        "similarity": {"min": float(ours.min()), "max": float(ours.max())},
        "largest_difference": difference,
        "ways": table,
        "seconds_of_first_call_loading": spread(loading, 2),
        "seconds_of_first_call_compiling": spread(compiling, 2),
    }
    lines = [
        f"All {len(first):,} pairs of {len(images)} generated images of {SIDE} x {SIDE} pixels "
        f"(SSIM {ours.min():.2f} to {ours.max():.2f}), scikit-image on {len(two)} of them; the "
        f"largest difference is {difference:.1e}. Means and variances of the images are in our "
        "times.",
        "",
        "| way | a pair | times as fast as scikit-image on as many cores | goal |",
        "|---|---|---|---|",
    ]
    for way, row in table.items():
        goal = "at least 10" if "all pairs" in way else ""
        taken, ratio = row["milliseconds_a_pair"], row["times_as_fast"]
        lines.append(f"| {way} | {words(taken, 'ms')} | {words(ratio, '')} | {goal} |")
    lines += [
        "",
        f"The first call of a process costs {words(spread(loading, 2))} to load what is compiled, "
        f"and once on a machine {words(spread(compiling, 2))} to compile it.",
    ]
    save("windowed", result, lines)


if __name__ == "__main__":
    main()
