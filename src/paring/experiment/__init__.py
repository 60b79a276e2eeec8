"""The experiment: methods, rates and seeds in, one table out.

Which images may go, and what does it cost? Each method cuts the same training data at the same
rates; the same recipe trains on what is left; the same data measures it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.experiment.plan import Plan, load_plan
    from paring.experiment.running import Compared, compare

__all__ = ["Compared", "Plan", "compare", "load_plan"]

_HOMES = {
    "Compared": "paring.experiment.running",
    "Plan": "paring.experiment.plan",
    "compare": "paring.experiment.running",
    "load_plan": "paring.experiment.plan",
}

__getattr__ = lazily(__name__, _HOMES)
