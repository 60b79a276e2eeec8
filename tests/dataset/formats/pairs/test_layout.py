from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paring.dataset.formats import format_of
from paring.dataset.formats.pairs.layout import Pair, find_folders, looks_like_pairs, match
from paring.dataset.reading import Reading
from paring.errors import InputError


def build(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 3)).save(root / name)
    return root


def pairs(reading: Reading) -> list[Pair]:
    return match(reading, find_folders(reading))


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("imgs", "labels"),
        ("JPEGImages", "SegmentationClass"),
        ("train/image", "train/mask"),
        ("images/train", "annotations/train"),
        ("train", "trainannot"),
        ("train", "train_labels"),
    ],
)
def test_known_layouts_are_found(tmp_path: Path, images: str, masks: str) -> None:
    build(tmp_path, f"{images}/a.png", f"{masks}/a.png")
    assert looks_like_pairs(tmp_path)
    found = find_folders(Reading(tmp_path))
    assert (found.images, found.masks) == (tmp_path / images, tmp_path / masks)


def test_a_split_is_chosen_by_any_of_its_names_and_train_without_one(tmp_path: Path) -> None:
    build(tmp_path, *(f"{s}/{k}/a.png" for s in ("train", "valid") for k in ("images", "masks")))
    assert find_folders(Reading(tmp_path)).masks == tmp_path / "train" / "masks"
    for split in ("val", "valid", "validation"):
        found = find_folders(Reading(tmp_path, split=split))
        assert found.masks == tmp_path / "valid" / "masks"
    with pytest.raises(InputError, match="no folders of images and masks for split 'test'"):
        find_folders(Reading(tmp_path, split="test"))


@pytest.mark.parametrize("names", [(), ("a.png",), ("images/a.png",), ("labels/a.png",)])
def test_other_folders_are_not_recognised(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert not looks_like_pairs(build(tmp_path, *names))


def test_a_mask_has_the_name_of_its_image_and_maybe_an_ending(tmp_path: Path) -> None:
    build(tmp_path, *(f"images/{n}.jpg" for n in ("a", "b", "c", "d", "in/e", "a_mask")))
    masks = ("a", "b_mask", "c_gt", "d_L", "in/e_label", "a_mask", "stray")
    build(tmp_path, *(f"masks/{n}.png" for n in masks))
    reading = Reading(tmp_path)
    assert pairs(reading) == [
        Pair("a.jpg", "a.png"),
        Pair("a_mask.jpg", "a_mask.png"),
        Pair("b.jpg", "b_mask.png"),
        Pair("c.jpg", "c_gt.png"),
        Pair("d.jpg", "d_L.png"),
        Pair("in/e.jpg", "in/e_label.png"),
    ]
    assert [(f.kind, f.record) for f in reading.faults] == [("mask without an image", "stray.png")]


def test_images_without_a_mask_and_masks_of_one_image_are_refused(tmp_path: Path) -> None:
    build(tmp_path, "images/a.jpg", "images/b.jpg", "images/b.png", "images/c.jpg")
    build(tmp_path, "masks/a.png", "masks/a_mask.png", "masks/b.png")
    reading = Reading(tmp_path, strict=False)
    assert pairs(reading) == [Pair("a.jpg", "a.png"), Pair("b.jpg", "b.png")]
    assert [(f.kind, f.record) for f in reading.faults] == [
        ("unusable image", "image b.png"),
        ("second mask", "mask a_mask.png"),
        ("image without a mask", "image c.jpg"),
    ]
    with pytest.raises(InputError, match=r"image b\.png: has the name of 'b\.jpg' but for"):
        pairs(Reading(tmp_path))


def test_folders_whose_names_do_not_fit_are_refused(tmp_path: Path) -> None:
    build(tmp_path, "images/a.jpg", "masks/b.png", "masks/c.png")
    with pytest.raises(InputError, match="none of its 2 masks has the name of an image"):
        pairs(Reading(tmp_path))


def test_images_may_lie_elsewhere_and_the_path_may_be_the_masks(tmp_path: Path) -> None:
    build(tmp_path, "pictures/a.jpg", "mine/a.png")
    found = find_folders(Reading(tmp_path / "mine", images=tmp_path / "pictures"))
    assert (found.images, found.masks) == (tmp_path / "pictures", tmp_path / "mine")
    with pytest.raises(InputError, match="nowhere: the images folder does not exist"):
        find_folders(Reading(tmp_path / "mine", images=tmp_path / "nowhere"))


def test_masks_alone_give_the_names_of_their_images(tmp_path: Path) -> None:
    build(tmp_path, "masks/b.png", "masks/in/a.png")
    assert looks_like_pairs(tmp_path)
    reading = Reading(tmp_path)
    assert pairs(reading) == [Pair("b.jpg", "b.png"), Pair("in/a.jpg", "in/a.png")]
    assert "no folder of images found" in reading.said[-1]


@pytest.mark.parametrize(
    ("images", "masks"),
    [("img_dir/train", "ann_dir/train"), ("images/training", "annotations/training")],
)
def test_other_spellings_of_the_training_images_come_before_the_validation(
    tmp_path: Path, images: str, masks: str
) -> None:
    for folder in (images, masks):
        for split in (folder, folder.replace("training", "validation").replace("train", "val")):
            (tmp_path / split).mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / split / "a.png")
    assert format_of(tmp_path).name == "pairs"
    assert find_folders(Reading(tmp_path)).masks == tmp_path / masks
