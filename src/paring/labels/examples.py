"""Some images of a run, with masks to be drawn on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from paring.dataset import rle
from paring.dataset.table import Dataset


class Shape(msgspec.Struct):
    """A mask: what it is of (empty for nothing known), score, and COCO's run lengths."""

    tag: str
    score: float | None
    size: tuple[int, int]
    counts: str


class Pictured(msgspec.Struct):
    """An image that is shown; with more fields by kind of run."""

    image_id: int
    file_name: str
    width: int
    height: int


def shapes_of(data: Dataset, rows: Any, said: Iterable[tuple[str, float | None]]) -> list[Shape]:
    """Masks of some rows of a data set, each with what it is of and its score."""
    if not len(rows):
        return []
    masks = data.masks.take(rows).to_rle()
    texts = rle.encode_text(masks.counts, masks.count_offsets)
    return [
        Shape(tag, score, (int(high), int(wide)), text.decode())
        for (tag, score), high, wide, text in zip(
            said, masks.heights, masks.widths, texts, strict=True
        )
    ]


def from_best_to_worst(values: Sequence[float], most: int) -> list[int]:
    """Places of values from the largest to the smallest, so many of them, evenly chosen.

    >>> from_best_to_worst([0.1, 0.9, 0.5], 2)
    [1, 0]
    """
    order = np.argsort(-np.array(values, np.float64), kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, min(most, len(order))).round().astype(int))
    chosen: list[int] = order[places].tolist()
    return chosen
