"""Image importance from what a training recorded: entropy, EL2N, AUM and forgetting.

The measures of cells are in `paring.images.measures`; a record holds their means over each unit,
and the signs of the margins of every cell. `paring.images.aggregation` makes scores of images of
them (TFDP, section 3.2 and appendix C.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.cells import state_bytes
from paring.dataset.record import Record
from paring.dataset.record_files import UNIT_FILE
from paring.dataset.scores import Scores
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.aggregation import Cells, Hard, Instances, refuse_unknown, scores_of_units
from paring.training.trained import LEARNED

_BLOCK = 2**20  # bytes of signs worked on at a time


def entropy_scores(
    record: Record,
    data: Dataset,
    *,
    epoch: int | None = None,
    cells: Cells = "mean",
    instances: Instances = "sum",
) -> Scores:
    """Score images by the entropy of what a model predicted for their cells; high is hard.

    Parameters
    ----------
    epoch : the recorded epoch that is scored, counted from 0; the last one by default.
    cells, instances : how cells make units and units images; see
        `paring.images.aggregation.scores_of_units`, which also says what explains the scores.

    Raises `InputError` where the record is of another data set, or has not the epoch.
    """
    refuse_other_data(record, data)
    chosen = recorded_epochs(record)[-1] if epoch is None else epoch
    return _at_epoch(record, data, "entropy", chosen, cells, instances)


def el2n_scores(
    record: Record,
    data: Dataset,
    *,
    epoch: int | None = None,
    cells: Cells = "mean",
    instances: Instances = "sum",
) -> Scores:
    """Score images by how far a model early in training was from their truth; high is hard.

    Parameters
    ----------
    epoch : the recorded epoch that is scored, counted from 0; by default the one that ends the
        first half of the planned training (TFDP, appendix C.3), or the last one recorded before.
        The ``epoch`` of the scores' parameters says which it was.
    cells, instances : as in `entropy_scores`.

    Raises `InputError` where the record is of another data set, or has not the epoch.
    """
    refuse_other_data(record, data)
    chosen = half_epoch(record) if epoch is None else epoch
    return _at_epoch(record, data, "el2n", chosen, cells, instances)


def half_epoch(record: Record) -> int:
    """The last recorded epoch within the first half of the planned training, counted from 0.

    Of 10 planned epochs it is epoch 4 (the fifth), of 5 it is epoch 2, if those were recorded.
    """
    half = max(0, -(-record.about["epochs"] // 2) - 1)
    before = [epoch for epoch in recorded_epochs(record) if epoch <= half]
    if not before:
        raise InputError(
            f"{record.folder}: no epoch up to {half}, half of the training, was recorded; name "
            f"another one (the first is {record.epochs[0]})"
        )
    return before[-1]


def aum_scores(
    record: Record,
    data: Dataset,
    *,
    epoch: int | None = None,
    cells: Cells = "mean",
    instances: Instances = "sum",
) -> Scores:
    """Score images by the area under the margin of their cells; low is hard.

    A unit has the mean over the epochs that saw it. With the sum over instances (TFDP Eq. 3) an
    image of many well-learnt instances is the easiest of all; ``instances="mean"`` does not count
    them. Images without instances come last, behind the easiest.

    Parameters
    ----------
    epoch : the last epoch that counts, from 0; all by default.
    cells, instances : as in `entropy_scores`.

    Raises `InputError` where the record is of another data set, or has not the epoch.
    """
    refuse_other_data(record, data)
    epochs = epochs_up_to(record, epoch)
    total = np.zeros(len(record.units))
    times = np.zeros(len(record.units), np.int64)
    for one in epochs:
        frame = record.epoch(one)
        unit = frame["unit"].to_numpy()
        total[unit] += frame["margin"].to_numpy()
        times[unit] += 1
    mean = total / np.maximum(times, 1)
    parameters = {"epochs": len(epochs), "last_epoch": epochs[-1]}
    return _scores(record, data, "aum", mean, times > 0, parameters, cells, instances, hard="low")


def forgetting_scores(
    record: Record,
    data: Dataset,
    *,
    epoch: int | None = None,
    never: int | None = None,
    cells: Cells = "mean",
    instances: Instances = "sum",
) -> Scores:
    """Score images by how often their cells were learnt and forgotten again; high is hard.

    Epochs that did not see a unit are passed over: its cells are compared with the epoch that saw
    it last.

    Parameters
    ----------
    epoch : the last epoch that counts, from 0; all by default.
    never : count of cells that were never right; by default the number of epochs that count.
    cells, instances : as in `entropy_scores`.

    Raises `InputError` where the record is of another data set, or has not the epoch.
    """
    refuse_other_data(record, data)
    epochs = epochs_up_to(record, epoch)
    worst = len(epochs) if never is None else never
    counts, seen = _forgotten(record, epochs, worst)
    mean = counts / np.maximum(record.units["cells"].to_numpy(), 1)
    parameters = {"epochs": len(epochs), "last_epoch": epochs[-1], "never": worst}
    return _scores(record, data, "forgetting", mean, seen, parameters, cells, instances)


def _forgotten(
    record: Record, epochs: list[int], never: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Sum of `forgetting_counts` over each unit's cells (units,), and which units were seen.

    Holds the signs of two epochs, and of what was right in any.
    """
    cells = record.units["cells"].to_numpy()
    lengths = state_bytes(cells, "signs")
    offsets = ragged.offsets_of(lengths)
    total, seen = np.zeros(len(cells), np.int64), np.zeros(len(cells), bool)
    before = np.zeros(offsets[-1], np.uint8)
    ever = np.zeros(offsets[-1], np.uint8)
    for epoch in epochs:
        now, here = record.signs(epoch)
        shown = np.repeat(here, lengths)
        total += _ones(before & ~now, offsets) * here
        ever |= now
        np.copyto(before, now, where=shown)
        seen |= here
    total += never * (cells - _ones(ever, offsets))
    return total, seen


