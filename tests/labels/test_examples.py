"""Masks of some images, to be drawn."""

from __future__ import annotations

import numpy as np
from faster_coco_eval import mask as coco_mask

import paring
from paring.labels.examples import from_best_to_worst, shapes_of


def test_shapes_are_masks_as_coco_writes_them() -> None:
    data = paring.scenes(2, seed=0)
    rows = np.array([1, 0])
    shapes = shapes_of(data, rows, [("a", 0.5), ("", None)])
    assert [(one.tag, one.score) for one in shapes] == [("a", 0.5), ("", None)]
    for row, one in zip(rows, shapes, strict=True):
        area = coco_mask.area({"size": list(one.size), "counts": one.counts.encode()})
        assert area == data.masks.take([row]).to_rle().areas()[0]
    assert shapes_of(data, [], []) == []


def test_places_are_spread_from_the_best_to_the_worst() -> None:
    values = [0.3, 0.9, 0.1, 0.5, 0.7]
    assert from_best_to_worst(values, 3) == [1, 3, 2]
    assert from_best_to_worst(values, 9) == [1, 4, 3, 0, 2]
    assert from_best_to_worst([0.5, 0.5], 2) == [0, 1]
