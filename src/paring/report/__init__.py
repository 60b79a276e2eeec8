"""The page people look at: what a run took, what stayed, and what another would have taken."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paring.report.making import compare_runs, write_report
    from paring.report.pictures import Pictures

__all__ = ["Pictures", "compare_runs", "write_report"]

_HOMES = {
    "Pictures": "paring.report.pictures",
    "compare_runs": "paring.report.making",
    "write_report": "paring.report.making",
}


def __getattr__(name: str) -> Any:
    """Bring a name in when it is first used; words for the terminal need none of them."""
    if name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'paring.report' has no attribute {name!r}")
