"""What the columns of a data set say that a format without a place for it leaves behind."""

from __future__ import annotations

from collections import Counter

import polars as pl

from paring.dataset.table import Dataset


def left_behind(data: Dataset, *, tags: bool = True, label_maps: bool = True) -> Counter[str]:
    """Counts of scores and ignore flags, of image tags and of label maps."""
    losses: Counter[str] = Counter()
    columns = data.instances.columns
    if "score" in columns:
        losses["scores"] = data.instances["score"].count()
    if "ignore" in columns:
        losses["ignore flags"] = int(data.instances["ignore"].cast(pl.Boolean).sum())
    if tags and data.tags is not None:
        losses["image tags"] = len(data.tags)
    if label_maps and data.label_maps is not None:
        losses["label maps"] = len(data.label_maps.paths)
    return +losses
