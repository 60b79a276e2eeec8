import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import factory
import paring
from commands import Paring
from paring.dataset.subset import Subset
from paring.errors import InputError
from paring.report.folder import RunFolder, contents, read_facts, write_facts

SHAPE = ("images", "shape")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    data = paring.scenes(16, seed=4, folder=folder / "images", size=(48, 64))
    data.write(folder / "scenes.json", format="coco")
    return folder


@pytest.fixture
def run(paring_here: Paring, drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn / "images", tmp_path / "images")
    shutil.copy(drawn / "scenes.json", tmp_path)
    done = paring_here(*SHAPE, "scenes.json", "--rate", 0.4, "--no-report", "-o", "run")
    assert done.returncode == 0, done.stderr
    return tmp_path / "run"


def facts(run: Path, **changes: Any) -> dict[str, Any]:
    """What a run says of its data set, with changes."""
    about: dict[str, Any] = json.loads((run / "run.json").read_text())
    about["dataset"] |= changes
    factory.write_json(run / "run.json", about)
    return about


# -- opening ---------------------------------------------------------------------------------


def test_a_run_opens_with_the_data_set_it_was_made_from(run: Path, tmp_path: Path) -> None:
    opened, data = RunFolder.open(run), paring.read(tmp_path / "scenes.json")
    assert opened.data == data
    assert opened.data.masks == data.masks
    assert opened.data.image_root == tmp_path / "images"
    assert opened.said == ()
    assert opened.subset == Subset.load(run / "subset.json")
    assert opened.scores is not None
    assert len(opened.scores) == 16


def test_what_is_kept_is_told_row_by_row(run: Path) -> None:
    opened = RunFolder.open(run)
    ids = opened.data.images["image_id"].to_list()
    assert opened.kept.tolist() == [image in opened.subset.kept for image in ids]
    assert opened.kept.sum() == 10
    rows = opened.rows_of(pl.Series(opened.subset.dropped))
    assert rows.tolist() == np.flatnonzero(~opened.kept).tolist()


def test_data_that_is_at_hand_is_not_read_again(run: Path, tmp_path: Path) -> None:
    data = paring.read(tmp_path / "scenes.json")
    (tmp_path / "scenes.json").unlink()
    opened = RunFolder.open(run, data=data)
    assert opened.data is data
    assert opened.said == ()


def test_a_data_set_that_is_gone_leaves_its_frames(run: Path, tmp_path: Path) -> None:
    data = paring.read(tmp_path / "scenes.json")
    (tmp_path / "scenes.json").unlink()
    opened = RunFolder.open(run)
    assert opened.said == (
        f"no outlines are drawn: {tmp_path / 'scenes.json'}: no such file or folder",
    )
    for name in ("images", "instances", "categories"):
        assert getattr(opened.data, name).equals(getattr(data, name))
    assert opened.data.masks.is_empty.all()
    assert opened.data.image_root == tmp_path / "images"
    assert opened.data.fingerprint == data.fingerprint


def test_the_fingerprint_stays_where_the_images_have_moved_as_well(
    run: Path, tmp_path: Path
) -> None:
    fingerprint = paring.read(tmp_path / "scenes.json").fingerprint
    (tmp_path / "scenes.json").unlink()
    (tmp_path / "images").rename(tmp_path / "moved")
    opened = RunFolder.open(run, images=tmp_path / "moved")
    assert opened.data.image_root == tmp_path / "moved"
    assert opened.data.fingerprint == fingerprint


def test_images_that_moved_are_taken_from_where_they_are_said_to_be(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images").rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    opened = RunFolder.open("run", images="moved")
    assert opened.data.read_image(1).shape == (48, 64, 3)
    assert opened.said == ()
    assert not opened.data.masks.is_empty.any()


def test_a_file_for_the_images_folder_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="run.json: the images folder does not exist"):
        RunFolder.open(run, images=run / "run.json")


def test_a_run_that_does_not_know_where_it_read_says_so(run: Path) -> None:
    facts(run, read=None)
    assert RunFolder.open(run).said == (
        "no outlines are drawn: where it was read from is not known",
    )


def test_a_data_set_without_instances_is_not_read_again(
    paring_here: Paring, drawn: Path, tmp_path: Path
) -> None:
    shutil.copytree(drawn / "images", tmp_path / "photos")
    done = paring_here("images", "random", "photos", "--rate", 0.5, "--no-report", "-o", "run")
    assert done.returncode == 0, done.stderr
    (tmp_path / "photos").rename(tmp_path / "gone")
    opened = RunFolder.open(tmp_path / "run")
    assert opened.said == ()
    assert opened.scores is None
    assert opened.data.image_root == tmp_path / "photos"


