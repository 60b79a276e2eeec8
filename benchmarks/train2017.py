"""Reading and pruning a COCO file of the size of train2017, beside the plain way.

The file is generated (`coco_file.py`); it has the real one's counts and geometry. Each way runs in
a process of its own, so that its peak memory is its own. The plain way is what the published code
does: `json.load`, then the mask of each instance drawn on the full frame; its drawing is measured
on a sample and extrapolated, which is said.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from coco_file import write_coco_file
from machine import machine, save, spread

SAMPLE = 8_000

READ = "import paring; d = paring.read({file!r}); print(len(d), len(d.instances))"
LOAD = "import json; d = json.load(open({file!r})); print(len(d['images']), len(d['annotations']))"
DRAW = """
import json, sys, time
import cv2, numpy as np
d = json.load(open({file!r}))
size = {{i["id"]: (i["height"], i["width"]) for i in d["images"]}}
some = [a for a in d["annotations"] if not a["iscrowd"]]
some = some[:: max(1, len(some) // {sample})]
def outline(a):
    mask = np.zeros(size[a["image_id"]], np.uint8)
    for part in a["segmentation"]:
        cv2.fillPoly(mask, [np.array(part).reshape(-1, 2).astype(np.int32)], 1)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not found:
        return 0.0
    largest = max(found, key=cv2.contourArea)
    area = cv2.contourArea(largest)
    return cv2.arcLength(largest, True) / (2 * (np.pi * area) ** 0.5) if area else 0.0
for a in some[:200]:
    outline(a)
started = time.perf_counter()
for a in some:
    outline(a)
print((time.perf_counter() - started) / len(some))
"""


def run(code: list[str]) -> tuple[float, str, float]:
    """Seconds, output and peak resident GiB of a process."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(code, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        took = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"{code} ended with {child.returncode}")
        out.seek(0)
        return took, out.read().decode(), usage.ru_maxrss / 2**20


def measured(ways: dict[str, list[str]], repeats: int) -> dict[str, dict[str, Any]]:
    """Seconds with spread and peak memory of each way; the ways take turns."""
    runs: dict[str, list[tuple[float, str, float]]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, code in ways.items():
            runs[name].append(run(code))
    return {
        name: {
            "seconds": spread([took for took, _, _ in done], 2),
            "peak_gib": round(max(peak for _, _, peak in done), 2),
        }
        for name, done in runs.items()
    }


def main() -> None:
    """Generate the file where it is not given, measure, and write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", type=Path, help="a file generated before")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        file = options.file or Path(room) / "instances_train2017.json"
        if options.file is None:
            write_coco_file(file)
        text = str(file)

        def command(contour: str) -> list[str]:
            words = ["images", "shape", text, "--rate", "0.5", "--contour", contour]
            out = str(Path(room) / contour)
            return [sys.executable, "-m", "paring", *words, "-o", out, "--overwrite", "--no-report"]

        python = [sys.executable, "-c"]
        ways = {
            "paring.read": [*python, READ.format(file=text)],
            "json.load": [*python, LOAD.format(file=text)],
            "paring images shape --no-report (raster)": command("raster"),
            "paring images shape --no-report --contour polygon": command("polygon"),
        }
        run(
            [*python, "import paring.images.contours.kernel"]
        )  # compile once, as any earlier run would
        found = measured(ways, options.repeats)
        each = float(run([*python, DRAW.format(file=text, sample=SAMPLE)])[1])
        size = file.stat().st_size
    n = 860_001
    plain = found["json.load"]["seconds"]["median"] + each * n
    result = {
        "machine": machine("numpy", "polars", "opencv-python-headless", "numba", "msgspec"),
        "file_bytes": size,
        "ways": found,
        "published_loop": {
            "seconds_an_instance": round(each, 7),
            "sample": SAMPLE,
            "extrapolated_seconds_with_json_load": round(plain, 1),
        },
    }
    lines = [
        f"A generated file of {size / 2**20:,.0f} MiB, 118,287 images and {n:,} instances; each",
        f"way in processes of its own, median of {options.repeats} (smallest to largest).",
        "",
        "| way | seconds | peak memory | goal |",
        "|---|---|---|---|",
    ]
    bounds = ("at most 12 s, 3 GB", "", "at most 25 s, 4 GB", "at most 20 s, 4 GB")
    for (name, way), bound in zip(found.items(), bounds, strict=True):
        s = way["seconds"]
        lines.append(
            f"| `{name}` | {s['median']:.1f} ({s['min']:.1f} to {s['max']:.1f}) "
            f"| {way['peak_gib']:.2f} GiB | {bound} |"
        )
    whole = found["paring images shape --no-report (raster)"]["seconds"]["median"]
    lines += [
        "",
        f"The plain way (`json.load`, then the published full-frame loop at {each * 1e6:.0f} µs an "
        f"instance on a sample of {SAMPLE:,}) comes to {plain:.0f} s; the whole raster command is "
        f"{plain / whole:.1f} times as fast.",
    ]
    save("train2017", result, lines)


if __name__ == "__main__":
    main()
