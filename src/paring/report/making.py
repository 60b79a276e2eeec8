"""A report of one run, or of several side by side."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring import __version__
from paring.dataset.reading import Progress
from paring.dataset.summary import compare
from paring.dataset.table import Dataset
from paring.dataset.writing import beside
from paring.errors import InputError
from paring.report.choosing import by_rank, first_of, spread, where_they_disagree
from paring.report.folder import RunFolder, note_contents
from paring.report.hiding import Names
from paring.report.page import write_page
from paring.report.pictures import FOLDER, Pictures, pictures_section
from paring.report.sections.cut import cut_section, images_section
from paring.report.sections.network import network_section
from paring.report.words import headline

REPORT = "report"
"""Where a run's report lies in its folder."""

_NAMES = "report-names.csv"
_FILES = {"index.html", "LICENSES.txt", FOLDER}


def write_report(
    run: str | Path,
    *,
    data: Dataset | None = None,
    images: str | Path | None = None,
    pictures: Pictures | None = None,
    hash_names: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write the report of a run into its folder, in place of an earlier one.

    Parameters
    ----------
    run : folder of a run that cut images.
    data : the data set before the cut, where it is at hand; read again otherwise.
    images : folder of the images, where they are no longer where they were.
    pictures : how many thumbnails, or none.
    hash_names : show no file names, no groups and no paths. Which hash is which file stands in
        ``report-names.csv`` beside the report, not in it.
    workers : threads.
    progress : called with a label, steps done and steps to do.

    Returns
    -------
    Path
        ``report/index.html`` in the run folder, to be opened in a browser.

    Raises
    ------
    InputError
        Where the folder is none of such a run, or holds a ``report`` of someone else.

    Example
    -------
    >>> import tempfile
    >>> write_report(tempfile.mkdtemp())
    Traceback (most recent call last):
        ...
    paring.errors.InputError: ...: is not a run folder (it has no run.json)
    """
    opened = RunFolder.open(run, data=data, images=images, progress=progress)
    target = opened.path / REPORT
    refuse_foreign(target)
    names = Names.of(opened.data.images, opened.subset.dataset, hide=hash_names)
    about: dict[str, Any] = {
        "paring": __version__,
        "images": images_section(opened.data, names),
        "cuts": [cut_section(opened, names)],
        "network": network_section(opened.path, opened.rows_of, opened.kept),
        "said": [] if hash_names else list(opened.said),
    }
    if hash_names and about["network"] is not None:
        about["network"]["groups"] = None
    rows = first_of(_worth_seeing(about, opened), (pictures or Pictures()).number)
    words = _headline(opened)
    title = "A cut of images" if hash_names else f"{opened.path.resolve().name} · paring"
    with beside(target, overwrite=True) as fresh:
        _write(fresh, about, opened.data, rows, pictures, workers, progress, title, words)
    _write_names(opened.path / _NAMES, opened.data, names)
    note_contents(opened.path)
    return target / "index.html"


def compare_runs(
    runs: Sequence[str | Path],
    output: str | Path,
    *,
    images: str | Path | None = None,
    pictures: Pictures | None = None,
    hash_names: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write a report of several runs of one data set side by side into a folder of its own.

    Parameters as in `write_report`. Raises `InputError` where the runs are of different data sets.
    """
    opened = [RunFolder.open(runs[0], images=images, progress=progress)]
    first = opened[0]
    for path in runs[1:]:
        opened.append(RunFolder.open(path, data=first.data, progress=progress))
        if opened[-1].facts["dataset"]["fingerprint"] != first.facts["dataset"]["fingerprint"]:
            raise InputError(
                f"{path}: is of another data set than {runs[0]}, so the two cannot be compared"
            )
    target = Path(output)
    refuse_foreign(target)
    names = Names.of(first.data.images, first.subset.dataset, hide=hash_names)
    about: dict[str, Any] = {
        "paring": __version__,
        "images": images_section(first.data, names),
        "cuts": [cut_section(run, names) for run in opened],
        "said": [] if hash_names else list(first.said),
    }
    rows = first_of(
        where_they_disagree([run.kept for run in opened]), (pictures or Pictures()).number
    )
    words = f"{len(opened)} cuts of {len(first.data):,} images side by side."
    with beside(target, overwrite=True) as fresh:
        title = f"{len(opened)} runs · paring"
        _write(fresh, about, first.data, rows, pictures, workers, progress, title, words)
    _write_names(target.with_name(f"{target.name}-names.csv"), first.data, names)
    return target / "index.html"


def _write(
    folder: Path,
    about: dict[str, Any],
    data: Dataset,
    rows: list[int],
    pictures: Pictures | None,
    workers: int,
    progress: Progress | None,
    title: str,
    words: str,
) -> None:
    folder.mkdir()
    about["pictures"] = pictures_section(
        data, rows, folder, pictures or Pictures(), workers=workers, progress=progress
    )
    write_page(folder, about, title=title, headline=words)


def refuse_foreign(target: Path) -> None:
    """Only a report is ever replaced by a report; `InputError` where something else is there."""
    if not os.path.lexists(target):
        return
    ours = target.is_dir() and not target.is_symlink()
    if not ours or not (target / "index.html").is_file():
        raise InputError(f"{target}: is no report, so it is not replaced")
    foreign = sorted(entry.name for entry in target.iterdir() if entry.name not in _FILES)
    thumbnails = target / FOLDER
    if thumbnails.is_dir():
        foreign += sorted(e.name for e in thumbnails.iterdir() if e.suffix != ".jpg")
    if foreign:
        raise InputError(
            f"{target}: holds {foreign[0]!r}, which no report has, so it is not replaced"
        )


def _headline(run: RunFolder) -> str:
    before = run.data.summary()
    after = run.data.subset(run.subset.kept).summary()
    return headline(before, after, compare(before, after))


def _worth_seeing(about: dict[str, Any], run: RunFolder) -> list[Sequence[int]]:
    """Rows of images from the one most worth a thumbnail on."""
    n, kept = len(run.data), run.kept
    lists: list[Sequence[int]] = []
    if about["network"] is not None:
        lists += _of_network(about["network"])
    elif run.scores is not None and len(run.scores) == n:
        lists += by_rank(run.scores.ranking(), int(kept.sum()))
    for flags in (kept, ~kept):
        rows = np.flatnonzero(flags)
        lists.append(rows[spread(len(rows))].tolist() if len(rows) else [])
    return lists


def _of_network(network: dict[str, Any]) -> list[Sequence[int]]:
    """The worst covered beside what covers them, then the communities from the largest on."""
    similarity = np.array([np.nan if v is None else v for v in network["similarity"]], float)
    covered = np.array(network["covered_by"])
    worst: NDArray[np.int64] = np.flatnonzero(covered >= 0)
    worst = worst[np.argsort(similarity[worst], kind="stable")]
    pairs = np.stack((worst, covered[worst]), axis=1).reshape(-1).tolist()
    return [pairs[:400], network["drawn"]["rows"], pairs]


def _write_names(path: Path, data: Dataset, names: Names) -> None:
    """Which hash is which file, or no such file where the names are shown."""
    if not names.hidden:
        path.unlink(missing_ok=True)
        return
    with (
        beside(path, overwrite=True) as fresh,
        fresh.open("w", newline="", encoding="utf-8") as file,
    ):
        table = csv.writer(file)
        table.writerow(("shown", "file_name"))
        table.writerows(zip(names.shown, data.images["file_name"], strict=True))
