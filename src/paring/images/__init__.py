"""Fewer images: scores of images, and selections by them."""

from __future__ import annotations

from paring.images.selection import keep_random, keep_stratified, keep_top
from paring.images.shape import (
    count_scores,
    instance_shapes,
    outlines,
    shape_complexity,
    shape_scores,
)

__all__ = [
    "count_scores",
    "instance_shapes",
    "keep_random",
    "keep_stratified",
    "keep_top",
    "outlines",
    "shape_complexity",
    "shape_scores",
]
