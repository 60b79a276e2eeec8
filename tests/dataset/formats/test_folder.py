import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

import factory
import paring
from paring.dataset.formats import carry_out, format_of
from paring.dataset.reading import Reading
from paring.dataset.table import Dataset
from paring.errors import InputError


def folder(root: Path, *names: str) -> Path:
    for width, name in enumerate(names, start=4):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, 3)).save(root / name)
    return root


def tags_of(data: Dataset) -> dict[str, list[str]]:
    """Names of tags by image, written out."""
    found: dict[str, list[str]] = {name: [] for name in data.images["file_name"]}
    names = dict(data.categories.rows())
    files = dict(data.images.select("image_id", "file_name").rows())
    for image_id, category_id in data.tags.rows() if data.tags is not None else ():
        found[files[image_id]].append(names[category_id])
    return found


def test_a_folder_of_images_alone_has_no_tags(tmp_path: Path) -> None:
    data = paring.read(folder(tmp_path, "b.png", "a.png"))
    assert data.images.rows() == [(1, "a.png", 5, 3), (2, "b.png", 4, 3)]
    assert data.tags is None
    assert len(data.categories) == len(data.instances) == len(data.masks) == 0
    assert data.read_image(1).shape == (3, 5, 3)


def test_images_in_sub_folders_alone_have_the_folder_as_tag(tmp_path: Path) -> None:
    data = paring.read(folder(tmp_path, "dog/1.png", "cat/1.png", "cat/deep/2.png"))
    assert data.categories.rows() == [(1, "cat"), (2, "dog")]
    assert tags_of(data) == {"cat/1.png": ["cat"], "cat/deep/2.png": ["cat"], "dog/1.png": ["dog"]}


