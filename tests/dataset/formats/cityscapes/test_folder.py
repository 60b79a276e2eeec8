from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from PIL import Image

import factory
from paring.dataset.formats import FORMATS, carry_out, format_of, read, write
from paring.dataset.labelmaps import VOID
from paring.dataset.reading import Reading
from paring.dataset.table import Dataset
from paring.errors import InputError

FIRST, SECOND = "aachen_000000_000019", "aachen_000001_000019"

# sky, two cars, a person, a crowd of cars, a trailer (no class of ours), road
VALUES = [
    [23, 23, 23, 23, 24000],
    [26000, 26, 26, 26001, 24000],
    [26000, 7, 30000, 26001, 7],
]


def annotate(root: Path, scene: str, file: str, values: ArrayLike, *, split: str = "train") -> Path:
    """Write one annotation image of a scene; its city is the scene's first word."""
    folder = root / "gtFine" / split / scene.split("_")[0]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{scene}_gtFine_{file}"
    dtype = np.uint16 if file == "instanceIds.png" else np.uint8
    Image.fromarray(np.array(values, dtype)).save(path)
    return path


def picture(root: Path, scene: str, split: str = "train") -> None:
    path = root / "leftImg8bit" / split / scene.split("_")[0] / f"{scene}_leftImg8bit.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((3, 5, 3), np.uint8)).save(path)


