"""Several runs side by side in a browser."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl
import pytest

import paring
from browser import Look, Runs, View, flags, paring_in
from paring.dataset.subset import Subset
from paring.dataset.summary import compare

NAMES = ("shape", "random", "similarity")


@pytest.fixture(scope="module")
def page(runs: Runs) -> Path:
    """Three runs of one data set on one page."""
    for name in NAMES:
        runs(name)
    paring_in(runs.folder, "report", *NAMES, "-o", "three")
    return runs.folder / "three" / "index.html"


@pytest.fixture(scope="module")
def subsets(runs: Runs) -> list[Subset]:
    return [Subset.load(runs(name) / "subset.json") for name in NAMES]


@pytest.fixture
def view(look: Look, page: Path) -> View:
    return look(page)


def cells(view: View, table: str) -> list[list[str]]:
    return view.js(
        f"[...document.querySelectorAll('{table} tr')]"
        ".map((row) => [...row.children].map((cell) => cell.textContent))"
    )


def test_counts_of_each_run_and_what_both_keep_are_right(view: View, subsets: list[Subset]) -> None:
    assert view.text("#headline") == "3 cuts of 60 images side by side."
    runs = {line[0]: line[1:] for line in cells(view, "#runs")[1:]}
    assert tuple(runs) == NAMES
    for name, subset in zip(NAMES, subsets, strict=True):
        assert runs[name][1:3] == [str(len(subset)), f"{100 * subset.rate:.1f} %"]
    head, *lines = cells(view, "#overlaps")
    assert tuple(head[1:]) == NAMES == tuple(line[0] for line in lines)
    for one, line in zip(subsets, lines, strict=True):
        for other, cell in zip(subsets, line[1:], strict=True):
            both = len(set(one.kept) & set(other.kept))
            either = len(set(one.kept) | set(other.kept))
            number, share = cell.split(" ", 1)
            assert int(number) == both == one.compare(other)["kept by both"]
            share, _, chance = share.partition(" (by chance ")
            assert float(share.removesuffix(" %")) == pytest.approx(100 * both / either, abs=0.051)
            if one is other:
                assert chance == ""
                continue
            n = len(one.kept) + len(one.dropped)
            by_chance = len(one.kept) * len(other.kept) / n
            expected = 100 * by_chance / (len(one.kept) + len(other.kept) - by_chance)
            assert float(chance.removesuffix(" %)")) == pytest.approx(expected, abs=0.051)


def test_losses_of_each_run_are_those_of_the_library(
    view: View, runs: Runs, subsets: list[Subset]
) -> None:
    data = paring.read(runs.folder / "scenes.json", images=runs.folder / "images")
    before = data.summary()
    tables = [compare(before, data.subset(subset.kept).summary()) for subset in subsets]
    head, *lines = cells(view, "#losses-table")
    assert tuple(head[2:]) == NAMES
    worst = []
    for line in lines:
        group = "size" if line[0].endswith(" instances") else "category"
        name = line[0].removesuffix(" instances")
        here = (pl.col("group") == group) & (pl.col("name") == name)
        found = [table.row(by_predicate=here, named=True) for table in tables]
        assert line[1] == f"{found[0]['instances_before']:,}"
        for cell, loss in zip(line[2:], found, strict=True):
            assert float(cell.removesuffix(" %")) == pytest.approx(100 * loss["lost"], abs=0.0501)
        worst.append((group, -max(loss["lost"] for loss in found)))
    assert worst == sorted(worst)
    present = tables[0].filter(pl.col("instances_before") > 0)
    assert len(lines) == len(present)


def test_disagreements_are_grouped_by_who_keeps_the_image(
    view: View, runs: Runs, subsets: list[Subset]
) -> None:
    ids = runs.data.images["image_id"].to_list()
    kept = [flags(ids, subset.kept) for subset in subsets]
    patterns = list(zip(*kept, strict=True))
    expected = Counter(pattern for pattern in patterns if any(pattern) and not all(pattern))
    found = view.js(
        "[...document.querySelectorAll('#disagreements .gallery')].map((part) =>"
        " [part.dataset.kind, part.querySelector('h3').textContent,"
        " [...part.querySelectorAll('.card')].map((card) => Number(card.dataset.row))])"
    )
    assert len(found) == len(expected)
    for kind, title, rows in found:
        pattern = tuple(letter == "1" for letter in kind)
        who = " and ".join(name for name, keeps in zip(NAMES, pattern, strict=True) if keeps)
        noun = "image" if expected[pattern] == 1 else "images"
        assert title == f"Kept by {who} alone: {expected[pattern]} {noun}"
        assert rows
        assert all(patterns[row] == pattern for row in rows)
    counts = [expected[tuple(letter == "1" for letter in kind)] for kind, *_ in found]
    assert counts == sorted(counts, reverse=True)

    states = {
        "split": lambda p: any(p) and not all(p),
        "every": all,
        "none": lambda p: not any(p),
        "only1": lambda p: p == (False, True, False),
    }
    for state, holds in states.items():
        view.page.select_option("#state", state)
        view.settle()
        number = sum(map(holds, patterns))
        assert view.text("#images .found") == f"{number} of 60 images"


def test_a_page_of_several_runs_has_no_slider_and_says_who_keeps_an_image(
    view: View, runs: Runs, subsets: list[Subset]
) -> None:
    assert view.page.locator("#rate").count() == 0
    assert view.page.locator("#network").count() == 0
    view.page.select_option("#sort", "data")
    view.settle()
    view.page.locator("#images [data-row='2']").click()
    words = " ".join(view.text("#viewer").split())
    for name, subset in zip(NAMES, subsets, strict=True):
        state = "kept" if runs.data.images["image_id"][2] in subset.kept else "dropped"
        assert f"{state} by {name}" in words
