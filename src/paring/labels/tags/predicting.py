"""Instances of each image, kept image by image, and put together as data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.table import Dataset, rows_of_ids
from paring.labels.arrays import read_arrays, write_arrays
from paring.labels.tags.given import Tags
from paring.labels.tags.inference import Inference, score_regions, select_instances
from paring.labels.tags.lesson import Mining
from paring.labels.tags.mining import mine
from paring.labels.tags.network import TagNetwork
from paring.labels.tags.regions import Regions


@dataclass(frozen=True)
class Found:
    """What was found in one image; rows are those of the proposals of the data set.

    Attributes
    ----------
    rows, classes, scores : (k,), instances, their classes from 0, the best first.
    truth, truth_classes : (g,), pseudo ground truth by the last branch, classes from 0.
    seeds : (s,), the seeds of it.
    peaks : (p, 4), row and column as shares of the image's sides, class, activation.
    """

    rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]
    truth: NDArray[np.int64]
    truth_classes: NDArray[np.int64]
    seeds: NDArray[np.int64]
    peaks: NDArray[np.float64]

    def save(self, path: Path) -> None:
        """Write it as one file."""
        write_arrays(path, **{one.name: getattr(self, one.name) for one in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Found:
        """Read it back; `InputError` where the file is broken."""
        return cls(**read_arrays(path, *(one.name for one in fields(cls))))


def found_file(folder: Path, image_id: int) -> Path:
    """Where what was `Found` in an image lies."""
    return folder / f"{image_id}.npz"


def predict_image(
    network: TagNetwork,
    pixels: NDArray[np.uint8],
    regions: Regions,
    how: Inference,
    mining: Mining,
    *,
    present: NDArray[np.bool_],
) -> Found:
    """Instances of an image (h, w, 3) among its proposals.

    Parameters
    ----------
    network : in evaluation mode.
    present : bool (c,), the tags, which the pseudo ground truth goes by; the instances do not.
    """
    scored = score_regions(network, pixels, regions, sizes=how.sizes, flip=how.flip)
    rows, classes, scores = select_instances(scored.scores, regions, how)
    rules = mining.rules(network.shape.branches - 1)
    truth = mine(scored.refined, scored.integrity, present, *regions.overlaps(), rules)
    seen = regions.peaks
    points = np.empty((len(seen), 4))
    points[:, :2], points[:, 2], points[:, 3] = seen.places, seen.classes, seen.scores
    return Found(
        rows=regions.rows[rows],
        classes=classes,
        scores=scores,
        truth=regions.rows[truth.rows],
        truth_classes=truth.classes - 1,
        seeds=regions.rows[truth.seeds],
        peaks=points,
    )


def gathered(
    found: Mapping[int, Found], tags: Tags, proposals: Dataset, keep: float
) -> tuple[Dataset, Dataset]:
    """All instances of all images as a data set, and those of them that are pseudo-labels.

    Pseudo-labels are instances of a class that the image is tagged with, of a score of at least
    `keep`, as the authors choose them to train Mask R-CNN on.
    """
    counts = [len(one.rows) for one in found.values()]
    rows = np.concatenate([one.rows for one in found.values()])
    classes = np.concatenate([one.classes for one in found.values()])
    scores = np.concatenate([one.scores for one in found.values()])
    ids = np.repeat(np.array(list(found), np.int64), counts)
    masks = proposals.masks.take(rows)
    instances = pl.DataFrame(
        {
            "instance_id": np.arange(1, len(rows) + 1),
            "image_id": ids,
            "category_id": np.array(tags.category_ids, np.int64)[classes],
            "iscrowd": np.zeros(len(rows), bool),
            "bbox": pl.Series(masks.boxes(), dtype=pl.Array(pl.Float64, 4)),
            "area": masks.areas(),
            "score": scores,
        }
    )
    everything = replace(
        tags.data, instances=instances, masks=masks, tags=None, origin=None, sources=()
    )
    at = rows_of_ids(tags.data.images["image_id"], instances["image_id"])
    chosen = np.flatnonzero(tags.present[at, classes] & (scores >= keep))
    return everything, replace(everything, instances=instances[chosen], masks=masks.take(chosen))
