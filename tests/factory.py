"""Small data sets for tests, built by hand or at random."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset


def rectangle(x: float, y: float, w: float, h: float) -> list[float]:
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def coco(
    annotations: Sequence[dict[str, Any]] | None = None,
    *,
    images: Sequence[dict[str, Any]] | None = None,
    categories: Sequence[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A COCO data set of two images and two categories, or of what is given."""
    if annotations is None:
        annotations = [
            annotation(1, 1, 1, [rectangle(2, 3, 10, 5)]),
            annotation(2, 1, 2, [rectangle(20, 20, 6, 6), rectangle(30, 2, 4, 4)]),
            annotation(3, 2, 1, [rectangle(1, 1, 30, 20)]),
        ]
    return {
        "info": {"year": 2026, "π": "ü"},
        "images": images
        or [
            {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48, "license": 3},
            {"id": 2, "file_name": "b.jpg", "width": 40, "height": 50, "camera": {"iso": 100}},
        ],
        "annotations": annotations,
        "categories": categories
        or [{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 2, "name": "dog"}],
        **more,
    }


def annotation(
    id: int, image_id: int, category_id: int, segmentation: Any, **more: Any
) -> dict[str, Any]:
    """A COCO annotation; box and area as the geometry says."""
    record: dict[str, Any] = {
        "id": id,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": segmentation,
        "iscrowd": 0,
    }
    if isinstance(segmentation, list) and segmentation and "bbox" not in more:
        points = np.concatenate([np.reshape(p, (-1, 2)) for p in segmentation])
        low, high = points.min(axis=0), points.max(axis=0)
        record["bbox"] = [*low.tolist(), *(high - low).tolist()]
        record["area"] = float(sum(abs(shoelace(p)) for p in segmentation))
    return record | more


def shoelace(part: Sequence[float]) -> float:
    """Signed area of one polygon, written out."""
    xy = [(part[k], part[k + 1]) for k in range(0, len(part), 2)]
    return sum(a * d - c * b for (a, b), (c, d) in zip(xy, xy[1:] + xy[:1], strict=True)) / 2


def write_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def from_bitmaps(
    bitmaps: Sequence[np.ndarray], *, image: Sequence[int], category: Sequence[int]
) -> Dataset:
    """A data set of run-length masks, one per bitmap; images have the size of their bitmaps."""
    image_ids = sorted(set(image))
    sizes = {i: b.shape for i, b in zip(image, bitmaps, strict=True)}
    masks = MaskStore.from_runs(
        [rle.encode_bitmap(b.astype(np.uint8), 0, 0, *b.shape) for b in bitmaps],
        heights=[b.shape[0] for b in bitmaps],
        widths=[b.shape[1] for b in bitmaps],
    )
    return assemble(masks, image, category, {i: sizes[i] for i in image_ids})


def assemble(
    masks: MaskStore,
    image: Sequence[int],
    category: Sequence[int],
    sizes: dict[int, tuple[int, int]],
    **columns: Any,
) -> Dataset:
    """A data set of the given masks; sizes are (height, width) by image id."""
    categories = sorted(set(category))
    return Dataset(
        images=pl.DataFrame(
            {
                "image_id": list(sizes),
                "file_name": [f"{i:04d}.jpg" for i in sizes],
                "width": [w for _, w in sizes.values()],
                "height": [h for h, _ in sizes.values()],
            }
        ),
        instances=pl.DataFrame(
            {
                "instance_id": np.arange(1, len(masks) + 1),
                "image_id": list(image),
                "category_id": list(category),
                "iscrowd": [False] * len(masks),
                "bbox": pl.Series(masks.boxes(), dtype=pl.Array(pl.Float64, 4)),
                "area": masks.areas(),
            }
            | columns
        ),
        categories=pl.DataFrame(
            {"category_id": categories, "name": [f"class {c}" for c in categories]}
        ),
        masks=masks,
    )


def random_polygons(n: int, *, seed: int, height: int = 48, width: int = 64) -> MaskStore:
    """n masks of one to three star-shaped parts, some past the border of the image."""
    rng = np.random.default_rng(seed)
    instances = []
    for _ in range(n):
        parts = []
        for _ in range(rng.integers(1, 4)):
            angle = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
            radius = rng.uniform(2, 12) * rng.uniform(0.5, 1.5, len(angle))
            centre = rng.uniform((0, 0), (width, height))
            points = centre + radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), 1)
            parts.append(points.reshape(-1))
        instances.append(parts)
    return MaskStore.from_polygons(instances, heights=[height] * n, widths=[width] * n)


def published_outline(masks: MaskStore, row: int) -> tuple[float, float]:
    """Area and perimeter as the authors of TFDP measure: on the full frame, with OpenCV."""
    height, width = int(masks.heights[row]), int(masks.widths[row])
    mask = np.zeros((height, width), np.uint8)
    if masks.is_rle[row]:
        flat = np.repeat(np.arange(len(masks.runs(row))) % 2, masks.runs(row))
        mask = np.ascontiguousarray(flat.reshape(width, height).T.astype(np.uint8))
    for part in masks.polygon(row):
        cv2.fillPoly(mask, [part.astype(np.int32)], 1)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return 0.0, 0.0
    largest = max(contours, key=cv2.contourArea)
    return cv2.contourArea(largest), cv2.arcLength(largest, True)
