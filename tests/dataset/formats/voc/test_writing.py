from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import factory
from paring.dataset.formats import FORMATS, read, write
from paring.dataset.labelmaps import LabelMaps
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from voc_folder import CAT, CLASSES, OBJECTS, voc


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def renamed(data: Dataset, names: list[str]) -> Dataset:
    images = data.images.with_columns(pl.Series("file_name", names))
    return Dataset(images, data.instances, data.categories, data.masks)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    other = np.roll(OBJECTS, 1, axis=1), np.roll(CLASSES, 1, axis=1)
    lists = {"val": ["b", "a"], "train": ["b"]}
    return voc(tmp_path / "VOC2012", {"a": (OBJECTS, CLASSES), "b": other}, lists=lists)


@pytest.fixture
def polygons() -> Dataset:
    """Two images: a square under a smaller one, and one square alone."""
    squares = [(1, 1, 4, 4), (3, 3, 2, 2), (0, 0, 2, 3)]
    masks = MaskStore.from_polygons(
        [[factory.rectangle(*square)] for square in squares], heights=[8] * 3, widths=[10] * 3
    )
    return factory.assemble(masks, [1, 1, 2], [7, 3, 7], {1: (8, 10), 2: (8, 10)})


# -- data that came from VOC -----------------------------------------------------------------


def test_voc_data_written_and_read_again_is_equal_and_its_maps_are_copies(
    root: Path, tmp_path: Path
) -> None:
    data = read(root, split="val")
    assert write(data, tmp_path / "out", images="copy") == {}
    assert read(tmp_path / "out") == data
    before = files(root)
    del before["ImageSets/Segmentation/train.txt"]
    assert files(tmp_path / "out") == before


def test_a_part_copies_the_maps_of_its_images_and_the_names(root: Path, tmp_path: Path) -> None:
    (root / "labels.txt").write_text("__ignore__\nspoon\n")
    data = read(root, split="val").subset([2])
    assert write(data, tmp_path / "out", images="link") == {}
    assert sorted(files(tmp_path / "out")) == [
        "ImageSets/Segmentation/val.txt",
        "JPEGImages/a.jpg",
        "SegmentationClass/a.png",
        "SegmentationObject/a.png",
        "labels.txt",
    ]
    assert (tmp_path / "out" / "JPEGImages" / "a.jpg").is_symlink()
    assert (tmp_path / "out" / "labels.txt").read_text() == "__ignore__\nspoon\n"


def test_label_maps_read_from_voc_come_back_equal(root: Path, tmp_path: Path) -> None:
    for path in (root / "SegmentationObject").iterdir():
        path.unlink()
    data = read(root, split="val", task="semantic")
    write(data, tmp_path / "out")
    again = read(tmp_path / "out", task="semantic")
    assert again.images.equals(data.images)
    assert again.label_maps is not None
    assert data.label_maps is not None
    for image_id in (1, 2):
        np.testing.assert_array_equal(
            again.label_maps.read(image_id), data.label_maps.read(image_id)
        )


