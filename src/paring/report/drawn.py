"""Masks of examples, layer by layer, and their outlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.labels.examples import Pictured, Shape
from paring.report.outlines import outlines


def layer_of(
    examples: Sequence[Pictured], name: str, tags: Sequence[str], *, hidden: bool
) -> Dataset:
    """The masks of one layer of examples; those of nothing known are of the first tag.

    Parameters
    ----------
    examples : each with a list of `Shape` of that name.
    tags : what masks can be of.
    hidden : whether tags are not to be shown; they are then numbers.
    """
    ids = {tag: number for number, tag in enumerate(tags, 1)}
    shapes: list[tuple[int, Shape]] = [
        (one.image_id, shape) for one in examples for shape in getattr(one, name)
    ]
    counts, offsets = rle.decode_text([shape.counts.encode() for _, shape in shapes])
    masks = MaskStore.from_runs(
        [counts[first:stop].astype(np.uint32) for first, stop in pairwise(offsets)],
        heights=[shape.size[0] for _, shape in shapes],
        widths=[shape.size[1] for _, shape in shapes],
    )
    instances = pl.DataFrame(
        {
            "instance_id": np.arange(1, len(shapes) + 1),
            "image_id": np.array([image_id for image_id, _ in shapes], np.int64),
            "category_id": np.array([ids.get(shape.tag, 1) for _, shape in shapes], np.int64),
            "iscrowd": np.zeros(len(shapes), bool),
            "bbox": pl.Series(masks.boxes(), dtype=pl.Array(pl.Float64, 4)),
            "area": masks.areas(),
        }
    )
    images = pl.DataFrame(
        {
            "image_id": [one.image_id for one in examples],
            "file_name": [one.file_name for one in examples],
            "width": [one.width for one in examples],
            "height": [one.height for one in examples],
        },
        schema={
            "image_id": pl.Int64,
            "file_name": pl.String,
            "width": pl.Int64,
            "height": pl.Int64,
        },
    )
    shown = [f"tag {number}" for number in ids.values()] if hidden else tags
    categories = pl.DataFrame({"category_id": np.arange(1, len(tags) + 1), "name": list(shown)})
    return Dataset(images, instances, categories, masks)


def drawn_layers(layers: Mapping[str, Dataset]) -> list[dict[str, Any]]:
    """Of each image the outlines of each layer that has some: their size, and colour and path."""
    rows = range(len(next(iter(layers.values())).images))
    drawn = {name: outlines(data, rows) for name, data in layers.items()}
    return [
        {
            name: {
                "size": drawn[name][row].size,
                "shapes": [[place, path] for place, _, path in drawn[name][row].shapes],
            }
            for name in layers
            if row in drawn[name]
        }
        for row in rows
    ]
