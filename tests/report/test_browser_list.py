"""The list of all images, and the keyboard, in a browser."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import factory
import paring
from browser import Look, Runs, View, paring_in
from paring.dataset.subset import Subset

MANY = 120_000


@pytest.fixture(scope="module")
def table(runs: Runs) -> pl.DataFrame:
    """What the shape run knows of each image, by its row on the page."""
    data = paring.read(runs.folder / "scenes.json", images=runs.folder / "images")
    held = data.instances.filter(~pl.col("iscrowd")).join(data.categories, on="category_id")
    held = held.group_by("image_id").agg(pl.col("name").alias("categories"), pl.len().alias("n"))
    scores = pl.read_parquet(runs("shape") / "scores.parquet").select("image_id", "score")
    kept = Subset.load(runs("shape") / "subset.json").kept
    return (
        data.images.join(scores, on="image_id", maintain_order="left")
        .join(held, on="image_id", how="left", maintain_order="left")
        .with_columns(pl.col("n").fill_null(0), kept=pl.col("image_id").is_in(kept))
        .with_row_index("row")
    )


def shown(view: View) -> list[int]:
    """All rows of the list, in their order; the view is made high enough for them."""
    view.js("document.querySelector('#images .virtual').style.maxHeight = '6000px'")
    view.settle()
    view.settle()
    return view.rows()


def rows(frame: pl.DataFrame) -> list[int]:
    return frame["row"].to_list()


def test_search_filters_and_order_give_the_right_rows(
    look: Look, runs: Runs, table: pl.DataFrame
) -> None:
    view, n = look(runs.page("shape")), len(table)
    best = pl.col("score")
    assert shown(view) == rows(table.sort(best, descending=True, maintain_order=True))
    orders = {
        "up": table.sort(best, maintain_order=True),
        "data": table,
        "name": table.sort("file_name", maintain_order=True),
        "instances": table.sort("n", descending=True, maintain_order=True),
    }
    for order, frame in orders.items():
        view.page.select_option("#sort", order)
        assert shown(view) == rows(frame), order
    view.page.select_option("#sort", "data")

    view.page.fill("#search", "00003")
    found = table.filter(pl.col("file_name").str.contains("00003"))
    assert 0 < len(found) < n
    assert shown(view) == rows(found)
    assert view.text("#images .found") == f"{len(found)} of {n} images"
    view.page.fill("#search", " .JPG ")
    assert len(shown(view)) == n
    view.page.fill("#search", "nothing like it")
    assert shown(view) == []
    assert view.text("#images .found") == f"0 of {n} images"
    view.page.fill("#search", "")

    names = view.js("images.categories")
    view.page.select_option("#category", label="gear")
    gears = table.filter(pl.col("categories").list.contains("gear"))
    assert "gear" in names
    assert 0 < len(gears) < n
    assert shown(view) == rows(gears)
    view.page.select_option("#state", "dropped")
    assert shown(view) == rows(gears.filter(~pl.col("kept")))
    view.page.select_option("#state", "kept")
    assert shown(view) == rows(gears.filter(pl.col("kept")))

    view.page.get_by_role("button", name="Clear").click()
    low, high = table["score"].quantile(0.3), table["score"].quantile(0.6)
    assert low is not None
    assert high is not None
    view.page.fill("#low", repr(low))
    view.page.fill("#high", repr(high))
    between = table.filter((best >= low) & (best <= high))
    assert 0 < len(between) < n
    assert sorted(shown(view)) == rows(between)


def test_a_row_says_what_the_table_says(look: Look, runs: Runs, table: pl.DataFrame) -> None:
    view = look(runs.page("shape"))
    order = table.sort("score", descending=True, maintain_order=True)
    for rank in (1, 4):
        image = order.row(rank - 1, named=True)
        row = view.page.locator(f"#images [data-row='{image['row']}']")
        words = row.inner_text()
        assert image["file_name"] in words
        assert f"rank {rank} · score {image['score']:.4g}" in words
        assert ("kept" if image["kept"] else "dropped") in words
        row.click()
        viewer = view.text("#viewer")
        assert f"Rank {rank} of {len(table)}." in viewer
        assert view.text("#viewer-title") == image["file_name"]
        noun = "instance" if image["n"] == 1 else "instances"
        assert f"{image['n']} {noun} · 128 × 96 pixels" in viewer
        view.page.keyboard.press("Escape")


def test_a_report_is_used_by_keyboard_alone(look: Look, runs: Runs) -> None:
    view = look(runs.page("shape"))
    press = view.page.keyboard.press
    reached: list[str] = []
    for _ in range(80):
        press("Tab")
        focus = view.js(
            "[document.activeElement.id, document.activeElement.className,"
            " document.activeElement.textContent.slice(0, 20)]"
        )
        reached += focus[:1] if focus[0] else [focus[1] or focus[2]]
        if focus[1] == "card":
            break
    assert reached[0] == "skip"
    assert {"theme", "rate"} <= set(reached)
    assert reached[-1] == "card"

    view.page.focus("#rate")
    view.slide(460)
    for _ in range(8):
        press("ArrowRight")
    view.settle()
    assert view.page.input_value("#rate") == "468"
    assert sum(view.kept()) == 60 - 468 * 60 // 1000 == 32
    assert 60 - 460 * 60 // 1000 == 33
    press("Home")
    view.settle()
    assert all(view.kept())

    card = view.page.locator("#gallery .card").first
    card.focus()
    press("Enter")
    viewer = view.page.locator("#viewer")
    assert viewer.is_visible()
    first = view.text("#viewer-title")
    press("ArrowRight")
    second = view.text("#viewer-title")
    assert second != first
    press("ArrowLeft")
    assert view.text("#viewer-title") == first
    press("ArrowLeft")  # there is none before the first
    assert view.text("#viewer-title") == first
    for _ in range(3):
        press("Tab")
    press("ArrowRight")
    assert view.text("#viewer-title") == second
    press("Escape")
    assert not viewer.is_visible()
    assert view.js("document.activeElement.className") == "card"


def test_arrows_go_on_after_a_button_of_the_window_was_used(look: Look, runs: Runs) -> None:
    view = look(runs.page("shape"))
    view.page.locator("#gallery .card").first.click()
    names = [view.text("#viewer-title")]
    view.page.get_by_role("button", name="Next").click()
    names.append(view.text("#viewer-title"))
    view.page.keyboard.press("ArrowRight")
    names.append(view.text("#viewer-title"))
    assert len(set(names)) == 3


def many_images() -> str:
    """COCO of many images without files; every second has one rectangle."""
    images = [
        {"id": k, "file_name": f"frame-{k:06d}.jpg", "width": 640, "height": 480}
        for k in range(1, MANY + 1)
    ]
    annotations = []
    for k in range(1, MANY + 1, 2):
        side = 5 + k % 97
        outline = [1, 1, 1 + side, 1, 1 + side, 1 + side, 1, 1 + side + k % 7]
        more = {"bbox": [1, 1, side, side], "area": side * side}
        annotations.append(factory.annotation(k, k, 1 + k % 3, [outline], **more))
    categories = [{"id": k, "name": f"kind {k}"} for k in (1, 2, 3)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories})


def test_a_hundred_and_twenty_thousand_images_are_shown(look: Look, tmp_path: Path) -> None:
    (tmp_path / "many.json").write_text(many_images())
    method = ("images", "shape", "many.json", "--contour", "polygon")
    paring_in(tmp_path, *method, "--rate", 0.25, "-o", "run")
    view = look(tmp_path / "run" / "report" / "index.html")
    assert view.text("#headline").startswith("120,000 images, 30,000 removed; ")
    assert view.page.locator("#images li").count() < 100

    view.page.select_option("#sort", "data")
    view.settle()
    box = "document.querySelector('#images .virtual')"
    view.page.locator("#images .virtual").scroll_into_view_if_needed()
    for share, row in ((1, MANY - 1), (0, 0), (0.5, MANY // 2)):
        view.js(f"{box}.scrollTop = {share} * ({box}.scrollHeight - {box}.clientHeight)")
        view.settle()
        view.settle()
        found = view.rows()
        assert row in found
        assert found == list(range(found[0], found[-1] + 1))
        name = view.page.locator(f"#images [data-row='{row}'] .name")
        assert name.inner_text() == f"frame-{row + 1:06d}.jpg"
        seen = "(e) => [e.getBoundingClientRect(), e.closest('.virtual').getBoundingClientRect()]"
        line, whole = name.evaluate(seen)
        assert whole["top"] <= line["top"] <= line["bottom"] <= whole["bottom"]

    view.page.fill("#search", "0119999")
    view.wait_for("document.querySelector('#images .found').textContent === '0 of 120,000 images'")
    view.page.fill("#search", "119999")
    view.wait_for("document.querySelector('#images .found').textContent === '1 of 120,000 images'")
    view.page.fill("#search", "")
    view.page.select_option("#category", label="kind 2")
    view.wait_for(
        "document.querySelector('#images .found').textContent === '20,000 of 120,000 images'"
    )
    view.slide(750)
    assert view.js("cut.count") == MANY // 4
    view.page.select_option("#state", "kept")
    view.settle()
    ranks = view.js("images.names.map((_, row) => cut.rank[row]).filter((_, r) => cut.kept[r])")
    assert max(ranks) == MANY // 4 - 1
    assert view.draw_all() >= 3
