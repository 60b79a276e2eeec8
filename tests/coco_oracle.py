"""COCO's own evaluation tool (pycocotools), fed through files as its users do."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from paring.dataset.table import Dataset
from paring.evaluation.results import write_results


def evaluated(
    truth: Dataset,
    predictions: Dataset,
    folder: Path,
    *,
    kind: str,
    class_agnostic: bool = False,
    areas: tuple[float, float] = (32.0**2, 96.0**2),
    ious: list[float] | None = None,
    max_detections: tuple[int, ...] = (1, 10, 100),
) -> Any:
    """The tool after its work; a result holds the mask or the box, as the tool's sizes need it."""
    truth.write(folder / "truth.json", format="coco", overwrite=True)
    write_results(predictions, folder / "all.json", overwrite=True)
    records = json.loads((folder / "all.json").read_text())
    for record in records:
        del record["bbox" if kind == "segm" else "segmentation"]
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = COCO(str(folder / "truth.json"))
        tool = COCOeval(theirs, theirs.loadRes(records), kind)
        tool.params.useCats = int(not class_agnostic)
        small, large = areas
        tool.params.areaRng = [[0, 1e10], [0, small], [small, large], [large, 1e10]]
        tool.params.maxDets = list(max_detections)
        if ious is not None:
            tool.params.iouThrs = np.array(ious)
        tool.evaluate()
        tool.accumulate()
    return tool


def numbers(tool: Any) -> dict[str, float]:
    """The numbers of `coco_metrics` from the tool's arrays, -1 as NaN."""
    precision, recall = tool.eval["precision"], tool.eval["recall"]
    ious = tool.params.iouThrs.tolist()

    def mean(values: np.ndarray) -> float:
        there = values[values > -1]
        return float(there.mean()) if there.size else float("nan")

    out = {"AP": mean(precision[:, :, :, 0, -1])}
    for name, iou in (("AP50", 0.5), ("AP75", 0.75)):
        if iou in ious:
            out[name] = mean(precision[ious.index(iou), :, :, 0, -1])
    for k, size in enumerate("SML", start=1):
        out[f"AP{size}"] = mean(precision[:, :, :, k, -1])
        out[f"AR{size}"] = mean(recall[:, :, k, -1])
    for k, maximum in enumerate(tool.params.maxDets):
        out[f"AR{maximum}"] = mean(recall[:, :, 0, k])
    return out
