"""The page of pairs of images that leak from a training into a test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def leaks_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of a run of ``paring images leaks``; None where the folder has no pairs.

    Raises `InputError` where a file of the run cannot be read.
    """
    if not (path / PAIRS).is_file():
        return None
    if wishes.images is not None:
        raise InputError(f"{path}: is about two sets of images, so one --images does not say where")
    facts = read_facts(path)
    sets = [
        load_frames(before(path) / side, image_root=path / facts[side]["image_root"])
        for side in ("train", "test")
    ]
    train, test = sets
    data = joined(train, test)
    key = "".join(facts[side]["fingerprint"] for side in ("train", "test"))
    names = Names.of(data.images, key, hide=wishes.hash_names)
    pairs = _pairs(path / PAIRS, train, test)
    n_train, n_test = (int(facts[side]["compared"]) for side in ("train", "test"))
    return Subject(
        title="Leaks" if names.hidden else f"{path.resolve().name} · paring",
        headline=leaks_headline(
            facts["test_images_that_leak"], n_train, n_test, facts["threshold"]
        ),
        data=data,
        names=names,
        sections={
            "images": images_section(data, names),
            "leaks": {
                "name": "",
                "pairs": pairs,
                "threshold": facts["threshold"],
                "parameters": _parameters(facts, names),
            },
        },
        worth=[[row for pair in pairs for row in pair[2:]]],
    )


def _parameters(facts: dict[str, Any], names: Names) -> dict[str, Any]:
    shown = {key: facts.get(key) for key in ("metric", "window", "size", "threshold")}
    if not names.hidden:
        shown |= {"training set": facts["train"]["path"], "test set": facts["test"]["path"]}
    return shown


def _pairs(path: Path, train: Dataset, test: Dataset) -> list[list[Any]]:
    """Cluster, similarity, and the rows of both images, of each pair."""
    try:
        frame = pl.read_csv(path).select("cluster", "similarity", "train_id", "test_id")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: is not what a run wrote of its pairs ({error})") from error
    rows = []
    for data, side, first in ((train, "train_id", 0), (test, "test_id", len(train))):
        ids = frame[side].cast(pl.Int64)
        if not ids.is_in(data.images["image_id"].implode()).all():
            raise InputError(f"{path}: names an image that is not in the run")
        rows.append((rows_of_ids(data.images["image_id"], ids) + first).tolist())
    shown = [float(similar(value, 6)) for value in frame["similarity"]]
    return [list(pair) for pair in zip(frame["cluster"], shown, *rows, strict=True)]
