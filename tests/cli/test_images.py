import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import factory
import paring
from commands import Paring, written
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset


@pytest.fixture
def scenes_file(tmp_path: Path) -> Path:
    data = paring.scenes(40, seed=1, folder=tmp_path / "images")
    data.write(tmp_path / "scenes.json", format="coco")
    return tmp_path / "scenes.json"


METHODS = {
    "shape": [],
    "shape --contour polygon --no-class-balanced": [],
    "count": [],
    "random --seed 3": [],
}


@pytest.mark.parametrize("method", METHODS)
def test_a_run_holds_all_its_files_and_they_agree(
    paring_here: Paring, scenes_file: Path, tmp_path: Path, method: str
) -> None:
    name, *options = method.split()
    done = paring_here("images", name, "scenes.json", "--rate", 0.45, "-o", "run", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("40 images, 18 removed; ")
    run, data = tmp_path / "run", paring.read(scenes_file)
    subset = Subset.load(run / "subset.json")
    assert len(subset.kept) == 22
    kept = subset.apply(data)
    assert paring.read(run / "annotations.json", images=tmp_path / "images") == kept
    assert (run / "kept.txt").read_text().split() == kept.images["file_name"].to_list()
    about = json.loads((run / "run.json").read_text())
    assert (about["kept"], about["dropped"], about["rate"]) == (22, 18, 0.45)
    assert about["command"][:3] == ["paring", "images", name]
    assert about["seconds"] > 0
    assert about["versions"]["paring"] == paring.__version__
    assert about["instances_after"] == kept.summary().instances
    if name == "random":
        assert about["seed"] == 3
        assert not (run / "scores.parquet").exists()
    else:
        scores = Scores.load(run / "scores.parquet")
        assert {"image_id", "score", "strongest_category"} <= set(scores.frame.columns)
        assert paring.images.keep_top(scores, rate=0.45).kept == subset.kept


def test_the_same_seed_gives_the_same_bytes(
    paring_command: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    for run in ("one", "two"):
        paring_command("images", "shape", "scenes.json", "--rate", 0.5, "-o", run)
    files = {"subset.json", "scores.parquet", "annotations.json", "kept.txt", "run.json"}
    assert {p.name for p in (tmp_path / "one").iterdir()} == files | {"before", "report"}
    assert written(tmp_path / "one") == written(tmp_path / "two")


def test_stratified_selection_takes_the_scores_of_an_earlier_run(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    paring_here("images", "shape", "scenes.json", "--rate", 0.5, "-o", "run")
    options = ["--scores", "run/scores.parquet", "--rate", 0.5, "--seed", 2, "-o", "ccs"]
    done = paring_here("images", "ccs", "scenes.json", *options)
    assert done.returncode == 0, done.stderr
    scores = Scores.load(tmp_path / "run" / "scores.parquet")
    expected = paring.images.keep_stratified(scores, rate=0.5, seed=2)
    assert Subset.load(tmp_path / "ccs" / "subset.json").kept == expected.kept


def test_scores_of_another_data_set_are_refused(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    paring_here("images", "shape", "scenes.json", "--rate", 0.5, "-o", "run")
    factory.write_json(tmp_path / "d.json", factory.coco())
    options = ["--scores", "run/scores.parquet", "--rate", 0.5, "-o", "ccs"]
    done = paring_here("images", "ccs", "d.json", *options)
    assert done.returncode == 2
    assert "another data set" in done.stderr
    assert not (tmp_path / "ccs").exists()


def test_floors_hold_in_the_run(paring_here: Paring, scenes_file: Path, tmp_path: Path) -> None:
    options = ["--rate", 0.6, "--min-per-category", 2, "-o", "run"]
    done = paring_here("images", "random", "scenes.json", *options)
    assert done.returncode == 0, done.stderr
    before = paring.read(scenes_file).summary().categories["instances"]
    after = paring.read(tmp_path / "run" / "annotations.json").summary().categories["instances"]
    assert (after >= pl.Series([min(2, n) for n in before])).all()
    done = paring_here("images", "random", "scenes.json", "--count", 1, *options[2:-1], "no")
    assert done.returncode == 2
    assert "they hold with a count of" in done.stderr


def test_kept_images_are_linked_on_request(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    options = ["--count", 3, "-o", "run", "--link", "pictures"]
    assert paring_here("images", "shape", "scenes.json", *options).returncode == 0
    linked = sorted(p.name for p in (tmp_path / "pictures").iterdir())
    assert linked == (tmp_path / "run" / "kept.txt").read_text().split()
    assert all((tmp_path / "pictures" / name).is_file() for name in linked)


def test_json_output_is_one_object_on_stdout(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    done = paring_here("images", "count", "scenes.json", "--rate", 0.5, "-o", "run", "--json")
    about = json.loads(done.stdout)
    assert about["run"] == "run"
    assert about["kept"] == 20
    assert about["losses"][0]["lost"] >= about["losses"][-1]["lost"]


def test_a_run_is_replaced_only_when_allowed(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    command = ["images", "count", "scenes.json", "-o", "run", "--count"]
    assert paring_here(*command, 3).returncode == 0
    assert paring_here(*command, 4).returncode == 2
    assert paring_here(*command, 4, "--overwrite").returncode == 0
    assert len(Subset.load(tmp_path / "run" / "subset.json").kept) == 4


def test_the_data_set_itself_is_never_changed(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    paring_here("images", "shape", "scenes.json", "--rate", 0.5, "-o", "run", "--link", "kept")
    assert {p: p.read_bytes() for p in before} == before


def test_a_reader_that_goes_away_does_not_undo_the_run(scenes_file: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m paring images count scenes.json --rate 0.5 -o run | true"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run" / "run.json").is_file()


def test_a_subset_is_applied_again_and_to_other_data_only_by_force(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    paring_here("images", "random", "scenes.json", "--rate", 0.5, "-o", "run")
    again = ["images", "apply", "scenes.json", "--subset", "run/subset.json", "-o"]
    assert paring_here(*again, "again").returncode == 0
    for name in ("annotations.json", "kept.txt"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
    other = json.loads(scenes_file.read_text())
    other["annotations"][0]["area"] += 1
    factory.write_json(tmp_path / "other.json", other)
    again[2] = "other.json"
    refused = paring_here(*again, "other")
    assert refused.returncode == 2
    assert "made from another data set" in refused.stderr
    assert paring_here(*again, "other", "--force").returncode == 0
    kept = Subset.load(tmp_path / "run" / "subset.json").kept
    paring.read(scenes_file).subset(kept[1:]).write(tmp_path / "fewer.json")
    again[2] = "fewer.json"
    lacking = paring_here(*again, "fewer", "--force")
    assert lacking.returncode == 2
    assert f"image id {kept[0]} is not in the data set" in lacking.stderr


def test_every_option_of_shape_reaches_the_method(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    options = ["--contour", "polygon", "--no-scale-invariant", "--no-class-balanced"]
    options += ["--min-image-side", 7, "--unscored", "drop", "--rate", 0.5, "-o", "run"]
    done = paring_here("images", "shape", "scenes.json", *options)
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["parameters"] == {
        "scores": "shape",
        "contour": "polygon",
        "scale_invariant": False,
        "class_balanced": False,
        "min_image_side": 7,
        "unscored": "drop",
    }


def test_strata_and_cutoff_reach_the_method(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    paring.images.count_scores(paring.read(scenes_file)).save(tmp_path / "s.parquet")
    options = ["--scores", "s.parquet", "--rate", 0.5, "--strata", 3, "--cutoff", 0.25, "-o", "run"]
    assert paring_here("images", "ccs", "scenes.json", *options).returncode == 0
    parameters = Subset.load(tmp_path / "run" / "subset.json").parameters
    assert (parameters["strata"], parameters["cutoff"]) == (3, 0.25)


def test_a_run_says_what_was_there_before_and_what_was_odd(
    paring_here: Paring, tmp_path: Path
) -> None:
    square = [factory.rectangle(1, 1, 3, 3)]
    records = [factory.annotation(k, k, 1, square) for k in (1, 2)]
    records.append(factory.annotation(3, 1, 1, square, area=0, bbox=[1, 1, 3, 3]))
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    done = paring_here("images", "random", "d.json", "--count", 1, "--seed", 5, "-o", "run")
    assert "1 annotated area of zero or less; --recompute" in done.stderr
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (about["instances_before"], about["seed"]) == (3, 5)
    assert about["faults"] == {"area of zero or less": 1}


def test_recomputed_areas_are_those_of_the_masks(paring_here: Paring, tmp_path: Path) -> None:
    records = [factory.annotation(1, 1, 1, [factory.rectangle(1, 1, 3, 3)], area=0, bbox=[])]
    factory.write_json(tmp_path / "d.json", factory.coco(records))
    options = ["--count", 2, "--recompute", "-o", "run"]
    assert paring_here("images", "count", "d.json", *options).returncode == 0
    again = paring.read(tmp_path / "run" / "annotations.json")
    assert again.instances["area"].to_list() == [9.0]


def test_images_given_by_a_relative_folder_are_linked_to_where_they_lie(
    paring_here: Paring, scenes_file: Path, tmp_path: Path
) -> None:
    options = ["--images", "images", "--count", 3, "-o", "run", "--link", "deep/pictures"]
    done = paring_here("images", "count", "scenes.json", *options)
    assert done.returncode == 0, done.stderr
    assert all(p.is_file() for p in (tmp_path / "deep" / "pictures").iterdir())
