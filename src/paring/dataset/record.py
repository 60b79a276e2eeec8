"""The record of a training run: how sure the model was of every cell, epoch by epoch.

A unit is an instance or a whole image; its cells are those of the grid that the model is supervised
on, row by row, cells of no class left out. The folder ``record/`` of a run holds

- ``record.json``: version, fingerprint of the data set, model, task, what a unit is, what is kept
  of each cell, the number of epochs planned and the step of kept margins;
- ``units.parquet``: unit (its row number), image_id, instance_id, category_id and cells;
- ``epoch-0000.parquet`` and so on, one for each recorded epoch, counted from 0: unit, means over
  its cells (margin, entropy, el2n, correct), and state, all its cells in bytes.

The margin of a cell is the logit of its class less the largest other one; it is positive where the
cell is predicted right.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from paring.dataset import ragged
from paring.dataset.cells import STEP, Keep, pack, pack_flags, right_count, state_bytes, unpack
from paring.dataset.record_files import (
    ABOUT,
    FOLDER,
    MEANS,
    UNIT_FILE,
    UNITS,
    VERSION,
    About,
    Task,
    Unit,
    check_means,
    check_units,
    epoch_path,
    epochs_in,
    read_about,
    read_columns,
    refuse_gaps,
)
from paring.dataset.writing import beside
from paring.errors import InputError

__all__ = ["About", "Keep", "Record", "RecordWriter", "Task", "Unit", "pack", "unpack"]

_BLOCK = 2**24  # cells worked on at a time


class RecordWriter:
    """Writes the record of a run, one file an epoch, each whole or not there.

    Parameters
    ----------
    folder : of the record, made if it is not there. A record of the same data set, model and units
        is gone on with, so that a resumed run need only call `drop_from`.
    dataset : fingerprint of the data set that is trained on.
    model, task, unit, keep : as ``record.json`` says them.
    epochs : number of epochs planned.
    units : frame (unit, image_id, instance_id, category_id, cells), unit being the row number;
        instance_id and category_id are null where a unit is an image.

    Raises `InputError` where another record is there already.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        dataset: str,
        model: str,
        task: Task,
        unit: Unit,
        keep: Keep,
        epochs: int,
        units: pl.DataFrame,
    ) -> None:
        self.folder = Path(folder)
        self.about: About = {
            "version": VERSION,
            "dataset": dataset,
            "model": model,
            "task": task,
            "unit": unit,
            "keep": keep,
            "epochs": epochs,
            "step": STEP,
        }
        self.units = units.select(list(UNITS)).cast(cast("Any", UNITS))
        check_units(self.units, self.folder / UNIT_FILE, unit)
        if not (self.folder / ABOUT).is_file():
            with beside(self.folder / UNIT_FILE, overwrite=True) as fresh:
                self.units.write_parquet(fresh, compression="zstd")
            self.drop_from(0)
            with beside(self.folder / ABOUT) as fresh:
                fresh.write_text(json.dumps(self.about, indent=1) + "\n", encoding="utf-8")
            return
        there = Record.open(self.folder)
        if there.about != self.about or not there.units.equals(self.units):
            raise InputError(f"{self.folder}: holds the record of another run; choose a new folder")

    def write(
        self,
        epoch: int,
        unit: ArrayLike,
        margin: ArrayLike,
        entropy: ArrayLike,
        el2n: ArrayLike,
        correct: ArrayLike,
        states: Sequence[bytes],
    ) -> None:
        """Write what was seen in an epoch (from 0), in any order of its units.

        Parameters
        ----------
        unit : rows of `units` (n,), none twice.
        margin, entropy, el2n, correct : means over each unit's cells (n,); entropy in nats,
            correct as the share of cells with a margin above 0.
        states : what `pack` makes of each unit's margins (n).

        Raises `InputError` where a mean is not a finite number.
        """
        values = (unit, margin, entropy, el2n, correct)
        columns = dict(zip(MEANS, map(np.asarray, values), strict=True))
        frame = pl.DataFrame(columns, schema=dict(MEANS)).with_columns(
            pl.Series("state", states, dtype=pl.Binary)
        )
        frame = frame.sort("unit")
        path = epoch_path(self.folder, epoch)
        check_means(frame, path, len(self.units))
        sizes = frame["state"].bin.size().to_numpy()
        cells = self.units["cells"].to_numpy()[frame["unit"].to_numpy()]
        if (sizes != state_bytes(cells, self.about["keep"])).any():
            raise ValueError("a state has not the bytes of its unit's cells")
        right = np.array([right_count(s, self.about["keep"]) for s in frame["state"]], np.float64)
        if (np.abs(right - frame["correct"].to_numpy() * cells) > 0.5).any():
            raise ValueError("the share of correct cells is not that of a state")
        with beside(path, overwrite=True) as fresh:
            frame.write_parquet(fresh, compression="zstd", row_group_size=_rows_a_block(self.units))

    def drop_from(self, epoch: int) -> None:
        """Forget this epoch and all later ones, as a run resumed before it must."""
        for there in epochs_in(self.folder):
            if there >= epoch:
                epoch_path(self.folder, there).unlink()


