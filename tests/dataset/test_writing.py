import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import pytest

import factory
import paring
from paring.dataset.table import Dataset
from paring.dataset.writing import beside, clear_abandoned, place_images, placed
from paring.errors import InputError
from videos import number_of, video


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), beside(tmp_path / "out" / "x.json") as fresh:
        fresh.write_text("half")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_success_leaves_only_the_target(tmp_path: Path) -> None:
    with beside(tmp_path / "x.json") as fresh:
        fresh.write_text("whole")
        assert not (tmp_path / "x.json").exists()
    assert os.listdir(tmp_path) == ["x.json"]


@pytest.mark.parametrize("folder", [True, False])
def test_what_is_there_is_replaced_only_when_allowed(tmp_path: Path, folder: bool) -> None:
    def make(path: Path, text: str) -> None:
        if folder:
            path.mkdir()
            path = path / "inner"
        path.write_text(text)

    target = tmp_path / "t"
    make(target, "old")
    with pytest.raises(InputError, match=r"overwrite it \(--overwrite\)"), beside(target):
        pass
    with pytest.raises(RuntimeError), beside(target, overwrite=True) as fresh:
        make(fresh, "new")
        raise RuntimeError
    assert (target / "inner" if folder else target).read_text() == "old"
    with beside(target, overwrite=True) as fresh:
        make(fresh, "new")
    assert (target / "inner" if folder else target).read_text() == "new"
    assert os.listdir(tmp_path) == ["t"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), beside(tmp_path / "file" / "x"):
        pass


def test_images_are_linked_or_copied_and_missing_ones_named(tmp_path: Path) -> None:
    source = tmp_path / "data"
    source.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (source / name).write_bytes(name.encode())
    data = paring.read(factory.write_json(source / "d.json", factory.coco()))
    assert place_images(data, tmp_path / "links", "link") == 2
    assert (tmp_path / "links" / "a.jpg").is_symlink()
    assert place_images(data, tmp_path / "copies", "copy") == 2
    assert not (tmp_path / "copies" / "a.jpg").is_symlink()
    assert (tmp_path / "copies" / "b.jpg").read_bytes() == b"b.jpg"
    (source / "b.jpg").unlink()
    with pytest.raises(InputError, match=r"b\.jpg: the image does not exist"):
        place_images(data, tmp_path / "more", "link")


def test_a_file_name_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"")
    images = [{"id": 1, "file_name": "../secret.jpg", "width": 9, "height": 9}]
    (tmp_path / "data").mkdir()
    record = factory.write_json(tmp_path / "data" / "d.json", factory.coco([], images=images))
    data = paring.read(record)
    with pytest.raises(InputError, match="leads out of the folder"):
        place_images(data, tmp_path / "out", "copy")


def pictured(folder: Path, *names: str) -> Dataset:
    """A data set whose images have these names and lie in a folder."""
    images = [{"id": k, "file_name": n, "width": 9, "height": 9} for k, n in enumerate(names)]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")
    return paring.read(factory.write_json(folder / "d.json", factory.coco([], images=images)))


def test_a_link_that_leads_nowhere_is_not_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "t").symlink_to("gone")
    with pytest.raises(InputError, match="exists already"), beside(tmp_path / "t") as fresh:
        fresh.write_text("new")
    assert (tmp_path / "t").is_symlink()


def test_images_of_no_known_folder_cannot_be_placed(tmp_path: Path) -> None:
    data = replace(pictured(tmp_path / "data", "a.jpg"), image_root=None)
    with pytest.raises(InputError, match="the folder of the images is not known"):
        place_images(data, tmp_path / "out", "link")


def test_links_from_a_relative_folder_of_images_lead_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictured(tmp_path / "data", "a.jpg")
    monkeypatch.chdir(tmp_path)
    place_images(replace(data, image_root=Path("data")), tmp_path / "out" / "deep", "link")
    assert (tmp_path / "out" / "deep" / "a.jpg").read_bytes() == b"picture"


