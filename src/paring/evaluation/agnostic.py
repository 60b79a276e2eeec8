"""How good things found without classes are: Exemplar-FreeSOLO's measures, and CorLoc."""

from __future__ import annotations

import numpy as np
import polars as pl

from paring.dataset.table import Dataset
from paring.evaluation.detection import metrics_of
from paring.evaluation.matching import Kind, match

BORDERS = (64.0**2, 192.0**2)
"""Borders of small, medium and large in square pixels (Exemplar-FreeSOLO, section 4.1)."""

_CORRECT = 0.5


def agnostic_metrics(
    truth: Dataset, predictions: Dataset, *, kind: Kind = "segm"
) -> dict[str, float]:
    """Average precision and recall where all categories count as one, and CorLoc.

    The measures by size are at IoU 0.5 and the paper's borders, all others are COCO's. Where the
    truth has not all things of an image, precision counts those that it lacks as wrong, and only
    recall and CorLoc say something.

    Parameters
    ----------
    truth : the annotations.
    predictions : of the same images, with a score; their categories do not matter.
    kind : what overlaps, masks (``"segm"``) or boxes (``"bbox"``).

    Returns
    -------
    dict
        AP, AP50, AP75, AR1, AR10, AR100; APS, APM, APL; CorLoc, see `correct_localisation`. NaN
        where there is no such truth.

    Example
    -------
    >>> import paring
    >>> from dataclasses import replace
    >>> truth = paring.scenes(4, seed=0)
    >>> same = replace(truth, instances=truth.instances.with_columns(score=pl.lit(0.9)))
    >>> found = agnostic_metrics(truth, same)
    >>> found["AP"], found["CorLoc"]
    (1.0, 1.0)
    """
    whole = metrics_of(match(truth, predictions, kind=kind, class_agnostic=True))
    kept = ("AP", "AP50", "AP75", "AR1", "AR10", "AR100")
    by_size = metrics_of(
        match(
            truth,
            predictions,
            kind=kind,
            class_agnostic=True,
            areas=BORDERS,
            ious=(_CORRECT,),
        )
    )
    sizes = {name: by_size[name] for name in ("APS", "APM", "APL")}
    found = {name: whole[name] for name in kept} | sizes
    return found | {"CorLoc": correct_localisation(truth, predictions)}


def correct_localisation(truth: Dataset, predictions: Dataset) -> float:
    """CorLoc: share of images with truth whose best box overlaps one of it by IoU 0.5 or more.

    NaN where no image has an instance that is no crowd.

    >>> import paring
    >>> from dataclasses import replace
    >>> truth = paring.scenes(4, seed=0)
    >>> none = truth.instances.with_columns(score=pl.lit(0.9))[:0]
    >>> correct_localisation(truth, replace(truth, instances=none, masks=truth.masks.take([])))
    0.0
    """
    solid = truth.instances.filter(~pl.col("iscrowd").fill_null(False))
    best = (
        predictions.instances.sort("score", descending=True, maintain_order=True)
        .group_by("image_id", maintain_order=True)
        .first()
    )
    boxes = dict(zip(best["image_id"], best["bbox"].to_list(), strict=True))
    right: dict[int, bool] = {}
    for image_id, box in zip(solid["image_id"], solid["bbox"].to_list(), strict=True):
        there = image_id in boxes and _iou(boxes[image_id], box) >= _CORRECT
        right[image_id] = right.get(image_id, False) or there
    return float(np.mean(list(right.values()))) if right else float("nan")


def _iou(one: list[float], other: list[float]) -> float:
    """Of two boxes x, y, width, height.

    >>> _iou([0, 0, 2, 2], [1, 0, 2, 2])
    0.3333333333333333
    """
    sides = [
        max(0.0, min(one[k] + one[k + 2], other[k] + other[k + 2]) - max(one[k], other[k]))
        for k in (0, 1)
    ]
    shared = sides[0] * sides[1]
    union = one[2] * one[3] + other[2] * other[3] - shared
    return shared / union if union else 0.0
