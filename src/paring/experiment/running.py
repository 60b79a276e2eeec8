"""The comparison itself: cell by cell, each whole or not there, and the tables over them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from paring.dataset.formats import guard_sources
from paring.dataset.reading import Progress
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.experiment.cells import FULL, Cell, Place, finished, load_cell, save_cell
from paring.experiment.folder import LOCK, RUNS, TRAINING, claim, clear, write_tables
from paring.experiment.plan import Plan, load_plan
from paring.experiment.ranking import RANKINGS, Ranker
from paring.experiment.schedules import recipe_of
from paring.experiment.table import refuse_unknown, results
from paring.images.similarity.work import locked

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Compared:
    """What a comparison gave.

    Attributes
    ----------
    folder : where everything lies.
    plan : what was compared.
    data : the images that were cut.
    results : a row per cell, see `paring.experiment.table.results`.
    table : mean and spread over seeds, see `paring.experiment.table.summarise`; None where no cell
        is done.
    made : how many cells were made by this call; the others were there.
    """

    folder: Path
    plan: Plan
    data: Dataset
    results: pl.DataFrame
    table: pl.DataFrame | None
    made: int

    @property
    def failed(self) -> pl.DataFrame:
        """The cells that failed, with the reason of each in column `error`."""
        return self.results.filter(pl.col("status") == "failed")

    def about(self) -> dict[str, Any]:
        """What ``run.json`` says of it, ready for JSON."""
        return {
            "method": "compare",
            "experiment": {
                "model": self.plan.train.model,
                "methods": [FULL, *self.plan.cuts],
                "trained": [name for name in self.plan.cuts if self.plan.trains(name)],
                "rates": list(self.plan.rates),
                "seeds": list(self.plan.seeds),
                "budgets": list(self.plan.budgets),
                "metrics": list(self.plan.metrics),
                "cells": {
                    "planned": len(self.plan.places()),
                    "done": len(self.results) - len(self.failed),
                    "failed": len(self.failed),
                },
            },
        }


def compare(
    recipe: str | Path | Plan,
    output: str | Path,
    overrides: Sequence[str] = (),
    *,
    retry: bool = False,
    overwrite: bool = False,
    workers: int = 1,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Compared:
    """Cut by each method at each rate, train on what is left, measure, and make one table.

    Each cell (method, rate, seed, budget) has a folder ``cells/METHOD/RATE/SEED-BUDGET`` with the
    subset and the result. Cells that are there are not made again, so that a comparison that was
    stopped goes on; a cell that fails says why, and the others go on.

    Parameters
    ----------
    recipe : a YAML file (see `load_plan`), or a plan.
    output : folder of the comparison, made, or gone on with.
    overrides : ``key=value`` for the file.
    retry : make cells that failed once more.
    overwrite : begin anew where a comparison is there already.
    workers : threads that rank.
    say : called with a sentence for each cell that is made.
    progress : called with what is being done, the number of cells behind us, and of all cells.

    Raises
    ------
    InputError
        Where the recipe cannot be used, or the folder holds something else or a comparison of
        another recipe or other data.

    References
    ----------
    Training-Free Dataset Pruning for Instance Segmentation, Tables 1, 2 and 6; Rahman and
    Marculescu, MIDL 2025, Table 4.

    Example
    -------
    >>> compare("no-such-file.yaml", "out")
    Traceback (most recent call last):
        ...
    paring.errors.InputError: no-such-file.yaml: cannot be read (No such file or directory)
    """
    plan = recipe if isinstance(recipe, Plan) else load_plan(recipe, overrides)
    output = Path(output)
    data, seen, test = _data_of(plan)
    for one in (data, test):
        if one is not None:
            guard_sources(one, output)
    if overwrite:
        clear(output)
    claim(output, plan, data, test)
    with locked(output / LOCK):
        ranker = Ranker(data, seen, output / RANKINGS, plan.scores, workers)
        bench = Bench(plan, output, ranker, test)
        made = bench.make_all(retry=retry, say=say, progress=progress)
        frame, table = write_tables(output, plan)
    return Compared(output, plan, data, frame, table, made)


def _data_of(plan: Plan) -> tuple[Dataset, Dataset, Dataset | None]:
    """The images that are cut, the same as the model sees them, and those measured on if named."""
    from paring.models.table import entry_of
    from paring.training.sources import read_data

    assert plan.train.data.train is not None  # a plan has it
    task = entry_of(plan.train.model).task
    seen = read_data(plan.train.data.train, task=task)
    data = seen if seen.label_maps is None else read_data(plan.train.data.train)
    return data, seen, None if plan.test is None else read_data(plan.test, task=task)


@dataclass
class Bench:
    """Where cells are made.

    Attributes
    ----------
    plan, output : what is compared, and the folder of it.
    ranker : makes subsets of the images.
    test : what is measured on, or None for the validation data of the recipe.
    """

    plan: Plan
    output: Path
    ranker: Ranker
    test: Dataset | None

    def make_all(self, *, retry: bool, say: Say | None, progress: Progress | None) -> int:
        """Make the cells that are not there; gives how many."""
        places = self.plan.places()
        there = [cell for _, cell in finished(self.output, places) if cell.status == "done"]
        if there:
            refuse_unknown(results([(places[0], there[0])]), self.plan.metrics)
        made = 0
        for k, place in enumerate(places):
            old = load_cell(self.output, place)
            if old is not None and (old.status == "done" or not retry):
                continue
            told = _telling(progress, place, k, len(places))
            cell, subset = self.make(place, told)
            save_cell(self.output, place, cell, subset)
            shutil.rmtree(self.output / TRAINING, ignore_errors=True)
            made += 1
            if say is not None:
                say(f"{self._outcome(place, cell)} ({k + 1} of {len(places)})")
            if cell.status == "done":
                refuse_unknown(results([(place, cell)]), self.plan.metrics)
            write_tables(self.output, self.plan)
        if progress is not None:
            progress("all cells", len(places), len(places))
        return made

    def make(self, place: Place, progress: Progress) -> tuple[Cell, Subset | None]:
        """Make one cell: rank, cut, train, measure. What goes wrong makes it a failed one."""
        from paring.training.run import TrainingFailed

        subset, seconds = None, None
        try:
            full = None if place.method == FULL else load_cell(self.output, _full_of(place))
            subset, seconds = self._subset(place, full, progress)
            cell = self._measured(place, subset, full, progress)
        except (InputError, TrainingFailed) as error:
            cell = Cell(status="failed", error=" ".join(str(error).split()) or "no reason is known")
        if subset is not None:
            cell = _with(cell, images=len(subset), instances=self._instances(subset))
        return _with(cell, seconds_to_rank=seconds), subset

    def _subset(
        self, place: Place, full: Cell | None, progress: Progress
    ) -> tuple[Subset, float | None]:
        """What a cell is trained on, and the seconds to rank it."""
        if place.method == FULL:
            data = self.ranker.data
            ids = data.images["image_id"].to_list()
            all_kept = [True] * len(ids)
            return Subset.of(
                ids, all_kept, method=FULL, dataset=data.fingerprint, parameters={}
            ), None
        run, trained = None, 0.0
        if self.plan.trains(place.method):
            run, trained = self._full_run(place, full)
        subset, seconds = self.ranker.subset(
            place.method, place.rate, place.seed, run=run, progress=progress
        )
        return subset, None if seconds is None else trained + seconds

    def _instances(self, subset: Subset) -> int:
        """How many instances a subset keeps."""
        data, seen = self.ranker.data, self.ranker.seen
        made_from = data if subset.dataset == data.fingerprint else seen
        names = subset.apply(made_from).images["file_name"]
        kept = data.images.filter(pl.col("file_name").is_in(names.implode()))["image_id"]
        return int(data.instances["image_id"].is_in(kept.implode()).sum())

    def _full_run(self, place: Place, full: Cell | None) -> tuple[Path, float]:
        """The training on all images that a method ranks from, and its seconds.

        Those of the record count only where the method ranks from the record.
        """
        from paring.training.trained import Trained

        run = self.output / RUNS / f"full-{place.seed}"
        if full is None or full.status == "failed" or full.seconds_to_train is None:
            raise InputError(
                f"{place.method} ranks from the training on the full data of seed {place.seed}, "
                "and that failed; --retry makes both once more"
            )
        if not run.is_dir():
            raise InputError(
                f"{run}: is gone, and {place.method} ranks from it; remove "
                f"{self.output / _full_of(place).folder} to train it again"
            )
        if not self.plan.reads_record(place.method):
            return run, full.seconds_to_train
        return run, full.seconds_to_train + Trained.load(run).recorded

    def _measured(
        self, place: Place, subset: Subset, full: Cell | None, progress: Progress
    ) -> Cell:
        """Train on a subset and measure; a training that was stopped goes on."""
        from paring.training.evaluating import evaluate_run
        from paring.training.run import train
        from paring.training.trained import FACTS, Trained

        recipe = recipe_of(self.plan, place, full, share=1 - subset.rate)
        folder = self.output / TRAINING / "-".join(place.folder.parts[1:])
        if (folder / FACTS).is_file():
            trained = Trained.load(folder)
        else:
            kept = None if place.method == FULL else subset
            trained = train(recipe, folder, subset=kept, progress=progress)
        metrics = evaluate_run(folder, data=self.test, device=trained.device).metrics
        if place.method == FULL:
            self._keep_run(folder, place.seed)
        return Cell(
            status="done",
            metrics=metrics,
            seconds_to_train=trained.seconds - trained.recorded,
            steps=trained.steps,
        )

    def _keep_run(self, folder: Path, seed: int) -> None:
        """Keep the training on all images, which others rank from, without its checkpoint."""
        from paring.training.trained import CHECKPOINTS

        kept = self.output / RUNS / f"full-{seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        kept.parent.mkdir(exist_ok=True)
        folder.rename(kept)

    def _outcome(self, place: Place, cell: Cell) -> str:
        """What became of a cell, in a few words."""
        if cell.status == "failed":
            return f"{place}: failed, {cell.error}"
        first = self.plan.metrics[0]
        value = cell.metrics.get(first)
        return f"{place}: {first} " + ("none" if value is None else f"{value:.4f}")


def _full_of(place: Place) -> Place:
    """The cell of the full data of the same seed."""
    return Place(FULL, 0.0, place.seed, "epochs")


def _telling(progress: Progress | None, place: Place, behind: int, cells: int) -> Progress:
    """Tells of the steps within a cell in the words of the whole."""

    def tell(label: str, done: int, total: int) -> None:
        if progress is not None:
            progress(f"{place}: {label} {done} of {total}", behind, cells)

    if progress is not None:
        progress(str(place), behind, cells)
    return tell


def _with(cell: Cell, **values: float | None) -> Cell:
    from msgspec.structs import replace

    return replace(cell, **values)
