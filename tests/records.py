"""Records of trainings for tests, written from margins that are given or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from paring.dataset.record import Keep, RecordWriter, pack
from paring.dataset.table import Dataset

Seen = Sequence[np.ndarray | None]
"""Margins (cells,) of each unit in one epoch; None where the unit was not seen."""


def instance_units(data: Dataset, cells: Sequence[int]) -> pl.DataFrame:
    """A unit for each instance of a data set."""
    ids = data.instances.select("image_id", "instance_id", "category_id")
    return ids.with_row_index("unit").with_columns(cells=pl.Series(cells, dtype=pl.Int64))


def image_units(data: Dataset, cells: Sequence[int]) -> pl.DataFrame:
    """A unit for each image of a data set."""
    none = pl.lit(None, pl.Int64)
    return (
        data.images.select("image_id")
        .with_row_index("unit")
        .with_columns(instance_id=none, category_id=none, cells=pl.Series(cells, dtype=pl.Int64))
    )


def writer(
    folder: Path, data: Dataset, units: pl.DataFrame, *, keep: Keep = "signs", epochs: int = 4
) -> RecordWriter:
    """A writer of the record of a model that has one logit a cell."""
    instances = units["instance_id"].null_count() == 0
    return RecordWriter(
        folder,
        dataset=data.fingerprint,
        model="maskrcnn_mobilenet_v2_fpn" if instances else "unet_mobilenet_v2",
        task="instance" if instances else "binary",
        unit="instance" if instances else "image",
        keep=keep,
        epochs=epochs,
        units=units,
    )


def write_epoch(record: RecordWriter, epoch: int, margins: Seen) -> None:
    """Write the margins of one logit a cell, and the means that follow from them."""
    unit = [row for row, cells in enumerate(margins) if cells is not None]
    seen = [np.asarray(cells, np.float64) for cells in margins if cells is not None]
    right = [1 / (1 + np.exp(-m)) for m in seen]  # probability of the true class
    entropy = [-(p * np.log(p) + (1 - p) * np.log1p(-p)) for p in right]
    record.write(
        epoch,
        unit=np.array(unit),
        margin=np.array([m.mean() for m in seen]),
        entropy=np.array([e.mean() for e in entropy]),
        el2n=np.array([np.sqrt(2) * (1 - p).mean() for p in right]),
        correct=np.array([(m > 0).mean() for m in seen]),
        states=[pack(m, record.about["keep"]) for m in seen],
    )


def write_record(
    folder: Path,
    data: Dataset,
    epochs: Sequence[Seen],
    *,
    keep: Keep = "signs",
    planned: int | None = None,
    images: bool = False,
) -> None:
    """Write a whole record, a unit for each instance or each image."""
    shown = zip(*epochs, strict=True)
    cells = [next((len(m) for m in unit if m is not None), 0) for unit in shown]
    units = image_units(data, cells) if images else instance_units(data, cells)
    record = writer(folder, data, units, keep=keep, epochs=planned or len(epochs))
    for epoch, margins in enumerate(epochs):
        write_epoch(record, epoch, margins)


def drawn_margins(
    n_units: int, n_epochs: int, *, seed: int, cells: int = 20
) -> list[list[np.ndarray]]:
    """Margins that grow over the epochs, of each unit at a speed of its own."""
    rng = np.random.default_rng(seed)
    speed = rng.uniform(-0.3, 1.0, n_units)
    return [
        [rng.normal(speed[unit] * epoch - 0.5, 1.0, cells) for unit in range(n_units)]
        for epoch in range(n_epochs)
    ]
