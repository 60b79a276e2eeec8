import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import factory
import paring
from commands import Paring
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.summary import SIZES, size_buckets
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.network.cut import keep_representatives
from paring.images.selection import keep_top
from paring.images.similarity.opening import Comparing
from paring.report.folder import RunFolder
from paring.report.hiding import Names
from paring.report.making import write_report
from paring.report.sections.cut import bits, cut_section, images_section

SMALL = ("--size", 32, "--workers", 2)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty scenes, some of their instances crowds."""
    folder = tmp_path_factory.mktemp("drawn")
    data = paring.scenes(30, seed=1, folder=folder / "images", size=(120, 160))
    data.write(folder / "scenes.json", format="coco")
    whole = json.loads((folder / "scenes.json").read_text())
    whole["annotations"] = [a for a in whole["annotations"] if a["image_id"] != 5]
    for number in (3, 11):
        whole["annotations"][number]["iscrowd"] = 1
    factory.write_json(folder / "scenes.json", whole)
    return folder


@pytest.fixture
def scenes(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn / "images", tmp_path / "images")
    return Path(shutil.copy(drawn / "scenes.json", tmp_path))


def made(paring_here: Paring, *arguments: object) -> Path:
    """A run of some method, without a page."""
    done = paring_here("images", *arguments, "-o", "run", "--no-report")
    assert done.returncode == 0, done.stderr
    return Path("run").absolute()


def section(run: Path, *, hide: bool = False) -> dict[str, Any]:
    opened = RunFolder.open(run)
    found = cut_section(opened, Names.of(opened.data.images, "key", hide=hide))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def flags(text: str, n: int) -> list[bool]:
    """The flags that a page has as text."""
    raw = np.frombuffer(base64.b64decode(text), np.uint8)
    return np.unpackbits(raw, count=n).astype(bool).tolist()


def stays(data: Dataset, kept: list[int]) -> list[bool]:
    return [image in kept for image in data.images["image_id"]]


# -- images ----------------------------------------------------------------------------------


def test_what_images_hold_agrees_with_the_data_set(scenes: Path) -> None:
    data = paring.read(scenes)
    found = images_section(data, Names.of(data.images, "key", hide=False))
    assert json.loads(json.dumps(found)) == found
    assert found["names"] == data.images["file_name"].to_list()
    assert found["width"] == data.images["width"].to_list()
    assert found["height"] == data.images["height"].to_list()
    assert found["categories"] == data.categories["name"].to_list()
    assert not found["hidden"]
    ids = data.categories["category_id"].to_list()
    place = 0
    for image, number in zip(data.images["image_id"], found["instances"], strict=True):
        held = data.instances.filter((pl.col("image_id") == image) & ~pl.col("iscrowd"))
        assert number == len(held)
        here = slice(place, place + number)
        assert found["category"][here] == [ids.index(c) for c in held["category_id"]]
        named = [found["sizes"][size] for size in found["size"][here]]
        assert named == size_buckets(held["area"]).to_list()
        place += number
    assert place == len(found["category"]) == len(found["size"])


def test_sums_of_images_are_those_of_the_summary(scenes: Path) -> None:
    data = paring.read(scenes)
    found, summary = images_section(data, Names([], False)), data.summary()
    assert summary.crowds == 2
    assert len({*found["size"]}) > 1
    assert sum(found["instances"]) == summary.instances
    assert found["instances"].count(0) == summary.empty_images > 0
    by_category = np.bincount(found["category"], minlength=len(data.categories))
    assert by_category.tolist() == summary.categories["instances"].to_list()
    by_size = np.bincount(found["size"], minlength=3)
    assert found["sizes"] == list(SIZES) == summary.sizes["size"].to_list()
    assert by_size.tolist() == summary.sizes["instances"].to_list()
    image = np.repeat(np.arange(len(data)), found["instances"])
    for row, count in enumerate(summary.categories["images"]):
        assert len(set(image[np.array(found["category"]) == row])) == count


def test_instances_lie_in_the_order_of_the_images_whatever_their_own(scenes: Path) -> None:
    whole = json.loads(scenes.read_text())
    whole["annotations"].reverse()
    whole["images"] = whole["images"][10:] + whole["images"][:10]
    whole["categories"].reverse()
    data = paring.read(factory.write_json(scenes, whole))
    found = images_section(data, Names([], False))
    expected = []
    for image in data.images["image_id"]:
        held = data.instances.filter((pl.col("image_id") == image) & ~pl.col("iscrowd"))
        names = dict(data.categories.select("category_id", "name").iter_rows())
        expected.append(sorted(names[c] for c in held["category_id"]))
    ends = np.cumsum(found["instances"])[:-1]
    parts = np.split(np.array(found["category"]), ends)
    assert [sorted(found["categories"][c] for c in part) for part in parts] == expected


def test_a_data_set_without_instances_has_none(drawn: Path) -> None:
    data = paring.read(drawn / "images")
    found = images_section(data, Names.of(data.images, "key", hide=False))
    assert found["instances"] == [0] * 30
    assert (found["categories"], found["category"], found["size"]) == ([], [], [])


def test_hidden_names_are_not_among_the_images(scenes: Path) -> None:
    data = paring.read(scenes)
    found = images_section(data, Names.of(data.images, "key", hide=True))
    assert found["hidden"]
    assert not {*found["names"]} & {*data.images["file_name"]}


@pytest.mark.parametrize("n", [1, 7, 8, 9, 30])
def test_bits_come_back_as_flags(n: int) -> None:
    some = np.random.default_rng(n).random(n) < 0.5
    assert flags(bits(some), n) == some.tolist()


# -- what was kept and why -------------------------------------------------------------------

METHODS: dict[str, tuple[tuple[object, ...], str]] = {
    "shape": (("--rate", 0.4), "by the shape of their masks"),
    "count": (("--rate", 0.4), "by their number of instances"),
    "random": (("--rate", 0.4, "--seed", 3), "by chance"),
    "similarity": (("--rate", 0.4, *SMALL), "as representatives of similar images"),
}


@pytest.mark.parametrize("method", METHODS)
def test_what_a_run_kept_is_told_with_its_method(
    paring_here: Paring, scenes: Path, method: str
) -> None:
    options, how = METHODS[method]
    run = made(paring_here, method, "scenes.json", *options)
    found, subset, data = section(run), Subset.load(run / "subset.json"), paring.read(scenes)
    assert flags(found["kept"], 30) == stays(data, subset.kept)
    assert (found["method"], found["how"]) == (subset.method, how)
    assert (found["rate"], found["seed"]) == (subset.rate, subset.seed)
    assert found["name"] == "run"
    assert found["parameters"]["data set"] == "scenes.json"
    assert found["parameters"]["fingerprint"] == data.fingerprint
    assert found["parameters"]["paring"] == paring.__version__
    assert subset.parameters.items() <= found["parameters"].items()
    ids = data.images["image_id"].to_list()
    odd = {
        str(ids.index(i)): why
        for i, why in subset.reasons.items()
        if not re.fullmatch(r"\d{6}\.jpg is 0\.\d{3} similar", why)  # the page words that itself
    }
    assert found["reasons"] == odd
    assert bool(subset.reasons) == (method == "similarity")


@pytest.mark.parametrize("method", ["shape", "count"])
def test_scores_are_told_image_by_image(paring_here: Paring, scenes: Path, method: str) -> None:
    run = made(paring_here, method, "scenes.json", "--rate", 0.4)
    measure, frame = section(run)["measure"], Scores.load(run / "scores.parquet").frame
    data = paring.read(scenes)
    assert frame["image_id"].to_list() == data.images["image_id"].to_list()
    assert measure["values"] == frame["score"].to_list()
    assert (measure["hard"], measure["ranked"], measure["unscored"]) == ("high", True, "last")
    names = data.categories["name"].to_list()
    strongest = [None if row is None else names[row] for row in measure["strongest"]]
    assert strongest == frame["strongest_category"].to_list()
    assert None in strongest
    assert measure["strongest_score"] == frame["strongest_score"].to_list()
    assert measure["counted"] == frame["instances"].to_list()


def test_scores_in_another_order_find_their_images_but_rank_none(
    paring_here: Paring, scenes: Path
) -> None:
    run = made(paring_here, "shape", "scenes.json", "--rate", 0.4)
    before, scores = section(run)["measure"], Scores.load(run / "scores.parquet")
    shuffled = scores.frame.sample(fraction=1, shuffle=True, seed=1)
    Scores(shuffled, scores.method, scores.dataset).save(run / "scores.parquet")
    assert section(run)["measure"] == before | {"ranked": False}
    assert section(run)["slider"] is None


def test_similarities_are_rounded_down(paring_here: Paring, scenes: Path) -> None:
    run = made(paring_here, "similarity", "scenes.json", "--rate", 0.4, *SMALL)
    measure = section(run)["measure"]
    frame = Scores.load(run / "scores.parquet").frame
    assert (measure["kind"], measure["hard"]) == ("similarity", "low")
    assert len(measure["values"]) == 30
    for value, exact in zip(measure["values"], frame["similarity"], strict=True):
        assert (value is None) == (exact is None)
        assert value is None or 0 <= exact - value < 1e-6


def test_floors_are_reasons_by_row(paring_here: Paring, scenes: Path) -> None:
    """Ids of images are not their rows."""
    whole = json.loads(scenes.read_text())
    for record in (*whole["images"], *whole["annotations"]):
        key = "id" if "file_name" in record else "image_id"
        record[key] = 1000 - 7 * record[key]
    data = paring.read(factory.write_json(scenes, whole))
    floors = ("--min-per-category", 4, "--min-per-size", 4)
    run = made(paring_here, "shape", "scenes.json", "--rate", 0.6, *floors)
    subset, found = Subset.load(run / "subset.json"), section(run)
    ids = data.images["image_id"].to_list()
    assert found["reasons"] == {str(ids.index(i)): why for i, why in subset.reasons.items()}
    assert found["reasons"]
    assert flags(found["kept"], 30) == stays(data, subset.kept)


def test_categories_of_one_name_are_told_apart_where_one_is_strongest(
    paring_here: Paring, tmp_path: Path
) -> None:
    square, line = factory.rectangle(2, 2, 20, 20), factory.rectangle(1, 1, 60, 4)
    whole = factory.coco(
        [factory.annotation(1, 1, 1, [square]), factory.annotation(2, 2, 2, [line])],
        categories=[{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}],
    )
    factory.write_json(tmp_path / "d.json", whole)
    done = paring_here("images", "shape", "d.json", "--count", 1, "-o", "run", "--no-report")
    if done.returncode:
        assert "cat" in done.stderr
        return
    assert section(tmp_path / "run")["measure"]["strongest"] == [0, 1]


def test_hidden_names_leave_out_command_path_and_fingerprint(
    paring_here: Paring, scenes: Path
) -> None:
    run = made(paring_here, "similarity", "scenes.json", "--rate", 0.4, *SMALL)
    found = section(run, hide=True)
    assert found["again"] is None
    assert not {"data set", "fingerprint"} & found["parameters"].keys()
    assert found["parameters"]["metric"] == "ssim"
    shown = json.dumps(found)
    assert not re.search(r"\d{6}\.jpg|scenes\.json", shown)
    assert set(found["reasons"]) <= set(section(run)["reasons"])


# -- the slider ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["random", "apply", "ccs"])
def test_a_choice_that_has_no_order_has_no_slider(
    paring_here: Paring, scenes: Path, tmp_path: Path, method: str
) -> None:
    made(paring_here, "shape", "scenes.json", "--rate", 0.4).rename(tmp_path / "first")
    options: dict[str, tuple[object, ...]] = {
        "random": ("--rate", 0.4),
        "apply": ("--subset", "first/subset.json"),
        "ccs": ("--rate", 0.4, "--scores", "first/scores.parquet"),
    }
    run = made(paring_here, method, "scenes.json", *options[method])
    assert section(run)["slider"] is None


@pytest.mark.parametrize("method", ["shape", "count"])
def test_a_ranking_without_floors_is_moved_along_its_scores(
    paring_here: Paring, scenes: Path, method: str
) -> None:
    run = made(paring_here, method, "scenes.json", "--rate", 0.4)
    assert section(run)["slider"] == {"kind": "ranking"}


def test_scores_of_some_images_alone_give_no_slider(paring_here: Paring, scenes: Path) -> None:
    run = made(paring_here, "shape", "scenes.json", "--rate", 0.4)
    scores = Scores.load(run / "scores.parquet")
    part = Scores(scores.frame[:-1], scores.method, scores.dataset)
    part.save(run / "scores.parquet")
    found = section(run)
    assert found["slider"] is None
    assert found["measure"]["values"][-1] is None


@pytest.mark.parametrize(
    "floors",
    [
        {"min_per_category": 2},
        {"min_per_size": 3, "floor_unit": "images"},
        {"min_per_category": 1, "min_per_size": 2},
    ],
)
@pytest.mark.parametrize("unscored", ["last", "drop"])
def test_points_with_floors_are_those_of_the_selection(
    paring_here: Paring, scenes: Path, floors: dict[str, Any], unscored: str
) -> None:
    words = [word for name, v in floors.items() for word in (f"--{name.replace('_', '-')}", v)]
    options = (*words, "--rate", 0.43, "--unscored", unscored)
    run = made(paring_here, "shape", "scenes.json", *options)
    data, scores = paring.read(scenes), Scores.load(run / "scores.parquet")
    slider = section(run)["slider"]
    assert (slider["kind"], slider["by"]) == ("points", "rate")
    own = [point for point in slider["points"] if point["own"]]
    assert len(own) == 1
    assert flags(own[0]["kept"], 30) == stays(data, Subset.load(run / "subset.json").kept)
    rates = []
    for point in slider["points"]:
        assert point["dropped"] == flags(point["kept"], 30).count(False)
        if point["own"]:
            continue
        option, rate = point["amount"]
        assert option == "--rate"
        subset = keep_top(scores, rate=float(rate), unscored=unscored, data=data, **floors)
        assert flags(point["kept"], 30) == stays(data, subset.kept)
        rates.append(float(rate))
    dropped = [point["dropped"] for point in slider["points"]]
    assert dropped == sorted(set(dropped))
    assert rates == sorted(rates)
    # as far as the floors let it go
    for step in range(20):
        try:
            subset = keep_top(scores, rate=step / 20, unscored=unscored, data=data, **floors)
        except InputError:
            assert step / 20 > max(rates)
            break
        assert len(subset.dropped) in dropped


def test_points_of_a_curve_are_those_of_the_rule(paring_here: Paring, scenes: Path) -> None:
    run = made(paring_here, "similarity", "scenes.json", "--rate", 0.4, "--curve", *SMALL)
    data, slider = paring.read(scenes), section(run)["slider"]
    assert (slider["kind"], slider["by"]) == ("points", "threshold")
    assert len(slider["points"]) > 5
    own = [point for point in slider["points"] if point["own"]]
    assert len(own) == 1
    subset = Subset.load(run / "subset.json")
    assert flags(own[0]["kept"], 30) == stays(data, subset.kept)
    assert own[0]["threshold"] == subset.parameters["threshold"]
    for point in slider["points"]:
        assert point["dropped"] == flags(point["kept"], 30).count(False)
        if point["own"]:
            continue
        option, threshold = point["amount"]
        assert (option, float(threshold)) == ("--threshold", point["threshold"])
        cut = keep_representatives(data, threshold=float(threshold), how=Comparing(size=32))
        assert flags(point["kept"], 30) == stays(data, cut.subset.kept)
    dropped = [point["dropped"] for point in slider["points"]]
    assert dropped == sorted(set(dropped))


def test_a_run_without_a_curve_has_no_slider(paring_here: Paring, scenes: Path) -> None:
    run = made(paring_here, "similarity", "scenes.json", "--rate", 0.4, *SMALL)
    (run / "curve.parquet").unlink()
    assert section(run)["slider"] is None


def test_a_curve_of_the_own_point_alone_gives_no_slider(paring_here: Paring, scenes: Path) -> None:
    run = made(paring_here, "similarity", "scenes.json", "--rate", 0.4, *SMALL)
    kept = Subset.load(run / "subset.json").kept
    frame = pl.DataFrame({"threshold": [0.5] * len(kept), "image_id": kept})
    frame.write_parquet(run / "curve.parquet")
    assert section(run)["slider"] is None


STRANGE = {
    "an image of another run": pl.DataFrame({"threshold": [0.5], "image_id": [99]}),
    "no threshold": pl.DataFrame({"image_id": [1]}),
    "no images": pl.DataFrame({"threshold": [0.5]}),
    "names for images": pl.DataFrame({"threshold": [0.5], "image_id": ["a"]}),
    "names for thresholds": pl.DataFrame({"threshold": ["a"], "image_id": [1]}),
    "no image at all": pl.DataFrame({"threshold": [0.5], "image_id": [None]}),
}


@pytest.mark.parametrize("case", STRANGE)
def test_a_curve_that_is_none_is_refused(paring_here: Paring, scenes: Path, case: str) -> None:
    run = made(paring_here, "similarity", "scenes.json", "--rate", 0.4, *SMALL)
    STRANGE[case].write_parquet(run / "curve.parquet")
    with pytest.raises(InputError, match=r"curve\.parquet"):
        section(run)


def command_of(found: dict[str, Any], point: dict[str, Any]) -> list[str]:
    """The command that the page shows for a point, as the arguments of the test's command."""
    assert found["again"][0] == "paring"
    return [*found["again"][1:], *point["amount"], "-o", "again"]


