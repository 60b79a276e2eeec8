"""What a network costs, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from paring.cli.tables import plain_table


def layers_table(rows: list[dict[str, Any]]) -> Table:
    """A row a layer, those columns of which something is known."""
    pruned = any("macs_before" in row and row["channels"] < row["channels_before"] for row in rows)
    wide = any("channels" in row for row in rows)
    timed = any(row.get("ms") is not None for row in rows)
    names = ["channels", "MACs"] if wide else []
    table = plain_table("layer", *names, *(["ms"] if timed else []))
    for row in rows:
        cells: list[str | Text] = [Text(row["layer"])]
        if wide:
            cells += [_of(row, "channels", pruned), _of(row, "macs", pruned)]
        if timed:
            cells.append("" if row.get("ms") is None else f"{row['ms']:.3f}")
        table.add_row(*cells)
    return table


def _of(row: Mapping[str, Any], name: str, pruned: bool) -> Text:
    """A number, and what it was where it changed."""
    now, before = (short(row[key]) for key in (name, f"{name}_before"))
    return Text(f"{now} of {before}" if pruned and row[name] != row[f"{name}_before"] else now)


def short(number: int) -> str:
    """A number with three digits that count.

    >>> short(960), short(58_982_400)
    ('960', '59.0 M')
    """
    if number < 10_000:
        return f"{number:,}"
    size, letter = next((s, c) for s, c in ((1e9, "G"), (1e6, "M"), (1e3, "k")) if number >= s)
    value = number / size
    return f"{value:.{max(0, 3 - len(str(int(value))))}f} {letter}"


def costs_table(cost: Mapping[str, Any]) -> Table:
    """Before and after, of the whole network."""
    table = plain_table("", "before", "after", "share")
    words = {"macs": "MACs", "parameters": "parameters", "ms": "ms an image (ONNX Runtime)"}
    for name, word in words.items():
        before, after = cost[name]["before"], cost[name]["after"]
        if before is None or after is None:
            continue
        shown = (f"{n:,.1f}" if name == "ms" else f"{n:,}" for n in (before, after))
        table.add_row(word, *shown, f"{after / before:.1%}")
    return table


def cost_sentence(found: Mapping[str, Any]) -> str:
    """All of it in a line."""
    parts = []
    if "macs" in found:
        parts.append(f"{found['macs']:,} MACs, {found['parameters']:,} parameters")
    if found.get("ms") is not None:
        spread = f"± {found['ms_spread'] / 2:.2f}" if found.get("ms_spread") is not None else ""
        parts.append(f"{found['ms']:.2f} {spread} ms an image in ONNX Runtime".replace("  ", " "))
    if found.get("refused"):
        parts.append(f"not timed: {found['refused']}")
    return f"{', '.join(parts)}, of {found['height']} x {found['width']} pixels"
