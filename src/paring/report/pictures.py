"""The pictures of a page: thumbnails in files beside it, outlines of masks within it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.report.outlines import outlines
from paring.report.thumbnails import draw_thumbnails, thumbnail_name

FOLDER = "thumbnails"
NUMBER = 1000
"""Thumbnails of a report, unless another number is asked for."""


@dataclass(frozen=True)
class Pictures:
    """Which pictures a report has.

    Attributes
    ----------
    number : thumbnails at most.
    shown : False for a page without any picture.
    """

    number: int = NUMBER
    shown: bool = True


def pictures_section(
    data: Dataset,
    rows: Sequence[int],
    folder: Path,
    pictures: Pictures,
    *,
    workers: int,
    progress: Progress | None,
) -> dict[str, Any]:
    """Draw the thumbnails of some rows; what the page must know of them.

    ``files`` and ``outlines`` are by row, ``faults`` says why a row has no thumbnail, ``all``
    whether none was left out for the number, and ``too_large`` how many were for the bytes.
    """
    if not pictures.shown:
        return {"shown": False}
    step = None if progress is None else lambda n: progress("drawing thumbnails", n, len(rows))
    made = draw_thumbnails(data, rows, folder / FOLDER, workers=workers, progress=step)
    drawn = outlines(data, rows)  # of missing pictures too: a mask shows something by itself
    return {
        "shown": True,
        "folder": FOLDER,
        "files": {str(row): [thumbnail_name(row), *size] for row, size in made.sizes.items()},
        "outlines": {
            str(row): {"size": one.size, "shapes": one.shapes, "left_out": one.left_out}
            for row, one in drawn.items()
        },
        "faults": {str(row): why for row, why in made.faults.items()},
        "all": len(rows) < pictures.number,
        "too_large": made.left_out,
    }