def _ones(bits: NDArray[np.uint8], offsets: ragged.Offsets) -> NDArray[np.int64]:
    """Number of bits that are set in each unit's bytes (units,)."""
    found = np.zeros(len(offsets) - 1, np.int64)
    for first, stop in ragged.blocks(offsets, _BLOCK):
        bounds = offsets[first : stop + 1]
        ones = np.bitwise_count(bits[bounds[0] : bounds[-1]]).astype(np.int64)
        found[first:stop] = ragged.reduce(np.add, ones, bounds - bounds[0])
    return found


def recorded_epochs(record: Record) -> list[int]:
    """The epochs of a record, counted from 0; `InputError` where it has none."""
    if not record.epochs:
        raise InputError(f"{record.folder}: no epoch was recorded yet; let the training go on")
    return record.epochs


def epochs_up_to(record: Record, epoch: int | None) -> list[int]:
    """The recorded epochs up to one, or all; `InputError` where there is none."""
    epochs = recorded_epochs(record)
    found = [one for one in epochs if epoch is None or one <= epoch]
    if not found:
        raise InputError(
            f"{record.folder}: no epoch up to {epoch} was recorded; the first is {epochs[0]}"
        )
    return found


def refuse_other_data(record: Record, data: Dataset) -> None:
    """Refuse a data set that is not the one the run was trained on."""
    trained = record.about["dataset"]
    if trained != data.fingerprint:
        raise InputError(
            f"{record.folder}: was recorded on another data set (fingerprint {trained[:12]}, this "
            f"one has {data.fingerprint[:12]}); give the images that the run was trained on, "
            f"without those that it held out{_part_of(record)}"
        )
    refuse_unknown(data, record.units, str(record.folder / UNIT_FILE))


def _part_of(record: Record) -> str:
    """How to come by the images that were learned from, where the run says which they are."""
    part = record.folder.parent / LEARNED
    return f": paring images apply DATA --subset {part} makes that part" if part.is_file() else ""


def _at_epoch(
    record: Record, data: Dataset, name: str, epoch: int, cells: Cells, instances: Instances
) -> Scores:
    frame = record.epoch(epoch)
    unit = frame["unit"].to_numpy()
    mean, seen = np.zeros(len(record.units)), np.zeros(len(record.units), bool)
    mean[unit], seen[unit] = frame[name].to_numpy(), True
    return _scores(record, data, name, mean, seen, {"epoch": epoch}, cells, instances)


def _scores(
    record: Record,
    data: Dataset,
    method: str,
    mean: NDArray[np.float64],
    seen: NDArray[np.bool_],
    parameters: Mapping[str, Any],
    cells: Cells,
    instances: Instances,
    hard: Hard = "high",
) -> Scores:
    units = record.units.select("image_id", "instance_id").with_columns(
        mean=pl.when(pl.Series(seen)).then(pl.Series(mean))
    )
    return scores_of_units(
        data,
        units,
        method=method,
        parameters={"model": record.about["model"], **parameters},
        hard=hard,
        cells=cells,
        instances=instances,
    )
