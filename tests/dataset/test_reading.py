import logging
from pathlib import Path

import pytest

from paring.dataset.reading import Reading, find_images
from paring.errors import InputError


def test_a_strict_reading_raises_with_file_and_record() -> None:
    with pytest.raises(InputError, match=r"^d\.json: annotation 3: is broken$"):
        Reading(Path("d.json")).refuse("broken", "annotation 3", "is broken")


def test_a_lenient_reading_lists_what_it_cannot_use() -> None:
    reading = Reading(Path("d.json"), strict=False)
    reading.refuse("broken", "annotation 3", "is broken")
    reading.note("odd", ["annotation 4", "annotation 5"], "is odd")
    assert [(f.record, f.refused) for f in reading.faults] == [
        ("annotation 3", True),
        ("annotation 4", False),
        ("annotation 5", False),
    ]


@pytest.mark.parametrize(
    "place", ["annotations", "annotations/images", "images", "train2017", "annotations/train2017"]
)
def test_images_are_found_in_the_usual_places_and_said(tmp_path: Path, place: str) -> None:
    (tmp_path / "annotations").mkdir()
    folder = tmp_path / place
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "a.jpg").touch()
    reading = Reading(tmp_path / "annotations" / "instances_train2017.json")
    assert find_images(reading, reading.path.parent, ["a.jpg"]) == folder.resolve()
    assert reading.said == [f"images taken from {folder.resolve()}"]


def test_images_that_are_nowhere_are_not_guessed(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "x.json")
    assert find_images(reading, tmp_path, ["a.jpg"]) is None
    assert reading.said == []


def test_a_folder_of_images_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    reading = Reading(tmp_path / "x.json", images=tmp_path / "gone")
    with pytest.raises(InputError, match="images folder does not exist"):
        find_images(reading, tmp_path, ["a.jpg"])


def test_a_refusal_names_the_file_it_is_about_and_no_empty_record() -> None:
    with pytest.raises(InputError, match=r"^d: is broken$"):
        Reading(Path("d")).refuse("broken", "", "is broken")
    with pytest.raises(InputError, match=r"^d/x\.txt: line 1: is broken$"):
        Reading(Path("d")).refuse("broken", "line 1", "is broken", path=Path("d/x.txt"))


def test_the_folder_asked_for_is_taken_though_another_holds_the_images(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "mine").mkdir()
    reading = Reading(tmp_path / "x.json", images=tmp_path / "mine")
    assert find_images(reading, tmp_path, ["a.jpg"]) == tmp_path / "mine"


def test_the_annotation_s_own_folder_comes_before_images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for folder in (tmp_path, tmp_path / "images"):
        (folder / "a.jpg").touch()
    assert find_images(Reading(tmp_path / "x.json"), tmp_path, ["a.jpg"]) == tmp_path.resolve()


def test_images_are_found_by_split_in_the_images_folder_next_to_it(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    folder = tmp_path / "images" / "val"
    folder.mkdir(parents=True)
    (folder / "a.jpg").touch()
    reading = Reading(tmp_path / "annotations" / "instances_val.json")
    assert find_images(reading, reading.path.parent, ["a.jpg"]) == folder.resolve()


def test_no_names_have_no_folder(tmp_path: Path) -> None:
    assert find_images(Reading(tmp_path / "x.json"), tmp_path, []) is None


def test_what_is_said_is_heard_by_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "paring"):
        Reading(Path("d")).say("decided")
    assert caplog.messages == ["decided"]


def test_the_folder_of_a_video_is_found_by_a_frame(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "clip.mp4").touch()
    found = find_images(Reading(tmp_path / "d.json"), tmp_path, ["clip.mp4#000030"])
    assert found == tmp_path / "images"
