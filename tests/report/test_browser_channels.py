"""The page of a pruned network in a browser."""

from __future__ import annotations

from pathlib import Path

import html5lib
import pytest

from browser import CONTRAST, LEAST_CONTRAST, Look, View
from paring.report.making import write_report
from paring.report.page import asset
from pruned_runs import pruned_at

WIDTHS = (390, 820, 1280)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(pruned_at(tmp_path_factory.mktemp("made"), tuned=True))


@pytest.fixture
def view(look: Look, page: Path) -> View:
    return look(page)


def test_the_page_is_well_formed_and_has_its_sections(view: View) -> None:
    text = view.file.read_text(encoding="utf-8").replace(asset("echarts.min.js"), "")
    html5lib.HTMLParser(strict=True).parse(text)
    assert view.texts("#contents a") == [
        *("What it costs", "What stays of each layer", "How it was made"),
    ]
    assert view.draw_all() == 1
    assert view.texts("#facts li") == [
        *("SecretNet", "by redundancy", "4 layers", "2 made narrower", "at 64 × 96 pixels"),
    ]


def test_costs_and_layers_are_shown_with_what_they_were(view: View) -> None:
    rows = view.js(
        "[...document.querySelectorAll('#costs tbody tr')].map((r) => r.innerText.split('\\t'))"
    )
    assert rows == [
        ["Multiply-accumulates", "2.00 M", "1.00 M", "50.0 %"],
        ["Parameters", "50.0 k", "20.0 k", "40.0 %"],
        ["Time of an image", "4.00 ms", "3.00 ms", "75.0 %"],
    ]
    cells = view.js(
        "[...document.querySelectorAll('#layer-table tbody tr')]"
        ".map((r) => [...r.children].map((c) => c.innerText))"
    )
    assert [row[1:5] for row in cells] == [
        ["secret.first", "20", "32", "62.5 %"],
        ["secret.second", "64", "64", "100.0 %"],
        ["secret.third", "40", "128", "31.2 %"],
        ["secret.head", "11", "11", "100.0 %"],
    ]
    assert cells[3][-1] == "its channels are an output of the network"
    assert "0.6250" in view.js("document.body.innerText")


def test_bars_are_what_stays_and_what_is_gone(view: View) -> None:
    view.draw_all()
    series = view.js(
        "echarts.getInstanceByDom(document.querySelector('.chart')).getOption().series"
        ".map((one) => [one.name, one.data])"
    )
    assert series == [["stay", [20, 64, 40, 11]], ["gone", [12, 0, 88, 0]]]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(look: Look, page: Path, width: int) -> None:
    view = look(page, viewport={"width": width, "height": 900})
    view.draw_all()
    assert view.js("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
def test_texts_stand_out(look: Look, page: Path, dark: bool) -> None:
    view = look(page, color_scheme="dark" if dark else "light")
    ratios = dict(view.js(CONTRAST))
    assert {name: ratio for name, ratio in ratios.items() if ratio < LEAST_CONTRAST} == {}
