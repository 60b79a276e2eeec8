"""The page of a comparison in a browser."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import html5lib
import pytest

from browser import CONTRAST, LEAST_CONTRAST, Look, View
from comparisons import METHODS, compared_at
from paring.experiment.cells import Place
from paring.experiment.folder import RESULTS
from paring.experiment.table import read_results, summarise
from paring.report.making import write_report
from paring.report.page import asset

FAILED = Place("aum", 0.6, 1, "steps")
METRICS = ("dice_per_image", "miou")
WIDTHS = (390, 820, 1280)
SERIES = """
(k) => echarts.getInstanceByDom(document.querySelectorAll(".chart")[k]).getOption().series
  .map((one) => [one.name, one.type, one.data.map((d) => d.value ?? d), one.color])
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = compared_at(
        tmp_path_factory.mktemp("made"),
        methods=METHODS,
        budget="both",
        metrics=METRICS,
        failed=[FAILED],
    )
    write_report(output)
    return output


@pytest.fixture
def view(look: Look, output: Path) -> View:
    return look(output / "report" / "index.html")


def test_the_page_is_well_formed_labelled_and_has_its_sections(view: View) -> None:
    text = view.file.read_text(encoding="utf-8").replace(asset("echarts.min.js"), "")
    html5lib.HTMLParser(strict=True).parse(text)
    assert view.texts("#contents a") == [
        *("What each method keeps", "What ranking costs", "The table"),
        *("What failed", "How it was made"),
    ]
    assert view.draw_all() == 2 * 2 + 1
    ids = view.js("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert {name for name, times in Counter(ids).items() if times > 1} == set()
    assert "73 of 74 cells done" in view.texts("#facts li")
    axes = view.js(
        "[...document.querySelectorAll('.chart')].map((place) => {"
        " const option = echarts.getInstanceByDom(place).getOption();"
        " return [...option.xAxis, ...option.yAxis].map((axis) => axis.name); })"
    )
    assert axes == [
        *([["images removed (%)", name] for _ in range(2) for name in METRICS]),
        ["seconds (logarithmic)", "method"],
    ]
    said = view.js(
        "[...document.querySelectorAll('.chart')].map((place) => place.getAttribute('aria-label'))"
    )
    assert all(said)


def test_charts_draw_the_means_and_their_spread(view: View, output: Path) -> None:
    view.draw_all()
    table = summarise(read_results(output / RESULTS), METRICS)
    for k, (budget, metric) in enumerate((b, m) for b in ("epochs", "steps") for m in METRICS):
        lines, bars = {}, {}
        for name, kind, points, _ in view.js(SERIES, k):
            (lines if kind == "line" else bars)[name] = points
        rows = [row for row in table.iter_rows(named=True) if row["budget"] == budget]
        called = {"full": "full data", "random": "random (chance)"}
        assert set(lines) == {called.get(row["method"], row["method"]) for row in rows}
        for name, points in lines.items():
            own = [row for row in rows if called.get(row["method"], row["method"]) == name]
            assert [y for _, y in points] == pytest.approx([row[metric] for row in own])
            # marks of one rate stand side by side, but never nearer to another rate
            for (x, _), row in zip(points, own, strict=True):
                assert abs(x - 100 * row["rate"]) < 5.01
            spread = [row for row in own if row[f"{metric}_sd"]]
            assert [bar[1:] for bar in bars.get(name, [])] == [
                pytest.approx(
                    [row[metric] - row[f"{metric}_sd"], row[metric] + row[f"{metric}_sd"]]
                )
                for row in spread
            ]


def test_a_method_is_taken_out_of_all_charts_and_brought_back(view: View) -> None:
    view.draw_all()
    button = view.page.locator("#by-rate button", has_text="aum")
    for pressed in ("false", "true"):
        button.click()
        view.settle()
        assert button.get_attribute("aria-pressed") == pressed
        for k in range(4):
            names = {name for name, *_ in view.js(SERIES, k)}
            assert ("aum" in names) == (pressed == "true")
            assert "full data" in names


def test_bars_are_the_mean_times_from_the_shortest_on_a_logarithmic_axis(
    view: View, output: Path
) -> None:
    view.draw_all()
    frame = read_results(output / RESULTS)
    ((_, kind, seconds, _),) = view.js(SERIES, 4)
    assert kind == "bar"
    assert seconds == sorted(seconds)
    # the made-up time of a method is the same in all its cells
    wanted = frame.drop_nulls("seconds_to_rank")["seconds_to_rank"].unique().sort().to_list()
    assert seconds == pytest.approx(wanted)
    assert len(seconds) == len(METHODS)
    bars = view.js(
        "(() => { const chart = echarts.getInstanceByDom(document.querySelectorAll('.chart')[4]);"
        " const data = chart.getModel().getSeriesByIndex(0).getData();"
        " return Array.from({length: data.count()}, (_, k) => data.getItemLayout(k))"
        ".map(({x, width}) => [Math.min(x, x + width), Math.max(x, x + width)]); })()"
    )
    assert min(seconds) < 1 < max(seconds)
    assert {round(begin, 3) for begin, _ in bars} == {round(bars[0][0], 3)}
    assert [end for _, end in bars] == sorted(end for _, end in bars)


def test_tables_have_every_row_with_chance_and_the_full_data_marked(
    view: View, output: Path
) -> None:
    table = summarise(read_results(output / RESULTS), METRICS)
    for budget in ("epochs", "steps"):
        rows = [row for row in table.iter_rows(named=True) if row["budget"] == budget]
        shown = view.js(
            f"[...document.querySelectorAll('table[data-budget={budget}] tbody tr')].map((row) =>"
            " [row.dataset.method, ...[...row.children].map((cell) => cell.textContent)])"
        )
        assert [line[0] for line in shown] == [row["method"] for row in rows]
        for line, row in zip(shown, rows, strict=True):
            assert line[3] == f"{row['dice_per_image']:.4f}" + (
                "" if row["dice_per_image_sd"] is None else f" ± {row['dice_per_image_sd']:.4f}"
            )
            n = "2" if row["n"] == 2 else f"{row['n']} of 2"
            assert line[7] == n
        strong = view.texts(f"table[data-budget={budget}] strong")
        assert sorted(strong) == ["full data", *["random (chance)"] * 2]


def test_what_failed_is_told_with_its_reason(view: View) -> None:
    (line,) = view.texts("#failed li")
    assert line.startswith("aum at 60 %, seed 1, equal steps: ")
    assert line.endswith("secret: the loss is no number")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_every_width_and_can_be_read_in_both_themes(
    look: Look, output: Path, theme: str
) -> None:
    view = look(output / "report" / "index.html", color_scheme=theme)
    view.draw_all()
    view.page.locator("#recipe summary").click()
    for width in WIDTHS:
        view.page.set_viewport_size({"width": width, "height": 850})
        view.settle()
        view.settle()
        wide = view.js("document.documentElement.scrollWidth")
        assert wide <= width
    ratios = dict(view.js(CONTRAST))
    assert {name: ratio for name, ratio in ratios.items() if ratio < LEAST_CONTRAST} == {}


def test_a_comparison_of_which_nothing_is_done_says_so(look: Look, tmp_path: Path) -> None:
    places = [Place("full", 0.0, seed, "epochs") for seed in (0, 1)]
    places += [Place("random", rate, seed, "epochs") for rate in (0.4, 0.6) for seed in (0, 1)]
    output = compared_at(tmp_path, methods=[], failed=places)
    view = look(write_report(output))
    assert view.text("#headline") == "None of 6 cells is done."
    assert view.texts("#contents a") == ["What failed", "How it was made"]
    assert len(view.texts("#failed li")) == 6
