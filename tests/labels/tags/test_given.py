"""Tags from instances, folders and lists."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import paring
from paring.labels import tags_of, with_tags


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> paring.Dataset:
    return paring.scenes(6, seed=0, size=(60, 80), folder=tmp_path_factory.mktemp("s") / "images")


def listed(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["file_name,tag", *rows]) + "\n")
    return path


def test_categories_of_instances_are_tags_crowds_aside(data) -> None:
    tags = tags_of(data)
    crowd = data.instances["iscrowd"].to_numpy()
    for row, image_id in enumerate(tags.data.images["image_id"]):
        own = (data.instances["image_id"].to_numpy() == image_id) & ~crowd
        ids = set(data.instances["category_id"].to_numpy()[own].tolist())
        found = {tags.category_ids[c] for c in np.flatnonzero(tags.present[row])}
        assert found == ids
    assert len(tags.data.instances) == 0


def test_a_csv_gives_tags_and_images_without_are_left_out(data, tmp_path: Path) -> None:
    file = listed(tmp_path / "t.csv", "000001.jpg,star", "000002.jpg,star;disc", "000003.jpg,disc")
    said = []
    tags = tags_of(with_tags(data, file), say=said.append)
    assert tags.classes == ["disc", "star"]
    assert tags.present.tolist() == [[False, True], [True, True], [True, False]]
    assert said == ["3 images without a tag left out, first 000004.jpg"]


def test_a_json_and_a_tag_of_one_image(data, tmp_path: Path) -> None:
    file = tmp_path / "t.json"
    file.write_text(
        json.dumps(
            {f"00000{k}.jpg": ["disc"] for k in range(1, 7)} | {"000001.jpg": ["disc", "leaf"]}
        )
    )
    said = []
    tags = tags_of(with_tags(data, file), say=said.append)
    assert tags.classes == ["disc", "leaf"]
    assert said == ["tags of one image only, from which little can be learnt: leaf"]


def test_a_data_set_without_categories_takes_those_of_the_list(tmp_path: Path, data) -> None:
    bare = paring.read(data.image_root)
    tags = tags_of(
        with_tags(bare, listed(tmp_path / "t.csv", "000001.jpg,zebra", "000002.jpg,ant"))
    )
    assert tags.classes == ["ant", "zebra"]
    assert tags.category_ids == [1, 2]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("000001.jpg,stra", "line 2: tag 'stra' is no category of the data set; did you mean star"),
        ("000099.jpg,star", "line 2: names the image '000099.jpg', which is not there"),
        ("000001.jpg", "line 2: has 1 columns"),
    ],
)
def test_bad_lists_are_named(data, tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(paring.InputError, match=said) as error:
        with_tags(data, listed(tmp_path / "bad.csv", row))
    assert "bad.csv" in str(error.value)


def test_no_list_and_no_tags(data, tmp_path: Path) -> None:
    with pytest.raises(paring.InputError, match="no such file"):
        with_tags(data, tmp_path / "none.csv")
    with pytest.raises(paring.InputError, match="no image has a tag"):
        tags_of(paring.read(data.image_root))
    empty = with_tags(data, listed(tmp_path / "t.csv", "000001.jpg,"))
    with pytest.raises(paring.InputError, match="no image has a tag"):
        tags_of(empty)


def test_folder_names_are_tags(data, tmp_path: Path) -> None:
    for k, name in enumerate(("cat", "dog", "cat"), 1):
        (tmp_path / name).mkdir(exist_ok=True)
        source = data.image_root / f"00000{k}.jpg"
        (tmp_path / name / source.name).write_bytes(source.read_bytes())
    tags = tags_of(paring.read(tmp_path))
    assert tags.classes == ["cat", "dog"]
    assert tags.present.sum(axis=0).tolist() == [2, 1]
