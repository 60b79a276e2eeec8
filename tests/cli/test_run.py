import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import factory
import paring
from commands import Paring
from paring.cli import images, run
from paring.cli.options import FormatName, Source
from paring.cli.run import how_read, new_run, peak_memory, placed_at, read_source, versions
from paring.errors import InputError
from videos import video


def test_a_run_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_run(tmp_path / "run", overwrite=False) as run:
        (run.folder / "x").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_only_run_folders_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with (
        pytest.raises(InputError, match="is not a run folder"),
        new_run(tmp_path / "mine", overwrite=True),
    ):
        pass


def test_a_run_says_what_made_it(tmp_path: Path) -> None:
    with new_run(tmp_path / "run", overwrite=False) as run:
        run.facts["kept"] = 3
        about = run.finish()
    assert (tmp_path / "run" / "run.json").is_file()
    assert about["kept"] == 3
    assert about["versions"] == versions()
    assert peak_memory() > 10_000_000


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """A folder of one image with a mask: two squares of value 1, and 9 between them."""
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    mask = np.array([[1, 0, 9, 0, 1]], np.uint8)
    Image.new("RGB", (5, 1)).save(tmp_path / "images" / "a.jpg")
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    return tmp_path


def test_the_options_of_masks_reach_the_reader(masks: Path) -> None:
    source = Source(masks, FormatName.pairs, classes="ground,cat", void=9, components=True)
    data, reading = read_source(source)
    assert data.categories["name"].to_list() == ["ground", "cat"]
    assert (data.instances["category_id"] == data.categories["category_id"][1]).sum() == 2
    assert (reading.void, reading.components, reading.classes) == (9, True, ["ground", "cat"])


def test_the_split_and_format_asked_for_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "annotations").mkdir()
    for split in ("train", "val"):
        factory.write_json(tmp_path / "annotations" / f"instances_{split}.json", factory.coco())
    data, _ = read_source(Source(tmp_path, split="val"))
    assert data.origin.path.name == "instances_val.json"
    assert "annotations taken from" in capsys.readouterr().err
    with pytest.raises(InputError, match="data.yaml|YOLO|yolo"):
        read_source(Source(tmp_path, FormatName.yolo))


def test_a_run_is_not_replaced_unasked(tmp_path: Path) -> None:
    with new_run(tmp_path / "run", overwrite=False) as run:
        run.finish()
    with (
        pytest.raises(InputError, match="exists already"),
        new_run(tmp_path / "run", overwrite=False),
    ):
        pass