def test_a_map_that_is_gone_when_it_should_be_copied_is_named(root: Path, tmp_path: Path) -> None:
    data = read(root, split="val")
    (root / "SegmentationObject" / "a.png").unlink()
    with pytest.raises(InputError, match=r"SegmentationObject/a\.png: does not exist any more"):
        write(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_part_is_a_list_of_the_split_it_was_read_from(root: Path, tmp_path: Path) -> None:
    part = read(root, split="val").subset([2])
    assert FORMATS["voc"].write_part(part, tmp_path) == ["ImageSets/Segmentation/val.txt"]
    assert (tmp_path / "ImageSets" / "Segmentation" / "val.txt").read_text() == "a\n"


def test_what_was_read_is_never_replaced(root: Path) -> None:
    data = read(root / "ImageSets" / "Segmentation" / "val.txt")
    for target in (root, root.parent):
        with pytest.raises(InputError, match="never changed"):
            write(data, target, overwrite=True)
    assert (root / "labels.txt").parent.is_dir()


# -- data that came from elsewhere -----------------------------------------------------------


def test_painted_data_reads_back_with_names_classes_and_pixels(
    polygons: Dataset, tmp_path: Path
) -> None:
    losses = write(polygons, tmp_path / "out", format="voc")
    # the squares [1, 5) x [1, 5) and [3, 5) x [3, 5) share four pixels
    assert losses == {"overlapping pixels": 4}
    data = read(tmp_path / "out")
    assert data.images["file_name"].to_list() == ["0001.jpg", "0002.jpg"]
    assert data.categories.rows() == [(1, "class 3"), (2, "class 7")]
    assert data.instances["category_id"].to_list() == [2, 1, 2]
    assert data.instances["image_id"].to_list() == [1, 1, 2]
    assert data.instances["area"].to_list() == [16 - 4, 4, 6]
    assert data.instances["bbox"].to_list() == [[1, 1, 4, 4], [3, 3, 2, 2], [0, 0, 2, 3]]
    text = (tmp_path / "out" / "labels.txt").read_text()
    assert text == "background\nclass 3\nclass 7\n"


def test_painted_maps_are_8_bit_palette_images_and_writing_twice_gives_equal_bytes(
    polygons: Dataset, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write(polygons, tmp_path / name, format="voc")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    with Image.open(tmp_path / "one" / "SegmentationClass" / "0001.png") as picture:
        assert (picture.mode, picture.size) == ("P", (10, 8))
        assert picture.getpalette()[:6] == [0, 0, 0, 128, 0, 0]


def test_the_classes_of_voc_keep_their_values_and_get_no_list(tmp_path: Path) -> None:
    data = factory.from_bitmaps([np.ones((2, 2), bool)], image=[1], category=[CAT])
    names = pl.DataFrame({"category_id": [CAT], "name": ["cat"]})
    write(Dataset(data.images, data.instances, names, data.masks), tmp_path / "o", format="voc")
    assert not (tmp_path / "o" / "labels.txt").exists()
    again = read(tmp_path / "o")
    assert again.instances["category_id"].to_list() == [CAT]


def test_scores_tags_and_ignore_flags_are_counted_as_lost(
    polygons: Dataset, tmp_path: Path
) -> None:
    data = Dataset(
        polygons.images,
        polygons.instances.with_columns(
            score=pl.Series([0.5, None, 1.0]), ignore=pl.Series([True, None, False])
        ),
        polygons.categories,
        polygons.masks,
        tags=pl.DataFrame({"image_id": [1, 2], "category_id": [3, 3]}),
    )
    losses = write(data, tmp_path / "out", format="voc")
    assert losses == {"overlapping pixels": 4, "scores": 2, "ignore flags": 1, "image tags": 2}
    with pytest.raises(InputError, match="would lose"):
        write(data, tmp_path / "strict", format="voc", strict=True)
    assert not (tmp_path / "strict").exists()


def test_file_names_in_folders_lose_their_folder_and_pictures_follow(
    polygons: Dataset, tmp_path: Path
) -> None:
    names = ["x/y/one.png", "x/two.jpg"]
    for name in names:
        (tmp_path / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "from" / name).write_bytes(name.encode())
    data = renamed(polygons, names)
    object.__setattr__(data, "image_root", tmp_path / "from")
    write(data, tmp_path / "out", format="voc", images="copy")
    assert {p.name for p in (tmp_path / "out" / "JPEGImages").rglob("*")} == {"one.png", "two.jpg"}
    assert (tmp_path / "out" / "JPEGImages" / "one.png").read_bytes() == b"x/y/one.png"
    assert read(tmp_path / "out").images["file_name"].to_list() == ["one.png", "two.jpg"]


def test_stems_that_clash_or_cannot_be_listed_are_refused_by_name(
    polygons: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"'x/a\.jpg' and 'y/a\.png' would both be 'a'"):
        write(renamed(polygons, ["x/a.jpg", "y/a.png"]), tmp_path / "out", format="voc")
    with pytest.raises(InputError, match="cannot be named in a VOC list"):
        write(renamed(polygons, ["a\nb.jpg", "c.jpg"]), tmp_path / "out", format="voc")


def test_label_maps_from_elsewhere_become_class_maps_by_name(tmp_path: Path) -> None:
    stored = np.array([[0, 1, 2, 3]], np.uint8)
    Image.fromarray(stored).save(tmp_path / "labels.png")
    empty = factory.assemble(factory.random_polygons(0, seed=0), [], [], {4: (1, 4)})
    data = Dataset(
        empty.images,
        empty.instances,
        pl.DataFrame({"category_id": [10, 20, 30], "name": ["road", "background", "sky"]}),
        empty.masks,
        label_maps=LabelMaps(
            pl.DataFrame({"image_id": [4], "path": [str(tmp_path / "labels.png")]}),
            np.array([10, 20, 30, 255]),
        ),
    )
    assert write(data, tmp_path / "out", format="voc") == {}
    again = read(tmp_path / "out", task="semantic")
    assert again.categories.rows() == [(0, "background"), (1, "road"), (2, "sky")]
    assert again.label_maps is not None
    assert again.label_maps.read(1).tolist() == [[1, 0, 2, 255]]
