import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from paring.dataset.formats.pictures import (
    files_below,
    has_file,
    image_frame,
    image_names,
    inside,
    size_of,
)
from paring.dataset.reading import Reading
from paring.errors import InputError
from videos import video


def save(path: Path, width: int = 4, height: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height)).save(path)
    return path


def test_images_below_a_folder_are_listed_sorted_and_without_hidden_or_other_files(
    tmp_path: Path,
) -> None:
    for name in ("b.JPG", "a/z.png", "a/deep/er/y.tif", "c.webp", "._b.jpg", ".git/x.png"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    assert image_names(tmp_path) == ["a/deep/er/y.tif", "a/z.png", "b.JPG", "c.webp"]


def test_links_to_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    save(tmp_path / "data" / "in" / "x.png")
    save(tmp_path / "elsewhere" / "y.png")
    (tmp_path / "data" / "in" / "back").symlink_to(tmp_path / "data", target_is_directory=True)
    (tmp_path / "data" / "out").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert image_names(tmp_path / "data") == ["in/x.png", "out/y.png"]


def test_depth_bounds_how_deep_a_look_goes(tmp_path: Path) -> None:
    save(tmp_path / "1" / "2" / "3" / "x.png")
    assert [has_file(tmp_path, depth=depth) for depth in (1, 2, 3, 4)] == [False] * 3 + [True]
    assert list(files_below(tmp_path, frozenset((".txt",)))) == []


def test_a_folder_without_images_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no images \("):
        image_names(tmp_path)
    with pytest.raises(InputError, match="nowhere: the images folder does not exist"):
        image_names(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "suffix",
    [
        *(".jpg", ".jfif", ".png", ".bmp", ".dib", ".tif", ".webp", ".avif", ".gif", ".jp2"),
        *(".ppm", ".tga", ".pcx", ".qoi", ".sgi"),
    ],
)
def test_the_size_of_an_image_is_its_width_and_height(tmp_path: Path, suffix: str) -> None:
    assert size_of(save(tmp_path / f"x{suffix}", 7, 5)) == (7, 5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_measured_as_it_is_decoded(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (20, 10)).save(tmp_path / "x.jpg", exif=exif)
    height, width = cv2.imread(str(tmp_path / "x.jpg")).shape[:2]
    assert size_of(tmp_path / "x.jpg") == (width, height)


def test_pixels_are_not_decoded_to_measure_an_image(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "x.jpg")
    whole = (tmp_path / "x.jpg").read_bytes()
    (tmp_path / "x.jpg").write_bytes(whole[: len(whole) // 2])
    assert size_of(tmp_path / "x.jpg") == (300, 200)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"text"])
def test_a_file_that_is_no_image_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.jpg").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.jpg: the image cannot be read"):
        size_of(tmp_path / "x.jpg")


def test_frames_of_a_video_among_pictures_are_as_large_as_the_video(tmp_path: Path) -> None:
    video(tmp_path / "x.avi", 2, width=64, height=48)
    save(tmp_path / "a.png", 7, 5)
    frame = image_frame(Reading(tmp_path), tmp_path, ["x.avi#000001", "a.png"])
    assert frame.rows() == [(1, "x.avi#000001", 64, 48), (2, "a.png", 7, 5)]
    with pytest.raises(InputError, match=r"gone\.avi: the video does not exist"):
        image_frame(Reading(tmp_path), tmp_path, ["gone.avi#000001"])


def test_an_image_of_unbelievable_size_is_refused(tmp_path: Path) -> None:
    Image.new("1", (100_001, 1)).save(tmp_path / "x.png")
    with pytest.raises(InputError, match="100001 x 1 pixels, more than is believed"):
        size_of(tmp_path / "x.png")


def test_unreadable_images_are_left_out_of_a_lenient_reading_and_keep_their_number(
    tmp_path: Path,
) -> None:
    save(tmp_path / "a.png", 4, 3)
    (tmp_path / "b.png").write_bytes(b"no")
    save(tmp_path / "c.png", 5, 6)
    names = image_names(tmp_path)
    reading = Reading(tmp_path, strict=False)
    frame = image_frame(reading, tmp_path, names)
    assert frame.rows() == [(1, "a.png", 4, 3), (3, "c.png", 5, 6)]
    assert [fault.refused for fault in reading.faults] == [True]
    with pytest.raises(InputError, match=r"b\.png: the image cannot be read"):
        image_frame(Reading(tmp_path), tmp_path, names)


@pytest.mark.skipif(os.name == "nt", reason="file names there are always text")
def test_a_file_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    picture = save(tmp_path / "a.png").read_bytes()
    try:
        (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(picture)
    except OSError:
        pytest.skip("this file system takes text alone")
    with pytest.raises(InputError, match="file name is not valid text"):
        image_frame(Reading(tmp_path), tmp_path, image_names(tmp_path))


@pytest.mark.parametrize("name", ["../x.jpg", "/x.jpg", "a/../../x.jpg", "", "x\0.jpg"])
def test_names_that_lead_out_of_a_folder_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="leads out of the folder"):
        inside(name)


def test_broken_headers_are_read_in_silence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 270, 2, 99_999, 99_999)
    Image.new("RGB", (7, 5)).save(tmp_path / "x.jpg", exif=exif)
    with (
        pytest.warns(UserWarning, match="Tag data larger|Corrupt EXIF"),
        Image.open(tmp_path / "x.jpg") as picture,
    ):
        picture.getexif().get(274)
    Image.new("RGB", (7, 5)).save(tmp_path / "x.tif")
    tags = bytearray((tmp_path / "x.tif").read_bytes())
    at = tags.index(struct.pack("<HH", 277, 3))  # samples of a pixel: more than there can be
    tags[at + 8 : at + 10] = b"\xff\xff"
    (tmp_path / "x.tif").write_bytes(tags)
    assert size_of(tmp_path / "x.jpg") == (7, 5)
    with pytest.raises(InputError, match=r"x\.tif: the image cannot be read"):
        size_of(tmp_path / "x.tif")
    assert (caplog.records, capsys.readouterr().err) == ([], "")
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(tmp_path / "x.tif")
    assert [record.name for record in caplog.records] == ["PIL.TiffImagePlugin"]


def test_more_pixels_than_pillow_would_take_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert size_of(save(tmp_path / "x.png", 40, 30)) == (40, 30)
    assert Image.MAX_IMAGE_PIXELS == 10
