"""What is in a data set, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from paring.dataset.table import Dataset

SMALL, LARGE = 32.0**2, 96.0**2
"""Borders of COCO's size buckets in square pixels: small below the first, large from the second."""

SIZES = ("small", "medium", "large")


@dataclass(frozen=True)
class Summary:
    """Counts of one data set; crowds are no instances and are counted apart.

    `categories` is a frame (category_id, name, images, instances), `sizes` a frame (size, images,
    instances) by COCO's buckets.
    """

    images: int
    instances: int
    crowds: int
    empty_images: int
    polygons: int
    run_lengths: int
    parts: int
    points: int
    tags: int
    label_maps: int
    categories: pl.DataFrame
    sizes: pl.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """The same as plain lists and numbers."""
        plain = {k: v for k, v in vars(self).items() if isinstance(v, int)}
        return plain | {"categories": self.categories.to_dicts(), "sizes": self.sizes.to_dicts()}


def size_buckets(areas: pl.Series) -> pl.Series:
    """COCO's size bucket of each area in square pixels.

    >>> size_buckets(pl.Series([1023.0, 1024.0, 9216.0])).to_list()
    ['small', 'medium', 'large']
    """
    values = areas.to_numpy()
    bucket = (values >= SMALL).astype(np.int8) + (values >= LARGE)
    return pl.Series("size", np.array(SIZES)[bucket], dtype=pl.String)


def counted_instances(data: Dataset) -> pl.DataFrame:
    """Instances that count (no crowds), with their size bucket: image_id, category_id, size."""
    frame = data.instances.with_columns(size_buckets(data.instances["area"]))
    return frame.filter(~pl.col("iscrowd")).select("image_id", "category_id", "size")


def summarise(data: Dataset) -> Summary:
    """Counts of a data set."""
    counted = counted_instances(data)
    numbers = (pl.col("image_id").n_unique().alias("images"), pl.len().alias("instances"))
    categories = data.categories.join(
        counted.group_by("category_id").agg(*numbers), on="category_id", how="left"
    ).fill_null(0)
    sizes = (
        pl.DataFrame({"size": SIZES})
        .join(counted.group_by("size").agg(*numbers), on="size", how="left")
        .fill_null(0)
    )
    return Summary(
        images=len(data.images),
        instances=len(counted),
        crowds=len(data.instances) - len(counted),
        empty_images=len(data.images) - counted["image_id"].n_unique(),
        polygons=int(data.masks.is_polygon.sum()),
        run_lengths=int(data.masks.is_rle.sum()),
        parts=len(data.masks.part_offsets) - 1,
        points=len(data.masks.points),
        tags=0 if data.tags is None else len(data.tags),
        label_maps=0 if data.label_maps is None else len(data.label_maps.paths),
        categories=categories.sort("category_id"),
        sizes=sizes,
    )


def compare(before: Summary, after: Summary) -> pl.DataFrame:
    """What a cut took from each category and size, the worst first.

    Columns: group (``"category"`` or ``"size"``), name, images_before, images_after,
    instances_before, instances_after, lost (share of the instances, 0 where there were none).
    """
    tables = []
    for group, was, now in (
        (
            "category",
            before.categories,
            after.categories.select("category_id", "images", "instances"),
        ),
        ("size", before.sizes, after.sizes),
    ):
        key = "category_id" if group == "category" else "size"
        joined = was.join(now, on=key, suffix="_after", maintain_order="left")
        tables.append(
            joined.select(
                pl.lit(group).alias("group"),
                pl.col("name" if group == "category" else "size").alias("name"),
                pl.col("images").alias("images_before"),
                pl.col("images_after"),
                pl.col("instances").alias("instances_before"),
                pl.col("instances_after"),
            )
        )
    share = 1 - pl.col("instances_after") / pl.col("instances_before").clip(lower_bound=1)
    lost = pl.when(pl.col("instances_before") > 0).then(share).otherwise(0.0).alias("lost")
    return pl.concat(tables).with_columns(lost).sort("lost", descending=True, maintain_order=True)
