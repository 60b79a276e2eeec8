"""The page of a run that took channels out of a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import polars as pl

from paring.dataset.formats.indexed import mask_store
from paring.dataset.table import CATEGORIES, IMAGES, INSTANCES, Dataset
from paring.errors import InputError
from paring.report.folder import read_facts
from paring.report.hiding import Names
from paring.report.sections.channels import Cost, Pruned, channels_headline, channels_section
from paring.report.subject import Subject, Wishes

METHOD, COST, METRICS = "prune channels", "cost.json", "metrics.json"

_T = TypeVar("_T")


def channels_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of ``paring channels prune``; None where the folder is that of another kind of run.

    Raises `InputError` where a file of the run cannot be read.
    """
    facts = read_facts(path)
    if facts.get("method") != METHOD:
        return None
    if wishes.images is not None:
        raise InputError(f"{path}: its page has no pictures, so --images is not for it")
    run = _read(path / "run.json", facts, Pruned)
    cost = _read(path / COST, _json(path / COST), Cost)
    metrics = (
        _read(path / METRICS, _json(path / METRICS), dict[str, float | None])
        if (path / METRICS).is_file()
        else {}
    )
    nothing = Dataset(
        pl.DataFrame(schema=IMAGES),
        pl.DataFrame(schema=INSTANCES),
        pl.DataFrame(schema=CATEGORIES),
        mask_store([]),
    )
    hidden = wishes.hash_names
    return Subject(
        title="A pruned network" if hidden else f"{path.resolve().name} · paring",
        headline=channels_headline(cost),
        data=nothing,
        names=Names.of(nothing.images, "", hide=hidden),
        sections={
            "channels": channels_section(
                run,
                cost,
                {name: value for name, value in metrics.items() if value is not None},
                hidden=hidden,
            )
        },
        worth=[],
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error


def _read(path: Path, values: Any, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: is not what a run wrote ({error})") from error