CASES = {
    "shape": ("--rate", 0.4, "--min-per-category", 2),
    "count": ("--count=18", "--min-per-size=2", "--floor-unit", "images", "--unscored", "drop"),
    "similarity": ("--rate", 0.4, "--curve", *SMALL),
    "similarity with floors": ("--rate", 0.4, "--min-per-category=2", "--curve", *SMALL),
    "similarity by groups": (
        *("--rate", 0.4, "--groups", r"(\d)\.jpg", "--min-per-group", 1, "--curve", *SMALL),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_command_of_a_point_keeps_what_the_point_keeps(
    paring_here: Paring, scenes: Path, tmp_path: Path, case: str
) -> None:
    run = made(paring_here, case.split()[0], "scenes.json", *CASES[case])
    data, found = paring.read(scenes), section(run)
    points = [point for point in found["slider"]["points"] if not point["own"]]
    for point in points[:: max(1, len(points) // 3)]:
        done = paring_here(*command_of(found, point), "--overwrite", "--no-report")
        assert done.returncode == 0, done.stderr
        kept = Subset.load(tmp_path / "again" / "subset.json").kept
        assert flags(point["kept"], 30) == stays(data, kept)


def test_the_command_of_a_demo_makes_its_cut_again(paring_here: Paring, tmp_path: Path) -> None:
    assert paring_here("demo", "-o", "demo", "--images", 10).returncode == 0
    found = section(tmp_path / "demo")
    assert found["slider"] == {"kind": "ranking"}
    done = paring_here(*found["again"][1:], "--rate", 0.5, "-o", "again")
    assert done.returncode == 0, done.stderr
    first, again = (Subset.load(tmp_path / run / "subset.json") for run in ("demo", "again"))
    assert first == again


def test_the_section_is_what_the_page_has(paring_here: Paring, scenes: Path) -> None:
    run = made(paring_here, "shape", "scenes.json", "--rate", 0.4, "--min-per-size", 1)
    text = write_report(run).read_text(encoding="utf-8")
    held = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert held is not None
    assert json.loads(held[1])["cuts"] == [section(run)]
