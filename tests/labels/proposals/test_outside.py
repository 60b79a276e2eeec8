"""Proposals made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import paring
from paring.dataset import rle
from paring.evaluation import write_results
from paring.labels import propose, read_proposals, save_proposals


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> paring.Dataset:
    return paring.scenes(4, seed=2, size=(60, 80), folder=tmp_path_factory.mktemp("s") / "images")


@pytest.fixture(scope="module")
def made(data) -> paring.Dataset:
    return propose(data, count=12, workers=1)


def record(image_id: int = 1, score: float = 0.5, size=(60, 80), box=(5, 5, 10, 10), **more):
    bitmap = np.ones((box[3], box[2]), np.uint8)
    runs = rle.encode_bitmap(bitmap, box[1], box[0], *size)
    counts = rle.encode_text(runs, np.array([0, len(runs)]))[0].decode()
    return (
        {"image_id": image_id, "score": score}
        | {"segmentation": {"size": list(size), "counts": counts}}
        | more
    )


def written(path: Path, value) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_saved_proposals_come_back(data, made, tmp_path: Path) -> None:
    save_proposals(made, tmp_path / "proposals")
    assert read_proposals(tmp_path / "proposals", data) == made
    assert read_proposals(tmp_path, data) == made  # as a run holds them
    fewer = read_proposals(tmp_path, data, count=3)
    assert fewer.instances.group_by("image_id").len()["len"].max() == 3
    assert fewer.instances["score"][0] == made.instances["score"][0]
    with pytest.raises(paring.InputError, match="exists already"):
        save_proposals(made, tmp_path / "proposals")


def test_results_as_other_tools_write_them(data, made, tmp_path: Path) -> None:
    write_results(made, tmp_path / "results.json")
    found = read_proposals(tmp_path / "results.json", data)
    assert len(found.instances) == len(made.instances)
    assert sorted(found.masks.areas()) == sorted(made.masks.areas())
    scores = found.instances["score"].to_numpy()
    for i in data.images["image_id"]:
        own = scores[found.instances["image_id"].to_numpy() == i]
        assert (np.diff(own) <= 0).all()


def test_results_without_categories_and_in_any_order(data, tmp_path: Path) -> None:
    file = written(
        tmp_path / "sam.json",
        [record(3, 0.1), record(1, 0.2), record(3, 0.9, box=(1, 1, 30, 30), category_id=77)],
    )
    found = read_proposals(file, data)
    assert found.instances["image_id"].to_list() == [1, 3, 3]
    assert found.instances["score"].to_list() == [0.2, 0.9, 0.1]
    assert found.instances["category_id"].to_list() == [1, 1, 1]


def test_masks_without_a_pixel_are_left_out(data, tmp_path: Path) -> None:
    empty = record(1, 0.9)
    empty["segmentation"]["counts"] = [60 * 80]
    found = read_proposals(written(tmp_path / "r.json", [empty, record(1, 0.4)]), data)
    assert found.instances["score"].to_list() == [0.4]


def test_an_annotation_file_by_file_name(data, tmp_path: Path) -> None:
    theirs = data.images.with_columns(image_id=pl.col("image_id") + 100)
    content = {
        "images": [
            {"id": i, "file_name": n, "width": 80, "height": 60}
            for i, n in theirs.select("image_id", "file_name").iter_rows()
        ],
        "categories": [{"id": 9, "name": "thing"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 102,
                "category_id": 9,
                "bbox": [1, 1, 4, 4],
                "area": 16,
                "iscrowd": 0,
                "segmentation": [[1, 1, 5, 1, 5, 5, 1, 5]],
            }
        ],
    }
    found = read_proposals(written(tmp_path / "theirs.json", content), data)
    assert found.instances["image_id"].to_list() == [2]
    content["images"][1]["file_name"] = "other.jpg"
    with pytest.raises(paring.InputError, match="annotation 1: is of 'other.jpg'"):
        read_proposals(written(tmp_path / "other.json", content), data)


def test_label_maps(data, tmp_path: Path) -> None:
    values = np.zeros((60, 80), np.uint16)
    values[:10, :10], values[30:, 40:] = 300, 7
    cv2.imwrite(str(tmp_path / "000002.png"), values)
    said = []
    found = read_proposals(tmp_path, data, say=said.append)
    assert found.instances["image_id"].to_list() == [2, 2]
    assert found.instances["area"].to_list() == [30 * 40, 100]
    assert said == ["3 images have no proposal, first 000001.jpg"]


def test_five_thousand_proposals_of_an_image(data, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    many = [
        record(1, float(s), box=(int(x), int(y), 6, 5))
        for s, x, y in zip(
            rng.random(5000), rng.integers(0, 70, 5000), rng.integers(0, 50, 5000), strict=True
        )
    ]
    found = read_proposals(written(tmp_path / "many.json", many), data)
    assert len(found.instances) == 5000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([record(99)], "record 0.*image 99"),
        ([record(1, size=(60, 81))], "record 0"),
        ([{"image_id": 1, "segmentation": record()["segmentation"]}], "record 0.*score"),
        ([], "no proposal for any image"),
    ],
)
def test_bad_results_are_named(data, tmp_path: Path, content, said: str) -> None:
    with pytest.raises(paring.InputError, match=said) as error:
        read_proposals(written(tmp_path / "bad.json", content), data)
    assert "bad.json" in str(error.value)


def test_bad_folders_and_files_are_named(data, tmp_path: Path) -> None:
    with pytest.raises(paring.InputError, match="no such file"):
        read_proposals(tmp_path / "nothing", data)
    (tmp_path / "empty").mkdir()
    with pytest.raises(paring.InputError, match="neither the proposals of a run nor label maps"):
        read_proposals(tmp_path / "empty", data)
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "000001.png").write_bytes(b"none")
    with pytest.raises(paring.InputError, match=r"000001\.png: cannot be decoded"):
        read_proposals(tmp_path / "maps", data)
    cv2.imwrite(str(tmp_path / "maps" / "000001.png"), np.ones((60, 80, 3), np.uint8))
    with pytest.raises(paring.InputError, match="3 channels"):
        read_proposals(tmp_path / "maps", data)
    cv2.imwrite(str(tmp_path / "maps" / "000001.png"), np.ones((61, 80), np.uint8))
    with pytest.raises(paring.InputError, match="61 x 80 pixels, the image of 60 x 80"):
        read_proposals(tmp_path / "maps", data)
    (tmp_path / "text.json").write_text("{ no json")
    with pytest.raises(paring.InputError, match=r"text\.json"):
        read_proposals(tmp_path / "text.json", data)


def test_a_broken_run_is_named(data, made, tmp_path: Path) -> None:
    save_proposals(made, tmp_path / "proposals")
    (tmp_path / "proposals" / "masks.npz").write_bytes(b"no")
    with pytest.raises(paring.InputError, match="holds no proposals"):
        read_proposals(tmp_path, data)
