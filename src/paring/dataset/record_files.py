"""The files of a record: their names, what is in them, and what is refused."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypedDict

import msgspec
import numpy as np
import polars as pl

from paring.dataset.cells import STEP, Keep
from paring.dataset.table import Schema
from paring.errors import InputError

Unit = Literal["instance", "image"]
Task = Literal["instance", "semantic", "binary"]

VERSION = 1
FOLDER = "record"
ABOUT, UNIT_FILE = "record.json", "units.parquet"
_EPOCH = re.compile(r"epoch-(\d{4,})\.parquet")

UNITS: Schema = {
    "unit": pl.Int64,
    "image_id": pl.Int64,
    "instance_id": pl.Int64,
    "category_id": pl.Int64,
    "cells": pl.Int64,
}
MEANS: Schema = {
    "unit": pl.Int64,
    "margin": pl.Float32,
    "entropy": pl.Float32,
    "el2n": pl.Float32,
    "correct": pl.Float32,
}


class About(TypedDict):
    """What ``record.json`` says."""

    version: int
    dataset: str
    model: str
    task: Task
    unit: Unit
    keep: Keep
    epochs: int
    step: float


def epoch_path(folder: Path, epoch: int) -> Path:
    """Where an epoch is kept.

    >>> epoch_path(Path("record"), 12).name
    'epoch-0012.parquet'
    """
    return folder / f"epoch-{epoch:04d}.parquet"


def epochs_in(folder: Path) -> list[int]:
    """The epochs kept in a folder, in order."""
    names = (_EPOCH.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(name[1]) for name in names if name is not None)


def refuse_gaps(folder: Path, epochs: list[int]) -> None:
    """Name a lost file: every k-th epoch is recorded, and the last one, which may come sooner."""
    if len(epochs) < 2:
        return
    gaps = [after - before for before, after in pairwise(epochs)]
    every = min(gaps[:-1], default=gaps[0])
    expected = [epochs[0] % every, *(epoch + every for epoch in epochs[:-1])]
    for at, (epoch, wanted) in enumerate(zip(epochs, expected, strict=True)):
        sooner = at == len(epochs) - 1 and epoch < wanted
        if epoch != wanted and not sooner:
            raise InputError(f"{epoch_path(folder, wanted)}: is missing; train again")


def read_about(path: Path) -> About:
    """What ``record.json`` says; `InputError` where it is broken or of another version."""
    try:
        raw: Any = msgspec.json.decode(path.read_bytes())
        if isinstance(raw, dict) and raw.get("version", VERSION) != VERSION:
            raise InputError(
                f"{path}: is of version {raw['version']}, and {VERSION} is what can be read here; "
                "use the paring that wrote it, or train again"
            )
        about = msgspec.convert(raw, About)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: does not describe a record ({error})") from error
    if about["step"] != STEP or about["epochs"] < 1:
        raise InputError(f"{path}: has a step or a number of epochs that cannot be; train again")
    return about


def read_columns(
    path: Path, schema: Schema, *, rows: tuple[int, int] | None = None
) -> pl.DataFrame:
    """Columns of a Parquet file of ours, or some rows (first, count) of them."""
    if not path.is_file():
        raise InputError(f"{path}: is missing; train again")
    try:
        frame = pl.scan_parquet(path)
        found = frame.collect_schema()
        wrong = [name for name, kind in schema.items() if found.get(name) != kind]
        if wrong:
            raise InputError(f"{path}: has no column {wrong[0]!r} of the kind it needs")
        frame = frame.select(list(schema))
        return (frame if rows is None else frame.slice(*rows)).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({error}); train again") from error


def check_units(units: pl.DataFrame, path: Path, unit: Unit) -> None:
    """Refuse units that are not numbered by row, or lack an id that they need."""
    numbered = np.array_equal(units["unit"].to_numpy(), np.arange(len(units)))
    needed = ["image_id", "cells", *(["instance_id", "category_id"] if unit == "instance" else [])]
    whole = sum(units.select(needed).null_count().row(0)) == 0
    if not (numbered and whole and (units["cells"] >= 0).all()):
        raise InputError(f"{path}: its units are not numbered rows with an id and cells each")


def check_means(frame: pl.DataFrame, path: Path, n_units: int) -> None:
    """Refuse means that are no finite numbers, and units unknown, twice or out of order."""
    unit = frame["unit"].to_numpy()
    if frame["unit"].null_count() or (len(unit) and not 0 <= unit.min() <= unit.max() < n_units):
        raise InputError(f"{path}: names a unit that units.parquet has not")
    if (np.diff(unit) <= 0).any():
        raise InputError(f"{path}: names a unit twice, or units out of order")
    for name in list(MEANS)[1:]:
        wrong = ~np.isfinite(frame[name].to_numpy())
        if wrong.any():
            raise InputError(
                f"{path}: unit {unit[wrong][0]} has no {name} that is a finite number; "
                "train again with a smaller lr"
            )
