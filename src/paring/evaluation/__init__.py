"""How good predictions are, and what they cost: COCO AP and AR, mIoU, Dice, MACs, latency."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paring.evaluation.cost import measure_cost
    from paring.evaluation.dense import DenseTally
    from paring.evaluation.detection import category_ap, coco_metrics, map_at
    from paring.evaluation.results import read_results, write_results

__all__ = [
    "DenseTally",
    "category_ap",
    "coco_metrics",
    "map_at",
    "measure_cost",
    "read_results",
    "write_results",
]

_HOMES = {
    "DenseTally": "paring.evaluation.dense",
    "category_ap": "paring.evaluation.detection",
    "coco_metrics": "paring.evaluation.detection",
    "map_at": "paring.evaluation.detection",
    "measure_cost": "paring.evaluation.cost",
    "read_results": "paring.evaluation.results",
    "write_results": "paring.evaluation.results",
}


def __getattr__(name: str) -> Any:
    """Bring a name in when it is first used; numbers of files need no torch."""
    if name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'paring.evaluation' has no attribute {name!r}")
