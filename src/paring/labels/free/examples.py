"""Some images of a run, with all that shows how masks were found in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from paring.dataset.table import Dataset
from paring.labels.examples import Pictured, Shape, from_best_to_worst, shapes_of

if TYPE_CHECKING:
    from paring.labels.free.running import Freed

FILE = "free_examples.json"
LAYERS = ("labels", "updated", "masks", "exemplars")
"""What can be drawn: pseudo-labels, those of the second training, free masks, exemplars."""

THING = "object"
_DRAWN = 10
"""Masks of a layer that are drawn at most, the best ones."""


class FreeExample(Pictured):
    """One image; `maskness` is that of its best free mask, 0 without any."""

    maskness: float
    labels: list[Shape]
    updated: list[Shape]
    masks: list[Shape]
    exemplars: list[Shape]


def write_free_examples(freed: Freed, folder: Path, *, most: int) -> None:
    """Write images from the best to the worst maskness, evenly chosen.

    Images with exemplars come along: first of all images of the list as far as there is room.
    """
    ids = freed.data.images["image_id"].to_list()
    best = dict.fromkeys(ids, 0.0)
    owner = freed.masks.data.instances["image_id"]
    for image_id, value in zip(owner, freed.masks.maskness.tolist(), strict=True):
        best[image_id] = max(best[image_id], value)
    chosen = [ids[k] for k in from_best_to_worst([best[i] for i in ids], most)]
    if freed.exemplars is not None:
        here = {i for i in freed.exemplars.instances["image_id"] if i in best}
        more = sorted(here - set(chosen), key=lambda i: -best[i])
        room = max(0, most - len(more))
        chosen = sorted([*chosen[:room], *more][:most], key=lambda i: -best[i])
    layers = {
        "labels": freed.pseudo_labels.data,
        "updated": None if freed.updated is None else freed.updated.data,
        "masks": freed.masks.data,
        "exemplars": freed.exemplars,
    }
    images = freed.data.images
    rows = {i: row for row, i in enumerate(ids)}
    examples = []
    for image_id in chosen:
        about = images.row(rows[image_id], named=True)
        drawn = {
            name: [] if data is None else _drawn(data, image_id) for name, data in layers.items()
        }
        examples.append(
            FreeExample(
                image_id=image_id,
                file_name=about["file_name"],
                width=about["width"],
                height=about["height"],
                maskness=round(best[image_id], 4),
                **drawn,
            )
        )
    (folder / FILE).write_bytes(msgspec.json.encode(examples))


def _drawn(data: Dataset, image_id: int) -> list[Shape]:
    """The best masks of an image."""
    rows = np.flatnonzero(data.instances["image_id"].to_numpy() == image_id)[:_DRAWN]
    scores = data.instances["score"].gather(rows).to_list()
    return shapes_of(data, rows, [(THING, round(score, 4)) for score in scores])
