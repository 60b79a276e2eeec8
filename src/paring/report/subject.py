"""`Subject`: what a page is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.report.hiding import Names


@dataclass(frozen=True)
class Wishes:
    """What is asked of a page.

    Attributes
    ----------
    data : the data set of the run, where it is at hand; read again otherwise.
    images : folder of the images, where they are no longer where they were.
    hash_names : show no file names, no groups and no paths.
    progress : called with a label, steps done and steps to do.
    """

    data: Dataset | None = None
    images: str | Path | None = None
    hash_names: bool = False
    progress: Progress | None = None


@dataclass(frozen=True, eq=False)
class Subject:
    """What a page is about, before its pictures are drawn.

    Attributes
    ----------
    title, headline : plain text.
    data : the images that the page speaks of.
    names : what they are called on the page.
    sections : what each section shows, ready for JSON.
    worth : rows of images, list after list from the ones most worth a thumbnail on.
    said : what a reader should know of how the page was made.
    """

    title: str
    headline: str
    data: Dataset
    names: Names
    sections: dict[str, Any]
    worth: Sequence[Sequence[int]]
    said: Sequence[str] = field(default=())
