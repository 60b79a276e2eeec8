from pathlib import Path

import pytest
import yaml
from PIL import Image

from paring.dataset.formats.yolo.layout import edited, find, label_of
from paring.dataset.reading import Reading
from paring.errors import InputError


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)
    return path


def described(root: Path, text: str, name: str = "data.yaml") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("d/images/train/a.b.jpg", "d/labels/train/a.b.txt"),
        ("images/x/images/a.jpg", "images/x/labels/a.txt"),
        ("d/images.jpg", "d/images.txt"),
        ("myimages/a.jpg", "myimages/a.txt"),
    ],
)
def test_the_last_images_folder_of_a_path_becomes_labels(image: str, label: str) -> None:
    assert label_of(Path(image)) == Path(label)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: [no, 1.0, 'a: b']", {0: "no", 1: "1.0", 2: "a: b"}),
        ("names: {2: two, 0: zero}", {0: "zero", 2: "two"}),
        ("names:\n  - x\n  - y", {0: "x", 1: "y"}),
        ("nc: 2", {0: "class 0", 1: "class 1"}),
    ],
)
def test_classes_come_as_list_or_mapping_or_number(
    tmp_path: Path, text: str, names: dict[int, str]
) -> None:
    picture(tmp_path / "images" / "a.png")
    assert find(Reading(described(tmp_path, f"train: images\n{text}\n"))).classes == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: images\nnames: 3", "needs names, a list"),
        ("train: images\nnames: [[1]]", "needs names, a list"),
        ("train: images\nnames: []", "numbered from 0"),
        ("train: images\nnames: {a: x}", "a name for each class number"),
        ("train: images\nnames: {-1: x}", "a name for each class number"),
        ("train: images\nnames: {99999: x}", "numbered from 0 to at most 9,999"),
        ("train: images\nnc: 1000000000000", "needs names, a list"),
        ("train: images", "needs names, a list"),
        ("names: [x]", "no split 'train' .there are: none"),
        ("test: nowhere\nnames: [x]", "nowhere: this folder or list of images does not exist"),
        ("[1, 2]", "does not describe a data set"),
        ("a: [", "is not valid YAML"),
        ("\x00", "is not valid YAML"),
    ],
)
def test_a_description_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    picture(tmp_path / "images" / "a.png")
    with pytest.raises(InputError, match=message):
        find(Reading(described(tmp_path, text)))


def test_entries_start_from_path_which_starts_from_the_description(tmp_path: Path) -> None:
    picture(tmp_path / "data" / "images" / "a.png")
    described(tmp_path, "path: data\ntrain: images\nnames: [x]\n", "set.yaml")
    layout = find(Reading(tmp_path / "set.yaml"))
    assert layout.root == tmp_path / "data" / "images"
    assert layout.labels == [tmp_path / "data" / "labels" / "a.txt"]


def test_exports_that_climb_one_folder_too_high_are_found(tmp_path: Path) -> None:
    picture(tmp_path / "d" / "train" / "images" / "a.png")
    picture(tmp_path / "d" / "valid" / "images" / "b.png")
    text = "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['x']\n"
    described(tmp_path / "d", text)
    assert find(Reading(tmp_path / "d")).names == ["a.png"]
    for split in ("val", "valid", "validation"):
        layout = find(Reading(tmp_path / "d", split=split))
        assert (layout.names, layout.split) == (["b.png"], "val")
        assert layout.labels == [tmp_path / "d" / "valid" / "labels" / "b.txt"]


def test_a_split_may_be_a_list_of_folders_or_a_text_file_of_images(tmp_path: Path) -> None:
    picture(tmp_path / "one" / "images" / "a.png")
    picture(tmp_path / "two" / "images" / "b.png")
    (tmp_path / "some.txt").write_text(f"./one/images/a.png\n\n{tmp_path}/two/images/b.png\n")
    described(tmp_path, "train: [one/images, two/images]\nval: some.txt\nnames: [x]\n")
    for split in ("train", "val"):
        layout = find(Reading(tmp_path, split=split))
        assert layout.root == tmp_path
        assert layout.names == ["one/images/a.png", "two/images/b.png"]
        assert layout.labels[1] == tmp_path / "two" / "labels" / "b.txt"


def test_a_listed_image_that_is_not_there_or_twice_there_is_refused_with_its_line(
    tmp_path: Path,
) -> None:
    picture(tmp_path / "images" / "a.png")
    (tmp_path / "some.txt").write_text("images/a.png\nimages/z.png\nimages/a.png\n")
    described(tmp_path, "train: some.txt\nnames: [x]\n")
    with pytest.raises(InputError, match=r"some\.txt: line 2: the image 'images/z\.png' does not"):
        find(Reading(tmp_path))
    reading = Reading(tmp_path, strict=False)
    assert find(reading).names == ["a.png"]
    assert [fault.record for fault in reading.faults] == ["line 2", "line 3"]


def test_the_first_split_there_is_stands_in_for_a_missing_train(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "a.png")
    described(tmp_path, "train:\nval: ~\ntest: images\nnames: [x]\n")
    reading = Reading(tmp_path)
    assert find(reading).split == "test"
    assert reading.said == ["split test read of test"]
    with pytest.raises(InputError, match=r"no split 'val' \(there are: test\)"):
        find(Reading(tmp_path, split="val"))


@pytest.mark.parametrize("place", ["images/train", "train/images", "images"])
def test_a_folder_without_description_is_read_by_its_folders(tmp_path: Path, place: str) -> None:
    image = picture(tmp_path / place / "a.png")
    layout = find(Reading(tmp_path))
    assert (layout.root, layout.split, layout.classes) == (image.parent, "train", None)
    with pytest.raises(InputError, match="no data.yaml and no folder images/test"):
        find(Reading(tmp_path, split="test"))


def test_images_may_lie_elsewhere_than_the_labels(tmp_path: Path) -> None:
    picture(tmp_path / "pictures" / "a.png")
    described(tmp_path / "d", "train: images/train\nnames: [x]\n")
    layout = find(Reading(tmp_path / "d", images=tmp_path / "pictures"))
    assert layout.root == tmp_path / "pictures"
    assert layout.labels == [tmp_path / "d" / "labels" / "train" / "a.txt"]


def test_several_descriptions_in_a_folder_ask_for_one_to_be_named(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml"):
        described(tmp_path, "train: images\nnames: [x]\n", name)
    with pytest.raises(InputError, match=r"name one of them \(a.yaml, b.yml\)"):
        find(Reading(tmp_path))


def test_editing_a_description_leaves_every_other_key_as_it_was() -> None:
    text = b"path: x # here\ntrain: a\nflag: 'no'\nnc: 80\nlist: &l [1, 'two']\nagain: *l\n"
    changed = edited(text, {"train": ["b", "c"], "path": None, "names": {0: "no", 1: "ü"}})
    assert yaml.safe_load(changed) == {
        "train": ["b", "c"],
        "flag": "no",
        "nc": 80,
        "list": [1, "two"],
        "again": [1, "two"],
        "names": {0: "no", 1: "ü"},
    }
