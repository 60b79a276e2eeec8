"""Predictions made from a truth by chance: moved, missed, mistaken and invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset


def guessed(truth: Dataset, *, seed: int, decimals: int = 2, invented: int = 3) -> Dataset:
    """Predictions of a truth; few decimals of the scores make ties."""
    rng = np.random.default_rng(seed)
    categories = truth.categories["category_id"].to_numpy()
    sizes = truth.images.select("height", "width").to_numpy()
    rows, runs, boxes, labels = [], [], [], []
    for k, (row, label) in enumerate(
        zip(truth.image_rows.tolist(), truth.instances["category_id"].to_list(), strict=True)
    ):
        top, left, crop = truth.masks.crop(k)
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            rows.append(row)
            labels.append(int(rng.choice(categories)) if rng.random() < 0.1 else label)
            runs.append(_moved(rng, crop, top, left, *sizes[row]))
            boxes.append(_jittered(rng, truth.instances["bbox"][k].to_numpy()))
    for row in np.repeat(np.arange(len(truth)), invented).tolist():
        side = rng.integers(2, 40, 2)
        rows.append(row)
        labels.append(int(rng.choice(categories)))
        crop = np.ones(np.minimum(side, sizes[row]), np.uint8)
        runs.append(_moved(rng, crop, *rng.integers(0, 30, 2).tolist(), *sizes[row]))
        boxes.append([*rng.uniform(0, 60, 2), *rng.uniform(2, 60, 2)])
    order = rng.permutation(len(rows))
    row = np.array(rows)[order]
    instances = pl.DataFrame(
        {
            "instance_id": np.arange(1, len(rows) + 1),
            "image_id": truth.images["image_id"].to_numpy()[row],
            "category_id": np.array(labels)[order],
            "iscrowd": np.zeros(len(rows), bool),
            "bbox": pl.Series(np.array(boxes)[order], dtype=pl.Array(pl.Float64, 4)),
            "area": np.zeros(len(rows)),  # the size that counts is that of the mask or box
            "score": rng.random(len(rows)).round(decimals),
        }
    )
    masks = MaskStore.from_runs(
        [runs[k] for k in order], heights=sizes[row, 0], widths=sizes[row, 1]
    )
    return replace(truth, instances=instances, masks=masks)


def _moved(
    rng: np.random.Generator, crop: np.ndarray, top: int, left: int, height: int, width: int
) -> np.ndarray:
    """Run lengths of a bitmap moved by a few pixels, with a corner bitten off, within its image."""
    canvas = np.zeros((height + 80, width + 80), np.uint8)
    dy, dx = (rng.integers(-4, 5, 2) * (rng.random() < 0.7)).tolist()
    y, x = 40 + top + dy, 40 + left + dx
    h, w = crop.shape
    canvas[y : y + h, x : x + w] = crop[: canvas.shape[0] - y, : canvas.shape[1] - x]
    bite = int(rng.integers(0, max(h // 3, 1) + 1))
    canvas[y : y + bite] = 0
    return rle.encode_bitmap(canvas[40 : 40 + height, 40 : 40 + width], 0, 0, height, width)


def _jittered(rng: np.random.Generator, box: np.ndarray) -> list[float]:
    x, y, w, h = box
    shift = rng.normal(0, 0.08, 4)
    return [
        x + w * shift[0],
        y + h * shift[1],
        w * float(np.exp(shift[2])),
        h * float(np.exp(shift[3])),
    ]