@dataclass(frozen=True, eq=False)
class Record:
    """What a training run recorded; epochs are read when asked for.

    Attributes
    ----------
    folder : of the record.
    about : what ``record.json`` says.
    units : frame (unit, image_id, instance_id, category_id, cells).
    epochs : the recorded epochs, counted from 0, in order.
    """

    folder: Path
    about: About
    units: pl.DataFrame
    epochs: list[int]

    @classmethod
    def open(cls, path: str | Path) -> Record:
        """Open the record of a run, by the folder of either.

        Raises `InputError` naming the file that is missing, is broken, or is of another version.
        """
        folder = Path(path)
        if not (folder / ABOUT).is_file():
            folder = folder / FOLDER
        if not (folder / ABOUT).is_file():
            raise InputError(
                f"{path}: holds no record of a training ({FOLDER}/{ABOUT}); train with "
                "record.keep signs or margins"
            )
        about = read_about(folder / ABOUT)
        units = read_columns(folder / UNIT_FILE, UNITS)
        check_units(units, folder / UNIT_FILE, about["unit"])
        epochs = epochs_in(folder)
        refuse_gaps(folder, epochs)
        return cls(folder, about, units, epochs)

    def epoch(self, epoch: int) -> pl.DataFrame:
        """Means of the units seen in an epoch: unit, margin, entropy, el2n, correct.

        Raises `InputError` where the epoch was not recorded or its file is broken.
        """
        path = self._path(epoch)
        frame = read_columns(path, MEANS)
        check_means(frame, path, len(self.units))
        return frame

    def states(self, epoch: int) -> Iterator[tuple[NDArray[np.int64], list[bytes]]]:
        """Units (n,) seen in an epoch and their states (n), in blocks that fit in memory.

        Raises `InputError` as `epoch` does, and where a state has not the bytes of its unit.
        """
        path = self._path(epoch)
        units = self.epoch(epoch)["unit"].to_numpy()
        cells = self.units["cells"].to_numpy()
        step = _rows_a_block(self.units)
        for first in range(0, len(units), step):
            block = units[first : first + step]
            states = read_columns(path, {"state": pl.Binary}, rows=(first, step))["state"]
            sizes = states.bin.size().to_numpy()
            wrong = np.flatnonzero(sizes != state_bytes(cells[block], self.about["keep"]))
            if len(wrong):
                raise InputError(
                    f"{path}: unit {block[wrong[0]]} has not the bytes of its cells; train again"
                )
            yield block, states.to_list()

    def signs(self, epoch: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Which cells an epoch got right, as bits, and which units it saw (units,).

        The bits (bytes,) of all units follow each other, those of a unit begin at a whole byte and
        end in zeros; units that were not seen have zeros. Alike for both ways to keep cells.
        """
        cells = self.units["cells"].to_numpy()
        offsets = ragged.offsets_of(state_bytes(cells, "signs"))
        bits = np.zeros(offsets[-1], np.uint8)
        seen = np.zeros(len(cells), bool)
        for units, states in self.states(epoch):
            flat = np.frombuffer(b"".join(states), np.uint8)
            if self.about["keep"] == "margins":
                flat = pack_flags(flat.view(np.int8) > 0, cells[units])
            bits[ragged.take(offsets, units)[0]] = flat
            seen[units] = True
        return bits, seen

    def _path(self, epoch: int) -> Path:
        path = epoch_path(self.folder, epoch)
        if epoch not in self.epochs:
            there = ", ".join(map(str, self.epochs)) or "none"
            raise InputError(f"{path}: epoch {epoch} was not recorded (recorded: {there})")
        return path


def _rows_a_block(units: pl.DataFrame) -> int:
    """How many units are worked on at a time."""
    largest = int(units["cells"].to_numpy().max(initial=1))
    return max(1, _BLOCK // max(1, largest))
