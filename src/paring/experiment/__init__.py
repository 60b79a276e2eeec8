"""The experiment: methods, rates and seeds in, one table out.

Which images may go, and what does it cost? Each method cuts the same training data at the same
rates; the same recipe trains on what is left; the same data measures it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Bring a name in when it is first used."""
    if name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'paring.experiment' has no attribute {name!r}")
