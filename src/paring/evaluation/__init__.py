"""How good predictions are, and what they cost: COCO AP and AR, mIoU, Dice, MACs, latency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.evaluation.agnostic import agnostic_metrics
    from paring.evaluation.cost import measure_cost
    from paring.evaluation.dense import DenseTally
    from paring.evaluation.detection import category_ap, coco_metrics, map_at
    from paring.evaluation.results import read_results, write_results

__all__ = [
    "DenseTally",
    "agnostic_metrics",
    "category_ap",
    "coco_metrics",
    "map_at",
    "measure_cost",
    "read_results",
    "write_results",
]

_HOMES = {
    "DenseTally": "paring.evaluation.dense",
    "agnostic_metrics": "paring.evaluation.agnostic",
    "category_ap": "paring.evaluation.detection",
    "coco_metrics": "paring.evaluation.detection",
    "map_at": "paring.evaluation.detection",
    "measure_cost": "paring.evaluation.cost",
    "read_results": "paring.evaluation.results",
    "write_results": "paring.evaluation.results",
}

# numbers of files need no torch
__getattr__ = lazily(__name__, _HOMES)
