"""A run folder as a report reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.formats import carry_out
from paring.dataset.reading import Progress, Reading
from paring.dataset.scores import Scores
from paring.dataset.snapshot import load_frames
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset, rows_of_ids
from paring.errors import InputError

BEFORE = "before"
"""Where a run keeps what its data set held."""

REPORT, REPORT_NAMES = "report", "report-names.csv"
"""Where its page lies, and the list of names that the page hides."""


class HowRead(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What it takes to read a data set once more; paths from the run folder or from the root."""

    path: str
    format: str | None = None
    images: str | None = None
    task: Literal["instances", "semantic"] = "instances"
    split: str | None = None
    classes: list[str] | None = None
    void: int | None = None
    reduce_zero_label: bool = False
    components: bool = False
    frame_step: int = 1
    repair: bool = False
    recompute: bool = False

    def read(self, folder: Path, progress: Progress | None) -> Dataset:
        """Read it."""
        reading = Reading(
            path=folder / self.path,
            images=None if self.images is None else folder / self.images,
            task=self.task,
            split=self.split,
            classes=self.classes,
            void=self.void,
            reduce_zero_label=self.reduce_zero_label,
            components=self.components,
            frame_step=self.frame_step,
            repair=self.repair,
            progress=progress,
        )
        data = carry_out(reading, format=self.format)
        return data.recomputed() if self.recompute else data


class AboutData(msgspec.Struct):
    """What ``run.json`` says of the data set that was cut."""

    fingerprint: str
    path: str | None = None
    image_root: str | None = None
    read: HowRead | None = None


@dataclass(frozen=True, eq=False)
class RunFolder:
    """What a run that cut images left behind.

    Attributes
    ----------
    path : the folder.
    facts, about : what its ``run.json`` says, and what it says of the data set.
    subset, scores : the selection, and the scores of all images where it was made by scores.
    data : the data set before the cut; its masks are there if they could be read.
    said : what a reader of the report should know of how it was made.
    """

    path: Path
    facts: dict[str, Any]
    about: AboutData
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
        about = about_data(path, facts)
        frames_of = before(path)
        subset = Subset.load(path / "subset.json")
        table = path / "scores.parquet"
        scores = Scores.load(table) if table.is_file() else None
        if images is not None and not Path(images).is_dir():
            raise InputError(f"{images}: the images folder does not exist")
        said: list[str] = []
        if data is None:
            root = None if about.image_root is None else path / about.image_root
            frames = load_frames(frames_of, image_root=root, fingerprint=about.fingerprint)
            data = _with_masks(frames, path, about, images, said, progress)
        if images is not None:
            data = _rooted(data, Path(images))
        unknown = set(subset.kept) - set(data.images["image_id"])
        if unknown:
            raise InputError(
                f"{path}: subset.json keeps image {min(unknown)}, which is not in the run"
            )
        return cls(path, facts, about, subset, scores, data, tuple(said))

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Which images stay (N,), in the order of the data set."""
        return self.data.images["image_id"].is_in(pl.Series(self.subset.kept).implode()).to_numpy()

    @cached_property
    def ranking(self) -> NDArray[np.int64] | None:
        """Rows from the one kept first on (N,), of a cut along a ranking of these very images."""
        if self.scores is None or not self.subset.method.startswith("top by"):
            return None
        same = self.scores.frame["image_id"].equals(self.data.images["image_id"])
        return self.scores.ranking() if same else None

    def rows_of(self, ids: pl.Series) -> NDArray[np.int64]:
        """Rows of images by id (n,)."""
        return rows_of_ids(self.data.images["image_id"], ids)


def read_facts(path: Path) -> dict[str, Any]:
    """What ``run.json`` says; `InputError` where the folder is none of a run."""
    try:
        facts: dict[str, Any] = json.loads((path / "run.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: is not a run folder (it has no run.json)") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path / 'run.json'}: cannot be read ({error})") from error
    if not isinstance(facts, dict):
        raise InputError(f"{path / 'run.json'}: is not what a run wrote")
    return facts


def before(path: Path) -> Path:
    """Where a run keeps what its data set held; `InputError` where it does not."""
    folder = path / BEFORE
    if not folder.is_dir():
        raise InputError(
            f"{path}: was written by an earlier version, which did not keep what the data set "
            "held; run it again"
        )
    return folder


def about_data(path: Path, facts: dict[str, Any]) -> AboutData:
    """What a run says of its data set; `InputError` where that cannot be."""
    if "dataset" not in facts:
        raise InputError(f"{path / 'run.json'}: does not say which data set was cut")
    try:
        return msgspec.convert(facts["dataset"], AboutData)
    except msgspec.ValidationError as error:
        raise InputError(f"{path / 'run.json'}: is not what a run wrote ({error})") from error


def _with_masks(
    frames: Dataset,
    folder: Path,
    about: AboutData,
    images: str | Path | None,
    said: list[str],
    progress: Progress | None,
) -> Dataset:
    """The whole data set from where it was read, or its frames alone and a word why."""
    if not len(frames.instances):
        return frames
    how = about.read
    try:
        if how is None:
            raise InputError("where it was read from is not known")
        if images is not None and how.images is not None:
            how = msgspec.structs.replace(how, images=str(Path(images).absolute()))
        data = how.read(folder, progress)
        if data.fingerprint != about.fingerprint:
            raise InputError(f"{folder / how.path}: has changed since the run")
    except InputError as error:
        said.append(f"no outlines are drawn: {error}")
        return frames
    return data if data.image_root is not None else _rooted(data, frames.image_root)


def _rooted(data: Dataset, folder: Path | None) -> Dataset:
    """The same data set with its images elsewhere, which changes nothing of its content."""
    moved = replace(data, image_root=folder)
    vars(moved)["fingerprint"] = data.fingerprint
    return moved


def contents(folder: Path) -> dict[str, int]:
    """What a run wrote into its folder: each name with the number of files there.

    The page and the list of its names are not counted: they come and go, and are known by
    themselves (see `paring.report.making.refuse_foreign`).
    """
    return {
        entry.name: sum(not p.is_dir() or p.is_symlink() for p in entry.rglob("*"))
        if entry.is_dir() and not entry.is_symlink()
        else 1
        for entry in sorted(folder.iterdir())
        if entry.name not in ("run.json", REPORT, REPORT_NAMES)
    }


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    """Write a ``run.json``."""
    text = json.dumps(facts, indent=2, ensure_ascii=False, default=str) + "\n"
    # a path that is no UTF-8 is written with JSON's own escapes
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
