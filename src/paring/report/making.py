"""A report of one run, or of several side by side."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from paring import __version__
from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.dataset.writing import beside, clear_abandoned
from paring.errors import InputError
from paring.report.choosing import first_of
from paring.report.folder import REPORT, read_facts
from paring.report.page import is_page, write_page
from paring.report.pages.channels import channels_page
from paring.report.pages.cut import cut_page
from paring.report.pages.experiment import experiment_page
from paring.report.pages.free import free_page
from paring.report.pages.leaks import leaks_page
from paring.report.pages.several import several_page
from paring.report.pages.tags import tags_page
from paring.report.pictures import FOLDER, Pictures, pictures_section
from paring.report.subject import Subject, Wishes
from paring.report.words import count

KINDS: tuple[Callable[[Path, Wishes], Subject | None], ...] = (
    cut_page,
    leaks_page,
    experiment_page,
    channels_page,
    tags_page,
    free_page,
)
"""What a page can be about; the first that knows the run makes its page."""

_COLUMNS = ("shown", "file_name")
_FILES = {"index.html", "LICENSES.txt", FOLDER}
_THUMBNAIL = re.compile(r"[0-9]{6,}\.jpg")


def write_report(
    run: str | Path,
    *,
    output: str | Path | None = None,
    data: Dataset | None = None,
    images: str | Path | None = None,
    pictures: Pictures | None = None,
    hash_names: bool = False,
    workers: int = 1,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the report of a run into its folder, or another, in place of an earlier one.

    Parameters
    ----------
    run : folder of a run that cut images.
    output : folder of the page; ``report`` in the run folder if not given.
    data : the data set before the cut, where it is at hand; read again otherwise.
    images : folder of the images, where they are no longer where they were.
    pictures : how many thumbnails, or none.
    hash_names : show no file names, no groups and no paths. Which hash is which file stands in
        ``report-names.csv`` beside the folder of the page, not in it.
    workers : threads.
    say : called with sentences on what the page could not have.
    progress : called with a label, steps done and steps to do.

    Returns
    -------
    Path
        ``index.html`` in the folder of the page, to be opened in a browser.

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
    path, wishes = Path(run), Wishes(data, images, hash_names, progress)
    read_facts(path)
    subject = next(filter(None, (kind(path, wishes) for kind in KINDS)), None)
    if subject is None:
        raise InputError(
            f"{path}: its run neither cut nor compared images, pruned no network and made no "
            "masks, so it has no report"
        )
    target = path / REPORT if output is None else _named(Path(output))
    _put(target, subject, pictures or Pictures(), workers, say, progress)
    return target / "index.html"


def compare_runs(
    runs: Sequence[str | Path],
    output: str | Path,
    *,
    images: str | Path | None = None,
    pictures: Pictures | None = None,
    hash_names: bool = False,
    workers: int = 1,
    say: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a report of several runs of one data set side by side into a folder of its own.

    Parameters as in `write_report`. Raises `InputError` where the runs are of different data sets.
    """
    subject = several_page(list(map(Path, runs)), Wishes(None, images, hash_names, progress))
    target = _named(Path(output))
    _put(target, subject, pictures or Pictures(), workers, say, progress)
    return target / "index.html"


def _put(
    target: Path,
    subject: Subject,
    pictures: Pictures,
    workers: int,
    say: Callable[[str], None] | None,
    progress: Progress | None,
) -> None:
    """Write a page into a folder, in place of an earlier page, and the list of hidden names."""
    _refuse_within_a_run(target)
    clear_abandoned(target)
    refuse_foreign(target)
    names = _names_at(_names_of(target), subject)
    rows = first_of(subject.worth, pictures.number)
    with beside(target, overwrite=True) as fresh:
        fresh.mkdir()
        drawn = pictures_section(
            subject.data, rows, fresh, pictures, workers=workers, progress=progress
        )
        sections = {
            "paring": __version__,
            "said": [
                _without_names(text) if subject.names.hidden else text for text in subject.said
            ],
            **subject.sections,
            "pictures": drawn,
        }
        write_page(fresh, sections, title=subject.title, headline=subject.headline)
        refuse_foreign(target)  # once more, as drawing takes its time
    _write_names(names, subject)
    if say is not None:
        for sentence in (*subject.said, *_missing(subject, drawn)):
            say(sentence)


def _without_names(text: str) -> str:
    """A sentence up to where it names files."""
    return text.partition(":")[0]


def _missing(subject: Subject, drawn: dict[str, Any]) -> Iterator[str]:
    """How many pictures are not there, and why the first is not."""
    faults = drawn.get("faults")
    if not faults:
        return
    if not drawn["files"]:
        yield "no picture was found for the page; --images DIR says where they are"
        return
    row, why = next(iter(faults.items()))
    first = subject.data.images["file_name"][int(row)]
    yield f"{count(len(faults), 'picture')} could not be drawn, first {first}: {why}"


def _refuse_within_a_run(target: Path) -> None:
    """A run holds its own page and nothing else of ours."""
    place = target.absolute()
    for folder in place.parents:
        if (folder / "run.json").is_file() and place != folder / REPORT:
            raise InputError(f"{target}: lies in the run {folder}; choose a folder outside it")


def refuse_foreign(target: Path) -> None:
    """Only a report is ever replaced by a report; `InputError` where something else is there."""
    if not os.path.lexists(target):
        return
    ours = target.is_dir() and not target.is_symlink()
    if not ours or not is_page(target / "index.html"):
        raise InputError(f"{target}: is no report, so it is not replaced")
    foreign = sorted(entry.name for entry in target.iterdir() if entry.name not in _FILES)
    thumbnails = target / FOLDER
    if thumbnails.is_dir():
        foreign += sorted(e.name for e in thumbnails.iterdir() if not _THUMBNAIL.fullmatch(e.name))
    if foreign:
        raise InputError(f"{target}: holds {foreign[0]!r}, so it is no report and not replaced")


def _named(target: Path) -> Path:
    """A folder by a path that ends in its name, which ``.`` does not."""
    return target if target.name not in ("", "..") else target.resolve()


def _names_of(target: Path) -> Path:
    """The list of hidden names of a page, beside its folder."""
    return target.with_name(f"{target.name}-names.csv")


def refuse_foreign_names(path: Path) -> None:
    """Only a list of names is replaced by one; `InputError` where something else is there."""
    if not os.path.lexists(path):
        return
    with suppress(OSError), path.open("rb") as file:
        if not path.is_symlink() and file.readline().rstrip() == ",".join(_COLUMNS).encode():
            return
    raise InputError(f"{path}: is no list of names that a report wrote, so it is not replaced")


def _names_at(path: Path, subject: Subject) -> Path | None:
    """Where the list of names goes; None where the user has a file there and none is needed."""
    try:
        refuse_foreign_names(path)
    except InputError:
        if subject.names.hidden:
            raise
        return None
    return path


def _write_names(path: Path | None, subject: Subject) -> None:
    """Which hash is which file, or no such file where the names are shown."""
    if path is None:
        return
    if not subject.names.hidden:
        path.unlink(missing_ok=True)
        return
    with (
        beside(path, overwrite=True) as fresh,
        fresh.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        files = subject.data.images["file_name"]
        table.writerows(zip(subject.names.shown, files, strict=True))
