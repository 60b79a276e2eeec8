"""Measures of things found without classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.evaluation.agnostic import agnostic_metrics, correct_localisation
from paring.evaluation.detection import coco_metrics


def boxes(*rows: tuple[int, int, list[int], float | None], images: int = 2) -> Dataset:
    """Instances (image, category, box, score) in images of 400 pixels; masks are the boxes."""
    masks = MaskStore.from_polygons(
        [
            [np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], float)]
            for _, _, (x, y, w, h), _ in rows
        ],
        heights=[400] * len(rows),
        widths=[400] * len(rows),
    )
    four = pl.Array(pl.Float64, 4)
    frame = pl.DataFrame(
        {
            "instance_id": range(1, len(rows) + 1),
            "image_id": [row[0] for row in rows],
            "category_id": [row[1] for row in rows],
            "iscrowd": [False] * len(rows),
            "bbox": pl.Series([[float(v) for v in row[2]] for row in rows], dtype=four),
            "area": [float(row[2][2] * row[2][3]) for row in rows],
            "score": [row[3] for row in rows],
        },
        schema_overrides={"score": pl.Float64},
    )
    pictures = pl.DataFrame(
        {
            "image_id": range(1, images + 1),
            "file_name": [f"{k}.jpg" for k in range(images)],
            "width": [400] * images,
            "height": [400] * images,
        }
    )
    categories = pl.DataFrame({"category_id": [1, 2], "name": ["a", "b"]})
    return Dataset(pictures, frame, categories, masks)


TRUTH = boxes(
    (1, 1, [0, 0, 50, 50], None),
    (1, 2, [100, 100, 150, 150], None),
    (2, 1, [0, 0, 300, 300], None),
)


def test_classes_do_not_matter_and_sizes_have_the_papers_borders() -> None:
    found = boxes(
        (1, 2, [0, 0, 50, 50], 0.9),  # small, right
        (1, 1, [100, 100, 150, 100], 0.8),  # medium, IoU 2/3
        (2, 2, [0, 0, 300, 100], 0.7),  # large, IoU 1/3
    )
    measured = agnostic_metrics(TRUTH, found)
    # at IoU 0.5 two of three are found, before any wrong one
    assert measured["AP50"] == pytest.approx(67 / 101)
    assert measured["AR100"] == pytest.approx((4 * 2 / 3 + 6 * 1 / 3) / 10)
    assert measured["AR1"] == pytest.approx(1 / 3)
    assert (measured["APS"], measured["APM"], measured["APL"]) == pytest.approx((1, 1, 0))
    assert measured["CorLoc"] == 0.5


def test_they_are_cocos_where_all_is_one_category() -> None:
    data = paring.scenes(6, seed=2)
    score = np.random.default_rng(0).random(len(data.instances))
    found = replace(data, instances=data.instances.with_columns(score=pl.Series(score)))
    for kind in ("segm", "bbox"):
        expected = coco_metrics(data, found, kind=kind, class_agnostic=True)
        measured = agnostic_metrics(data, found, kind=kind)
        for name in ("AP", "AP50", "AP75", "AR1", "AR10", "AR100"):
            assert measured[name] == expected[name]


def test_only_the_best_box_localises() -> None:
    right, wrong = [0, 0, 50, 50], [200, 0, 50, 50]
    one = boxes((1, 1, right, 0.4), (1, 1, wrong, 0.6), (2, 1, [0, 0, 300, 200], 0.1))
    assert correct_localisation(TRUTH, one) == 0.5
    other = boxes((1, 1, right, 0.7), (1, 1, wrong, 0.6))
    assert correct_localisation(TRUTH, other) == 0.5
    assert np.isnan(correct_localisation(boxes(), other))


def test_crowds_do_not_localise() -> None:
    crowd = replace(TRUTH, instances=TRUTH.instances.with_columns(iscrowd=pl.lit(True)))
    assert np.isnan(correct_localisation(crowd, boxes((1, 1, [0, 0, 50, 50], 0.7))))
