"""The table in words: Markdown, and numbers with their spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from paring.experiment.cells import CHANCE, FULL, percent


def columns(metrics: Sequence[str]) -> list[str]:
    """The heads of the columns of the table."""
    numbers = ("n", "images", "instances", "time to rank", "time to train", "steps")
    return ["removed", "method", metrics[0], "to full", "to chance", *metrics[1:], *numbers]


def shown_row(row: Mapping[str, Any], metrics: Sequence[str], seeds: int) -> list[str]:
    """A row of what `paring.experiment.table.summarise` gives, in words.

    `seeds` is how many cells it should have; a row with fewer says so.
    """
    first = metrics[0]
    own = row["method"] in METHOD_WORDS
    n = f"{row['n']}" if row["n"] == seeds else f"{row['n']} of {seeds}"
    return [
        percent(row["rate"]),
        METHOD_WORDS.get(row["method"], row["method"]),
        spread(row[first], row[f"{first}_sd"]),
        "" if row["method"] == FULL else signed(row[f"{first}_to_full"]),
        "" if own else signed(row[f"{first}_to_chance"]),
        *(spread(row[name], row[f"{name}_sd"]) for name in metrics[1:]),
        n,
        *(_whole(row[name]) for name in ("images", "instances")),
        *(duration(row[name]) for name in ("seconds_to_rank", "seconds_to_train")),
        _whole(row["steps"]),
    ]


def to_markdown(table: pl.DataFrame, metrics: Sequence[str], *, seeds: int) -> str:
    """The tables in Markdown, one for each budget; see `shown_row`."""
    head = columns(metrics)
    sides = ["---:", "---", *["---:"] * (len(head) - 2)]
    parts = []
    for (budget,), rows in table.group_by("budget", maintain_order=True):
        lines = [_line(head), _line(sides)]
        for row in rows.iter_rows(named=True):
            cells = shown_row(row, metrics, seeds)
            if row["method"] in METHOD_WORDS:
                cells[1] = f"**{cells[1]}**"
            lines.append(_line(cells))
        parts.append("\n".join([f"## Equal {budget}", "", *lines, ""]))
    note = (
        "Mean ± sample standard deviation over n seeds; *to full* and *to chance* are differences "
        "of means to the full data and to random at the same rate. Time to rank counts the "
        "training of the model that scores, where a method has one.\n"
    )
    return "\n".join([*parts, note])


METHOD_WORDS = {FULL: "full data", CHANCE: "random (chance)"}
"""How the two rows are called that every table has."""


def spread(mean: float | None, deviation: float | None) -> str:
    """A mean with its spread.

    >>> spread(0.91234, 0.0121), spread(0.5, None), spread(None, None)
    ('0.9123 ± 0.0121', '0.5000', '-')
    """
    if mean is None:
        return "-"
    return f"{mean:.4f}" if deviation is None else f"{mean:.4f} ± {deviation:.4f}"


def signed(value: float | None) -> str:
    """A difference.

    >>> signed(0.01234), signed(-0.5), signed(None)
    ('+0.0123', '-0.5000', '-')
    >>> signed(-1e-9)
    '0.0000'
    """
    if value is None:
        return "-"
    shown = f"{value:+.4f}"
    return shown if float(shown) else shown[1:]


def duration(seconds: float | None) -> str:
    """Seconds for people.

    >>> duration(0.0123), duration(75.2), duration(7200), duration(None)
    ('0.01 s', '75.2 s', '2.00 h', '-')
    """
    if seconds is None:
        return "-"
    if seconds < 10:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 3600 else f"{seconds / 3600:.2f} h"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{round(value):,}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
