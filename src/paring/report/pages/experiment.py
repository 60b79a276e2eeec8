"""The page of a comparison of methods, rates and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from paring.dataset.snapshot import load_frames
from paring.errors import InputError
from paring.experiment.folder import RECIPE, RESULTS, read_about
from paring.experiment.table import read_results
from paring.report.folder import before, read_facts
from paring.report.hiding import Names
from paring.report.sections.experiment import (
    Experiment,
    experiment_headline,
    experiment_section,
    table_of,
)
from paring.report.subject import Subject, Wishes


class _Facts(msgspec.Struct):
    """What ``run.json`` says of a comparison."""

    experiment: Experiment


def experiment_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of ``paring compare``; None where the folder is that of another kind of run.

    Raises `InputError` where a file of the run cannot be read.
    """
    facts = read_facts(path)
    if facts.get("method") != "compare":
        return None
    if wishes.images is not None:
        raise InputError(f"{path}: its page has no pictures, so --images is not for it")
    about = _about(path, facts)
    data = wishes.data
    fingerprint = str(read_about(path)["train"]["fingerprint"])
    if data is None:
        data = load_frames(before(path), fingerprint=fingerprint)
    names = Names.of(data.images, fingerprint, hide=wishes.hash_names)
    results = read_results(path / RESULTS)
    return Subject(
        title="A comparison" if names.hidden else f"{path.resolve().name} · paring",
        headline=experiment_headline(about, table_of(results, about.metrics)),
        data=data,
        names=names,
        sections={
            "experiment": experiment_section(
                about,
                results,
                recipe=None if names.hidden else _recipe(path / RECIPE),
                hidden=names.hidden,
            ),
        },
        worth=[],
    )


def _about(path: Path, facts: dict[str, Any]) -> Experiment:
    try:
        about = msgspec.convert(facts, _Facts).experiment
    except msgspec.ValidationError as error:
        raise InputError(f"{path / 'run.json'}: is not what a run wrote ({error})") from error
    if not about.metrics:
        raise InputError(f"{path / 'run.json'}: names no metric")
    return about


def _recipe(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
