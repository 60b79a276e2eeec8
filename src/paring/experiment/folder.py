"""The folder of a comparison: whose it is, what it was made from, and what it holds."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl

from paring.dataset.snapshot import save_frames
from paring.dataset.table import Dataset
from paring.dataset.writing import beside
from paring.errors import InputError
from paring.experiment.cells import CELLS, finished
from paring.experiment.plan import Plan, first_difference, load_plan
from paring.experiment.ranking import RANKINGS
from paring.experiment.table import results, summarise
from paring.experiment.wording import to_markdown
from paring.images.similarity.work import locked

RECIPE, DATA = "recipe.yaml", "data.json"
RESULTS, TABLE, MARKDOWN = "results.csv", "table.csv", "table.md"
BEFORE, RUNS = "before", "runs"
TRAINING, LOCK = ".training", ".lock"
_ALSO = ("run.json", "report", "report-names.csv")  # what the command line adds
_OURS = frozenset(
    (
        *(RECIPE, DATA, RESULTS, TABLE, MARKDOWN, BEFORE, RUNS, TRAINING, LOCK, CELLS, RANKINGS),
        *_ALSO,
    )
)
_HALF = re.compile(rf"\.({'|'.join(map(re.escape, sorted(_OURS)))})\.[a-z0-9_]{{8}}")
"""What `beside` leaves of them when the process is killed."""


def clear(output: Path) -> None:
    """Remove an earlier comparison; `InputError` where the folder holds something else."""
    if not os.path.lexists(output):
        return
    if output.is_symlink() or not output.is_dir():
        raise InputError(f"{output}: is no folder of a comparison, so it is not replaced")
    _refuse_foreign(output)
    with locked(output / LOCK):
        for entry in output.iterdir():
            if entry.name == LOCK:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def claim(output: Path, plan: Plan, data: Dataset, test: Dataset | None) -> None:
    """Make a folder that of a comparison, or go on in the one that it is already.

    Raises `InputError` where the folder holds something else, or a comparison of another recipe
    or of other data; the message names the first key that differs.
    """
    about = _about(data, test)
    if output.is_dir() and (output / RECIPE).is_file():
        there = load_plan(output / RECIPE)
        difference = first_difference(plan, there)
        if difference is not None:
            raise InputError(
                f"{output}: holds a comparison of another recipe ({difference}); choose another "
                "folder, or replace it (--overwrite)"
            )
        _refuse_other_data(output, about)
    else:
        if os.path.lexists(output):
            _refuse_foreign(output)
        with beside(output / DATA, overwrite=True) as fresh:
            fresh.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        with beside(output / BEFORE, overwrite=True) as fresh:
            save_frames(data, fresh)
    with beside(output / RECIPE, overwrite=True) as fresh:  # last, so that it marks a whole folder
        fresh.write_text(plan.to_yaml(), encoding="utf-8")


def _about(data: Dataset, test: Dataset | None) -> dict[str, Any]:
    return {
        "train": {
            "fingerprint": data.fingerprint,
            "images": len(data),
            "instances": len(data.instances),
            "image_root": None if data.image_root is None else str(data.image_root.resolve()),
        },
        "test": None if test is None else {"fingerprint": test.fingerprint, "images": len(test)},
    }


def read_about(output: Path) -> dict[str, Any]:
    """What a comparison says of its data; `InputError` where the file cannot be read."""
    path = output / DATA
    try:
        about: dict[str, Any] = json.loads(path.read_bytes())
        str(about["train"]["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not what a comparison wrote ({error})") from error
    return about


def _refuse_other_data(output: Path, about: dict[str, Any]) -> None:
    there = read_about(output)
    for part, words in (("train", "training"), ("test", "test")):
        old, new = there.get(part), about[part]
        if (old and old["fingerprint"]) != (new and new["fingerprint"]):
            raise InputError(
                f"{output}: the {words} data has changed since this comparison was begun; choose "
                "another folder, or replace it (--overwrite)"
            )


def _refuse_foreign(output: Path) -> None:
    if not output.is_dir():
        raise InputError(f"{output}: is no folder, so no comparison can be made in it")
    names = (entry.name for entry in output.iterdir())
    foreign = sorted(name for name in names if name not in _OURS and not _HALF.fullmatch(name))
    if foreign:
        raise InputError(
            f"{output}: holds {foreign[0]!r}, so it is no folder of a comparison; choose another"
        )


def write_tables(output: Path, plan: Plan) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Write ``results.csv`` and, where any cell is done, the tables; gives both as frames."""
    frame = results(finished(output, plan.places()))
    with beside(output / RESULTS, overwrite=True) as fresh:
        frame.write_csv(fresh)
    if not (frame["status"] == "done").any():
        for name in (TABLE, MARKDOWN):
            (output / name).unlink(missing_ok=True)
        return frame, None
    table = summarise(frame, plan.metrics)
    with beside(output / TABLE, overwrite=True) as fresh:
        table.write_csv(fresh)
    with beside(output / MARKDOWN, overwrite=True) as fresh:
        fresh.write_text(to_markdown(table, plan.metrics, seeds=len(plan.seeds)), encoding="utf-8")
    return frame, table
