"""The pictures of report pages in the docs: runs on generated scenes, opened in Chromium.

Takes the folder of the pictures as its argument; needs the extra `torch`, and chromium on PATH, or
PARING_BROWSER. A second argument is the one picture to take anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

SHOTS = {
    # name: page, width, height, theme, what to do first
    "report.jpg": ("run", 1200, 820, "light", "0"),
    "report-slider.jpg": (
        "run",
        1200,
        820,
        "light",
        "const rate = document.getElementById('rate'); rate.value = 800;"
        "rate.dispatchEvent(new Event('input'));"
        "document.getElementById('distributions').scrollIntoView()",
    ),
    "report-network.jpg": (
        "similar",
        1200,
        900,
        "dark",
        "document.getElementById('network').scrollIntoView()",
    ),
    "report-channels.jpg": ("pruned", 1200, 820, "light", "0"),
    "report-compare.jpg": ("compare", 820, 900, "light", "0"),
    "report-phone.jpg": (
        "run",
        390,
        780,
        "dark",
        "document.getElementById('gallery').scrollIntoView()",
    ),
}


def paring(room: Path, *words: object) -> None:
    """Run a command in a folder."""
    command = [sys.executable, "-m", "paring", *map(str, words)]
    subprocess.run(command, cwd=room, check=True, stdout=subprocess.DEVNULL)


def shoot(browser: Browser, page: Path, target: Path, shot: tuple[str, int, int, str, str]) -> None:
    """One picture of a page."""
    _, width, height, theme, script = shot
    view = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    view.goto(page.as_uri())
    for k in range(12):  # charts are drawn when they come into view
        view.evaluate(f"scrollTo(0, {k} * {height // 2})")
        view.wait_for_timeout(50)
    view.evaluate("scrollTo(0, 0)")
    view.evaluate(f"() => {{ {script} }}")
    view.wait_for_timeout(600)
    view.screenshot(path=target, type="jpeg", quality=82)
    view.close()


def main() -> None:
    """Make the runs and take the pictures."""
    folder = Path(sys.argv[1]).resolve()
    found = os.environ.get("PARING_BROWSER") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        room = Path(name)
        paring(room, "demo", "-o", "demo")
        cut = ("images", "shape", "demo/scenes.json", "--rate")
        paring(room, *cut, 0.5, "-o", "run")
        paring(room, "images", "random", "demo/scenes.json", "--rate", 0.5, "-o", "chance")
        paring(room, "images", "similarity", "demo/images", "--rate", 0.6, "-o", "similar")
        paring(room, "report", "run", "chance", "-o", "compare")
        paring(
            *(room, "train", "small-semantic", "data.train=demo/scenes.json", "trainer.epochs=1"),
            *("data.size=[96,128]", "-o", "trained"),
        )
        paring(room, "channels", "prune", "trained", "--keep-macs", 0.5, "-o", "pruned")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for file, shot in SHOTS.items():
            if len(sys.argv) > 2 and file != sys.argv[2]:
                continue
            inner = "" if shot[0] == "compare" else "report"
            shoot(browser, room / shot[0] / inner / "index.html", folder / file, shot)
        browser.close()


if __name__ == "__main__":
    main()
