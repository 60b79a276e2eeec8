"""What a comparison of methods found: its table for the charts, and the cells that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import polars as pl

from paring.experiment.cells import CHANCE, FULL, Place, percent
from paring.experiment.methods import METHODS
from paring.experiment.table import NUMBERS, summarise


class Cells(msgspec.Struct):
    """How many cells there are."""

    planned: int
    done: int
    failed: int


class Experiment(msgspec.Struct):
    """What ``run.json`` says of a comparison; see `paring.experiment.running.Compared.about`."""

    model: str
    methods: list[str]
    trained: list[str]
    rates: list[float]
    seeds: list[int]
    budgets: list[str]
    metrics: list[str]
    cells: Cells


def experiment_section(
    about: Experiment, results: pl.DataFrame, *, recipe: str | None, hidden: bool
) -> dict[str, Any]:
    """The data of the page of a comparison.

    Parameters
    ----------
    about : what was compared.
    results : a row per cell, see `paring.experiment.table.results`.
    recipe : its text, or None where paths must not be shown.
    hidden : whether the reasons of failed cells, which may name files, are left out.
    """
    table = table_of(results, about.metrics)
    failed = results.filter(pl.col("status") == "failed")
    return {
        "model": about.model,
        "metrics": about.metrics,
        "budgets": about.budgets,
        "seeds": len(about.seeds),
        "methods": [
            {
                "name": name,
                "words": METHODS[name].words if name in METHODS else name,
                "trains": name in about.trained,
            }
            for name in about.methods
        ],
        "rows": [] if table is None else [_row(row, about.metrics) for row in table.to_dicts()],
        "cells": msgspec.to_builtins(about.cells),
        "failed": [
            {
                "cell": str(Place(row["method"], row["rate"], row["seed"], row["budget"])),
                "why": "the reason stands in results.csv" if hidden else row["error"],
            }
            for row in failed.iter_rows(named=True)
        ],
        "recipe": recipe,
    }


def table_of(results: pl.DataFrame, metrics: Sequence[str]) -> pl.DataFrame | None:
    """The table over the cells that are done, or None where none is."""
    if not (results["status"] == "done").any():
        return None
    return summarise(results, metrics)


def _row(row: dict[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    """A row of the table; of each metric mean, spread, and differences to full data and chance."""
    endings = ("", "_sd", "_to_full", "_to_chance")
    return {
        **{name: row[name] for name in ("budget", "rate", "method", "n", "failed", *NUMBERS)},
        "values": {name: [row[f"{name}{ending}"] for ending in endings] for name in metrics},
    }


def experiment_headline(about: Experiment, table: pl.DataFrame | None) -> str:
    """What came out, in one sentence: the best method at the highest rate, by the first metric."""
    if table is None:
        return f"None of {about.cells.planned} cells is done."
    metric = about.metrics[0]
    cuts = table.filter((pl.col("method") != FULL) & pl.col(metric).is_not_null())
    full = table.filter(pl.col("method") == FULL)[metric]
    words = "" if not len(full) or full[0] is None else f"{full[0]:.4f} with all images"
    if not len(cuts):
        return f"{metric} is {words}; no cut is done." if words else "No cut is done."
    last = cuts.filter(pl.col("rate") == cuts["rate"].max())
    best = last.sort(metric, descending=True, maintain_order=True).row(0, named=True)
    chance = last.filter((pl.col("method") == CHANCE) & (pl.col("budget") == best["budget"]))
    at = f"At {percent(best['rate'])} removed"
    if best["method"] == CHANCE:
        beside = f" ({words})" if words else ""
        return f"{at}, no method beats chance, whose {metric} is {best[metric]:.4f}{beside}."
    parts = [words, f"{chance[metric][0]:.4f} by chance" if len(chance) else ""]
    beside = ", ".join(part for part in parts if part)
    beside = f" ({beside})" if beside else ""
    return f"{at}, {best['method']} does best: its {metric} is {best[metric]:.4f}{beside}."
