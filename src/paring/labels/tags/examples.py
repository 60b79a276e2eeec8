"""Some images of a run, with all that shows how their tags became masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from paring.labels.examples import Pictured, Shape, from_best_to_worst, shapes_of

if TYPE_CHECKING:
    from paring.labels.tags.running import Mined

FILE = "examples.json"
LAYERS = ("seeds", "truth", "labels")
"""What is drawn one after the other: seeds, pseudo ground truth, pseudo-labels."""


class Peak(msgspec.Struct):
    """A peak: its class by name, and row and column as shares of the image's sides."""

    tag: str
    row: float
    column: float


class Example(Pictured):
    """One image."""

    tags: list[str]
    peaks: list[Peak]
    seeds: list[Shape]
    truth: list[Shape]
    labels: list[Shape]


def write_examples(mined: Mined, folder: Path, *, most: int) -> None:
    """Write ``examples.json``: images from the best to the worst mean score, evenly chosen.

    The score of an image is the mean, over its tags, of the best pseudo-label's.
    """
    ids = _chosen(mined, most)
    (folder / FILE).write_bytes(msgspec.json.encode([_example(mined, i) for i in ids]))


def _chosen(mined: Mined, most: int) -> list[int]:
    tags, labels = mined.tags, mined.predictions.instances
    best: dict[tuple[int, int], float] = {}
    for image_id, category_id, score in labels.select(
        "image_id", "category_id", "score"
    ).iter_rows():
        key = image_id, category_id
        best[key] = max(best.get(key, 0.0), score)
    ids = tags.data.images["image_id"].to_list()
    means = [
        np.mean([best.get((i, tags.category_ids[c]), 0.0) for c in np.flatnonzero(row)])
        for i, row in zip(ids, tags.present, strict=True)
    ]
    return [ids[row] for row in from_best_to_worst([float(one) for one in means], most)]


def _example(mined: Mined, image_id: int) -> Example:
    tags, found = mined.tags, mined.found[image_id]
    place = tags.data.images["image_id"].to_list().index(image_id)
    row = tags.data.images.row(place, named=True)
    names = tags.classes
    chosen = np.flatnonzero(
        mined.pseudo_labels.instances["image_id"].to_numpy() == image_id
    ).tolist()
    by_id = dict(zip(tags.category_ids, names, strict=True))
    labels = mined.pseudo_labels.instances[chosen]
    return Example(
        image_id=image_id,
        file_name=row["file_name"],
        width=row["width"],
        height=row["height"],
        tags=[names[c] for c in np.flatnonzero(tags.present[place])],
        peaks=[
            Peak(names[int(c)], round(y, 5), round(x, 5)) for y, x, c, _ in found.peaks.tolist()
        ],
        seeds=shapes_of(mined.proposals, found.seeds, [("", None)] * len(found.seeds)),
        truth=shapes_of(
            mined.proposals, found.truth, [(names[c], None) for c in found.truth_classes]
        ),
        labels=shapes_of(
            mined.pseudo_labels,
            np.array(chosen, np.int64),
            [(by_id[c], s) for c, s in labels.select("category_id", "score").iter_rows()],
        ),
    )
