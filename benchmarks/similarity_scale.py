"""`paring images similarity` from files, over the number of images: time, memory, and a million.

python benchmarks/similarity_scale.py [N ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.optimize import nnls

from frames import SIZE, frames
from machine import machine, save

SIZES = (500, 1_000, 2_000, 5_000, 10_000, 19_544)
THRESHOLD = 0.9
MILLION = 1_000_000


def command(folder: Path, run: Path, workers: int) -> dict[str, Any]:
    """The command in a process of its own; what its run says."""
    words = [sys.executable, "-m", "paring", "images", "similarity", str(folder)]
    words += ["--threshold", str(THRESHOLD), "--workers", str(workers), "--json", "-o", str(run)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    about: dict[str, Any] = json.loads(done.stdout)
    return about


def row_of(about: dict[str, Any], n: int) -> dict[str, Any]:
    """The parts of a run."""
    parts = about["seconds_of"]
    return {
        "images": n,
        "edges": about["network"]["edges"],
        "kept": about["kept"],
        "seconds": about["seconds"],
        "decoding": parts["decoding"],
        "tables": parts["tables"],
        "pairs": parts["pairs"],
        "peak_gib": about["peak_memory_bytes"] / 2**30,
    }


def foretold(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Seconds for a million images: parts that grow with N and with N^2, fitted to the curve."""
    n = np.array([row["images"] for row in rows], float)
    linear = np.array([row["seconds"] - row["pairs"] for row in rows])
    pairs = np.array([row["pairs"] for row in rows])
    # weights 1 / N, so that no size decides alone
    table = np.stack([n, n * n], axis=1) / n[:, None]
    (slope,), _ = nnls((n / n)[:, None], linear / n)
    (a, b), _ = nnls(table, pairs / n)
    return {
        "seconds_an_image": float(slope + a),
        "nanoseconds_a_pair": 2e9 * float(b),
        "hours_for_a_million": float(MILLION * (slope + a) + MILLION**2 * b) / 3600,
        "pixels_gib_for_a_million": MILLION * SIZE * SIZE / 2**30,
        "tables_gib_for_a_million": MILLION * 4 * 1025 / 2**30,
    }


def main() -> None:
    """Draw frames once, run over growing parts of them, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=list(SIZES))
    sizes = sorted(parser.parse_args().sizes)
    rows = []
    with tempfile.TemporaryDirectory() as room:
        part, made = Path(room) / "frames", 0
        part.mkdir()
        command_warm(Path(room))
        for n in sizes:
            for k, (_, frame) in enumerate(frames(n)):
                if k >= made:
                    cv2.imwrite(str(part / f"{k:06d}.jpg"), frame)
            made = n
            rows.append(row_of(command(part, Path(room) / f"run{n}", 2), n))
            print(rows[-1], flush=True)
        one = row_of(command(part, Path(room) / "one", 1), made)
    decoding = {
        "images": made,
        "images_a_second_one_thread": made / one["decoding"],
        "images_a_second_two_threads": made / rows[-1]["decoding"],
        "ratio": one["decoding"] / rows[-1]["decoding"],
    }
    result = {
        "machine": machine("numpy", "numba", "opencv-python-headless", "pillow"),
        "threshold": THRESHOLD,
        "rows": rows,
        "decoding": decoding,
        "million": foretold(rows),
    }
    save("similarity_scale", result, lines_of(result))


def command_warm(room: Path) -> None:
    """A small run first, so that compiled loops are in the cache."""
    folder = room / "few"
    folder.mkdir()
    for k, (_, frame) in enumerate(frames(8, seed=3)):
        cv2.imwrite(str(folder / f"{k}.jpg"), frame)
    command(folder, room / "few-run", 2)


def lines_of(result: dict[str, Any]) -> list[str]:
    """The tables."""
    decoding, million = result["decoding"], result["million"]
    lines = [
        f"`paring images similarity FRAMES --threshold {THRESHOLD}` on JPEG frames of "
        f"{SIZE}x{SIZE} in bursts, 2 threads, one run a size, everything included:",
        "",
        "| images | edges | kept | seconds | of them decoding | tables | pairs | peak memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['images']:,} | {r['edges']:,} | {r['kept']:,} | {r['seconds']:.1f} | "
        f"{r['decoding']:.1f} | {r['tables']:.1f} | {r['pairs']:.1f} | {r['peak_gib']:.2f} GiB |"
        for r in result["rows"]
    ]
    lines += [
        "",
        "The aim for 19,544 images: 600 s and 6 GB. Peak memory counts pages of the mapped pixel "
        "file, which the system takes back when it needs them.",
        "",
        f"Decoding {decoding['images']:,} frames: "
        f"{decoding['images_a_second_one_thread']:,.0f} a second with one thread, "
        f"{decoding['images_a_second_two_threads']:,.0f} with two "
        f"({decoding['ratio']:.2f}x).",
        "",
        f"Fitted: {1000 * million['seconds_an_image']:.2f} ms an image and "
        f"{million['nanoseconds_a_pair']:.1f} ns a pair. A million such images would take about "
        f"{million['hours_for_a_million']:.1f} hours on this machine, with "
        f"{million['pixels_gib_for_a_million']:.0f} GiB of pixels on disk and "
        f"{million['tables_gib_for_a_million']:.1f} GiB of tables in memory, if edges an image "
        "stay the same; they grow with N where bursts of different scenes are alike.",
    ]
    return lines


if __name__ == "__main__":
    main()
