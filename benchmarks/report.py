"""What the page of a run costs: seconds, memory and bytes over the number of images.

Every number of images has a generated COCO file and JPEG pictures of 640 x 480 pixels (scenes, of
which many share one file on disk, so that each is decoded all the same). The baseline is the same
command with `--no-report`, in turn with it. Where a browser is found (chromium on PATH, or
PARING_BROWSER), the page is opened and its slider moved.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import simdjson

import paring
from coco_file import write_coco_file
from machine import machine, save, spread, words
from train2017 import run

SIZES = (1_000, 20_000, 120_000)
INSTANCES = 7.27  # an image, as train2017 has
SCENES = 100


def prepare(file: Path, folder: Path, n: int) -> None:
    """A COCO file of n images, and a picture for every one of them."""
    write_coco_file(file, n_images=n, n_instances=round(INSTANCES * n))
    scenes = folder.parent / "scenes"
    if not scenes.exists():
        paring.scenes(SCENES, seed=0, size=(480, 640), folder=scenes)
    drawn = sorted(scenes.iterdir())
    folder.mkdir()
    for k, image in enumerate(simdjson.loads(file.read_bytes())["images"]):
        os.link(drawn[k % len(drawn)], folder / image["file_name"])


def command(*given: object) -> list[str]:
    """`paring` with arguments, as a process."""
    return [sys.executable, "-m", "paring", *map(str, given)]


def costs(room: Path, n: int, repeats: int) -> dict[str, Any]:
    """The command with and without its page, and the page made again."""
    file, folder = room / f"{n}.json", room / f"images{n}"
    # in a process of its own, as children are said to have had the memory of their parent
    maker = get_context("spawn").Process(target=prepare, args=(file, folder, n))
    maker.start()
    maker.join()
    cut = ("images", "count", file, "--images", folder, "--rate", 0.5, "--overwrite", "-o")
    ways = {
        "without the page": command(*cut, room / f"plain{n}", "--no-report"),
        "with the page": command(*cut, room / f"run{n}"),
        "the page alone, made again": command("report", room / f"run{n}"),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(repeats + 1):  # the first warms the file cache
        for name, way in ways.items():
            seconds, _, peak = run(way)
            if turn:
                taken[name].append((seconds, peak))
    report = room / f"run{n}" / "report"
    files = [path.stat().st_size for path in report.rglob("*") if path.is_file()]
    return {
        "images": n,
        "seconds": {name: spread([s for s, _ in some], 2) for name, some in taken.items()},
        "peak_gib": {
            name: round(statistics.median(p for _, p in some), 2) for name, some in taken.items()
        },
        "bytes": sum(files),
        "page_bytes": (report / "index.html").stat().st_size,
        "thumbnails": len(files) - 2,
        "browser": opened(report / "index.html", repeats),
    }


def opened(page: Path, repeats: int) -> dict[str, Any] | None:
    """Seconds until a page is ready, and milliseconds until a moved slider is drawn."""
    found = os.environ.get("PARING_BROWSER") or shutil.which("chromium")
    if found is None:
        return None
    from playwright.sync_api import sync_playwright

    ready, moved, heap = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for _ in range(repeats):
            view = browser.new_page(viewport={"width": 1280, "height": 900})
            view.goto(page.as_uri())
            ready.append(view.evaluate("performance.now()") / 1000)
            script = """(count) => new Promise((done) => {
                const start = performance.now();
                cut.set(cut.top(count));
                const drawn = () => done(performance.now() - start);
                requestAnimationFrame(() => requestAnimationFrame(drawn));
            })"""
            n = view.evaluate("images.n")
            moved += [view.evaluate(script, round(n * share)) for share in (0.2, 0.4, 0.6)]
            heap.append(view.evaluate("performance.memory.usedJSHeapSize") / 2**20)
            view.close()
        browser.close()
    return {
        "ready_seconds": spread(ready, 2),
        "move_milliseconds": spread(moved, 1),
        "heap_mib": round(statistics.median(heap)),
    }


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        rows = [costs(Path(room), n, options.repeats) for n in options.sizes]
    about = machine("numpy", "polars", "opencv-python-headless", "pillow", "playwright")
    lines = [
        "`paring images count` on a generated COCO file with JPEG pictures, 1,000 thumbnails at",
        f"most; processes of their own, median of {options.repeats} (smallest to largest).",
        "",
        "| images | without the page | with it | the page made again | peak memory without, with |"
        " page | with thumbnails |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        plain, whole, again = (words(row["seconds"][name]) for name in row["seconds"])
        peaks = row["peak_gib"]
        lines.append(
            f"| {row['images']:,} | {plain} | {whole} | {again} "
            f"| {peaks['without the page']:.2f}, {peaks['with the page']:.2f} GiB "
            f"| {row['page_bytes'] / 2**20:.1f} MiB | {row['bytes'] / 2**20:.1f} MiB |"
        )
    shown = [row for row in rows if row["browser"] is not None]
    if shown:
        lines += [
            "",
            "In Chromium, from the file system:",
            "",
            "| images | page ready | slider moved and drawn | memory of the page |",
            "|---|---|---|---|",
        ]
    for row in shown:
        seen = row["browser"]
        lines.append(
            f"| {row['images']:,} | {words(seen['ready_seconds'])} "
            f"| {words(seen['move_milliseconds'], 'ms')} | {seen['heap_mib']} MiB |"
        )
    save("report", {"machine": about, "rows": rows}, lines)


if __name__ == "__main__":
    main()
