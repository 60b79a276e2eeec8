from pathlib import Path

import pytest
from PIL import Image

import paring
from paring.dataset.formats import carry_out, format_of
from paring.dataset.reading import Reading
from paring.errors import InputError

SQUARE = "0 0.1 0.2 0.6 0.2 0.6 0.7 0.1 0.7"


def build(root: Path, labels: dict[str, str | None], names: str = "[cat, dog]") -> Path:
    """A data set of 20 x 10 images, with the given text in each label file (None: no file)."""
    for folder in ("images", "labels"):
        (root / folder / "train").mkdir(parents=True)
    for stem, text in labels.items():
        Image.new("RGB", (20, 10)).save(root / "images" / "train" / f"{stem}.png")
        if text is not None:
            (root / "labels" / "train" / f"{stem}.txt").write_bytes(text.encode())
    (root / "data.yaml").write_text(f"train: images/train\nval: images/train\nnames: {names}\n")
    return root


def test_polygons_are_read_in_pixels_with_class_box_and_area(tmp_path: Path) -> None:
    triangle = "1 0 0 0.5 0 0 1\n"
    data = paring.read(build(tmp_path, {"a": f"{SQUARE}\n{triangle}", "b": triangle}))
    assert data.categories.rows() == [(0, "cat"), (1, "dog")]
    assert data.images.rows() == [(1, "a.png", 20, 10), (2, "b.png", 20, 10)]
    columns = data.instances.select("instance_id", "image_id", "category_id", "iscrowd").rows()
    assert columns == [(1, 1, 0, False), (2, 1, 1, False), (3, 2, 1, False)]
    assert data.instances["bbox"].to_list() == [[2, 2, 10, 5], [0, 0, 10, 10], [0, 0, 10, 10]]
    assert data.instances["area"].to_list() == [50, 50, 50]
    assert data.masks.polygon(1)[0].tolist() == [[0, 0], [10, 0], [0, 10]]
    assert data.read_image(2).shape == (10, 20, 3)


def test_no_label_file_and_an_empty_one_both_mean_no_instances(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path, {"a": None, "b": "", "c": "\n \r\n", "d": SQUARE}))
    assert len(data) == 4
    assert data.instances["image_id"].to_list() == [4]


def test_that_no_label_file_was_found_at_all_is_said(tmp_path: Path) -> None:
    reading = Reading(build(tmp_path, {"a": None}))
    assert len(carry_out(reading).instances) == 0
    assert any("no label files found" in sentence for sentence in reading.said)


def test_a_line_of_five_numbers_is_a_box_with_an_empty_mask(tmp_path: Path) -> None:
    reading = Reading(build(tmp_path, {"a": "1 0.5 0.5 0.2 0.4\n"}))
    data = carry_out(reading)
    assert data.masks.is_empty.tolist() == [True]
    assert data.instances["bbox"].to_list() == [pytest.approx([8, 3, 4, 4])]
    assert data.instances["area"].to_list() == pytest.approx([16])
    assert [(f.kind, f.record, f.refused) for f in reading.faults] == [
        ("box without a mask", "a.txt line 1", False)
    ]


def test_a_point_just_outside_the_image_is_noted_and_kept(tmp_path: Path) -> None:
    reading = Reading(build(tmp_path, {"a": f"{SQUARE}\n0 -0.01 0 0.5 0 0 1\n"}))
    assert len(carry_out(reading).instances) == 2
    assert [(f.kind, f.record) for f in reading.faults] == [
        ("point outside the image", "a.txt line 2")
    ]


@pytest.mark.parametrize(
    "line", ["0 nan 0 1 0 0 1", "x", "0 0 0 1", "2 0 0 1 0 0 1", "0 5 5 9 5 5 9"]
)
def test_a_bad_line_is_refused_with_its_file_and_number(tmp_path: Path, line: str) -> None:
    root = build(tmp_path, {"a": SQUARE, "b": f"\n{SQUARE}\n{line}\n{SQUARE}\n"})
    with pytest.raises(InputError, match=r"labels/train: b\.txt line 3: "):
        paring.read(root)
    reading = Reading(root, strict=False)
    assert carry_out(reading).instances["image_id"].to_list() == [1, 2, 2]
    assert [f.record for f in reading.faults] == ["b.txt line 3"]


def test_an_unreadable_image_is_refused_with_its_instances(tmp_path: Path) -> None:
    root = build(tmp_path, {"a": SQUARE, "b": SQUARE})
    (root / "images" / "train" / "a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"a\.png: the image cannot be read"):
        paring.read(root)
    data = carry_out(Reading(root, strict=False))
    assert data.instances["image_id"].to_list() == data.images["image_id"].to_list() == [2]


def test_a_label_file_that_cannot_be_read_takes_its_image_with_it(tmp_path: Path) -> None:
    root = build(tmp_path, {"a": None, "b": SQUARE})
    (root / "labels" / "train" / "a.txt").mkdir()
    with pytest.raises(InputError, match=r"a\.txt: the labels cannot be read"):
        paring.read(root)
    data = carry_out(Reading(root, strict=False))
    assert data.instances["image_id"].to_list() == data.images["image_id"].to_list() == [2]


def test_without_a_description_classes_are_called_by_their_numbers(tmp_path: Path) -> None:
    root = build(tmp_path, {"a": "3 0 0 1 0 0 1\n"})
    (root / "data.yaml").unlink()
    reading = Reading(root)
    data = carry_out(reading)
    assert data.categories["name"].to_list() == [f"class {k}" for k in range(4)]
    assert any("called by their numbers" in word for word in reading.said)


def test_the_folder_the_description_and_a_folder_without_it_are_recognised(tmp_path: Path) -> None:
    root = build(tmp_path / "d", {"a": SQUARE})
    assert format_of(root).name == format_of(root / "data.yaml").name == "yolo"
    (root / "data.yaml").rename(root / "my.yaml")
    assert format_of(root).name == "yolo"
    (root / "my.yaml").write_text("learning_rate: 0.1\n")
    assert format_of(root).name == "yolo"
    with pytest.raises(InputError, match="not recognised"):
        format_of(root / "my.yaml")


def test_semantic_reading_says_that_there_are_no_label_maps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="YOLO holds no label maps"):
        paring.read(build(tmp_path, {"a": SQUARE}), task="semantic")
