from pathlib import Path

import cv2
import numpy as np
import pytest

from paring.dataset.video import (
    BrokenVideo,
    file_of,
    frame_name,
    frame_numbers,
    frame_of,
    frame_size,
    picture_names,
    read_frames,
)
from videos import number_of, video


@pytest.mark.parametrize("number", [0, 30, 999_999, 1_000_000, 12_345_678])
def test_a_name_tells_video_and_frame(number: int) -> None:
    name = frame_name("a/b#1.MP4", number)
    assert frame_of(name) == ("a/b#1.MP4", number)
    assert file_of(name) == "a/b#1.MP4"


@pytest.mark.parametrize(
    "name", ["a.jpg", "a.mp4", "a.mp4#30", "a.jpg#000030", "#000030", "a.mp4#00003x", ""]
)
def test_other_names_are_no_frames(name: str) -> None:
    assert frame_of(name) is None
    assert file_of(name) == name


def test_pictures_of_frames_never_share_a_name() -> None:
    names = ["a/c.mp4#000001", "a/c.avi#000001", "b/c.mp4#000001", "b/c_000001.png"]
    assert picture_names(names) == {
        "a/c.mp4#000001": "a/c_000001.png",
        "a/c.avi#000001": "a/c.avi_000001.png",
        "b/c.mp4#000001": "b/c.mp4_000001.png",
        "b/c_000001.png": "b/c_000001.png",
    }


@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4"])
def test_frames_come_in_rising_order_each_once(tmp_path: Path, name: str) -> None:
    clip = video(tmp_path / name, 25)
    found = [(n, number_of(pixels)) for n, pixels in read_frames(clip, [24, 3, 0, 3, 7])]
    assert found == [(0, 0), (3, 3), (7, 7), (24, 24)]


def test_frames_are_red_green_blue(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / "x.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (48, 32))
    if not writer.isOpened():
        pytest.skip("OpenCV has no encoder for .avi here")
    writer.write(np.full((32, 48, 3), (0, 0, 250), np.uint8))  # red, as OpenCV orders colours
    writer.release()
    _, pixels = next(read_frames(tmp_path / "x.avi", [0]))
    assert pixels.shape == (32, 48, 3)
    assert pixels.dtype == np.uint8
    assert pixels[..., 0].mean() > 200 > 50 > pixels[..., 2].mean()


@pytest.mark.parametrize(("step", "count"), [(1, 10), (3, 4), (9, 2), (10, 1), (100, 1)])
def test_every_so_many_frames_one_counts(tmp_path: Path, step: int, count: int) -> None:
    numbers, width, height = frame_numbers(video(tmp_path / "x.avi", 10), step)
    assert numbers == [step * k for k in range(count)]
    assert (width, height) == (48, 32)


def test_frames_are_counted_not_believed(tmp_path: Path) -> None:
    whole = video(tmp_path / "x.avi", 40).read_bytes()
    (tmp_path / "x.avi").write_bytes(whole[: len(whole) * 3 // 4])
    told = cv2.VideoCapture(str(tmp_path / "x.avi")).get(cv2.CAP_PROP_FRAME_COUNT)
    numbers, _, _ = frame_numbers(tmp_path / "x.avi", 1)
    assert 0 < len(numbers) < told
    assert [n for n, _ in read_frames(tmp_path / "x.avi", numbers)] == numbers


def test_a_frame_past_the_end_is_missed_after_those_before_it(tmp_path: Path) -> None:
    frames = read_frames(video(tmp_path / "x.avi", 5), [4, 5])
    assert next(frames)[0] == 4
    with pytest.raises(BrokenVideo, match="has no frame 5; it ends after 5"):
        next(frames)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", r"is empty \(0 bytes\)"),
        (b"no video at all\n" * 99, "cannot be opened as a video"),
    ],
)
def test_a_broken_video_is_told_in_a_phrase_and_silently(
    tmp_path: Path, content: bytes | None, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clip_001.mp4"  # OpenCV would take the name for a series of pictures
    if content is not None:
        path.write_bytes(content)
    for act in (lambda: frame_size(path), lambda: frame_numbers(path, 1)):
        with pytest.raises(BrokenVideo, match=f"^{message}$"):
            act()
    assert capfd.readouterr().err == ""


def test_a_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(BrokenVideo, match="is a folder"):
        frame_size(tmp_path)
