"""The slider of a report in a browser, against the library and the command line."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import factory
import paring
from browser import Look, Runs, View, flags, paring_in
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.summary import compare
from paring.images import keep_representatives, keep_top
from paring.images.similarity.opening import Comparing
from paring.report.making import write_report
from paring.report.words import headline

STEPS = (0, 1, 125, 290, 333, 500, 777, 999)  # thousandths of the images that go
TIES = "it's full of ties.json"


def star(x: float, y: float, size: float) -> list[float]:
    points = [(0, 0), (4, 1), (8, 0), (7, 4), (8, 8), (4, 7), (0, 8), (1, 4)]
    return [c for a, b in points for c in (x + a * size, y + b * size)]


def tied_images() -> dict:
    """A hundred images of five kinds, so that most scores are shared; one kind is empty."""
    images = [
        {"id": 1000 - k, "file_name": f"{k:03d}.jpg", "width": 200, "height": 150}
        for k in range(100)
    ]
    annotations: list[dict] = []
    for k, image in enumerate(images):
        kinds = {1: [7], 2: [3], 3: [7, 3], 4: [3, 3, 5]}.get(k % 5, [])
        for j, category in enumerate(kinds):
            shape = star(10 + 50 * j, 20, 2 + 5 * (k % 2)) if category != 5 else star(120, 20, 3)
            more = {"iscrowd": 0} | ({"iscrowd": 1} if (k, j) == (4, 2) else {})
            record = factory.annotation(len(annotations) + 1, image["id"], category, [shape])
            annotations.append(record | more)
    # not in the order of their numbers, and one that no image has
    categories = [{"id": k, "name": name} for k, name in ((7, "sieben"), (5, "fünf"), (3, "drei"))]
    return factory.coco(
        annotations, images=images, categories=[*categories, {"id": 9, "name": "x"}]
    )


@pytest.fixture(scope="module")
def ties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on tied scores: shape, drop, count, and two of which the low end is kept."""
    folder = tmp_path_factory.mktemp("ties")
    factory.write_json(folder / TIES, tied_images())
    cut = (TIES, "--rate", 0.4, "-o")
    paring_in(folder, "images", "shape", *cut, "shape")
    paring_in(folder, "images", "shape", *cut, "drop", "--unscored", "drop")
    paring_in(folder, "images", "count", *cut, "count")
    for name, unscored in (("low", "last"), ("low drop", "drop")):
        run = Path(shutil.copytree(folder / "count", folder / name))
        scores = replace(Scores.load(run / "scores.parquet"), hard="low")
        (run / "scores.parquet").unlink()
        scores.save(run / "scores.parquet")
        subset = keep_top(scores, rate=0.4, unscored=unscored)
        subset.save(run / "subset.json", overwrite=True)
        write_report(run)
    return folder


def assert_shows(view: View, data: paring.Dataset, subset: Subset) -> None:
    """What stays, the headline and the table of losses are those of a subset."""
    assert view.kept() == flags(data.images["image_id"].to_list(), subset.kept)
    before, after = data.summary(), data.subset(subset.kept).summary()
    losses = compare(before, after)
    assert view.text("#headline") == headline(before, after, losses)
    assert view.js("cut.headline()") == headline(before, after, losses)
    shown = view.losses()
    present = losses.filter(pl.col("instances_before") > 0)
    lines = {
        name + (" instances" if group == "size" else ""): numbers
        for group, name, *numbers in present.sort("group", maintain_order=True).iter_rows()
    }
    assert list(shown) == list(lines)
    for name, (*numbers, lost) in lines.items():
        assert shown[name][:4] == [f"{number:,}" for number in numbers]
        assert float(shown[name][4].removesuffix(" %")) == pytest.approx(100 * lost, abs=0.0501)


@pytest.mark.parametrize("name", ["shape", "drop", "count", "low", "low drop"])
def test_the_slider_keeps_what_the_library_keeps_at_that_rate(
    look: Look, ties: Path, name: str
) -> None:
    view, data = look(ties / name / "report" / "index.html"), paring.read(ties / TIES)
    scores = Scores.load(ties / name / "scores.parquet")
    assert scores.frame["score"].n_unique() < len(data) / 4
    assert scores.hard == ("low" if "low" in name else "high")
    unscored = "drop" if "drop" in name else "last"
    for step in STEPS:
        view.slide(step)
        subset = keep_top(scores, rate=step / 1000, unscored=unscored)
        assert_shows(view, data, subset)
        gone, left = len(subset.dropped), len(subset.kept)
        said = f"{100 * subset.rate:.1f} %: {gone} of 100 images go, {left} stay"
        assert view.text("#rate-words").removesuffix(" (this run)") == said
        assert view.page.get_attribute("#rate", "aria-valuetext") == view.text("#rate-words")


