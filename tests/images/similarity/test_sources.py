import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import paring
from factory import coco, write_json
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.similarity.sources import (
    as_dataset,
    joined,
    pair_frame,
    pictures_of,
    refuse_threshold,
)
from paring.images.similarity.tiles import Found
from similarity_oracle import write_images


def pictures(folder: Path, *names: str) -> Path:
    return write_images(folder, {name: np.zeros((9, 12), np.uint8) for name in names})


def names_of(data: Dataset) -> list[str]:
    return data.images["file_name"].to_list()


def places_of(data: Dataset) -> list[Path]:
    return [data.image_root / name for name in names_of(data)]


# -- what is given -----------------------------------------------------------------------------


def test_a_data_set_is_taken_as_it_is(tmp_path: Path) -> None:
    data = paring.read(write_json(tmp_path / "coco.json", coco()))
    assert as_dataset(data) is data


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_read_and_a_list_is_taken_in_its_order(kind: type, tmp_path: Path) -> None:
    folder = pictures(tmp_path, "a.png", "b.png", "c.png")
    assert names_of(as_dataset(kind(folder))) == ["a.png", "b.png", "c.png"]
    files = as_dataset([kind(folder / name) for name in ("c.png", "a.png")])
    assert places_of(files) == [folder / "c.png", folder / "a.png"]
    assert files.images["image_id"].to_list() == [1, 2]


def test_no_files_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image files"):
        as_dataset([])
    with pytest.raises(InputError, match=r"gone.png: the image does not exist"):
        as_dataset([tmp_path / "gone.png"])


# -- two data sets -----------------------------------------------------------------------------


def test_joined_images_are_the_old_and_then_the_new_with_ids_from_1(tmp_path: Path) -> None:
    old = paring.read(pictures(tmp_path / "old", "b.png", "a.png"))
    new = paring.read(pictures(tmp_path / "deep" / "new", "a.png"))
    both = joined(old, new)
    assert names_of(both) == ["old/a.png", "old/b.png", "deep/new/a.png"]
    assert both.images["image_id"].to_list() == [1, 2, 3]
    assert both.images["width"].to_list() == [12, 12, 12]
    assert both.image_root == tmp_path
    assert all(place.is_file() for place in places_of(both))
    assert not len(both.instances)


def test_images_of_one_folder_keep_their_names(tmp_path: Path) -> None:
    data = paring.read(pictures(tmp_path, "a.png", "b.png"))
    ids = data.images["image_id"].to_list()
    both = joined(data.subset(ids[1:]), data.subset(ids[:1]))
    assert names_of(both) == ["b.png", "a.png"]
    assert both.image_root == tmp_path


def test_a_folder_may_be_given_from_where_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "old", "a.png")
    pictures(tmp_path / "new", "a.png")
    monkeypatch.chdir(tmp_path / "old")
    both = joined(paring.read("."), paring.read(os.path.join("..", "new")))
    assert places_of(both) == [tmp_path / "old" / "a.png", tmp_path / "new" / "a.png"]


def test_instances_stay_behind(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "a.jpg", "b.jpg")
    path = write_json(tmp_path / "coco.json", coco())
    old = paring.read(path, images=tmp_path / "images")
    both = joined(old, paring.read(tmp_path / "images"))
    assert len(both) == 4
    assert len(both.instances) == len(both.categories) == len(both.masks) == 0


@pytest.mark.parametrize("order", [1, -1])
def test_a_data_set_without_a_folder_is_refused_by_its_first_image(
    order: int, tmp_path: Path
) -> None:
    here = paring.read(pictures(tmp_path, "a.png"))
    nowhere = replace(here, image_root=None)
    with pytest.raises(InputError, match=r"the folder of image 'a.png' is not known"):
        joined(*(here, nowhere)[::order])


def test_pictures_have_ids_from_1_and_no_size_that_was_not_given(tmp_path: Path) -> None:
    data = pictures_of(["b.png", "a.png"], tmp_path)
    assert data.images.rows() == [(1, "b.png", 0, 0), (2, "a.png", 0, 0)]
    assert data.image_root == tmp_path
    sizes = pl.DataFrame({"width": [3, 4], "height": [5, 6]})
    sized = pictures_of(["b.png", "a.png"], tmp_path, sizes=sizes)
    assert sized.images.rows() == [(1, "b.png", 3, 5), (2, "a.png", 4, 6)]


# -- what is given back ------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    images = [{"id": id, "file_name": f"{id}.jpg", "width": 9, "height": 9} for id in (70, 3, 50)]
    return paring.read(write_json(tmp_path / "coco.json", coco([], images=images)))


def test_pairs_of_rows_become_pairs_of_ids(data: Dataset) -> None:
    rows = np.array([0, 0, 1], np.int32), np.array([1, 2, 2], np.int32)
    frame = pair_frame(data, Found(0.5, True, *rows, np.array([0.5, 0.75, 1.0])))
    assert frame.schema == {"source": pl.Int64, "target": pl.Int64, "similarity": pl.Float64}
    ids = data.images["image_id"].to_list()
    expected = [(ids[0], ids[1], 0.5), (ids[0], ids[2], 0.75), (ids[1], ids[2], 1.0)]
    assert frame.rows() == expected
    assert sorted(ids) == [3, 50, 70]


def test_no_pairs_are_an_empty_frame(data: Dataset) -> None:
    none = np.empty(0, np.int32)
    frame = pair_frame(data, Found(0.5, True, none, none, np.empty(0)))
    assert frame.schema == {"source": pl.Int64, "target": pl.Int64, "similarity": pl.Float64}
    assert not len(frame)


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), -float("inf")])
def test_a_threshold_that_is_no_number_is_refused(threshold: float) -> None:
    with pytest.raises(InputError, match=f"the threshold must be a number, not {threshold}"):
        refuse_threshold(threshold)


@pytest.mark.parametrize("threshold", [-2, -0.5, 0, 0.7, 1, 1.5])
def test_any_number_is_a_threshold(threshold: float) -> None:
    refuse_threshold(threshold)