def lenient(path: Path, **options: Any) -> tuple[Dataset, Reading]:
    reading = Reading(path, strict=False, **options)
    return carry_out(reading), reading


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two scenes of one city and one of another, the last without objects; a val split."""
    root = tmp_path / "cityscapes"
    for scene, values in ((FIRST, VALUES), (SECOND, VALUES), ("ulm_000002_000019", [[7] * 5] * 3)):
        annotate(root, scene, "instanceIds.png", values)
        labels = np.where(np.array(values) >= 1000, np.array(values) // 1000, values)
        annotate(root, scene, "labelIds.png", labels)
        picture(root, scene)
    annotate(root, "lindau_000000_000019", "instanceIds.png", VALUES, split="val")
    return root


# -- what is read ----------------------------------------------------------------------------


def test_pictures_are_named_below_their_split_by_city(root: Path) -> None:
    data = read(root)
    assert data.images.rows() == [
        (1, f"aachen/{FIRST}_leftImg8bit.png", 5, 3),
        (2, f"aachen/{SECOND}_leftImg8bit.png", 5, 3),
        (3, "ulm/ulm_000002_000019_leftImg8bit.png", 5, 3),
    ]
    assert data.image_root == (root / "leftImg8bit" / "train").resolve()
    assert data.read_image(3).shape == (3, 5, 3)


def test_values_from_1000_on_are_instances_and_class_labels_are_crowds(root: Path) -> None:
    instances = read(root).instances
    assert instances["instance_id"].to_list() == list(range(1, 9))
    assert instances["image_id"].to_list() == [1] * 4 + [2] * 4
    assert instances["category_id"].to_list() == [26, 24, 26, 26] * 2
    assert instances["iscrowd"].to_list() == [True, False, False, False] * 2
    assert instances["area"].to_list() == [2, 2, 2, 2] * 2
    boxes = [[1, 1, 2, 1], [4, 0, 1, 2], [0, 1, 1, 2], [3, 1, 1, 2]]
    assert instances["bbox"].to_list() == boxes * 2


def test_the_eight_classes_with_instances_have_their_label_ids(root: Path) -> None:
    assert read(root).categories.rows() == [
        *((24, "person"), (25, "rider"), (26, "car"), (27, "truck"), (28, "bus")),
        *((31, "train"), (32, "motorcycle"), (33, "bicycle")),
    ]


def test_label_maps_are_in_train_ids_and_the_rest_is_void(root: Path) -> None:
    data = read(root, task="semantic")
    assert len(data.instances) == 0
    names = data.categories["name"].to_list()
    assert data.categories["category_id"].to_list() == list(range(19))
    assert (names[0], names[10], names[11], names[13], names[18]) == (
        *("road", "sky", "person", "car", "bicycle"),
    )
    assert data.label_maps is not None
    expected = [[10, 10, 10, 10, 11], [13, 13, 13, 13, 11], [13, 0, VOID, 13, 0]]
    assert data.label_maps.read(1).tolist() == expected
    assert data.images["height"].to_list() == [3, 3, 3]


def test_every_label_that_is_trained_on_has_its_train_id(tmp_path: Path) -> None:
    labels = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    annotate(tmp_path, FIRST, "labelIds.png", [list(range(34))])
    data = read(tmp_path, task="semantic")
    assert data.label_maps is not None
    found = data.label_maps.read(1)[0]
    assert found[labels].tolist() == list(range(19))
    assert set(np.delete(found, labels).tolist()) == {VOID}


# -- which part of the folder ----------------------------------------------------------------


def test_the_split_is_train_unless_a_path_or_else_the_option_names_another(root: Path) -> None:
    data, reading = lenient(root)
    assert len(data) == 3
    assert any("'train' of gtFine" in sentence for sentence in reading.said)
    assert len(read(root, split="val")) == len(read(root / "gtFine" / "val")) == 1
    assert len(read(root / "gtFine", split="val")) == 1
    assert len(read(root / "gtFine" / "val", split="train")) == 1
    with pytest.raises(InputError, match="no split 'test'; choose one of: train, val"):
        read(root, split="test")


def test_coarse_annotations_are_read_where_there_are_no_fine_ones(root: Path) -> None:
    folder = root / "gtCoarse" / "train_extra" / "ulm"
    folder.mkdir(parents=True)
    path = annotate(root, "ulm_000009_000019", "instanceIds.png", VALUES)
    path.rename(folder / "ulm_000009_000019_gtCoarse_instanceIds.png")
    data = read(root, split="train_extra")
    assert data.images["file_name"].to_list() == ["ulm/ulm_000009_000019_leftImg8bit.png"]
    assert len(data.instances) == 4
    assert data.image_root is None


def test_pictures_may_be_absent_or_elsewhere(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "pictures"
    (root / "leftImg8bit").rename(elsewhere)
    assert read(root).image_root is None
    for given in (elsewhere, elsewhere / "train"):
        assert read(root, images=given).read_image(1).shape == (3, 5, 3)


def test_the_folder_its_kinds_and_splits_are_recognised_and_others_are_not(root: Path) -> None:
    for path in (root, root / "gtFine", root / "gtFine" / "val"):
        assert format_of(path).name == "cityscapes"
    recognise = FORMATS["cityscapes"].recognise
    assert not recognise(root / "leftImg8bit")
    assert not recognise(root.parent)
    assert not recognise(next(root.rglob("*.png")))


# -- bad input -------------------------------------------------------------------------------


def test_label_maps_that_are_missing_are_refused_and_not_made_up(root: Path) -> None:
    gone = root / "gtFine" / "train" / "aachen" / f"{FIRST}_gtFine_labelIds.png"
    gone.unlink()
    with pytest.raises(InputError, match=rf"^{gone}: image aachen/{FIRST}.*does not exist"):
        read(root, task="semantic")
    data, reading = lenient(root, task="semantic")
    assert data.images["image_id"].to_list() == [2, 3]
    assert len(reading.faults) == 1


def test_a_scene_with_label_ids_alone_has_no_instances_to_read(root: Path) -> None:
    gone = root / "gtFine" / "train" / "aachen" / f"{FIRST}_gtFine_instanceIds.png"
    gone.unlink()
    with pytest.raises(InputError, match=rf"^{gone}: .*does not exist, and .*polygons\.json neit"):
        read(root)
    data, _ = lenient(root)
    assert data.instances["image_id"].unique().to_list() == [2]


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_broken_maps_are_refused_by_name(root: Path, task: Any) -> None:
    for path in (root / "gtFine" / "train" / "aachen").iterdir():
        path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match=rf"{FIRST}_gtFine_.*: image .*cannot be read"):
        read(root, task=task)


def test_a_split_without_annotations_is_refused(root: Path) -> None:
    (root / "gtFine" / "test" / "berlin").mkdir(parents=True)
    with pytest.raises(InputError, match="test: holds no CITY"):
        read(root, split="test")


# -- writing ---------------------------------------------------------------------------------


def test_data_written_and_read_again_is_equal_and_its_files_are_copies(
    root: Path, tmp_path: Path
) -> None:
    data = read(root)
    assert write(data, tmp_path / "out", images="copy") == {}
    assert format_of(tmp_path / "out").name == "cityscapes"
    assert read(tmp_path / "out") == data
    for source in root.rglob("*.png"):
        if "val" not in source.parts:
            copy = tmp_path / "out" / source.relative_to(root)
            assert copy.read_bytes() == source.read_bytes()
    assert not (tmp_path / "out" / "gtFine" / "val").exists()


def test_the_coco_file_beside_holds_the_same_instances(root: Path, tmp_path: Path) -> None:
    data = read(root)
    write(data, tmp_path / "out")
    other = read(tmp_path / "out" / "annotations.json")
    assert other.masks == data.masks
    assert other.images.equals(data.images)
    assert other.instances.equals(data.instances)


def test_label_maps_are_copied_and_nothing_is_lost(root: Path, tmp_path: Path) -> None:
    data = read(root, task="semantic")
    assert write(data, tmp_path / "out") == {}
    again = read(tmp_path / "out", task="semantic")
    assert again.label_maps is not None
    assert again.label_maps.read(1).tolist()[0] == [10, 10, 10, 10, 11]


def test_a_part_copies_the_files_of_its_pictures_alone(root: Path, tmp_path: Path) -> None:
    write(read(root).subset([2]), tmp_path / "out", images="link")
    assert sorted(p.name for p in (tmp_path / "out").rglob("*.*")) == [
        f"{SECOND}_gtFine_instanceIds.png",
        f"{SECOND}_gtFine_labelIds.png",
        f"{SECOND}_leftImg8bit.png",
        "annotations.json",
        "train.txt",
    ]


def test_files_that_are_gone_are_counted(root: Path, tmp_path: Path) -> None:
    data = read(root)
    shutil.rmtree(root / "gtFine" / "train" / "ulm")
    assert write(data, tmp_path / "out") == {"annotation files that are gone": 1}


def test_a_part_in_a_run_is_a_list_and_a_coco_file(root: Path, tmp_path: Path) -> None:
    part = read(root, split="val")
    assert FORMATS["cityscapes"].write_part(part, tmp_path) == ["val.txt", "annotations.json"]
    text = (tmp_path / "val.txt").read_text()
    assert text == "lindau/lindau_000000_000019_leftImg8bit.png\n"
    assert len(json.loads((tmp_path / "annotations.json").read_text())["annotations"]) == 4


def test_data_of_another_format_cannot_become_cityscapes(tmp_path: Path) -> None:
    data = factory.assemble(factory.random_polygons(1, seed=0), [1], [1], {1: (48, 64)})
    with pytest.raises(InputError, match="only Cityscapes data can be written as Cityscapes"):
        write(data, tmp_path / "out", format="cityscapes")
    assert not (tmp_path / "out").exists()


def test_an_instance_map_of_eight_bits_holds_crowds_alone(tmp_path: Path) -> None:
    place = tmp_path / "gtFine" / "train" / "aachen"
    place.mkdir(parents=True)
    values = np.zeros((6, 8), np.uint8)
    values[1:3, 1:4] = 26
    Image.fromarray(values).save(place / "aachen_000000_000019_gtFine_instanceIds.png")
    data = read(tmp_path)
    assert data.instances["iscrowd"].to_list() == [True]
    assert data.instances["category_id"].to_list() == [26]
