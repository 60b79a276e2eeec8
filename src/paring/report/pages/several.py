"""The page of several cuts of one data set, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paring.errors import InputError
from paring.report.choosing import where_they_disagree
from paring.report.folder import RunFolder, about_data, read_facts
from paring.report.hiding import Names
from paring.report.sections.cut import cut_facts, images_section
from paring.report.subject import Subject, Wishes
from paring.report.words import count


def several_page(runs: Sequence[Path], wishes: Wishes) -> Subject:
    """The page of several runs; `InputError` where they are of different data sets."""
    first = RunFolder.open(
        runs[0], data=wishes.data, images=wishes.images, progress=wishes.progress
    )
    opened = [first]
    for path in runs[1:]:
        if about_data(path, read_facts(path)).fingerprint != first.about.fingerprint:
            raise InputError(
                f"{path}: is of another data set than {runs[0]}, so the two cannot be compared"
            )
        opened.append(RunFolder.open(path, data=first.data, progress=wishes.progress))
    names = Names.of(first.data.images, first.about.fingerprint, hide=wishes.hash_names)
    hidden = [f"run {k + 1}" for k in range(len(opened))]
    called = hidden if names.hidden else told_apart(runs)
    sections: dict[str, Any] = {
        "images": images_section(first.data, names),
        "cuts": [
            cut_facts(run, names) | {"name": name} for run, name in zip(opened, called, strict=True)
        ],
    }
    return Subject(
        title=f"{len(opened)} runs · paring",
        headline=f"{len(opened)} cuts of {count(len(first.data), 'image')} side by side.",
        data=first.data,
        names=names,
        sections=sections,
        worth=where_they_disagree([run.kept for run in opened]),
        said=first.said,
    )


def told_apart(runs: Sequence[str | Path]) -> list[str]:
    """A name for each run folder: its own, or where two are called alike, as much as it takes.

    >>> told_apart(["one/shape", "two/random"]), told_apart(["one/run", "two/run"])
    (['shape', 'random'], ['one/run', 'two/run'])
    >>> told_apart(["run", "run"])
    ['run', 'run (2)']
    """
    folders = [Path(run).resolve().parts for run in runs]
    for length in range(1, max(map(len, folders)) + 1):
        names = ["/".join(parts[-length:]) for parts in folders]
        if len(set(names)) == len(set(folders)):
            break
    seen = [names[:k].count(name) for k, name in enumerate(names)]
    return [f"{name} ({k + 1})" if k else name for name, k in zip(names, seen, strict=True)]
