"""Reading and pruning a COCO file of the size of train2017, beside the plain way.

The file is generated (`coco_file.py`); it has the real one's counts and geometry. Each way runs in
a process of its own, so that its peak memory is its own. The plain way is what the published code
does: `json.load`, then the mask of each instance drawn on the full frame; its drawing is measured
on a sample and extrapolated, which is said.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from coco_file import write_coco_file
from machine import machine, save, seconds, spread

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
    out: list[str] = []

    def work() -> None:
        done = subprocess.run(code, check=True, capture_output=True, text=True)
        out.append(done.stdout)

    took = seconds(work)
    # the largest child so far: ways are run in order of their appetite, smallest first
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return took, out[0], peak


def measured(code: list[str], repeats: int) -> dict[str, object]:
    """Seconds with spread and peak memory of a process, run in a fresh parent each time."""
    times, peaks = [], []
    for _ in range(repeats):
        probe = (
            "import sys; sys.path.insert(0, {here!r}); import train2017, json; "
            "print(json.dumps(train2017.run({code!r})))"
        ).format(here=str(Path(__file__).parent), code=code)
        done = subprocess.run(
            [sys.executable, "-c", probe], check=True, capture_output=True, text=True
        )
        took, _, peak = json.loads(done.stdout)
        times.append(took)
        peaks.append(peak)
    return {"seconds": spread(times, 2), "peak_gib": round(max(peaks), 2)}


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
            return [sys.executable, "-m", "paring", *words, "-o", out, "--overwrite"]

        python = [sys.executable, "-c"]
        ways = {
            "paring.read": [*python, READ.format(file=text)],
            "json.load": [*python, LOAD.format(file=text)],
            "paring images shape (raster)": command("raster"),
            "paring images shape --contour polygon": command("polygon"),
        }
        run([*python, "import paring.images.kernel"])  # compile once, as any earlier run would
        found = {name: measured(code, options.repeats) for name, code in ways.items()}
        each = float(run([*python, DRAW.format(file=text, sample=SAMPLE)])[1])
        size = file.stat().st_size
    n = 860_001
    plain = found["json.load"]["seconds"]["median"] + each * n  # type: ignore[index]
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
        f"A generated file of {size / 2**20:,.0f} MiB, 118,287 images and {n:,} instances; each way in",
        f"processes of its own, median of {options.repeats} (smallest to largest).",
        "",
        "| way | seconds | peak memory | bound |",
        "|---|---|---|---|",
    ]
    bounds = ("12 s, 3 GB", "", "25 s, 4 GB", "20 s, 4 GB")
    for (name, way), bound in zip(found.items(), bounds, strict=True):
        s = way["seconds"]
        lines.append(
            f"| `{name}` | {s['median']:.1f} ({s['min']:.1f} to {s['max']:.1f}) "  # type: ignore[index]
            f"| {way['peak_gib']:.2f} GiB | {bound} |"
        )
    whole = found["paring images shape (raster)"]["seconds"]["median"]  # type: ignore[index]
    lines += [
        "",
        f"The plain way (`json.load`, then the published full-frame loop at {each * 1e6:.0f} µs an "
        f"instance on a sample of {SAMPLE:,}) comes to {plain:.0f} s; the whole raster command is "
        f"{plain / whole:.1f} times as fast.",
    ]
    save("train2017", result, lines)


if __name__ == "__main__":
    main()
