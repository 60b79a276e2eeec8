"""The page of pairs of images that leak from a training into a test set."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from paring.dataset.snapshot import load_frames
from paring.dataset.table import Dataset, rows_of_ids
from paring.errors import InputError
from paring.images.similarity.sources import joined
from paring.report.folder import before, read_facts
from paring.report.hiding import Names
from paring.report.sections.cut import images_section
from paring.report.subject import Subject, Wishes
from paring.report.words import leaks_headline, similar

PAIRS = "leaks.csv"


class _Set(msgspec.Struct):
    """What ``run.json`` says of one of the two sets."""

    path: str
    image_root: str
    fingerprint: str
    compared: int


class _Facts(msgspec.Struct):
    """What ``run.json`` says of a run that looked for leaks."""

    train: _Set
    test: _Set
    threshold: float
    test_images_that_leak: int
    metric: str | None = None
    window: str | None = None
    size: int | None = None


def leaks_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of a run of ``paring images leaks``; None where the folder has no pairs.

    Raises `InputError` where a file of the run cannot be read.
    """
    if not (path / PAIRS).is_file():
        return None
    if wishes.images is not None:
        raise InputError(f"{path}: is about two sets of images, so one --images does not say where")
    facts = _facts(path)
    train, test = (
        load_frames(before(path) / side, image_root=path / about.image_root)
        for side, about in (("train", facts.train), ("test", facts.test))
    )
    data = joined(train, test)
    key = facts.train.fingerprint + facts.test.fingerprint
    names = Names.of(data.images, key, hide=wishes.hash_names)
    pairs = _pairs(path / PAIRS, train, test)
    return Subject(
        title="Leaks" if names.hidden else f"{path.resolve().name} · paring",
        headline=leaks_headline(
            facts.test_images_that_leak, facts.train.compared, facts.test.compared, facts.threshold
        ),
        data=data,
        names=names,
        sections={
            "images": images_section(data, names),
            "leaks": {
                "name": "",
                "pairs": pairs,
                "threshold": facts.threshold,
                "parameters": _parameters(facts, names),
            },
        },
        worth=[[row for pair in pairs for row in pair[2:]]],
    )


def _facts(path: Path) -> _Facts:
    """What ``run.json`` says; `InputError` where that cannot be."""
    try:
        facts = msgspec.convert(read_facts(path), _Facts)
    except msgspec.ValidationError as error:
        raise InputError(f"{path / 'run.json'}: is not what a run wrote ({error})") from error
    if not math.isfinite(facts.threshold):
        raise InputError(f"{path / 'run.json'}: has a threshold that is no number")
    return facts


def _parameters(facts: _Facts, names: Names) -> dict[str, Any]:
    shown: dict[str, Any] = {
        key: getattr(facts, key) for key in ("metric", "window", "size", "threshold")
    }
    if not names.hidden:
        shown |= {"training set": facts.train.path, "test set": facts.test.path}
    return shown


def _pairs(path: Path, train: Dataset, test: Dataset) -> list[list[Any]]:
    """Cluster, similarity, and the rows of both images, of each pair."""
    try:
        frame = pl.read_csv(path).select(
            pl.col("cluster", "train_id", "test_id").cast(pl.Int64),
            pl.col("similarity").cast(pl.Float64),
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: is not what a run wrote of its pairs ({error})") from error
    rows = []
    for data, side, first in ((train, "train_id", 0), (test, "test_id", len(train))):
        ids = frame[side]
        if not ids.is_in(data.images["image_id"].implode()).all():
            raise InputError(f"{path}: names an image that is not in the run")
        rows.append((rows_of_ids(data.images["image_id"], ids) + first).tolist())
    shown = [float(similar(value, 6)) for value in frame["similarity"]]
    return [list(pair) for pair in zip(frame["cluster"], shown, *rows, strict=True)]
