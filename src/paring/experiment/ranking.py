"""From a method's name to a subset, and the time that takes.

A method either scores the images once and is cut at every rate, or chooses anew for each. Scores
and choices are kept in a folder, so that a comparison that goes on does not rank again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paring.dataset.reading import Progress
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.dataset.writing import beside
from paring.errors import InputError
from paring.experiment.cells import CHANCE
from paring.experiment.methods import BY, METHODS, Material
from paring.images.selection import keep_random, keep_stratified, keep_top

RANKINGS = "rankings"
_SCORES, _SUBSET, _TIME = "scores.parquet", "subset.json", "time.json"


@dataclass
class Ranker:
    """Ranks the images of one data set by any method, each ranking once.

    Attributes
    ----------
    data : what is cut, with its instances.
    seen : the same images as a model is taught them, which trained methods rank; with label maps
        in place of instances where the data has them, else `data` itself.
    folder : where rankings are kept.
    options : keywords of the methods, by method.
    workers : threads.
    """

    data: Dataset
    seen: Dataset
    folder: Path
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    workers: int = 1

    def subset(
        self,
        method: str,
        rate: float,
        seed: int,
        *,
        run: Path | None = None,
        progress: Progress | None = None,
    ) -> tuple[Subset, float | None]:
        """What a method keeps at a rate, and the seconds that the ranking took.

        Parameters
        ----------
        run : the training run of the full data of this seed, for methods that learn from one.
        progress : called with a label, steps done and steps to do.

        Returns
        -------
        subset, seconds
            Seconds are those of scoring and of choosing, without the training of `run`; None for
            images by chance, which are not ranked.

        Raises
        ------
        InputError
            Where the method cannot rank this data, or `run` lacks what it needs.
        """
        if method == CHANCE:
            return keep_random(self.data, rate=rate, seed=seed), None
        how = METHODS[method]
        options = dict(self.options.get(method, {}))
        scored = options.pop("by", BY) if how.strata else method
        material = Material(
            self.seen if METHODS[scored].trains else self.data,
            seed,
            run,
            self.workers,
            self.options.get(scored, {}),
            progress,
        )
        if how.choose is not None:
            return self._chosen(method, how.choose, material, rate)
        scores, seconds = self._scores(scored, material)
        started = time.perf_counter()
        if how.strata:
            subset = keep_stratified(scores, rate=rate, seed=seed, **options)
        else:
            subset = keep_top(scores, rate=rate)
        return subset, seconds + time.perf_counter() - started

    def _scores(self, method: str, material: Material) -> tuple[Scores, float]:
        """The scores of a method, made or as they were kept."""
        how = METHODS[method]
        name = f"{method}-seed-{material.seed}" if how.seeded else method
        kept = self.folder / name
        if kept.is_dir():
            scores = Scores.load(kept / _SCORES)
            _refuse_other(kept, scores.dataset, material)
            return scores, _time_of(kept)
        if how.score is None:
            raise InputError(f"{method} gives no scores, so nothing can be chosen evenly over them")
        started = time.perf_counter()
        scores = how.score(material)
        seconds = time.perf_counter() - started
        with beside(kept) as fresh:
            fresh.mkdir()
            scores.save(fresh / _SCORES)
            _write_time(fresh, seconds)
        return scores, seconds

    def _chosen(
        self,
        method: str,
        choose: Callable[[Material, float], Subset],
        material: Material,
        rate: float,
    ) -> tuple[Subset, float]:
        """What a method that chooses anew at each rate keeps, made or as it was kept."""
        name = f"{method}-{rate:.12g}"
        kept = self.folder / (f"{name}-seed-{material.seed}" if METHODS[method].seeded else name)
        if kept.is_dir():
            subset = Subset.load(kept / _SUBSET)
            _refuse_other(kept, subset.dataset, material)
            return subset, _time_of(kept)
        started = time.perf_counter()
        subset = choose(material, rate)
        seconds = time.perf_counter() - started
        with beside(kept) as fresh:
            fresh.mkdir()
            subset.save(fresh / _SUBSET)
            _write_time(fresh, seconds)
        return subset, seconds


def _refuse_other(kept: Path, dataset: str, material: Material) -> None:
    if dataset != material.data.fingerprint:
        raise InputError(
            f"{kept}: ranks another data set; the training data has changed since, so compare "
            "into another folder"
        )


def _write_time(folder: Path, seconds: float) -> None:
    (folder / _TIME).write_text(json.dumps({"seconds": seconds}) + "\n", encoding="utf-8")


def _time_of(folder: Path) -> float:
    path = folder / _TIME
    try:
        return float(json.loads(path.read_bytes())["seconds"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not what a comparison wrote; remove {folder}") from error
