"""Tables of numbers, as the terminal shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text


def values_table(values: Mapping[str, Any]) -> Table:
    """A row for each value; of values within values, both names."""
    table = plain_table("", "")
    table.show_header = False
    for name, value in _flat(values):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_row(name, Text(number(value) if is_number else str(value)))
    return table


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name} ")
        elif value is not None:
            yield f"{before}{name}", value


def plain_table(first: str, *names: str) -> Table:
    """A table without lines, its first column for names and the others for numbers.

    Where it is wider than the window, cells are broken and not cut off.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, overflow="fold")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    return table


def number(value: float) -> str:
    """A count, or a share with four digits; a dash where there was nothing to measure.

    >>> number(1200), number(0.5), number(float("nan"))
    ('1,200', '0.5000', '-')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return "-" if math.isnan(value) else f"{value:.4f}"
