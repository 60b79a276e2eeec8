"""Predictions matched with the truth by faster-coco-eval, and the curves that come of it.

The matching is COCO's: in each image and category predictions take, from the highest score on,
the truth they overlap most; a crowd can be taken any number of times and counts neither way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import ragged, rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset, rows_of_ids
from paring.errors import InputError

Kind = Literal["segm", "bbox"]

LARGEST_AREA = 1e10
"""Square pixels beyond which nothing is counted (COCO's bound)."""

IOUS = tuple(np.linspace(0.5, 0.95, 10).tolist())
"""COCO's ten thresholds, 0.5 to 0.95."""

_BLOCK = 2**20  # run lengths written as text at a time
_ONE_CATEGORY = 1  # what all categories are called where they count as one


@dataclass(frozen=True, eq=False)
class Curves:
    """Precision and recall of one matching; -1 where there is no truth, as COCO writes it.

    Attributes
    ----------
    precision : (ious, 101 recalls, categories, area ranges, maxima).
    recall : (ious, categories, area ranges, maxima), the largest recall reached.
    ious : thresholds.
    category_ids : categories in the order of the arrays; empty where all count as one.
    areas : names of the area ranges, ``""`` for all.
    max_detections : predictions counted of each image and category.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    ious: tuple[float, ...]
    category_ids: tuple[int, ...]
    areas: tuple[str, ...]
    max_detections: tuple[int, ...]

    def average_precision(
        self, *, iou: float | None = None, area: str = "", category: int | None = None
    ) -> float:
        """Mean precision over recalls, and over IoUs and categories not named; NaN if no truth."""
        chosen = self.precision[:, :, :, self.areas.index(area), -1]
        if category is not None:
            chosen = chosen[:, :, [category]]
        return _mean(chosen if iou is None else chosen[self._threshold(iou)])

    def average_recall(
        self, *, detections: int | None = None, area: str = "", category: int | None = None
    ) -> float:
        """Mean of the largest recall over IoUs, and over categories not named; NaN if no truth."""
        maximum = -1 if detections is None else self.max_detections.index(detections)
        chosen = self.recall[:, :, self.areas.index(area), maximum]
        return _mean(chosen if category is None else chosen[:, [category]])

    def has(self, iou: float) -> bool:
        """Whether an IoU is one of the thresholds."""
        return bool(np.isclose(self.ious, iou, rtol=0, atol=1e-9).any())

    def _threshold(self, iou: float) -> NDArray[np.bool_]:
        near: NDArray[np.bool_] = np.isclose(self.ious, iou, rtol=0, atol=1e-9)
        return near


def _mean(values: NDArray[np.float64]) -> float:
    counted = values[values > -1]
    return float(counted.mean()) if len(counted) else float("nan")


def match(
    truth: Dataset,
    predictions: Dataset,
    *,
    kind: Kind = "segm",
    class_agnostic: bool = False,
    areas: tuple[float, float] | None = None,
    ious: Sequence[float] | None = None,
    max_detections: Sequence[int] = (1, 10, 100),
) -> Curves:
    """Match predictions with the truth, image by image; parameters as in `coco_metrics`.

    Half a million masks (5,000 images of 480 x 640, 100 predictions each) take about half a minute
    on one core and 1.1 GB beside the masks: each prediction becomes one record of the matcher.
    """
    thresholds = _checked_ious(ious)
    maxima = _checked_maxima(max_detections)
    ranges = _ranges(areas)
    _check(truth, predictions, kind, class_agnostic)

    from faster_coco_eval import COCO
    from faster_coco_eval.core.faster_eval_api import COCOeval_faster

    categories = sorted(truth.categories["category_id"].to_list())
    names = [_ONE_CATEGORY] if class_agnostic else list(range(1, len(categories) + 1))
    sides = []
    for data, predicted in ((truth, False), (predictions, True)):
        side = COCO()
        side.dataset = {
            "images": _image_records(truth),
            "annotations": _records(truth, data, kind, class_agnostic, predicted),
            "categories": [{"id": number} for number in names],
        }
        side.createIndex()
        sides.append(side)
    evaluator = COCOeval_faster(*sides, iouType=kind, print_function=_silent)
    parameters = evaluator.params
    parameters.iouThrs = np.array(thresholds)
    parameters.maxDets = list(maxima)
    parameters.areaRngLbl = list(ranges)
    parameters.areaRng = [list(span) for span in ranges.values()]
    evaluator.evaluate()
    evaluator.accumulate()
    return Curves(
        precision=np.asarray(evaluator.eval["precision"], np.float64),
        recall=np.asarray(evaluator.eval["recall"], np.float64),
        ious=thresholds,
        category_ids=() if class_agnostic else tuple(categories),
        areas=tuple(ranges),
        max_detections=maxima,
    )


def _silent(*_: object) -> None:
    """The matcher talks of its progress; here nobody listens."""


# -- what is asked for -------------------------------------------------------------------------


def _checked_ious(ious: Sequence[float] | None) -> tuple[float, ...]:
    chosen = IOUS if ious is None else tuple(float(iou) for iou in ious)
    if not chosen or not all(0 < iou <= 1 for iou in chosen):
        raise InputError(f"IoU thresholds lie above 0 and up to 1, not {list(chosen)}")
    return tuple(sorted(set(chosen)))


def _checked_maxima(maxima: Sequence[int]) -> tuple[int, ...]:
    if not maxima or any(type(n) is bool or n != int(n) or n < 1 for n in maxima):
        raise InputError(f"max_detections are whole numbers from 1 on, not {list(maxima)}")
    return tuple(sorted({int(n) for n in maxima}))


def _ranges(areas: tuple[float, float] | None) -> dict[str, tuple[float, float]]:
    """Area ranges by name, borders in both of their neighbours, as in COCO."""
    ranges = {"": (0.0, LARGEST_AREA)}
    if areas is None:
        return ranges
    if len(areas) != 2 or not 0 < areas[0] < areas[1] < LARGEST_AREA:
        raise InputError(f"areas are two rising borders in square pixels, not {tuple(areas)}")
    low, high = float(areas[0]), float(areas[1])
    return ranges | {"S": (0.0, low), "M": (low, high), "L": (high, LARGEST_AREA)}


def refuse_unscored(predictions: Dataset) -> None:
    """Refuse predictions of which one has no score that is a finite number."""
    found = predictions.instances
    if "score" not in found.columns:
        raise InputError("the predictions have no scores; give each instance a `score`")
    wrong = found.filter(pl.col("score").is_null() | ~pl.col("score").is_finite())
    if len(wrong):
        raise InputError(
            f"prediction {wrong['instance_id'][0]} has no score that is a finite number"
        )


def _check(truth: Dataset, predictions: Dataset, kind: Kind, class_agnostic: bool) -> None:
    if kind not in ("segm", "bbox"):
        raise InputError(f"kind {kind!r} is not known; it is 'segm' or 'bbox'")
    found = predictions.instances
    refuse_unscored(predictions)
    for column in ("image_id",) if class_agnostic else ("image_id", "category_id"):
        known = (truth.images if column == "image_id" else truth.categories)[column]
        lost = found.filter(~pl.col(column).is_in(known.implode()))
        if len(lost):
            raise InputError(
                f"prediction {lost['instance_id'][0]} names {column} {lost[column][0]}, which the "
                "truth has not; take the annotations that the predictions were made for"
            )
    if kind == "bbox":
        return
    bare = np.flatnonzero(predictions.masks.is_empty)
    if len(bare):
        raise InputError(
            f"prediction {found['instance_id'][int(bare[0])]} has no mask; measure boxes "
            "(kind 'bbox') instead"
        )
    if len(truth.masks) and truth.masks.is_empty.all():
        raise InputError("the truth has no masks; measure boxes (kind 'bbox') instead")


# -- records -----------------------------------------------------------------------------------


def _image_records(truth: Dataset) -> list[dict[str, int]]:
    """Images numbered from 1 on by rising id, so that ties fall as in COCO's own tool."""
    sizes = truth.images.sort("image_id").select("height", "width").iter_rows()
    return [{"id": k, "height": h, "width": w} for k, (h, w) in enumerate(sizes, start=1)]


def _records(
    truth: Dataset, data: Dataset, kind: Kind, class_agnostic: bool, predicted: bool
) -> list[dict[str, Any]]:
    """One record a row, by category and then in the order of the frame.

    Ids count from 1: the matcher takes 0 for "not matched".
    """
    frame = data.instances
    order = np.argsort(frame["category_id"].to_numpy(), kind="stable")
    frame, masks = frame[order], data.masks.take(order)
    images = rows_of_ids(truth.images["image_id"].sort(), frame["image_id"]) + 1
    if class_agnostic:
        categories = np.full(len(frame), _ONE_CATEGORY)
    else:
        known = truth.categories["category_id"].sort()
        categories = rows_of_ids(known, frame["category_id"]) + 1
    boxes = frame["bbox"].to_numpy().reshape(-1, 4)
    area = frame["area"].to_numpy()
    if predicted:
        area = masks.areas() if kind == "segm" else boxes[:, 2] * boxes[:, 3]
    columns: dict[str, list[Any]] = {
        "id": list(range(1, len(frame) + 1)),
        "image_id": images.tolist(),
        "category_id": categories.tolist(),
        "area": area.astype(np.float64).tolist(),
        "iscrowd": [0] * len(frame) if predicted else frame["iscrowd"].cast(pl.Int64).to_list(),
    }
    if predicted:
        columns["score"] = frame["score"].to_list()
    if kind == "segm":
        columns["segmentation"] = _segmentations(masks)
    else:
        columns["bbox"] = boxes.tolist()
    names = tuple(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _segmentations(masks: MaskStore) -> list[Any]:
    """COCO's form of each mask: polygons as they are, which the matcher fills, and run lengths.

    Masks without geometry, and parts of fewer than three points, have no pixels.
    """
    sizes = np.stack((masks.heights, masks.widths), axis=1).tolist()
    coded = masks.is_rle.tolist()
    out: list[Any] = []
    for row, (text, size) in enumerate(zip(encoded(masks), sizes, strict=True)):
        if coded[row]:
            out.append({"size": size, "counts": text.decode()})
            continue
        parts = [part.reshape(-1).tolist() for part in masks.polygon(row) if len(part) > 2]
        out.append(parts or {"size": size, "counts": _blank(*size)})
    return out


def encoded(masks: MaskStore) -> Iterator[bytes]:
    """COCO's compressed text of each mask, empty for polygons; made some thousands at a time."""
    for first, stop in ragged.blocks(masks.count_offsets, _BLOCK):
        offsets = masks.count_offsets[first : stop + 1]
        yield from rle.encode_text(masks.counts[offsets[0] : offsets[-1]], offsets - offsets[0])


def _blank(height: int, width: int) -> str:
    runs = np.array([height * width], np.uint32)
    return rle.encode_text(runs, np.array([0, 1]))[0].decode()
