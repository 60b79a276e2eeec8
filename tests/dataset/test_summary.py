from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import factory
import paring
from paring.dataset.labelmaps import LabelMaps
from paring.dataset.summary import compare, size_buckets
from paring.dataset.table import Dataset


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    crowd = {"size": [48, 64], "counts": [0, 48 * 64]}
    records = [
        factory.annotation(1, 1, 1, [factory.rectangle(0, 0, 31, 33)]),
        factory.annotation(2, 1, 1, [factory.rectangle(0, 0, 32, 32)]),
        factory.annotation(3, 2, 1, [factory.rectangle(0, 0, 10, 10)]),
        factory.annotation(4, 1, 2, crowd, iscrowd=1, area=3072, bbox=[0, 0, 64, 48]),
    ]
    return paring.read(factory.write_json(tmp_path / "d.json", factory.coco(records)))


def test_a_summary_counts_by_hand(data: Dataset) -> None:
    summary = data.summary()
    assert (summary.images, summary.instances, summary.crowds, summary.empty_images) == (2, 3, 1, 0)
    assert (summary.polygons, summary.run_lengths, summary.points) == (3, 1, 12)
    assert summary.categories["instances"].to_list() == [3, 0]
    assert summary.categories["images"].to_list() == [2, 0]
    assert dict(summary.sizes.select("size", "instances").iter_rows()) == {
        "small": 2,
        "medium": 1,
        "large": 0,
    }
    assert summary.to_dict()["sizes"][0] == {"size": "small", "images": 2, "instances": 2}


def test_size_borders_are_those_of_coco() -> None:
    areas = pl.Series([0.0, 1023.99, 1024.0, 9215.99, 9216.0])
    assert size_buckets(areas).to_list() == ["small", "small", "medium", "medium", "large"]


def test_a_comparison_names_the_worst_loss_first(data: Dataset) -> None:
    losses = compare(data.summary(), data.subset([1]).summary())
    rows = {(r["group"], r["name"]): r for r in losses.iter_rows(named=True)}
    assert rows["category", "cat"]["lost"] == pytest.approx(1 / 3)
    assert rows["category", "dog"]["lost"] == 0
    assert rows["size", "small"]["lost"] == 0.5
    assert rows["size", "small"]["instances_after"] == 1
    assert rows["size", "small"]["images_before"] == 2
    assert losses["lost"].to_list() == sorted(losses["lost"], reverse=True)


def test_a_summary_counts_empty_images_parts_tags_and_label_maps(tmp_path: Path) -> None:
    parts = [factory.rectangle(0, 0, 5, 5), factory.rectangle(9, 9, 5, 5)]
    categories = [{"id": 2, "name": "dog"}, {"id": 1, "name": "cat"}]
    value = factory.coco([factory.annotation(1, 1, 1, parts)], categories=categories)
    data = paring.read(factory.write_json(tmp_path / "d.json", value))
    tags = pl.DataFrame({"image_id": [1, 2], "category_id": [1, 1]})
    paths = pl.DataFrame({"image_id": [1], "path": ["a.png"]})
    summary = replace(data, tags=tags, label_maps=LabelMaps(paths, np.array([1]))).summary()
    assert (summary.empty_images, summary.parts, summary.tags, summary.label_maps) == (1, 2, 2, 1)
    assert summary.categories["category_id"].to_list() == [1, 2]