@pytest.mark.parametrize("how", ["link", "copy"])
def test_two_records_of_one_picture_share_it(tmp_path: Path, how: str) -> None:
    data = pictured(tmp_path / "data", "a.jpg", "a.jpg")
    place_images(data, tmp_path / "out", how)  # type: ignore[arg-type]
    assert os.listdir(tmp_path / "out") == ["a.jpg"]
    assert (tmp_path / "data" / "a.jpg").read_bytes() == b"picture"


def test_images_are_copied_where_links_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    data = pictured(tmp_path / "data", "a.jpg")
    monkeypatch.setattr(Path, "symlink_to", refuse)
    place_images(data, tmp_path / "out", "link")
    assert (tmp_path / "out" / "a.jpg").read_bytes() == b"picture"


def test_file_names_with_folders_keep_them(tmp_path: Path) -> None:
    place_images(pictured(tmp_path / "data", "train/a.jpg"), tmp_path / "out", "copy")
    assert (tmp_path / "out" / "train" / "a.jpg").is_file()


def test_an_old_folder_comes_back_where_the_new_one_cannot_be_put(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "old").touch()
    with (
        pytest.raises(InputError, match="cannot be written"),
        beside(tmp_path / "t", overwrite=True),
    ):
        pass  # nothing was made, so nothing can be put into place
    assert os.listdir(tmp_path / "t") == ["old"]
    assert os.listdir(tmp_path) == ["t"]


def test_a_folder_of_any_name_can_be_replaced(tmp_path: Path) -> None:
    for name in ("replaced", ".replaced"):
        for text in ("old", "new"):
            with beside(tmp_path / name, overwrite=True) as fresh:
                fresh.mkdir()
                (fresh / text).touch()
        assert os.listdir(tmp_path / name) == ["new"]


@pytest.mark.parametrize("how", ["link", "copy"])
def test_frames_of_videos_become_pictures_each_video_in_one_pass(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, frames in (("day/clip.avi", 6), ("night/clip.avi", 3)):
        video(tmp_path / "data" / name, frames)
    opened = []
    capture = cv2.VideoCapture
    data = paring.read(tmp_path / "data", frame_step=2)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *a: (opened.append(a[0]), capture(*a))[1])
    assert place_images(data, tmp_path / "out", how) == 5  # type: ignore[arg-type]
    placed = sorted((tmp_path / "out").rglob("*.png"))
    assert [p.relative_to(tmp_path / "out").as_posix() for p in placed] == [
        *(f"day/clip_00000{k}.png" for k in (0, 2, 4)),
        *(f"night/clip_00000{k}.png" for k in (0, 2)),
    ]
    assert [number_of(cv2.imread(str(p))) for p in placed] == [0, 2, 4, 0, 2]
    assert len(opened) == 2


def test_frames_that_are_not_there_are_named(tmp_path: Path) -> None:
    data = paring.read(video(tmp_path / "data" / "clip.avi", 4))
    video(tmp_path / "data" / "clip.avi", 2)
    with pytest.raises(InputError, match=r"clip\.avi: the video has no frame 2; it ends after 2"):
        place_images(data, tmp_path / "out", "copy")
    (tmp_path / "data" / "clip.avi").unlink()
    with pytest.raises(InputError, match=r"clip\.avi: the image does not exist"):
        place_images(data, tmp_path / "more", "copy")


def test_a_data_set_without_frames_keeps_its_names_and_records_when_placed(tmp_path: Path) -> None:
    data = pictured(tmp_path / "data", "a.jpg", "b.jpg")
    assert placed(data, tmp_path / "out", "copy") is data
    assert placed(data, tmp_path / "none", "none") is data
    assert sorted(os.listdir(tmp_path / "out")) == ["a.jpg", "b.jpg"]
    assert not (tmp_path / "none").exists()


