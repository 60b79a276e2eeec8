"""The page people look at: what a run took, what stayed, and what another would have taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.report.making import compare_runs, write_report
    from paring.report.pictures import Pictures

__all__ = ["Pictures", "compare_runs", "write_report"]

_HOMES = {
    "Pictures": "paring.report.pictures",
    "compare_runs": "paring.report.making",
    "write_report": "paring.report.making",
}

# words for the terminal need none of them
__getattr__ = lazily(__name__, _HOMES)