def test_images_inside_a_run_are_found_without_its_annotations_too(
    paring_here: Paring, tmp_path: Path
) -> None:
    assert paring_here("demo", "-o", "demo", "--images", 4).returncode == 0
    (tmp_path / "demo").rename(tmp_path / "moved")
    (tmp_path / "moved" / "scenes.json").unlink()
    opened = RunFolder.open(tmp_path / "moved")
    assert len(opened.said) == 1
    assert opened.data.image_root == tmp_path / "moved" / "images"


def test_progress_of_reading_is_told(run: Path) -> None:
    told: list[str] = []
    RunFolder.open(run, progress=lambda label, *_: told.append(label))
    assert told


# -- folders that are none -------------------------------------------------------------------


def test_a_folder_without_run_json_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a run folder \(it has no run\.json\)"):
        RunFolder.open(tmp_path)
    with pytest.raises(InputError, match=r"nowhere: is not a run folder"):
        RunFolder.open(tmp_path / "nowhere")


def test_a_file_is_no_run_folder(run: Path) -> None:
    with pytest.raises(InputError, match=r"scores\.parquet"):
        read_facts(run / "scores.parquet")


@pytest.mark.parametrize("text", ["", "{", "\udcff", "[1", '{"dataset": '])
def test_a_broken_run_json_is_named(run: Path, text: str) -> None:
    (run / "run.json").write_bytes(os.fsencode(text))
    with pytest.raises(InputError, match=r"run\.json: cannot be read") as refused:
        read_facts(run)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("about", [[], 3, None, "run", {}, {"dataset": "d.json"}])
def test_a_run_json_that_names_no_data_set_is_refused(run: Path, about: object) -> None:
    factory.write_json(run / "run.json", about)
    with pytest.raises(InputError, match=r"run\.json"):
        RunFolder.open(run)


def test_a_run_of_an_earlier_version_is_to_be_run_again(run: Path) -> None:
    shutil.rmtree(run / "before")
    with pytest.raises(InputError, match="was written by an earlier version.*; run it again"):
        RunFolder.open(run)


WRONG: dict[str, dict[str, Any]] = {
    "no fingerprint": {"fingerprint": None},
    "a number for a folder": {"image_root": 3},
    "a read from nowhere": {"read": {"format": "coco"}},
    "a read that is a text": {"read": "scenes.json"},
    "a read by an unknown option": {"read": {"path": "/x", "by_hand": True}},
    "a read from a number": {"read": {"path": 3}},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_run_json_that_says_something_odd_ends_in_a_sentence_or_in_a_run(
    run: Path, case: str
) -> None:
    facts(run, **WRONG[case])
    try:
        opened = RunFolder.open(run)
    except InputError as error:
        assert "run.json" in str(error)
    else:
        assert opened.said


def test_a_run_json_without_a_fingerprint_ends_in_a_sentence(run: Path) -> None:
    about = json.loads((run / "run.json").read_text())
    del about["dataset"]["fingerprint"]
    factory.write_json(run / "run.json", about)
    with pytest.raises(InputError, match=r"run\.json"):
        RunFolder.open(run)


def test_a_subset_of_images_that_are_not_there_is_refused(run: Path) -> None:
    subset = json.loads((run / "subset.json").read_text())
    factory.write_json(run / "subset.json", subset | {"kept": [3, 77, 55]})
    with pytest.raises(InputError, match=r"subset\.json keeps image 55, which is not in the run"):
        RunFolder.open(run)


# -- what lies in a run ----------------------------------------------------------------------


def test_contents_count_files_at_any_depth_and_leave_out_run_json(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("run.json", "kept.txt", "a/one", "a/b/two"):
        (tmp_path / name).touch()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    assert contents(tmp_path) == {"a": 3, "empty": 0, "kept.txt": 1, "linked": 1}


def test_the_page_and_its_names_are_not_of_the_contents(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    for name in ("report/index.html", "report-names.csv", "kept.txt", "reports.txt"):
        (tmp_path / name).touch()
    assert contents(tmp_path) == {"kept.txt": 1, "reports.txt": 1}


def test_facts_with_a_path_that_is_no_utf8_come_back(tmp_path: Path) -> None:
    odd = os.fsdecode(b"bad\xff.json")
    write_facts(tmp_path / "run.json", {"dataset": {"path": odd, "name": "ü"}})
    assert read_facts(tmp_path)["dataset"] == {"path": odd, "name": "ü"}