def test_frames_are_called_as_the_pictures_that_they_became(tmp_path: Path) -> None:
    video(tmp_path / "clip.avi", 3)
    data = paring.read(tmp_path / "clip.avi")
    after = placed(data, tmp_path / "out", "link")
    assert after.images["file_name"].to_list() == sorted(os.listdir(tmp_path / "out"))
    assert after.image_root == tmp_path / "out"
    assert number_of(after.read_image(2)) == 1
    assert placed(data, tmp_path / "out", "none") is data


# -- what killed processes leave ---------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from paring.dataset.writing import beside
with beside(Path(sys.argv[1])) as fresh:
    fresh.mkdir()
    (fresh / "half").touch()
    os._exit(9)
"""


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The room that a killed process left of ``run``, a minute ago."""
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "run")], check=False)
    (room,) = tmp_path.iterdir()
    return aged(room)


def aged(path: Path) -> Path:
    os.utime(path, (time.time() - 60,) * 2)
    return path


def test_what_a_killed_process_left_is_cleared(left: Path, tmp_path: Path) -> None:
    assert (left / "run" / "half").is_file()
    clear_abandoned(tmp_path / "run", before=time.time())
    assert os.listdir(tmp_path) == []


def add(*names: str) -> Callable[[Path], object]:
    return lambda room: [(room / name).mkdir() for name in names]


SPARED: dict[str, Callable[[Path], object]] = {
    "one beside the target": add("run.replaced"),
    "a target of another name": lambda room: (room / "run").rename(room / "ran"),
    "no target": lambda room: shutil.rmtree(room / "run"),
    "a file": lambda room: (shutil.rmtree(room / "run"), (room / "run").touch()),
    "a link": lambda room: (
        (room / "run").rename(room.parent / "elsewhere"),
        (room / "run").symlink_to(room.parent / "elsewhere"),
    ),
    "a room that others may enter": lambda room: room.chmod(0o755),
}


@pytest.mark.parametrize("what", SPARED)
def test_what_no_killed_process_can_have_left_is_spared(
    left: Path, tmp_path: Path, what: str
) -> None:
    SPARED[what](left)
    aged(left)
    before = sorted(tmp_path.rglob("*"))
    clear_abandoned(tmp_path / "run", before=time.time())
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "name", [".run.work", ".run.abcdefg", ".run.abcdefghi", ".run.ABCDEFGH", "run.abcdefgh"]
)
def test_folders_of_other_names_are_spared(left: Path, tmp_path: Path, name: str) -> None:
    left.rename(tmp_path / name)
    clear_abandoned(tmp_path / "run", before=time.time())
    assert (tmp_path / name / "run" / "half").is_file()


def test_a_link_in_the_place_of_a_room_is_spared(left: Path, tmp_path: Path) -> None:
    left.rename(tmp_path / "mine")
    left.symlink_to("mine")
    clear_abandoned(tmp_path / "run", before=time.time())
    assert (tmp_path / "mine" / "run" / "half").is_file()
    assert left.is_symlink()


def test_names_alike_in_their_first_letters_are_told_apart(tmp_path: Path) -> None:
    long, other = (tmp_path / ("x" * 40 + end) for end in ("-one", "-two"))
    subprocess.run([sys.executable, "-c", KILLED, str(long)], check=False)
    (room,) = tmp_path.iterdir()
    aged(room)
    clear_abandoned(other, before=time.time())
    assert room.is_dir()
    clear_abandoned(long, before=time.time())
    assert not room.exists()


def test_the_room_of_a_process_that_lives_is_spared_however_old(tmp_path: Path) -> None:
    with beside(tmp_path / "run") as fresh:
        fresh.mkdir()
        aged(fresh.parent)
        clear_abandoned(tmp_path / "run", before=time.time())
        assert fresh.is_dir()
    assert os.listdir(tmp_path) == ["run"]


def test_a_room_younger_than_asked_is_spared(left: Path, tmp_path: Path) -> None:
    clear_abandoned(tmp_path / "run", before=time.time() - 120)
    assert left.is_dir()
    clear_abandoned(tmp_path / "nowhere" / "run", before=time.time())
