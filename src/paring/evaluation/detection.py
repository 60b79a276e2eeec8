"""COCO's average precision and recall of boxes and masks.

Means are over categories that have truth; where a number rests on none (no small truth, say) it is
NaN, which COCO's own tool writes as -1.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.evaluation.matching import Curves, Kind, match

AREAS = (32.0**2, 96.0**2)
"""COCO's borders of small, medium and large, in square pixels."""

_NAMED_IOUS = {"AP50": 0.5, "AP75": 0.75}


def coco_metrics(
    truth: Dataset,
    predictions: Dataset,
    *,
    kind: Kind = "segm",
    class_agnostic: bool = False,
    areas: tuple[float, float] | None = AREAS,
    ious: Sequence[float] | None = None,
    max_detections: Sequence[int] = (1, 10, 100),
) -> dict[str, float]:
    """Average precision (AP) and average recall (AR) as COCO defines them.

    AP is the mean, over IoU thresholds and categories, of the precision at 101 recalls (0, 0.01,
    ..., 1), each the best precision at that recall or beyond. AR is the mean of the largest recall.
    Predictions that match a crowd count neither way; the column `ignore` is not asked, as COCO's
    own tool does not.

    Parameters
    ----------
    truth : the annotations; their column `area` decides the size, as in COCO.
    predictions : the same images and categories, with a column `score` in `instances`. Their own
        size, which decides where they count if nothing matches them, is that of the mask for
        masks (COCO's tool takes the box's where a result file has both) and of the box for boxes.
    kind : what overlaps, masks (``"segm"``) or boxes (``"bbox"``).
    class_agnostic : all categories count as one; then predictions may name any category.
    areas : the two borders between small, medium and large in square pixels; None for no split.
    ious : thresholds; unset, 0.5 to 0.95 in steps of 0.05.
    max_detections : so many of the highest scores of each image and category count; AP, and recall
        by size, take the largest.

    Returns
    -------
    dict
        AP; AP50 and AP75 where those are among `ious`; APS, APM, APL with `areas`; AR1, AR10,
        AR100 by `max_detections`; ARS, ARM, ARL with `areas`. NaN where there is no such truth.

    Raises
    ------
    InputError
        Where predictions have no score or no mask, or name an image or category that the truth
        has not.

    References
    ----------
    Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014, and its evaluation tool.

    Example
    -------
    >>> import paring, polars as pl
    >>> from dataclasses import replace
    >>> truth = paring.scenes(4, seed=0)
    >>> found = truth.instances.with_columns(score=pl.lit(0.9))
    >>> coco_metrics(truth, replace(truth, instances=found))["AP"]
    1.0
    """
    curves = match(
        truth,
        predictions,
        kind=kind,
        class_agnostic=class_agnostic,
        areas=areas,
        ious=ious,
        max_detections=max_detections,
    )
    return metrics_of(curves)


def metrics_of(curves: Curves) -> dict[str, float]:
    """The numbers of `coco_metrics` from a matching."""
    sizes = [name for name in curves.areas if name]
    out = {"AP": curves.average_precision()}
    named = {name: iou for name, iou in _NAMED_IOUS.items() if curves.has(iou)}
    out |= {name: curves.average_precision(iou=iou) for name, iou in named.items()}
    out |= {f"AP{size}": curves.average_precision(area=size) for size in sizes}
    out |= {f"AR{n}": curves.average_recall(detections=n) for n in curves.max_detections}
    return out | {f"AR{size}": curves.average_recall(area=size) for size in sizes}


def category_ap(
    truth: Dataset,
    predictions: Dataset,
    *,
    kind: Kind = "segm",
    ious: Sequence[float] | None = None,
    max_detections: Sequence[int] = (1, 10, 100),
) -> pl.DataFrame:
    """Average precision of each category, by rising id; parameters as in `coco_metrics`.

    Columns: category_id, name, truths (crowds apart), predictions, AP, AP50 and AP75 where those
    are among `ious`, AR (with the largest of `max_detections`). NaN for a category without truth.

    >>> import paring, polars as pl
    >>> from dataclasses import replace
    >>> truth = paring.scenes(4, seed=0)
    >>> found = truth.instances.with_columns(score=pl.lit(0.9))
    >>> category_ap(truth, replace(truth, instances=found)).columns
    ['category_id', 'name', 'truths', 'predictions', 'AP', 'AP50', 'AP75', 'AR']
    """
    curves = match(truth, predictions, kind=kind, ious=ious, max_detections=max_detections)
    return categories_of(curves, truth, predictions)


def categories_of(curves: Curves, truth: Dataset, predictions: Dataset) -> pl.DataFrame:
    """The table of `category_ap` from a matching that kept categories apart."""
    if not curves.category_ids:
        raise InputError("all categories were matched as one, so there is no AP of each")
    named = {"AP": None} | {n: iou for n, iou in _NAMED_IOUS.items() if curves.has(iou)}
    rows = range(len(curves.category_ids))
    columns = {
        name: [curves.average_precision(iou=iou, category=k) for k in rows]
        for name, iou in named.items()
    }
    columns["AR"] = [curves.average_recall(category=k) for k in rows]
    table = truth.categories.select("category_id", "name").sort("category_id")
    solid = truth.instances.filter(~pl.col("iscrowd"))
    for name, frame in (("truths", solid), ("predictions", predictions.instances)):
        counted = frame.group_by("category_id").agg(pl.len().cast(pl.Int64).alias(name))
        table = table.join(counted, on="category_id", how="left", maintain_order="left")
    return table.with_columns(
        pl.col("truths", "predictions").fill_null(0),
        *(pl.Series(name, values, dtype=pl.Float64) for name, values in columns.items()),
    )


def map_at(
    truth: Dataset,
    predictions: Dataset,
    ious: Sequence[float] = (0.25, 0.5, 0.7, 0.75),
    *,
    kind: Kind = "segm",
    max_detections: int = 100,
) -> dict[str, float]:
    """Mean AP over categories at single IoU thresholds, as weakly supervised work gives it.

    The precision is COCO's at 101 recalls, with crowds ignored; the devkit of VOC integrates the
    curve at every recall instead, which can differ in the third digit.

    Returns
    -------
    dict
        ``mAP25``, ``mAP50``, ... by threshold in per cent (``mAP62.5`` for 0.625).

    Example
    -------
    >>> import paring, polars as pl
    >>> from dataclasses import replace
    >>> truth = paring.scenes(4, seed=0)
    >>> found = truth.instances.with_columns(score=pl.lit(0.9))
    >>> map_at(truth, replace(truth, instances=found), (0.25, 0.7))
    {'mAP25': 1.0, 'mAP70': 1.0}
    """
    curves = match(truth, predictions, kind=kind, ious=ious, max_detections=(max_detections,))
    return {f"mAP{100 * iou:.4g}": curves.average_precision(iou=iou) for iou in ious}
