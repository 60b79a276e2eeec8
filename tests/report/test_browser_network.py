"""The similarity network of a report in a browser."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from browser import Look, Runs, View

INSTANCE = "echarts.getInstanceByDom(document.querySelector('#network .chart'))"
PLACE = """
(k) => {
  const place = document.querySelector('#network .chart'), chart = echarts.getInstanceByDom(place);
  const { x, y, symbolSize } = chart.getOption().series[0].data[k];
  const [left, top] = chart.convertToPixel({ seriesIndex: 0 }, [x, y]);
  return [left, top, symbolSize / 2, chart.getWidth(), chart.getHeight()];
}
"""


@pytest.fixture
def view(look: Look, runs: Runs) -> View:
    view = look(runs.page("similarity"))
    view.page.locator("#network .chart").scroll_into_view_if_needed()
    view.wait_for(INSTANCE)
    view.settle()
    return view


@pytest.fixture(scope="module")
def scores(runs: Runs) -> pl.DataFrame:
    """Scores of the run, by row on the page, with what stays and what covers as a row."""
    run: Path = runs("similarity")
    kept = json.loads((run / "subset.json").read_text())["kept"]
    frame = pl.read_parquet(run / "scores.parquet").with_row_index("row")
    rows = frame.select(covered_by="image_id", by="row")
    return frame.with_columns(kept=pl.col("image_id").is_in(kept)).join(
        rows, on="covered_by", how="left", maintain_order="left"
    )


def shown_similarity(text: str) -> float:
    return float(text.split(" similar")[0].split()[-1])


def place_of(view: View, node: int) -> tuple[float, float]:
    """Where the middle of a node is in the window."""
    left, top, *_ = view.js(PLACE, node)
    box = view.page.locator("#network .chart").bounding_box()
    assert box is not None
    return box["x"] + left, box["y"] + top


def assert_rounded_down(text: float, value: float) -> None:
    assert value - 1e-3 - 2e-6 < text <= value + 1e-12


def test_a_node_shows_its_picture_and_name_and_lists_its_community(
    view: View, scores: pl.DataFrame
) -> None:
    nodes = view.js("paring.data.network.drawn.rows")
    assert sorted(nodes) == scores["row"].to_list()
    community = scores.filter(pl.col("community") >= 0).group_by("community").len()
    lonely = community.filter(pl.col("len") == 1)["community"].to_list()
    sizable = community.filter(pl.col("len") > 2)["community"].to_list()
    assert lonely
    assert sizable
    wanted = [
        scores.filter(community=sizable[0], kept=True)["row"][0],
        scores.filter(community=sizable[-1], kept=False)["row"][-1],
        scores.filter(community=lonely[0])["row"][0],
    ]
    for row in wanted:
        image = scores.row(row, named=True)
        view.page.mouse.move(5, 5)
        view.page.mouse.move(*place_of(view, nodes.index(row)))
        hint = view.page.locator("#network .hint")
        hint.wait_for(state="visible")
        view.wait_for(
            f"document.querySelector('#network .hint strong').textContent === "
            f"{json.dumps(image['file_name'])}"
        )
        picture = hint.locator("img")
        assert picture.get_attribute("src") == f"thumbnails/{row:06d}.jpg"
        assert ("stays" in hint.inner_text()) == image["kept"]
        if image["by"] is not None:
            by = scores.row(image["by"], named=True)
            assert by["file_name"] in hint.inner_text()

        view.page.mouse.click(*place_of(view, nodes.index(row)))
        members = scores.filter(community=image["community"])
        view.wait_for(f"document.querySelector('#community').value === '{image['community']}'")
        first = members.sort(
            "kept", "similarity", descending=True, nulls_last=True, maintain_order=True
        )
        view.js("document.querySelector('.members .virtual').style.height = '5000px'")
        view.settle()
        view.settle()
        lines = view.page.locator(".members [data-row]")
        rows = [int(r) for r in lines.evaluate_all("(all) => all.map((e) => e.dataset.row)")]
        assert rows == first["row"].to_list()
        for line, member in zip(lines.all_inner_texts(), first.iter_rows(named=True), strict=True):
            assert member["file_name"] in line
            assert ("kept" in line) == member["kept"]
            if not member["kept"] and member["by"] is not None:
                assert_rounded_down(shown_similarity(line), member["similarity"])
                assert scores["file_name"][member["by"]] in line


def test_no_node_is_cut_off_by_the_edge_of_the_chart(view: View) -> None:
    for node in range(len(view.js("paring.data.network.drawn.rows"))):
        left, top, radius, width, height = view.js(PLACE, node)
        assert radius <= left <= width - radius
        assert radius <= top <= height - radius


def test_communities_can_be_chosen_from_a_list_the_largest_first(
    view: View, scores: pl.DataFrame
) -> None:
    options = view.texts("#community option")
    sizes = [int(text.split(": ")[1].split()[0]) for text in options]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == len(scores.filter(pl.col("community") >= 0))
    view.page.select_option("#community", index=1)
    value = int(view.page.input_value("#community"))
    view.settle()
    first = view.page.locator(".members [data-row]").first.get_attribute("data-row")
    assert scores["community"][int(first or -1)] == value
    assert scores["kept"][int(first or -1)]


def test_pairs_are_the_worst_covered_first_and_right(view: View, scores: pl.DataFrame) -> None:
    covered = scores.filter(pl.col("by").is_not_null() & ~pl.col("kept"))
    while view.page.locator("#pairs > button").is_visible():
        view.page.locator("#pairs > button").click()
    pairs = view.js(
        "[...document.querySelectorAll('.pair-of')].map((pair) => [pair.querySelector('p')"
        ".textContent, ...[...pair.querySelectorAll('.card')].map((e) => Number(e.dataset.row))])"
    )
    assert len(pairs) == len(covered)
    values = []
    for said, gone, stays in pairs:
        image = scores.row(gone, named=True)
        assert stays == image["by"]
        values.append(image["similarity"])
        assert_rounded_down(float(said.removeprefix("similarity ")), values[-1])
    # the page has six digits
    assert all(a <= b + 2e-6 for a, b in pairwise(values))
    badges = set(view.texts(".pair-of .card:first-child .badge"))
    assert badges == {"dropped"}
    assert set(view.texts(".pair-of .card:last-child .badge")) == {"kept"}


def test_figures_of_the_network_are_those_of_the_run(view: View, runs: Runs) -> None:
    about = json.loads((runs("similarity") / "network.json").read_text())
    words = view.text("#network > p")
    assert f"{about['edges']} edge" in words
    assert f"{about['communities']} communities" in words
    assert f"modularity {about['modularity']:.3f}" in words
    view.draw_all()
    curve = view.js(
        "echarts.getInstanceByDom(document.querySelector('#curve .chart')).getOption()"
        ".series.map((one) => one.data)"
    )
    points = sorted((point["threshold"], point["rate"]) for point in about["points"])
    assert [tuple(point) for point in curve[0]] == points
    assert curve[1] == [[about["threshold"], 0.5]]
    tables = view.js(
        "[...document.querySelectorAll('#degrees .chart')].map((place) =>"
        " echarts.getInstanceByDom(place).getOption().series[0].data)"
    )
    assert tables == [about["degree_distribution"], about["community_size_distribution"]]
