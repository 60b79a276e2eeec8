from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paring.dataset.formats import FORMATS, carry_out, format_of, read
from paring.dataset.formats.voc.classes import NAMES
from paring.dataset.labelmaps import VOID
from paring.dataset.reading import Reading
from paring.dataset.table import Dataset
from paring.errors import InputError
from voc_folder import CAT, CLASSES, DOG, OBJECTS, PERSON, save, voc


def lenient(path: Path, **options: Any) -> tuple[Dataset, Reading]:
    reading = Reading(path, strict=False, **options)
    return carry_out(reading), reading


@pytest.fixture
def root(tmp_path: Path) -> Path:
    empty = np.zeros((3, 5))
    return voc(tmp_path / "VOC2012", {"b": (OBJECTS, CLASSES), "a": (empty, empty)})


# -- what is read ----------------------------------------------------------------------------


def test_images_come_in_the_order_of_the_list_with_their_sizes(root: Path) -> None:
    data = read(root)
    assert data.images.rows() == [(1, "b.jpg", 5, 3), (2, "a.jpg", 5, 3)]
    assert data.image_root == (root / "JPEGImages").resolve()
    assert data.read_image(1).shape == (3, 5, 3)


def test_instances_are_the_numbers_of_the_map_of_objects_without_void(root: Path) -> None:
    data = read(root)
    assert data.instances["instance_id"].to_list() == [1, 2]
    assert data.instances["image_id"].to_list() == [1, 1]
    assert data.instances["category_id"].to_list() == [CAT, DOG]
    assert data.instances["iscrowd"].to_list() == [False, False]
    assert data.instances["area"].to_list() == [4, 5]
    assert data.instances["bbox"].to_list() == [[0, 0, 2, 2], [3, 0, 2, 3]]
    assert data.masks.runs(0).tolist() == [0, 2, 1, 2, 10]
    top, left, bitmap = data.masks.crop(1)
    assert (top, left, bitmap.tolist()) == (0, 3, [[1, 1], [1, 1], [0, 1]])


def test_the_twenty_categories_of_voc_have_their_pixel_values_as_ids(root: Path) -> None:
    categories = read(root).categories
    assert categories["category_id"].to_list() == list(range(1, 21))
    assert categories["name"].to_list() == list(NAMES)
    assert (NAMES[CAT - 1], NAMES[DOG - 1], NAMES[PERSON - 1]) == ("cat", "dog", "person")


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([CAT, CAT, DOG, DOG, DOG], DOG),
        ([DOG, CAT, DOG, CAT, 0], CAT),  # a tie goes to the lower class
        ([PERSON, 255, 255, 255, 0], PERSON),  # void has no vote
        ([PERSON, 0, 0, 0, 0], PERSON),  # nor has background
    ],
)
def test_most_pixels_decide_the_category(tmp_path: Path, classes: Any, expected: int) -> None:
    data = read(voc(tmp_path / "v", {"a": ([[9] * 5], [classes])}))
    assert data.instances["category_id"].to_list() == [expected]
    assert data.instances["area"].to_list() == [5]


def test_classes_past_the_twentieth_are_named_by_number(tmp_path: Path) -> None:
    categories = read(voc(tmp_path / "v", {"a": ([[1]], [[33]])})).categories
    assert categories.row(-1) == (33, "class 33")
    assert len(categories) == 21


@pytest.mark.parametrize("file", ["labels.txt", "classes.txt"])
def test_a_list_of_names_replaces_those_of_voc(root: Path, file: str) -> None:
    (root / file).write_text("background\nspoon\nfork\n")
    categories = read(root).categories
    assert categories.rows() == [(1, "spoon"), (2, "fork"), (8, "class 8"), (12, "class 12")]


def test_pictures_have_whatever_ending_they_have(root: Path) -> None:
    (root / "JPEGImages" / "b.jpg").rename(root / "JPEGImages" / "b.png")
    assert read(root).images["file_name"].to_list() == ["b.png", "a.jpg"]


def test_pictures_may_be_absent(root: Path) -> None:
    for path in (root / "JPEGImages").iterdir():
        path.unlink()
    data = read(root)
    assert data.image_root is None
    assert data.images["file_name"].to_list() == ["b.jpg", "a.jpg"]


def test_label_maps_know_background_and_void_and_there_are_no_instances(root: Path) -> None:
    data = read(root, task="semantic")
    assert len(data.instances) == len(data.masks) == 0
    assert data.categories.rows()[:2] == [(0, "background"), (1, "aeroplane")]
    assert len(data.categories) == 21
    assert data.images.rows() == [(1, "b.jpg", 5, 3), (2, "a.jpg", 5, 3)]
    assert data.label_maps is not None
    assert VOID == 255
    assert data.label_maps.read(1).tolist() == CLASSES
    assert data.label_maps.read(2).tolist() == [[0] * 5] * 3


def test_label_maps_need_no_map_of_objects(root: Path) -> None:
    for path in (root / "SegmentationObject").iterdir():
        path.unlink()
    (root / "SegmentationObject").rmdir()
    assert len(read(root, task="semantic")) == 2
    with pytest.raises(InputError, match="has no SegmentationObject folder"):
        read(root)


# -- which part of the folder ----------------------------------------------------------------


@pytest.fixture
def split(tmp_path: Path) -> Path:
    stems = ["a", "b", "c"]
    pictures = dict.fromkeys(stems, (OBJECTS, CLASSES))
    lists = {"train": ["a"], "val": ["b", "c"], "trainval": stems}
    return voc(tmp_path / "VOC2012", pictures, lists=lists)


