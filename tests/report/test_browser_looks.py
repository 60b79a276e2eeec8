"""How a report looks: narrow and wide, light and dark, with enough contrast to be read."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import paring
from browser import CONTRAST, LEAST_CONTRAST, Look, Runs, View, paring_in

WIDTHS = (390, 820, 1280)
THEMES = ("light", "dark")


@pytest.fixture(scope="module")
def long_names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a name, a category and files that are long and have no place to break."""
    folder = tmp_path_factory.mktemp("long")
    data = paring.scenes(20, seed=1)
    long = "a" * 120
    names = [f"{long}/{name}" for name in data.images["file_name"]]
    data = paring.Dataset(
        data.images.with_columns(file_name=pl.Series(names)),
        data.instances,
        data.categories.with_columns(name=data.categories["name"] + "-" + "x" * 90),
        data.masks,
    )
    data.write(folder / "scenes.json", format="coco")
    run = "run-" + "r" * 100
    paring_in(folder, "images", "shape", "scenes.json", "--rate", 0.5, "-o", run)
    paring_in(folder, "images", "random", "scenes.json", "--rate", 0.5, "-o", run.upper())
    paring_in(folder, "report", run, run.upper(), "-o", "both")
    return folder


def assert_fits(view: View) -> None:
    view.draw_all()
    for width in WIDTHS:
        view.page.set_viewport_size({"width": width, "height": 850})
        view.settle()
        view.settle()
        root = "document.documentElement"
        wide, window = view.js(f"[{root}.scrollWidth, innerWidth]")
        assert wide <= window == width


@pytest.mark.parametrize("name", ["shape", "curve", "random", "demo"])
def test_no_width_of_window_makes_the_page_scroll_sideways(
    look: Look, runs: Runs, name: str
) -> None:
    view = look(runs.page(name))
    if name != "random":
        view.slide(3)
    assert_fits(view)


@pytest.mark.parametrize("name", ["one", "both"])
def test_long_names_are_broken_or_cut(look: Look, long_names: Path, name: str) -> None:
    run = next(path for path in long_names.iterdir() if path.name.startswith("run-"))
    folder = long_names / "both" if name == "both" else run / "report"
    view = look(folder / "index.html")
    assert_fits(view)
    view.page.set_viewport_size({"width": WIDTHS[0], "height": 850})
    view.page.locator("#images .row").first.click()
    box, inner = view.js("[document.getElementById('viewer').scrollWidth, innerWidth]")
    assert box <= inner


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["shape", "similarity"])
def test_text_has_enough_contrast(look: Look, runs: Runs, name: str, theme: str) -> None:
    view = look(runs.page(name), color_scheme=theme)
    view.draw_all()
    view.page.locator("#gallery .card").first.click()
    ratios = dict(view.js(CONTRAST))
    seen = {"span.badge kept", "span.badge dropped", "p.note", "h1.", "span.quiet-words", "p.line"}
    assert seen - {"p.line"} <= set(ratios)
    assert {name: ratio for name, ratio in ratios.items() if ratio < LEAST_CONTRAST} == {}


def test_colours_change_with_the_theme_also_in_charts(look: Look, runs: Runs) -> None:
    view = look(runs.page("shape"), color_scheme="light")
    view.draw_all()
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = (
        "[...document.querySelectorAll('.chart')].map((place) =>"
        " echarts.getInstanceByDom(place).getOption().textStyle.color)"
    )
    light = view.js(ground), view.js(ink)
    button = view.page.locator("#theme")
    assert button.inner_text() == "Dark theme"
    button.click()
    dark = view.js(ground), view.js(ink)
    assert light[0] != dark[0]
    assert set(light[1]).isdisjoint(dark[1])
    assert button.inner_text() == "Light theme"
    view.page.emulate_media(color_scheme="dark")  # what was chosen stays
    assert (view.js(ground), view.js(ink)) == dark
    button.click()
    assert (view.js(ground), view.js(ink)) == light


def test_the_theme_follows_the_system_until_one_is_chosen(look: Look, runs: Runs) -> None:
    view = look(runs.page("random"), color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert view.text("#theme") == "Light theme"
    dark = view.js(ground)
    view.page.emulate_media(color_scheme="light")
    view.settle()
    assert view.text("#theme") == "Dark theme"
    assert view.js(ground) != dark
