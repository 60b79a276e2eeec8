from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import html5lib
import pytest

from browser import Look, Runs, View, paring_in
from paring.report.page import as_json, asset, write_page

REAL = {
    "coco160": ("images", "shape", "coco160/instances.json", "--rate", 0.5),
    "kvasir": ("images", "shape", "kvasir", "--split", "validation", "--rate", 0.3),
    "kvasir frames": (
        *("images", "similarity", "kvasir", "--split", "validation"),
        *("--size", 64, "--rate", 0.3),
    ),
}  # fmt: skip

IDS = "[...document.querySelectorAll('[id]')].map((element) => element.id)"
UNLABELLED = """
[...document.querySelectorAll("input, select, textarea, button, dialog[open], [tabindex='0']")]
  .filter((element) => {
    const by = element.getAttribute("aria-labelledby");
    const words = [
      element.getAttribute("aria-label"), by && document.getElementById(by)?.textContent,
      ...[...(element.labels ?? [])].map((label) => label.textContent),
      element.tagName === "BUTTON" ? element.textContent : ""];
    return !words.some((text) => text?.trim());
  })
  .map((element) => element.outerHTML.slice(0, 200))
"""
POINTING_NOWHERE = """
["aria-describedby", "for"].flatMap((name) => [...document.querySelectorAll(`[${name}]`)]
  .filter((element) => !document.getElementById(element.getAttribute(name)))
  .map((element) => element.outerHTML.slice(0, 200)))
"""
FIGURES = """
[...document.querySelectorAll("figure")].map((figure) => {
  const option = echarts.getInstanceByDom(figure.querySelector(".chart")).getOption();
  const axes = [...(option.xAxis ?? []), ...(option.yAxis ?? [])];
  return {
    title: figure.querySelector("figcaption h3").textContent.trim(),
    axes: axes.map((axis) => (axis.name ?? "").trim()),
    kinds: option.series.map((series) => series.type),
  };
})
"""


def assert_sound(view: View) -> None:
    """A page that is well-formed, labelled, and whose charts say what they show."""
    # raises for the first error; the chart library is the same everywhere, and long
    text = view.file.read_text(encoding="utf-8").replace(asset("echarts.min.js"), "")
    html5lib.HTMLParser(strict=True).parse(text)
    charts = view.draw_all()
    twice = {name for name, times in Counter(view.js(IDS)).items() if times > 1}
    assert twice == set()
    assert view.js(UNLABELLED) == []
    assert view.js(POINTING_NOWHERE) == []
    figures = view.js(FIGURES)
    assert len(figures) == charts
    for figure in figures:
        assert figure["title"]
        if figure["kinds"] != ["graph"]:
            assert len(figure["axes"]) == 2, figure
            assert all(figure["axes"]), figure


@pytest.mark.parametrize("name", Runs.ALL)
def test_a_report_opens_without_an_error_or_a_request_and_is_well_formed(
    look: Look, runs: Runs, name: str
) -> None:
    view = look(runs.page(name))
    assert_sound(view)
    pictures = view.page.locator("#gallery .card img")
    assert pictures.count() > 0
    pictures.first.scroll_into_view_if_needed()
    view.wait_for("document.querySelector('#gallery .card img').naturalWidth > 0")
    has = set(view.js("paring.sections.filter((one) => one.when()).map((one) => one.id)"))
    assert {"about", "distributions", "gallery", "images", "losses"} <= has
    assert ("slider" in has) == (name not in {"random", "ccs", "apply"})
    assert ("scores" in has) == (name in {"shape", "count", "floors", "ccs", "demo"})
    assert ("network" in has) == (name in {"similarity", "curve"})
    links = view.page.locator("#contents a")
    assert links.count() == len(has) == view.page.locator("main > section").count()


@pytest.mark.parametrize("name", REAL)
def test_reports_of_real_data_open_as_well(
    look: Look, shared_data: Path, tmp_path: Path, name: str
) -> None:
    first, method, source, *options = REAL[name]
    if not (shared_data / str(source)).exists():
        pytest.skip(f"{source} is not among the real data sets here")
    paring_in(tmp_path, first, method, shared_data / str(source), *options, "-o", "run")
    view = look(tmp_path / "run" / "report" / "index.html")
    assert_sound(view)
    said = json.loads((tmp_path / "run" / "run.json").read_text())
    assert view.text("#headline").startswith(f"{said['kept'] + said['dropped']} images, ")


def test_a_page_without_scripts_still_has_its_headline(look: Look, runs: Runs) -> None:
    text = runs.page("shape").read_text(encoding="utf-8")
    page = html5lib.parse(text, namespaceHTMLElements=False)
    static = page.find(".//h1[@id='headline']").text
    assert static == look(runs.page("shape")).text("#headline")
    assert static.startswith("60 images, 27 removed; ")
    assert page.find(".//title").text == "shape · paring"
    assert "switched off" in page.find(".//noscript").find("p").text


def test_what_looks_like_a_slot_or_markup_in_the_data_stays_data(tmp_path: Path) -> None:
    odd = {
        "a": "@@script@@ @@data@@",
        "b": "</script><!--",
        "c": "\u2028 \\ & <img>",
        "d": "\ud800",
    }
    write_page(tmp_path, odd, title="<t> & @@style@@", headline='"@@title@@" <h>')
    raw = (tmp_path / "index.html").read_bytes()
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    page = parser.parse(raw)
    assert page.find(".//title").text == "<t> & @@style@@"
    assert page.find(".//h1").text == '"@@title@@" <h>'
    assert json.loads(page.find(".//script[@id='data']").text) == odd
    assert "<" not in as_json(odd)


def test_the_licences_of_what_the_page_carries_lie_beside_it(runs: Runs) -> None:
    folder = runs.page("shape").parent
    assert {path.name for path in folder.iterdir()} == {"index.html", "LICENSES.txt", "thumbnails"}
    said = (folder / "LICENSES.txt").read_text(encoding="utf-8")
    for words in ("Apache License", "Apache ECharts", "Mike Bostock", "Baidu"):
        assert words in said