@pytest.mark.parametrize("names", [("images/1.png",), ("1.png", "cat/2.png")])
def test_folders_are_no_tags_where_they_hold_all_images_or_only_some(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    assert paring.read(folder(tmp_path, *names), format="folder").tags is None


def test_folders_called_like_splits_are_splits(tmp_path: Path) -> None:
    folder(tmp_path, "train/cat/1.png", "train/dog/2.png", "valid/cat/3.png")
    reading = Reading(tmp_path)
    assert tags_of(carry_out(reading)) == {"cat/1.png": ["cat"], "dog/2.png": ["dog"]}
    assert "train" in reading.said[0]
    assert tags_of(paring.read(tmp_path, split="val")) == {"cat/3.png": ["cat"]}
    with pytest.raises(InputError, match="no folder of images for 'test'"):
        paring.read(tmp_path, split="test")


def test_tags_csv_may_repeat_rows_and_hold_several_tags_in_one(tmp_path: Path) -> None:
    folder(tmp_path, "a.png", "b.png", "c.png", "d.png")
    text = '\ufefffile_name,note,tag\nb.png,x,dog; cat\nb.png,,dog\n"a.png",,bird\nc.png,,\n'
    (tmp_path / "tags.csv").write_text(text, encoding="utf-8")
    reading = Reading(tmp_path)
    data = carry_out(reading)
    assert tags_of(data) == {"a.png": ["bird"], "b.png": ["cat", "dog"], "c.png": []}
    assert any("1 images left out" in word for word in reading.said)
    assert paring.read(tmp_path / "tags.csv") == data


def test_tags_json_gives_a_list_by_file(tmp_path: Path) -> None:
    folder(tmp_path, "a.png", "b.png")
    factory.write_json(tmp_path / "tags.json", {"b.png": ["x", "y"], "a.png": "z"})
    assert tags_of(paring.read(tmp_path)) == {"a.png": ["z"], "b.png": ["x", "y"]}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tags.csv", "image,tag\na.png,x\n", "first line must name the columns"),
        ("tags.csv", "", "first line must name the columns"),
        ("tags.csv", "file_name,tag\na.png,x\nz.png,x\n", r"line 3: names the image 'z\.png'"),
        ("tags.csv", "file_name,tag\na.png\n", "line 2: has 1 columns, the first line has 2"),
        ("tags.json", "[1]", "must be an object"),
        ("tags.json", "{", "is not valid JSON"),
        ("tags.json", '{"a.png": 3}', r"image a\.png: needs a list of tags"),
    ],
)
def test_a_bad_list_of_tags_is_refused_by_name(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    folder(tmp_path, "a.png")
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        paring.read(tmp_path, format="folder")


def test_a_lenient_reading_leaves_out_what_it_cannot_use(tmp_path: Path) -> None:
    folder(tmp_path, "a.png", "b.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    (tmp_path / "tags.csv").write_text("file_name,tag\na.png,x\nb.png,y\nz.png,x\n")
    reading = Reading(tmp_path, strict=False)
    assert tags_of(carry_out(reading)) == {"a.png": ["x"]}
    assert [fault.record for fault in reading.faults] == ["line 4", "b.png"]
    with pytest.raises(InputError, match=r"b\.png: the image cannot be read"):
        (tmp_path / "tags.csv").write_text("file_name,tag\na.png,x\nb.png,y\n")
        paring.read(tmp_path)


def test_tags_come_back_as_they_were_written(tmp_path: Path) -> None:
    data = paring.read(folder(tmp_path / "in", "dog/1.png", "cat/1.png", "cat/2.png"))
    assert data.write(tmp_path / "out", images="copy") == {}
    assert paring.read(tmp_path / "out") == data
    assert data.write(tmp_path / "table") == {}
    assert paring.read(tmp_path / "table", images=tmp_path / "in") == data


def test_a_part_is_written_as_the_table_of_what_was_kept(tmp_path: Path) -> None:
    data = paring.read(folder(tmp_path / "in", "dog/1.png", "cat/1.png", "cat/2.png"))
    (tmp_path / "run").mkdir()
    names = format_of(tmp_path / "in").write_part(data.subset([1, 3]), tmp_path / "run")
    assert names == ["tags.csv"]
    text = (tmp_path / "run" / "tags.csv").read_text()
    assert text == "file_name,tag\ncat/1.png,cat\ndog/1.png,dog\n"
    back = paring.read(tmp_path / "run", images=tmp_path / "in")
    assert tags_of(back) == tags_of(data.subset([1, 3]))


def test_instances_become_tags_and_are_counted_as_lost(tmp_path: Path) -> None:
    value = factory.coco(
        [
            factory.annotation(1, 1, 2, [factory.rectangle(1, 1, 3, 3)]),
            factory.annotation(2, 1, 2, [factory.rectangle(5, 5, 3, 3)]),
            factory.annotation(3, 2, 1, [factory.rectangle(1, 1, 9, 9)], iscrowd=1),
        ]
    )
    data = paring.read(factory.write_json(tmp_path / "d.json", value))
    losses = data.write(tmp_path / "out", format="folder")
    assert losses == {"instances": 3, "categories without an image": 1}
    text = (tmp_path / "out" / "tags.csv").read_text()
    assert text == "file_name,tag\na.jpg,dog\nb.jpg,\n"


@pytest.mark.parametrize("name", ["a;b", " ", "a\nb"])
def test_a_category_that_cannot_be_a_tag_is_refused(tmp_path: Path, name: str) -> None:
    value = json.loads(json.dumps(factory.coco()))
    value["categories"][0]["name"] = name
    data = paring.read(factory.write_json(tmp_path / "d.json", value))
    with pytest.raises(InputError, match="cannot be a tag"):
        data.write(tmp_path / "out", format="folder")
    assert not (tmp_path / "out").exists()


def test_a_folder_without_images_is_not_recognised(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(InputError, match="not recognised as a data set"):
        paring.read(tmp_path)


def test_semantic_reading_says_that_there_are_no_label_maps(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no label maps"):
        paring.read(folder(tmp_path, "a.png"), task="semantic")


def test_the_tags_frame_names_known_images_and_categories(tmp_path: Path) -> None:
    data = paring.read(folder(tmp_path, "dog/1.png", "cat/1.png"))
    assert data.tags is not None
    assert data.tags.schema == {"image_id": pl.Int64, "category_id": pl.Int64}
    assert data.tags.rows() == [(1, 1), (2, 2)]
