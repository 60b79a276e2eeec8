"""Reports in a real browser: finding one, opening a page in it, and the runs that are shown."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import pytest

import paring

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
OWN = ("file:", "data:", "blob:")
"""What a page may ask for without asking a network."""

LEAST_CONTRAST = 4.5  # WCAG 2.2, AA, of text of the usual size

CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], a: a / 255 };
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const { rgb, a } = rgba(getComputedStyle(e).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const worst = new Map();
  for (const element of document.querySelectorAll("body *")) {
    const text = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!text || !element.checkVisibility() || element.closest(".chart, :disabled, script")) continue;
    const one = light(rgba(getComputedStyle(element).color).rgb), other = light(ground(element));
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const name = `${element.tagName.toLowerCase()}.${element.className}`;
    worst.set(name, Math.min(worst.get(name) ?? 99, ratio));
  }
  return [...worst];
}
"""  # noqa: E501
"""The lowest contrast of text with what is behind it, by kind of element."""

Command: TypeAlias = Sequence[object]


def find_browser() -> str | None:
    """Chromium or Chrome, or what the environment names."""
    return os.environ.get("PARING_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """A browser that runs until the block ends; the test skips where there is none."""
    path = find_browser()
    if path is None:
        pytest.skip(f"no browser is here ({', '.join(NAMES)}, or PARING_BROWSER=its path)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(OPTIONS))
        yield browser
        browser.close()


class View:
    """One report in the browser, and everything it complained of or asked for."""

    def __init__(self, browser: Browser, file: Path, **options: Any) -> None:
        self.file = file
        self.problems: list[str] = []
        self.expected: str | None = None  # part of a problem that the test is about
        # without motion nothing is measured halfway
        usual = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
        self.page: Page = browser.new_page(**usual | options)
        self.page.set_default_timeout(20_000)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._asked)
        self.page.goto(file.resolve().as_uri())
        self.wait_for("document.documentElement.dataset.ready === 'yes'")

    def _heard(self, message: ConsoleMessage) -> None:
        self.problems.append(f"console {message.type}: {message.text}")

    def unexpected(self) -> list[str]:
        """What it complained of or asked for, and should not have."""
        return [p for p in self.problems if self.expected is None or self.expected not in p]

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(OWN):
            self.problems.append(f"request: {request.url}")

    def js(self, text: str, value: Any = None) -> Any:
        """What an expression or a function of one argument gives in the page."""
        return self.page.evaluate(text, value)

    def wait_for(self, text: str, seconds: float = 20) -> None:
        """Wait until an expression is true; Playwright's own way needs an `eval` in the page."""
        end = time.monotonic() + seconds
        while not self.js(f"Boolean({text})"):
            assert time.monotonic() < end, f"never came true: {text}"
            self.page.wait_for_timeout(20)

    def settle(self) -> None:
        """Wait for what the page does in its next frame, and for what that asks for."""
        frame = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
        self.js(f"(async () => {{ await {frame}; await {frame}; }})()")

    def text(self, selector: str) -> str:
        """The text of the first such element, as it is shown."""
        return self.page.locator(selector).first.inner_text()

    def texts(self, selector: str) -> list[str]:
        """The text content of all such elements."""
        return self.page.locator(selector).all_text_contents()

    def kept(self) -> list[bool]:
        """Which images stay, as the cut stands on the page."""
        return [bool(flag) for flag in self.js("Array.from(cut.kept)")]

    def slide(self, place: int) -> None:
        """Move the slider as a hand does."""
        self.js(
            "(place) => { const range = document.getElementById('rate'); range.value = place;"
            " range.dispatchEvent(new Event('input', { bubbles: true })); }",
            place,
        )
        self.settle()

    def losses(self) -> dict[str, list[str]]:
        """The table of losses by the name in its first column, all categories shown."""
        more = self.page.locator("#losses > button")
        if more.is_visible() and more.inner_text().startswith("Show all"):
            more.click()
        rows = self.js(
            "[...document.querySelectorAll('#losses tbody tr')]"
            ".map((row) => [...row.children].map((cell) => cell.textContent))"
        )
        return {row[0]: row[1:] for row in rows}

    def draw_all(self) -> int:
        """Scroll past every chart, so that it is drawn; gives how many there are."""
        charts = self.page.locator(".chart")
        for k in range(charts.count()):
            charts.nth(k).scroll_into_view_if_needed()
            self.wait_for(f"echarts.getInstanceByDom(document.querySelectorAll('.chart')[{k}])")
        self.settle()
        return charts.count()

    def rows(self) -> list[int]:
        """What the list of all images shows from its top on, after filters and order."""
        view = "#images .virtual"
        found = f"[...document.querySelectorAll('{view} li')]"
        return self.js(
            f"{found}.sort((a, b) => new DOMMatrix(a.style.transform).f"
            " - new DOMMatrix(b.style.transform).f)"
            ".map((line) => Number(line.querySelector('[data-row]').dataset.row))"
        )


Look: TypeAlias = Callable[..., View]


def paring_in(folder: Path, *arguments: object) -> None:
    """Run `paring` in a folder, within this process, and expect that it succeeds."""
    from paring.cli.main import main

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(signal, "signal", lambda *_: None)
        patch.setattr(sys, "argv", ["paring", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
    assert not end.value.code, arguments


class Runs:
    """Runs on generated scenes, each made once when it is first asked for."""

    MADE: ClassVar[dict[str, Command]] = {
        "shape": ("images", "shape", "scenes.json", "--rate", 0.45),
        "count": ("images", "count", "scenes.json", "--rate", 0.45),
        "random": ("images", "random", "scenes.json", "--rate", 0.45, "--seed", 3),
        "floors": ("images", "shape", "scenes.json", "--rate", 0.5, "--min-per-category", 2),
        "similarity": ("images", "similarity", "scenes.json", "--rate", 0.5, "--size", 32),
        "curve": ("images", "similarity", "scenes.json", "--rate", 0.5, "--size", 32, "--curve"),
    }
    AFTER_SHAPE: ClassVar[dict[str, Command]] = {
        "ccs": (
            *("images", "ccs", "scenes.json"),
            *("--scores", "shape/scores.parquet", "--rate", 0.4),
        ),
        "apply": ("images", "apply", "scenes.json", "--subset", "shape/subset.json"),
    }
    ALL = (*MADE, *AFTER_SHAPE, "demo")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = paring.scenes(60, seed=1, folder=folder / "images", size=(96, 128))
        self.data.write(folder / "scenes.json", format="coco")

    def __call__(self, name: str) -> Path:
        """The folder of a run."""
        run = self.folder / name
        if run.exists():
            return run
        if name == "demo":
            paring_in(self.folder, "demo", "--images", 40, "-o", name)
        elif name in self.AFTER_SHAPE:
            self("shape")
            paring_in(self.folder, *self.AFTER_SHAPE[name], "-o", name)
        else:
            paring_in(self.folder, *self.MADE[name], "-o", name)
        return run

    def page(self, name: str) -> Path:
        """The report of a run."""
        return self(name) / "report" / "index.html"


def flags(ids: Sequence[int], kept: Sequence[int]) -> list[bool]:
    """Which of some images are among the kept ones."""
    return np.isin(ids, kept).tolist()