@pytest.mark.parametrize(("name", "count"), [("train", 1), ("val", 2), ("trainval", 3)])
def test_a_split_is_its_list(split: Path, name: str, count: int) -> None:
    assert len(read(split, split=name)) == count
    assert len(read(split / "ImageSets" / "Segmentation" / f"{name}.txt")) == count


def test_trainval_is_taken_then_train_then_the_only_list_and_it_is_said(split: Path) -> None:
    for taken, count in (("trainval", 3), ("train", 1), ("val", 2)):
        data, reading = lenient(split)
        assert len(data) == count
        assert any(f"{taken}.txt" in sentence for sentence in reading.said)
        (split / "ImageSets" / "Segmentation" / f"{taken}.txt").unlink()
    with pytest.raises(InputError, match="choose a split of: none"):
        read(split)


def test_a_split_that_is_not_there_is_refused_with_those_that_are(split: Path) -> None:
    with pytest.raises(InputError, match="no list 'test'.*train, trainval, val"):
        read(split, split="test")


def test_a_folder_around_a_voc_folder_will_do_if_there_is_only_one(split: Path) -> None:
    around = split.parent
    assert len(read(around, split="val")) == 2
    assert len(read(around, split="val", format="voc")) == 2
    voc(around / "VOC2011", {"a": (OBJECTS, CLASSES)})
    with pytest.raises(InputError, match="found: VOC2011, VOC2012"):
        read(around)


def test_the_download_is_recognised_and_other_folders_are_not(tmp_path: Path) -> None:
    voc(tmp_path / "VOCdevkit" / "VOC2012", {"a": (OBJECTS, CLASSES)})
    assert format_of(tmp_path).name == "voc"
    assert format_of(tmp_path / "VOCdevkit").name == "voc"
    recognise = FORMATS["voc"].recognise
    (tmp_path / "train.txt").write_text("a\n")
    assert not recognise(tmp_path / "train.txt")
    assert not recognise(tmp_path / "VOCdevkit" / "VOC2012" / "JPEGImages")


# -- bad input -------------------------------------------------------------------------------


def test_a_missing_map_names_the_file_and_a_lenient_reading_goes_on(root: Path) -> None:
    gone = root / "SegmentationClass" / "b.png"
    gone.unlink()
    with pytest.raises(InputError, match=rf"^{gone}: image b: the label image does not exist$"):
        read(root)
    data, reading = lenient(root)
    assert data.images["file_name"].to_list() == ["a.jpg"]
    assert len(data.instances) == 0
    assert [(f.kind, f.record) for f in reading.faults] == [("unusable image", "image b")]


def test_maps_of_two_sizes_are_refused_naming_both_files(root: Path) -> None:
    save(root / "SegmentationClass" / "b.png", np.zeros((4, 7)))
    message = r"SegmentationObject/b\.png: image b: is 5 x 3 pixels, but .*b\.png is 7 x 4"
    with pytest.raises(InputError, match=message):
        read(root)


def test_an_object_without_a_class_is_refused_alone(root: Path) -> None:
    save(root / "SegmentationClass" / "b.png", np.where(np.array(CLASSES) == DOG, 255, CLASSES))
    with pytest.raises(InputError, match=r"SegmentationObject/b\.png: object 2: none of its"):
        read(root)
    data, reading = lenient(root)
    assert data.instances["category_id"].to_list() == [CAT]
    assert len(data) == 2
    assert reading.faults[0].record == "object 2"


def test_values_past_eight_bits_and_broken_files_are_refused_by_name(root: Path) -> None:
    path = root / "SegmentationObject" / "b.png"
    Image.fromarray(np.full((3, 5), 1000, np.uint16)).save(path)
    with pytest.raises(InputError, match=r"b\.png: image b: holds pixel value 1000"):
        read(root)
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"b\.png: image b: the label image cannot be read"):
        read(root)


def test_a_header_that_claims_a_giant_image_is_refused_before_it_is_decoded(root: Path) -> None:
    def chunk(kind: bytes, text: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + text))
        return struct.pack(">I", len(text)) + kind + text + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 200_000, 300, 8, 0, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (root / "SegmentationObject" / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    with pytest.raises(InputError, match=r"b\.png: image b: the label image is 200000 x 300"):
        read(root)


@pytest.mark.parametrize("line", ["../a", "/etc/a", "x/../../a", "b"])
def test_a_list_with_a_stem_twice_or_out_of_the_folder_is_refused(root: Path, line: str) -> None:
    path = root / "ImageSets" / "Segmentation" / "train.txt"
    path.write_text(f"b\n\n{line}\n")
    with pytest.raises(InputError, match=r"train\.txt: line 3: .*(occurs twice|leads out)"):
        read(root)
    data, reading = lenient(root)
    assert (len(data), len(reading.faults)) == (1, 1)


def test_a_list_that_is_no_text_or_names_nothing_is_refused(root: Path) -> None:
    path = root / "ImageSets" / "Segmentation" / "train.txt"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"train\.txt: is not a text file"):
        read(root)
    path.write_text("\n")
    with pytest.raises(InputError, match="holds no images that can be used"):
        read(root)


def test_more_names_than_a_map_can_hold_are_refused(root: Path) -> None:
    (root / "labels.txt").write_text("\n".join(f"c{k}" for k in range(255)))
    with pytest.raises(InputError, match=r"labels\.txt: names 255 classes"):
        read(root)
