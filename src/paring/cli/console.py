"""What a person sees: sentences, tables, bars. Results go to stdout, the rest to stderr."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import polars as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.progress import TimeRemainingColumn as Remaining
from rich.table import Table
from rich.text import Text

from paring.dataset.summary import Summary
from paring.report.words import count, headline

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_SHOWN = 10  # categories in a table of losses
_PATIENCE = 1.0  # seconds of work before a bar is shown


class Bars:
    """Progress of long work; nothing is shown of work that takes under a second."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}

    def __call__(self, label: str, done: int, total: int) -> None:
        """Tell that `done` of `total` steps are behind us."""
        started = self._started.setdefault(label, time.monotonic())
        if label not in self._tasks:
            if done >= total or time.monotonic() - started < _PATIENCE or not err.is_terminal:
                return
            if self._bars is None:
                columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
                self._bars = Progress(*columns, Remaining(), console=err, transient=True)
                self._bars.start()
            self._tasks[label] = self._bars.add_task(label, total=total)
        if self._bars is not None:
            self._bars.update(self._tasks[label], completed=done, total=total)

    def close(self) -> None:
        """Take the bars away."""
        if self._bars is not None:
            self._bars.stop()


@contextmanager
def bars() -> Iterator[Bars]:
    """Progress bars that go away with the block."""
    shown = Bars()
    try:
        yield shown
    finally:
        shown.close()


@contextmanager
def warnings_said() -> Iterator[None]:
    """Warnings as sentences on stderr, each once."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_: say(str(message))
        yield


def say(sentence: str) -> None:
    """A word on the way, on stderr."""
    # a reader of stderr that goes away must not stop the work
    with suppress(BrokenPipeError):
        err.print(Text(sentence, style="dim"))


def show_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    print(text.encode("utf-8", "backslashreplace").decode())


def show_cut(before: Summary, after: Summary, losses: pl.DataFrame) -> None:
    """The headline and the losses of a cut, worst first."""
    out.print(Text(headline(before, after, losses), style="bold"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for name in ("images", "kept", "instances", "kept", "lost"):
        table.add_column(name, justify="right")
    rows = losses.filter(pl.col("instances_before") > 0)
    if not len(rows):
        return
    categories = rows.filter(pl.col("group") == "category")
    sizes = rows.filter(pl.col("group") == "size")
    _add_losses(table, categories.head(_SHOWN))
    if len(categories) > _SHOWN:
        table.add_row(Text(f"and {len(categories) - _SHOWN:,} that lost less", style="dim"))
    table.add_row()
    _add_losses(table, sizes)
    out.print(table)


def _add_losses(table: Table, rows: pl.DataFrame) -> None:
    columns = ("images_before", "images_after", "instances_before", "instances_after")
    for row in rows.iter_rows(named=True):
        cells = (f"{row[column]:,}" for column in columns)
        table.add_row(Text(row["name"]), *cells, f"{row['lost']:.1%}")


def show_summary(summary: Summary) -> None:
    """What is in a data set."""
    counts = (summary.images, "image"), (summary.instances, "instance")
    words = [count(*c) for c in (*counts, (len(summary.categories), "category"))]
    out.print(Text(", ".join(words), style="bold"))
    details = {
        "polygons": summary.polygons,
        "run-length masks": summary.run_lengths,
        "crowds": summary.crowds,
        "images without instances": summary.empty_images,
        "image tags": summary.tags,
        "label maps": summary.label_maps,
    }
    out.print(", ".join(f"{n:,} {what}" for what, n in details.items() if n) or "nothing else")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("images", justify="right")
    table.add_column("instances", justify="right")
    largest = summary.categories.sort("instances", descending=True, maintain_order=True)
    for row in largest.head(20).iter_rows(named=True):
        table.add_row(Text(row["name"]), f"{row['images']:,}", f"{row['instances']:,}")
    table.add_row()
    for row in summary.sizes.iter_rows(named=True):
        table.add_row(Text(row["size"]), f"{row['images']:,}", f"{row['instances']:,}")
    out.print(table)
    if len(largest) > 20:
        out.print(Text(f"and {count(len(largest) - 20, 'smaller category')}", style="dim"))
