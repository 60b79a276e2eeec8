import json
from pathlib import Path

import numpy as np
import pytest

import factory
import paring
from commands import Paring, written
from paring.dataset.record import Record
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.images.dynamics import aum_scores, el2n_scores, entropy_scores, forgetting_scores
from records import drawn_margins, write_record

MEASURES = {
    "entropy": entropy_scores,
    "el2n": el2n_scores,
    "aum": aum_scores,
    "forgetting": forgetting_scores,
}


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """Scenes with pictures, and the record of a training on them."""
    scenes = paring.scenes(24, seed=3, size=(64, 48), folder=tmp_path / "images")
    scenes.write(tmp_path / "scenes.json", format="coco")
    found = paring.read(tmp_path / "scenes.json")
    margins = drawn_margins(len(found.instances), 6, seed=1)
    write_record(tmp_path / "trained" / "record", found, margins, planned=8)
    return found


@pytest.mark.parametrize("name", MEASURES)
def test_a_run_keeps_the_hard_end_and_says_of_which_epochs(
    paring_here: Paring, data: Dataset, tmp_path: Path, name: str
) -> None:
    options = ["scenes.json", "--from", "trained", "--rate", 0.5, "-o", "run"]
    done = paring_here("images", name, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("24 images, 12 removed; ")
    said = {
        "entropy": "scored at epoch 5 of 8, from 0",
        "el2n": "scored at epoch 3 of 8, from 0",
        "aum": "scored over 6 recorded epochs",
        "forgetting": "scored over 6 recorded epochs",
    }
    assert said[name] in done.stderr
    run = tmp_path / "run"
    scores, subset = Scores.load(run / "scores.parquet"), Subset.load(run / "subset.json")
    expected = MEASURES[name](Record.open(tmp_path / "trained"), data)
    assert scores.frame.equals(expected.frame)
    assert scores.hard == ("low" if name == "aum" else "high")
    value = scores.frame["score"].to_numpy()
    kept = scores.frame["image_id"].is_in(subset.kept).to_numpy()
    if scores.hard == "low":
        assert value[kept].max() <= value[~kept].min()
    else:
        assert value[kept].min() >= value[~kept].max()
    assert (run / "report" / "index.html").is_file()
    assert json.loads((run / "run.json").read_text())["method"] == f"top by {name}"


@pytest.mark.parametrize("name", MEASURES)
def test_stratified_selection_takes_these_scores_and_cuts_their_hard_end(
    paring_here: Paring, data: Dataset, tmp_path: Path, name: str
) -> None:
    options = ["--rate", 0.5, "--no-report", "-o"]
    paring_here("images", name, "scenes.json", "--from", "trained", *options, "run")
    more = ["--scores", "run/scores.parquet", "--cutoff", 0.25, "--strata", 5]
    done = paring_here("images", "ccs", "scenes.json", *more, *options, "ccs")
    assert done.returncode == 0, done.stderr
    ids = data.images["image_id"]
    hardest = ids.gather(Scores.load(tmp_path / "run" / "scores.parquet").ranking()[:6])
    subset = Subset.load(tmp_path / "ccs" / "subset.json")
    assert len(subset.kept) == 12
    assert set(hardest) <= set(subset.dropped)


@pytest.mark.parametrize("name", MEASURES)
def test_every_option_reaches_the_method(
    paring_here: Paring, data: Dataset, tmp_path: Path, name: str
) -> None:
    options = ["--cells", "sum", "--instances", "max", "--epoch", 1, "--count", 5, "--no-report"]
    done = paring_here(
        "images", name, "scenes.json", "--from", "trained/record", *options, "-o", "run"
    )
    assert done.returncode == 0, done.stderr
    expected = MEASURES[name](
        Record.open(tmp_path / "trained"), data, cells="sum", instances="max", epoch=1
    )
    scores = Scores.load(tmp_path / "run" / "scores.parquet")
    assert scores.frame.equals(expected.frame)
    assert scores.parameters == expected.parameters
    subset = Subset.load(tmp_path / "run" / "subset.json")
    assert subset.parameters == {"scores": name, **expected.parameters, "unscored": "last"}
    assert len(subset.kept) == 5


def test_floors_hold(paring_here: Paring, data: Dataset, tmp_path: Path) -> None:
    options = ["--from", "trained", "--rate", 0.6, "--min-per-category", 2, "--no-report"]
    done = paring_here("images", "aum", "scenes.json", *options, "-o", "run")
    assert done.returncode == 0, done.stderr
    before = data.summary().categories["instances"]
    after = paring.read(tmp_path / "run" / "annotations.json").summary().categories["instances"]
    assert (after.to_numpy() >= np.minimum(before.to_numpy(), 2)).all()


def test_the_same_record_gives_the_same_bytes(
    paring_here: Paring, data: Dataset, tmp_path: Path
) -> None:
    for run in ("one", "two"):
        options = ["--from", "trained", "--rate", 0.5, "-o", run]
        assert paring_here("images", "forgetting", "scenes.json", *options).returncode == 0
    assert written(tmp_path / "one") == written(tmp_path / "two")


@pytest.mark.parametrize("name", MEASURES)
def test_data_that_the_run_was_not_trained_on_are_refused_in_one_sentence(
    paring_here: Paring, data: Dataset, tmp_path: Path, name: str
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    done = paring_here("images", name, "d.json", "--from", "trained", "--rate", 0.5, "-o", "run")
    assert done.returncode == 2
    assert "was recorded on another data set" in done.stderr.replace("\n", " ")
    assert done.stderr.count("error:") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--from", "nowhere"], "nowhere: holds no record of a training"),
        (["--from", "trained", "--epoch", "7"], "epoch 7 was not recorded (recorded: 0, 1, 2"),
        (["--from", "trained", "--epoch", "-1"], "should be greater than or equal to 0"),
        (["--from", "trained", "--cells", "max"], "'max' is not one of"),
        ([], "Missing option '--from'"),
    ],
)
def test_what_cannot_be_is_refused(
    paring_here: Paring, data: Dataset, tmp_path: Path, options: list[str], said: str
) -> None:
    done = paring_here("images", "entropy", "scenes.json", *options, "--rate", 0.5, "-o", "run")
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", MEASURES)
def test_the_help_page_shows_an_example(paring_here: Paring, name: str) -> None:
    done = paring_here("images", name, "--help")
    assert f"Example: paring images {name} demo/scenes.json --from trained" in done.stdout
