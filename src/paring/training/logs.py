"""The log of a training as a CSV file that a resumed training goes on with."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers.logger import Logger

from paring.dataset.writing import beside
from paring.errors import InputError

FIRST = ("epoch", "step")


class TableLog(Logger):
    """Rows of metrics by epoch and step, written whole whenever it is saved.

    Parameters
    ----------
    path : the CSV file; rows that it has already are kept, see `drop_from`.

    Example
    -------
    >>> import tempfile
    >>> log = TableLog(Path(tempfile.mkdtemp()) / "metrics.csv")
    >>> log.log_metrics({"epoch": 0, "loss": 0.5}, step=9)
    >>> log.save()
    >>> log.path.read_text().split()
    ['epoch,step,loss', '0,9,0.5']
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: list[dict[str, Any]] = _read(path) if path.is_file() else []

    @property
    def name(self) -> str:
        """Of the log, for Lightning."""
        return "table"

    @property
    def version(self) -> str:
        """Of the log, for Lightning."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: the recipe lies beside the log."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Add numbers to the row of their epoch and step, which is a new one if there is none."""
        values = {name: value for name, value in metrics.items() if name != "epoch"}
        place = {"epoch": int(metrics.get("epoch", 0)), "step": int(step or 0)}
        last = self.rows[-1] if self.rows else {}
        if all(last.get(key) == value for key, value in place.items()):
            last.update(values)
        else:
            self.rows.append(place | values)

    def drop_from(self, epoch: int) -> None:
        """Forget the rows of this epoch (from 0) and of later ones."""
        self.rows = [row for row in self.rows if row["epoch"] < epoch]

    @rank_zero_only
    def save(self) -> None:
        """Write the file."""
        names = dict.fromkeys(name for row in self.rows for name in row if name not in FIRST)
        text = io.StringIO()
        table = csv.DictWriter(text, [*FIRST, *sorted(names)], lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        with beside(self.path, overwrite=True) as fresh:
            fresh.write_text(text.getvalue(), encoding="utf-8")

    @rank_zero_only
    def finalize(self, _: str) -> None:
        """Write the file a last time."""
        self.save()


def _read(path: Path) -> list[dict[str, Any]]:
    """Rows of an earlier log; `InputError` where the file is no such log."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{k: v for k, v in row.items() if v} for row in csv.DictReader(file)]
        for row in rows:
            if not row.keys() >= set(FIRST):
                raise ValueError(f"a row has no {' and '.join(FIRST)}")
        return [{k: int(v) if k in FIRST else float(v) for k, v in row.items()} for row in rows]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: is not the log of a training ({error})") from error
