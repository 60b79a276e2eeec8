import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import factory
from commands import Paring
from paring.cli import images, run
from paring.cli.options import FormatName, Source
from paring.cli.run import new_run, peak_memory, read_source, versions
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
    paring_command: Paring, tmp_path: Path
) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    command = ["images", "count", "d.json", "--count", 1, "-o", "run", "--overwrite"]
    assert paring_command(*command).returncode == 0
    assert paring_command(*command).returncode == 0
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    refused = paring_command(*command)
    assert refused.returncode == 2
    assert "holds more or less than its run wrote" in refused.stderr
    assert (tmp_path / "run" / "thesis.txt").exists()


def test_a_run_cannot_replace_what_it_reads(paring_command: Paring, tmp_path: Path) -> None:
    assert paring_command("demo", "-o", "demo", "--images", 6).returncode == 0
    before = sorted(p.name for p in (tmp_path / "demo").rglob("*"))
    cut = ["images", "shape", "demo/scenes.json", "--rate", 0.5]
    for words in (cut, ["convert", "demo/scenes.json", "--to", "coco"]):
        done = paring_command(*words, "-o", "demo", "--overwrite")
        assert done.returncode == 2
        assert "never changed" in done.stderr
    assert sorted(p.name for p in (tmp_path / "demo").rglob("*")) == before


def test_a_path_that_is_no_utf8_is_written_down_all_the_same(
    paring_command: Paring, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"bad\xff.json")
    factory.write_json(odd, factory.coco())
    done = paring_command("images", "random", odd, "--count", 1, "-o", "run", "--json")
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


def test_a_run_folder_reads_as_a_data_set(paring_command: Paring, tmp_path: Path) -> None:
    factory.write_json(tmp_path / "d.json", factory.coco())
    paring_command("images", "count", "d.json", "--count", 1, "-o", "run")
    done = paring_command("inspect", "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 image, ")


def test_the_step_between_frames_reaches_the_reader(tmp_path: Path) -> None:
    data, reading = read_source(Source(video(tmp_path / "x.avi", 7), frame_step=3))
    assert reading.frame_step == 3
    assert data.images["file_name"].to_list() == [f"x.avi#00000{k}" for k in (0, 3, 6)]


def test_a_cut_of_a_video_lists_the_frames_that_stay_and_links_them(
    paring_command: Paring, tmp_path: Path
) -> None:
    video(tmp_path / "clips" / "x.avi", 8)
    done = paring_command(
        *("images", "random", "clips", "--rate", "0.5", "--seed", "1", "--frame-step", "2"),
        *("-o", "run", "--link", "kept"),
    )
    assert done.returncode == 0, done.stderr
    names = (tmp_path / "run" / "frames.txt").read_text().split()
    assert len(names) == 2
    assert (tmp_path / "run" / "kept.txt").read_text().split() == names
    assert len(list((tmp_path / "kept").glob("x_*.png"))) == 2
    assert paring_command("inspect", "clips", "--frame-step", "0").returncode == 2


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