def test_shares_of_instances_are_rounded_on_the_page_as_in_the_terminal(
    look: Look, tmp_path: Path
) -> None:
    images = [{"id": k, "file_name": f"{k}.jpg", "width": 64, "height": 64} for k in range(1, 17)]
    square = [factory.rectangle(3, 3, 20, 20)]
    annotations = [factory.annotation(k, k, 1 + k % 2, square) for k in range(1, 17)]
    factory.write_json(tmp_path / "data.json", factory.coco(annotations, images=images))
    paring_in(tmp_path, "images", "count", "data.json", "--rate", 0.5, "-o", "run")
    view, data = look(tmp_path / "run/report/index.html"), paring.read(tmp_path / "data.json")
    scores = Scores.load(tmp_path / "run" / "scores.parquet")
    for kept in (16, 13, 11, 3, 1):  # sixteenths have ties in the second decimal
        view.slide(-(-1000 * (16 - kept) // 16))
        assert_shows(view, data, keep_top(scores, count=kept))


def test_the_slider_shows_where_the_run_is_and_goes_back_to_it(look: Look, runs: Runs) -> None:
    view = look(runs.page("shape"))
    own, said = view.kept(), view.text("#headline")
    back = view.page.get_by_role("button", name="Back to this run")
    assert view.page.input_value("#rate") == "450"
    assert view.text("#rate-words") == "45.0 %: 27 of 60 images go, 33 stay (this run)"
    assert not back.is_visible()
    assert not view.page.locator("#command").is_visible()
    view.slide(800)
    assert sum(view.kept()) == 12
    assert view.text("#headline") != said
    back.click()
    view.settle()
    assert (view.kept(), view.text("#headline")) == (own, said)
    assert view.page.input_value("#rate") == "450"
    assert not back.is_visible()


def test_pictures_and_the_list_follow_the_slider(look: Look, runs: Runs) -> None:
    view = look(runs.page("shape"))
    view.page.select_option("#state", "kept")
    view.slide(900)
    view.settle()
    kept = view.kept()
    assert view.text("#images .found") == "6 of 60 images"
    assert sorted(view.rows()) == [row for row, stays in enumerate(kept) if stays]
    cards = view.js(
        "[...document.querySelectorAll('#gallery .card')].map((card) =>"
        " [Number(card.dataset.row), card.querySelector('.badge').textContent])"
    )
    assert {state for _, state in cards} == {"kept", "dropped"}
    assert all((state == "kept") == kept[row] for row, state in cards)


@pytest.mark.parametrize("name", ["random", "ccs", "apply"])
def test_a_cut_that_is_no_place_in_a_ranking_has_no_slider(
    look: Look, runs: Runs, name: str
) -> None:
    view = look(runs.page(name))
    assert view.page.locator("#rate").count() == view.page.locator("#slider").count() == 0


def test_with_floors_the_slider_goes_between_cuts_that_keep_them(look: Look, runs: Runs) -> None:
    view = look(runs.page("floors"))
    scores = Scores.load(runs("floors") / "scores.parquet")
    data = paring.read(runs.folder / "scenes.json", images=runs.folder / "images")
    points = view.js("cut.about.slider.points.map(({own, amount}) => [own, amount])")
    assert len(points) > 5
    for place, (own, amount) in list(enumerate(points))[::3]:
        if not own:
            assert amount[0] == "--rate"
        rate = 0.5 if own else float(amount[1])
        view.slide(place)
        assert_shows(view, data, keep_top(scores, rate=rate, data=data, min_per_category=2))


@pytest.mark.parametrize("name", ["similarity", "curve"])
def test_points_of_a_similarity_run_are_the_rule_at_their_threshold(
    look: Look, runs: Runs, name: str
) -> None:
    view = look(runs.page(name))
    data = paring.read(runs.folder / "scenes.json", images=runs.folder / "images")
    points = view.js("cut.about.slider.points.map(({own, threshold}) => [own, threshold])")
    places = range(0, len(points), max(1, len(points) // 3))
    assert sum(own for own, _ in points) == 1
    how = Comparing(size=32)
    for place in places:
        own, threshold = points[place]
        view.slide(place)
        if own:
            assert_shows(view, data, Subset.load(runs(name) / "subset.json"))
            continue
        found = keep_representatives(data, threshold=threshold, curve=False, how=how).subset
        assert_shows(view, data, found)


def offered(view: View, folder: Path) -> Path:
    """Run what the page offers as a shell would; gives the folder of that run."""
    command = view.page.locator("#command").inner_text()
    assert command.startswith("paring images ")
    program = f"'{sys.executable}' -m paring "
    done = subprocess.run(
        command.replace("paring ", program, 1),
        shell=True, cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, (command, done.stderr)
    return folder / command.rpartition(" -o ")[2]


@pytest.mark.parametrize("name", ["shape", "floors", "similarity", "demo"])
def test_the_command_that_is_offered_keeps_the_images_that_are_shown(
    look: Look, runs: Runs, name: str
) -> None:
    view = look(runs.page(name))
    last = int(view.page.get_attribute("#rate", "max") or 0)
    own = int(view.page.input_value("#rate"))
    place = last * 2 // 3 if own < last // 2 else last // 3
    place = next(p for p in (place, 0, last) if p != own)
    view.slide(place)
    run = offered(view, runs.folder)
    subset = Subset.load(run / "subset.json")
    kept = set(subset.kept)
    ids = sorted([*subset.kept, *subset.dropped])
    assert view.kept() == [i in kept for i in ids]
    assert subset.kept != Subset.load(runs(name) / "subset.json").kept


def test_the_command_is_quoted_for_a_shell_and_keeps_the_options_of_the_run(
    look: Look, ties: Path
) -> None:
    view = look(ties / "drop" / "report" / "index.html")
    view.slide(700)
    subset = Subset.load(offered(view, ties) / "subset.json")
    data = paring.read(ties / TIES)
    assert subset.parameters["unscored"] == "drop"
    assert view.kept() == flags(data.images["image_id"].to_list(), subset.kept)
