"""A run folder as a report reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.formats import carry_out
from paring.dataset.reading import Progress, Reading
from paring.dataset.scores import Scores
from paring.dataset.snapshot import load_frames
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset, rows_of_ids
from paring.dataset.writing import beside
from paring.errors import InputError

BEFORE = "before"
"""Where a run keeps what its data set held."""


@dataclass(frozen=True, eq=False)
class RunFolder:
    """What a run that cut images left behind.

    Attributes
    ----------
    path : the folder.
    facts : what its ``run.json`` says.
    subset, scores : the selection, and the scores of all images where it was made by scores.
    data : the data set before the cut; its masks are there if they could be read.
    said : what a reader of the report should know of how it was made.
    """

    path: Path
    facts: dict[str, Any]
    subset: Subset
    scores: Scores | None
    data: Dataset
    said: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        data: Dataset | None = None,
        images: str | Path | None = None,
        progress: Progress | None = None,
    ) -> RunFolder:
        """Read a run folder.

        Parameters
        ----------
        path : folder of the run.
        data : the data set before the cut; read again from where it was if not given.
        images : folder of its images, where they are no longer where they were.

        Raises
        ------
        InputError
            Where the folder is none of a run that cut images, or a file of it cannot be read.
        """
        path = Path(path)
        facts = read_facts(path)
        subset = Subset.load(path / "subset.json")
        table = path / "scores.parquet"
        scores = Scores.load(table) if table.is_file() else None
        said: list[str] = []
        if data is None:
            about = facts["dataset"]
            root = images or about.get("image_root")  # from the run folder, or from the root
            frames = load_frames(
                path / BEFORE,
                image_root=None if root is None else path / root,
                fingerprint=about["fingerprint"],
            )
            data = _with_masks(frames, path, about, said, progress)
        if images is not None:
            if not Path(images).is_dir():
                raise InputError(f"{images}: the images folder does not exist")
            data = replace(data, image_root=Path(images))
        run = cls(path, facts, subset, scores, data, tuple(said))
        unknown = set(subset.kept) - set(data.images["image_id"])
        if unknown:
            raise InputError(
                f"{path}: subset.json keeps image {min(unknown)}, which is not in the run"
            )
        return run

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Which images stay (N,), in the order of the data set."""
        return self.data.images["image_id"].is_in(pl.Series(self.subset.kept).implode()).to_numpy()

    def rows_of(self, ids: pl.Series) -> NDArray[np.int64]:
        """Rows of images by id (n,)."""
        return rows_of_ids(self.data.images["image_id"], ids)


def read_facts(path: Path) -> dict[str, Any]:
    """What ``run.json`` says; `InputError` where the folder is none of a run that cut images."""
    try:
        facts: dict[str, Any] = json.loads((path / "run.json").read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path}: is not a run folder (it has no run.json)") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path / 'run.json'}: cannot be read ({error})") from error
    if not isinstance(facts, dict) or not isinstance(facts.get("dataset"), dict):
        raise InputError(f"{path}: its run cut no images, so there is nothing to report")
    if not (path / BEFORE).is_dir():
        raise InputError(
            f"{path}: was written by an earlier version, which did not keep what the data set "
            "held; run it again"
        )
    return facts


def _with_masks(
    frames: Dataset,
    folder: Path,
    about: dict[str, Any],
    said: list[str],
    progress: Progress | None,
) -> Dataset:
    """The whole data set from where it was read, or its frames alone and a word why."""
    if not len(frames.instances):
        return frames
    how = dict(about.get("read") or {})
    format, recompute = how.pop("format", None), how.pop("recompute", False)
    try:
        if "path" not in how:
            raise InputError("where it was read from is not known")
        paths = {key: folder / how[key] for key in ("path", "images") if how.get(key)}
        data = carry_out(Reading(**(how | paths), progress=progress), format=format)
        data = data.recomputed() if recompute else data
        if data.fingerprint != about["fingerprint"]:
            raise InputError(f"{paths['path']}: has changed since the run")
    except InputError as error:
        said.append(f"no outlines are drawn: {error}")
        return frames
    return replace(data, image_root=data.image_root or frames.image_root)


def contents(folder: Path) -> dict[str, int]:
    """What lies in a run folder: each name with the number of files there."""
    return {
        entry.name: sum(not p.is_dir() or p.is_symlink() for p in entry.rglob("*"))
        if entry.is_dir() and not entry.is_symlink()
        else 1
        for entry in sorted(folder.iterdir())
        if entry.name != "run.json"
    }


def note_contents(folder: Path) -> None:
    """Say in ``run.json`` what lies in its folder now."""
    path = folder / "run.json"
    facts = json.loads(path.read_bytes()) | {"contents": contents(folder)}
    with beside(path, overwrite=True) as fresh:
        write_facts(fresh, facts)


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    """Write a ``run.json``."""
    text = json.dumps(facts, indent=2, ensure_ascii=False, default=str) + "\n"
    # a path that is no UTF-8 is written with JSON's own escapes
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
