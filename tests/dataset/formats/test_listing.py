import os
from pathlib import Path

import pytest
from PIL import Image

import paring
from paring.dataset.formats import carry_out, format_of
from paring.dataset.formats.listing import of_files, recognise
from paring.dataset.reading import Reading
from paring.errors import InputError
from videos import number_of, video


def picture(path: Path, width: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, 3)).save(path)
    return path


def listed(path: Path, *lines: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_images_are_read_in_the_order_of_the_list(tmp_path: Path) -> None:
    picture(tmp_path / "b.png", 5)
    picture(tmp_path / "in" / "a.png", 6)
    path = listed(tmp_path / "l.txt", "", "# a comment", "  b.png  ", "", "in/a.png")
    data = paring.read(path)
    assert data.images.rows() == [(1, "b.png", 5, 3), (2, "in/a.png", 6, 3)]
    assert data.image_root == tmp_path
    assert data.origin.format == "listing"
    assert data.read_image(2).shape == (3, 6, 3)


def test_a_list_may_come_from_windows(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "l.txt").write_bytes(b"\xef\xbb\xbfa.png\r\n\r\n")
    assert paring.read(tmp_path / "l.txt").images["file_name"].to_list() == ["a.png"]


def test_names_start_from_the_folder_of_the_images_or_of_the_list(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "in" / "a.png", 5)
    path = listed(tmp_path / "lists" / "l.txt", "in/a.png")
    data = paring.read(path, images=tmp_path / "data")
    assert data.images.rows() == [(1, "in/a.png", 5, 3)]
    assert data.image_root == tmp_path / "data"
    with pytest.raises(InputError, match=r"l\.txt: line 1: names the image 'in/a\.png', which"):
        paring.read(path)
    with pytest.raises(InputError, match="gone: the images folder does not exist"):
        paring.read(path, images=tmp_path / "gone")


def test_files_of_one_name_in_two_folders_stay_two_images(tmp_path: Path) -> None:
    one, two = picture(tmp_path / "x" / "a.png", 5), picture(tmp_path / "y" / "a.png", 6)
    path = listed(tmp_path / "lists" / "l.txt", two, "../x/a.png", one)
    reading = Reading(path)
    data = carry_out(reading)
    assert data.images.rows() == [(1, "y/a.png", 6, 3), (2, "x/a.png", 5, 3)]
    assert data.image_root == tmp_path
    assert [(f.record, f.refused) for f in reading.faults] == [("line 3", False)]


def test_missing_and_broken_images_are_refused_by_line_and_name(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("text")
    path = listed(tmp_path / "l.txt", "a.png", "", "gone.png")
    with pytest.raises(InputError, match=r"l\.txt: line 3: names the image 'gone\.png', which"):
        paring.read(path)
    listed(path, "a.png", "b.png")
    with pytest.raises(InputError, match=r"b\.png: the image cannot be read"):
        paring.read(path)
    listed(path, "gone.png", "a.png", "b.png", "nul\0.png")
    reading = Reading(path, strict=False)
    assert carry_out(reading).images["file_name"].to_list() == ["a.png"]
    assert [f.record for f in reading.faults[:2]] == ["line 1", "line 4"]
    listed(path, "gone.png")
    with pytest.raises(InputError, match="names no images that can be used"):
        carry_out(Reading(path, strict=False))


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["a.png"], True),
        (["", "# words", "/somewhere/else/b.JPG"], True),
        (["clip.mp4#000030"], True),
        (["2007_000027"], False),
        (["cat"], False),
        (["0 0.5 0.5 0.1 0.1"], False),
        (["# a.png"], False),
        ([], False),
    ],
)
def test_only_a_list_of_images_is_recognised(
    tmp_path: Path, lines: list[str], answer: bool
) -> None:
    assert recognise(listed(tmp_path / "l.txt", *lines)) is answer
    assert not recognise(listed(tmp_path / "l.md", *lines))


def test_other_text_files_keep_their_format(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    assert format_of(listed(tmp_path / "ImageSets/Segmentation/val.txt", "a.jpg")).name == "voc"
    (tmp_path / "bytes.txt").write_bytes(bytes(range(256)) * 9)
    with pytest.raises(InputError, match="not recognised as a data set"):
        format_of(tmp_path / "bytes.txt")


def test_a_list_reads_no_folder_and_no_label_maps(tmp_path: Path) -> None:
    path = listed(tmp_path / "l.txt", picture(tmp_path / "a.png"))
    with pytest.raises(InputError, match="holds no label maps"):
        paring.read(path, task="semantic")
    with pytest.raises(InputError, match="is no list of images in a text file"):
        paring.read(tmp_path, format="listing")
    path.write_bytes(b"\xff\xfe\0")
    with pytest.raises(InputError, match="is not a text file in UTF-8"):
        paring.read(path, format="listing")


@pytest.mark.parametrize("images", ["link", "copy"])
def test_a_list_written_with_its_images_reads_back(tmp_path: Path, images: str) -> None:
    picture(tmp_path / "data" / "x" / "a.png", 5)
    video(tmp_path / "data" / "v.avi", 4)
    path = listed(tmp_path / "data" / "l.txt", "x/a.png", "v.avi#000003")
    data = paring.read(path)
    assert data.write(tmp_path / "out", images=images) == {}
    again = paring.read(tmp_path / "out" / "images.txt")
    assert again.images["file_name"].to_list() == ["x/a.png", "v_000003.png"]
    assert number_of(again.read_image(2)) == 3
    data.write(tmp_path / "bare")
    bare = paring.read(tmp_path / "bare" / "images.txt", images=tmp_path / "data")
    assert bare.images.equals(data.images)


def test_a_name_that_cannot_stand_in_a_list_is_refused(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("no file has such a name there")
    for name in ("a\nb.png", " a.png", "#a.png"):
        data = of_files([picture(tmp_path / "data" / name)])
        with pytest.raises(InputError, match="cannot stand in a list; rename the image"):
            data.write(tmp_path / "out", format="listing")


def test_files_by_their_paths_are_a_data_set(tmp_path: Path) -> None:
    one, two = picture(tmp_path / "x" / "a.png", 5), picture(tmp_path / "y" / "a.png", 6)
    data = of_files([str(two), one, two])
    assert data.images.rows() == [(1, "y/a.png", 6, 3), (2, "x/a.png", 5, 3)]
    assert data.read_image(1).shape == (3, 6, 3)
    assert of_files([one]).images["file_name"].to_list() == ["a.png"]
    clip = video(tmp_path / "v.avi", 3)
    assert number_of(of_files([f"{clip}#000002", one]).read_image(1)) == 2


def test_files_that_are_missing_or_no_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png: the image does not exist"):
        of_files([picture(tmp_path / "a.png"), tmp_path / "gone.png"])
    (tmp_path / "b.png").write_text("text")
    with pytest.raises(InputError, match=r"b\.png: the image cannot be read"):
        of_files([tmp_path / "b.png"])
    with pytest.raises(InputError, match="no image files were given"):
        of_files([])
