"""From cells to tables: mean and sample standard deviation over seeds. Frames in, frames out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from paring.errors import InputError
from paring.experiment.cells import CHANCE, FULL, Cell, Place

NUMBERS = ("images", "instances", "seconds_to_rank", "seconds_to_train", "steps")
"""What a row of results has besides its metrics; the table has their means."""

_COLUMNS: dict[str, Any] = {
    "method": pl.String,
    "rate": pl.Float64,
    "seed": pl.Int64,
    "budget": pl.String,
    "status": pl.String,
    "images": pl.Int64,
    "instances": pl.Int64,
    "seconds_to_rank": pl.Float64,
    "seconds_to_train": pl.Float64,
    "steps": pl.Int64,
    "error": pl.String,
}


def results(cells: Iterable[tuple[Place, Cell]]) -> pl.DataFrame:
    """A row per cell: its place, what became of it, and a column for each metric that any has.

    >>> place = Place("full", 0.0, 3, "epochs")
    >>> frame = results([(place, Cell(status="done", metrics={"AP": 0.25}, images=8))])
    >>> frame.select("method", "seed", "images", "AP").row(0)
    ('full', 3, 8, 0.25)
    """
    listed = list(cells)
    names = list(dict.fromkeys(name for _, cell in listed for name in cell.metrics))
    clash = next((name for name in names if name in _COLUMNS), None)
    if clash is not None:
        raise InputError(f"a metric cannot be called {clash!r}, as a column of the table is")
    rows = [
        {name: getattr(place if hasattr(place, name) else cell, name) for name in _COLUMNS}
        | {name: cell.metrics.get(name) for name in names}
        for place, cell in listed
    ]
    return pl.DataFrame(rows, schema=_COLUMNS | dict.fromkeys(names, pl.Float64))


def read_results(path: Path) -> pl.DataFrame:
    """What `results` gave, from the CSV that it was written to.

    Raises `InputError` where the file cannot be read or is something else.
    """
    try:
        frame = pl.read_csv(path, schema_overrides=_COLUMNS, infer_schema_length=None)
        return frame.select(*_COLUMNS, pl.exclude(_COLUMNS).cast(pl.Float64))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path}: is not what a comparison wrote ({reason})") from error


def metric_names(frame: pl.DataFrame) -> list[str]:
    """The columns of results that are metrics."""
    return [name for name in frame.columns if name not in _COLUMNS]


def summarise(frame: pl.DataFrame, metrics: Sequence[str]) -> pl.DataFrame:
    """Mean and spread over seeds of each budget, rate and method.

    Parameters
    ----------
    frame : what `results` gives.
    metrics : which metrics; the first orders the methods of a rate, the best first.

    Returns
    -------
    frame
        Columns budget, rate, method, n (cells done), failed (cells failed), the means of
        `NUMBERS`, and for each metric ``M`` (mean), ``M_sd`` (sample standard deviation, null for
        fewer than two cells), ``M_to_full`` and ``M_to_chance`` (mean less that of the full data,
        and of random at the same rate). Budgets by name; in each the full data first, then the
        rates from the lowest. A mean is over the cells that are done, and null where none is.

    Raises
    ------
    InputError
        For a metric that no cell has.

    Example
    -------
    >>> cells = [
    ...     (Place(method, 0.0 if method == "full" else 0.5, seed, "epochs"),
    ...      Cell(status="done", metrics={"AP": value}))
    ...     for method, seed, value in (
    ...         ("full", 0, 0.8), ("full", 1, 0.6), ("random", 0, 0.5), ("shape", 0, 0.6))
    ... ]
    >>> table = summarise(results(cells), ["AP"])
    >>> table.select("method", "n", pl.col("AP", "AP_to_chance").round(2)).rows()
    [('full', 2, 0.7, None), ('shape', 1, 0.6, 0.1), ('random', 1, 0.5, 0.0)]
    """
    refuse_unknown(frame, metrics)
    done = pl.col("status") == "done"
    means = [pl.col(name).filter(done).mean().cast(pl.Float64) for name in NUMBERS]
    values = [pl.col(name).filter(done).mean() for name in metrics]
    spreads = [pl.col(name).filter(done).std(ddof=1).alias(f"{name}_sd") for name in metrics]
    counts = [done.sum().cast(pl.Int64).alias("n"), (~done).sum().cast(pl.Int64).alias("failed")]
    table = (
        _shared(frame)
        .group_by("budget", "rate", "method", maintain_order=True)
        .agg(*counts, *means, *values, *spreads)
    )
    full = table.filter(pl.col("method") == FULL).select("budget", *_ending(metrics, "_full"))
    chance = table.filter(pl.col("method") == CHANCE)
    chance = chance.select("budget", "rate", *_ending(metrics, "_chance"))
    table = table.join(full, on="budget", how="left", maintain_order="left").join(
        chance, on=("budget", "rate"), how="left", maintain_order="left"
    )
    differences = [
        (pl.col(name) - pl.col(f"{name}_{of}")).alias(f"{name}_to_{of}")
        for name in metrics
        for of in ("full", "chance")
    ]
    shown = [
        column
        for name in metrics
        for column in (name, f"{name}_sd", f"{name}_to_full", f"{name}_to_chance")
    ]
    return (
        table.with_columns(differences)
        .sort(
            ["budget", "rate", metrics[0]],
            descending=[False, False, True],
            nulls_last=True,
            maintain_order=True,
        )
        .select("budget", "rate", "method", "n", "failed", *NUMBERS, *shown)
    )


def refuse_unknown(frame: pl.DataFrame, metrics: Sequence[str]) -> None:
    """`InputError` for a metric that no cell has, where any cell is done."""
    known = metric_names(frame)
    for name in metrics:
        if name in known:
            continue
        if not (frame["status"] == "done").any():
            raise InputError(
                "no cell is done, so there is no table; results.csv says why each failed"
            )
        raise InputError(
            f"metrics: {name!r} is not among those of the evaluation, which are "
            f"{', '.join(known) or 'none'}; change metrics, the cells that are done stay"
        )


def _shared(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with those of the full data under each budget."""
    full = frame.filter(pl.col("method") == FULL)
    rest = frame.filter(pl.col("method") != FULL)
    budgets = rest["budget"].unique().sort().to_list() or ["epochs"]
    under = [full.with_columns(budget=pl.lit(name, pl.String)) for name in budgets]
    return pl.concat([*under, rest])


def _ending(names: Sequence[str], ending: str) -> list[pl.Expr]:
    return [pl.col(name).alias(f"{name}{ending}") for name in names]