def test_a_run_that_holds_more_than_it_wrote_is_not_replaced(
    paring_here: Paring, tmp_path: Path
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    command = ["images", "count", "d.json", "--count", 1, "-o", "run", "--overwrite"]
    assert paring_here(*command).returncode == 0
    assert paring_here(*command).returncode == 0
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    refused = paring_here(*command)
    assert refused.returncode == 2
    assert "holds more or less than its run wrote" in refused.stderr
    assert (tmp_path / "run" / "thesis.txt").exists()


def test_a_run_cannot_replace_what_it_reads(paring_here: Paring, tmp_path: Path) -> None:
    assert paring_here("demo", "-o", "demo", "--images", 6).returncode == 0
    before = sorted(p.name for p in (tmp_path / "demo").rglob("*"))
    cut = ["images", "shape", "demo/scenes.json", "--rate", 0.5]
    for words in (cut, ["convert", "demo/scenes.json", "--to", "coco"]):
        done = paring_here(*words, "-o", "demo", "--overwrite")
        assert done.returncode == 2
        assert "never changed" in done.stderr
    assert sorted(p.name for p in (tmp_path / "demo").rglob("*")) == before


def test_a_path_that_is_no_utf8_is_written_down_all_the_same(
    paring_here: Paring, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"bad\xff.json")
    factory.write_json(odd, factory.coco())
    done = paring_here("images", "random", odd, "--count", 1, "-o", "run", "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "run" / "run.json").read_bytes())
    assert about["dataset"]["path"] == str(odd)


def test_a_run_that_is_told_to_stop_clears_away_what_it_made(tmp_path: Path) -> None:
    code = (
        "import os, signal, time, paring.cli.main as m, paring.cli.demo as d\n"
        "def slow(*a, **k): os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)\n"
        "d.scenes = slow\n"
        "import sys; sys.argv = ['paring', 'demo', '-o', 'out']; m.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60)
    assert done.returncode == 128 + 15
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_reads_as_a_data_set(paring_here: Paring, tmp_path: Path) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    paring_here("images", "count", "d.json", "--count", 1, "-o", "run")
    done = paring_here("inspect", "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 image, ")


def test_the_step_between_frames_reaches_the_reader(tmp_path: Path) -> None:
    data, reading = read_source(Source(video(tmp_path / "x.avi", 7), frame_step=3))
    assert reading.frame_step == 3
    assert data.images["file_name"].to_list() == [f"x.avi#00000{k}" for k in (0, 3, 6)]


def test_a_cut_of_a_video_lists_the_frames_that_stay_and_links_them(
    paring_here: Paring, tmp_path: Path
) -> None:
    video(tmp_path / "clips" / "x.avi", 8)
    done = paring_here(
        *("images", "random", "clips", "--rate", "0.5", "--seed", "1", "--frame-step", "2"),
        *("-o", "run", "--link", "kept"),
    )
    assert done.returncode == 0, done.stderr
    names = (tmp_path / "run" / "frames.txt").read_text().split()
    assert len(names) == 2
    assert (tmp_path / "run" / "kept.txt").read_text().split() == names
    assert len(list((tmp_path / "kept").glob("x_*.png"))) == 2
    assert paring_here("inspect", "clips", "--frame-step", "0").returncode == 2


def test_links_that_cannot_be_made_leave_the_run_and_that_is_said(
    paring_here: Paring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    monkeypatch.setattr(run, "place_images", full)
    done = paring_here("images", "random", ".", "--count", 1, "-o", "q1", "--link", "kept")
    assert done.returncode == 2
    assert done.stderr.startswith("error: the run is in q1; the links could not be made: kept: ")
    assert "No space left" in done.stderr
    assert (tmp_path / "q1" / "run.json").is_file()
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("place", ["file/kept", "file/deep/kept", "gone/kept"])
def test_a_place_for_links_that_cannot_be_written_is_refused_before_the_work(
    paring_here: Paring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to("nowhere")
    monkeypatch.setattr(images, "keep_random", None)
    done = paring_here("images", "random", ".", "--count", 1, "-o", "q1", "--link", place)
    assert done.returncode == 2
    assert done.stderr == f"error: {place}: the links cannot be written there\n"
    assert not (tmp_path / "q1").exists()


def test_links_go_into_new_folders_in_new_folders(paring_here: Paring, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    options = ("--count", 1, "-o", "q1", "--link", "new/er/kept")
    assert paring_here("images", "random", ".", *options).returncode == 0
    assert (tmp_path / "new" / "er" / "kept" / "a.png").is_symlink()


def test_a_link_to_a_run_is_not_replaced(tmp_path: Path) -> None:
    with new_run(tmp_path / "run", overwrite=False) as made:
        made.finish()
    (tmp_path / "link").symlink_to("run")
    with (
        pytest.raises(InputError, match="link: is a link, so it is not replaced"),
        new_run(tmp_path / "link", overwrite=True),
    ):
        raise AssertionError
    assert (tmp_path / "link" / "run.json").is_file()


# -- what a run remembers of its data set ----------------------------------------------------


def facts(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_bytes())


def test_paths_are_remembered_from_the_run_folder_or_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with new_run(Path("run"), overwrite=False) as made:
        (made.folder / "images").mkdir()
        (tmp_path / "link").symlink_to(made.folder)
        assert placed_at(made, made.folder / "images") == "images"
        assert placed_at(made, made.folder / "images" / ".." / "d.json") == "d.json"
        assert placed_at(made, tmp_path / "link" / "images") == "images"
        assert placed_at(made, made.folder) == "."
        assert placed_at(made, Path("data") / "d.json") == str(tmp_path / "data" / "d.json")
        beside = made.folder.resolve().with_name(f"{made.folder.name}-2")
        assert placed_at(made, beside) == str(beside)


def test_how_a_data_set_is_read_is_remembered_where_it_is_not_as_usual(masks: Path) -> None:
    source = Source(masks, FormatName.pairs, classes="ground,cat", void=9, components=True)
    data, reading = read_source(source)
    with new_run(masks / "run", overwrite=False) as made:
        assert how_read(made, reading, data, False) == {
            "path": str(masks),
            "format": "pairs",
            "classes": ["ground", "cat"],
            "void": 9,
            "components": True,
        }
        assert how_read(made, reading, data, True)["recompute"] is True


def test_a_void_value_of_0_is_remembered(masks: Path) -> None:
    data, reading = read_source(Source(masks, FormatName.pairs, void=0))
    with new_run(masks / "run", overwrite=False) as made:
        assert how_read(made, reading, data, False)["void"] == 0


def test_a_plain_read_is_remembered_by_path_and_format(tmp_path: Path) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    data, reading = read_source(Source(tmp_path / "d.json"))
    with new_run(tmp_path / "run", overwrite=False) as made:
        plain = {"path": str(tmp_path / "d.json"), "format": "coco"}
        assert how_read(made, reading, data, False) == plain
        (tmp_path / "pictures").mkdir()
        data, reading = read_source(Source(tmp_path / "d.json", images=tmp_path / "pictures"))
        expected = plain | {"images": str(tmp_path / "pictures")}
        assert how_read(made, reading, data, False) == expected


def test_the_place_of_a_data_set_is_in_run_json(paring_here: Paring, tmp_path: Path) -> None:
    whole = tmp_path / "data" / "yolo"
    drawn = paring.scenes(6, seed=0, folder=tmp_path / "images", size=(48, 64))
    (tmp_path / "data").mkdir()
    drawn.write(whole, format="yolo", images="copy")
    done = paring_here("images", "count", "data/yolo", "--split", "train", "--count", 3, "-o", "r")
    assert done.returncode == 0, done.stderr
    about = facts(tmp_path / "r")["dataset"]
    data = paring.read(whole)
    assert about == {
        "path": "data/yolo",
        "image_root": str(whole / "images" / "train"),
        "fingerprint": data.fingerprint,
        "read": {"path": str(whole), "format": "yolo", "split": "train"},
    }


def test_images_that_were_not_found_have_no_place(paring_here: Paring, tmp_path: Path) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    done = paring_here("images", "count", "d.json", "--count", 1, "-o", "run")
    assert done.returncode == 0, done.stderr
    assert facts(tmp_path / "run")["dataset"]["image_root"] is None
    assert (tmp_path / "run" / "report" / "index.html").is_file()


def test_a_demo_remembers_its_scenes_from_its_own_folder(
    paring_here: Paring, tmp_path: Path
) -> None:
    assert paring_here("demo", "-o", "demo", "--images", 4).returncode == 0
    about = facts(tmp_path / "demo")
    assert about["dataset"]["image_root"] == "images"
    read = {"path": "scenes.json", "format": "coco", "images": "images"}
    assert about["dataset"]["read"] == read
    assert about["again"] == ["paring", "images", "shape", "demo/scenes.json"]


def test_a_run_keeps_what_its_data_set_held(paring_here: Paring, tmp_path: Path) -> None:
    path = factory.write_json(tmp_path / "d.json", factory.coco())
    assert paring_here("images", "count", "d.json", "--count", 1, "-o", "run").returncode == 0
    data, before = paring.read(path), tmp_path / "run" / "before"
    assert len(list(before.iterdir())) == 3
    for name in ("images", "instances", "categories"):
        assert pl.read_parquet(before / f"{name}.parquet").equals(getattr(data, name))


AGAIN = {
    "count d.json --count 1 -o run": "count d.json",
    "count d.json --count=1 -orun --overwrite --json": "count d.json",
    "count --output=run --rate 0.5 d.json --min-per-category 1": (
        "count d.json --min-per-category 1"
    ),
    "count d.json --count 1 --output run --link kept --report": "count d.json",
    "random d.json --seed 3 --count 1 --no-report -o run": "random d.json --seed 3",
    "random --seed=3 --images . d.json --recompute --count 1 -o run": (
        "random --seed=3 --images . d.json --recompute"
    ),
}


@pytest.mark.parametrize("command", AGAIN)
def test_a_run_remembers_its_command_without_amount_and_place(
    paring_here: Paring, tmp_path: Path, command: str
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    done = paring_here("images", *command.split())
    assert done.returncode == 0, done.stderr
    about = facts(tmp_path / "run")
    assert about["again"] == ["paring", "images", *AGAIN[command].split()]
    assert about["command"] == ["paring", "images", *command.split()]


# -- the report ------------------------------------------------------------------------------


def test_a_run_has_a_report_and_says_where(paring_here: Paring, tmp_path: Path) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    done = paring_here("images", "count", "d.json", "--count", 1, "-o", "run")
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("look at it: run/report/index.html\n")
    assert (tmp_path / "run" / "report" / "index.html").is_file()
    assert "report" not in facts(tmp_path / "run")["contents"]


def test_a_run_without_a_report_has_none_and_all_else(paring_here: Paring, tmp_path: Path) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    command = ("images", "count", "d.json", "--count", 1)
    done = paring_here(*command, "-o", "run", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "look at it" not in done.stderr
    assert paring_here(*command, "-o", "whole").returncode == 0
    there = {path.name for path in (tmp_path / "run").iterdir()}
    assert there == {path.name for path in (tmp_path / "whole").iterdir()} - {"report"}
    assert paring_here(*command, "-o", "run", "--overwrite").returncode == 0
    assert (tmp_path / "run" / "report").is_dir()


def test_json_of_a_run_is_what_its_run_json_says(paring_here: Paring, tmp_path: Path) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    done = paring_here("images", "count", "d.json", "--count", 1, "-o", "run", "--json")
    assert json.loads(done.stdout) == {"run": "run", **facts(tmp_path / "run")}


def test_a_report_that_was_made_anew_leaves_a_run_replaceable(
    paring_here: Paring, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "data" / "a.png")
    command = ("images", "random", "data", "--count", 1, "-o", "run", "--overwrite")
    assert paring_here(*command, "--no-report").returncode == 0
    for options in ((), ("--no-images",), ("--hash-names",)):
        assert paring_here("report", "run", *options).returncode == 0
        assert paring_here(*command, "--no-report").returncode == 0
        assert not (tmp_path / "run" / "report").exists()


def test_the_step_between_frames_is_remembered(tmp_path: Path) -> None:
    data, reading = read_source(Source(video(tmp_path / "x.avi", 7), frame_step=3))
    with new_run(tmp_path / "run", overwrite=False) as made:
        assert how_read(made, reading, data, False)["frame_step"] == 3


def test_a_run_is_replaced_only_where_its_page_and_names_are_ours(
    paring_here: Paring, tmp_path: Path
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    command = ("images", "count", "d.json", "--count", 1, "-o", "run")
    assert paring_here(*command).returncode == 0
    assert paring_here("report", "run", "--hash-names").returncode == 0
    assert paring_here(*command, "--overwrite").returncode == 0
    for name in ("report/mine.txt", "report-names.csv", "report/thumbnails/holiday.jpg"):
        mine = tmp_path / "run" / name
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine")
        done = paring_here(*command, "--overwrite")
        assert done.returncode == 2
        assert mine.read_text() == "mine"
        mine.unlink()
    assert paring_here(*command, "--overwrite").returncode == 0


def test_a_page_that_cannot_be_made_leaves_the_run(
    paring_here: Paring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    factory.write_json(tmp_path / "d.json", factory.coco())
    monkeypatch.setattr("paring.report.making.write_page", full)
    done = paring_here("images", "count", "d.json", "--count", 1, "-o", "run")
    assert done.returncode == 2
    said = "error: the run is in run; its page could not be made: "
    assert done.stderr.splitlines()[-1].startswith(said)
    assert "No space left on device" in done.stderr
    assert (tmp_path / "run" / "subset.json").is_file()
    assert sorted(p.name for p in (tmp_path / "run").iterdir() if p.name.startswith(".")) == []
    assert not (tmp_path / "run" / "report").exists()
