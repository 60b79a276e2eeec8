"""Proposals as files: run lengths in one compressed buffer, and the frames beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.dataset.writing import beside
from paring.errors import InputError
from paring.labels.arrays import read_arrays, write_arrays

_TABLE, _MASKS = "proposals.parquet", "masks.npz"
CATEGORY = "object"


def as_proposals(
    data: Dataset, image_ids: list[int], masks: MaskStore, scores: list[float]
) -> Dataset:
    """Masks as the proposals of the images of a data set: one category, scored.

    Parameters
    ----------
    data : its images are those of the proposals, with or without some.
    image_ids, masks, scores : of the proposals, the best first in each image.
    """
    n = len(masks)
    instances = pl.DataFrame(
        {
            "instance_id": np.arange(1, n + 1),
            "image_id": np.array(image_ids, np.int64),
            "category_id": np.ones(n, np.int64),
            "iscrowd": np.zeros(n, bool),
            "bbox": pl.Series(masks.boxes(), dtype=pl.Array(pl.Float64, 4)),
            "area": masks.areas(),
            "score": np.array(scores, np.float64),
        }
    )
    categories = pl.DataFrame({"category_id": [1], "name": [CATEGORY]})
    return replace(
        data,
        instances=instances,
        categories=categories,
        masks=masks,
        tags=None,
        label_maps=None,
        origin=None,
        sources=(),
    )


def rows_by_image(data: Dataset, proposals: Dataset) -> list[NDArray[np.int64]]:
    """Rows of the proposals of each image of a data set, in their order.

    >>> import paring
    >>> data = paring.scenes(3, seed=0)
    >>> made = as_proposals(data, [3, 1, 3], data.masks.take(np.arange(3)), [0.9, 0.8, 0.7])
    >>> [rows.tolist() for rows in rows_by_image(data, made)]
    [[1], [], [0, 2]]
    """
    rows = proposals.instances.select("image_id").with_row_index("row")
    lists = dict(rows.group_by("image_id").agg(pl.col("row").sort()).iter_rows())
    return [np.array(lists.get(i, []), np.int64) for i in data.images["image_id"]]


def save_proposals(proposals: Dataset, folder: str | Path) -> None:
    """Write proposals into a new folder: a table by image, and all run lengths in one buffer.

    Raises `InputError` where the folder is there already.
    """
    masks = proposals.masks.to_rle()
    names = dict(proposals.images.select("image_id", "file_name").iter_rows())
    table = proposals.instances.select("image_id", "score").with_columns(
        file_name=pl.col("image_id").replace_strict(names, return_dtype=pl.String)
    )
    with beside(Path(folder)) as fresh:
        fresh.mkdir()
        table.write_parquet(fresh / _TABLE)
        write_arrays(
            fresh / _MASKS,
            counts=masks.counts,
            lengths=np.diff(masks.count_offsets),
            heights=masks.heights,
            widths=masks.widths,
        )


def load_proposals(folder: str | Path, data: Dataset) -> Dataset:
    """Proposals that `save_proposals` wrote, of the images of a data set, told by file name.

    Proposals of other images are left out.

    Raises
    ------
    InputError
        Where the folder holds none, or a file of it is broken.

    Example
    -------
    >>> import paring, tempfile
    >>> data = paring.scenes(3, seed=0)
    >>> made = as_proposals(data, [1, 3], data.masks.take(np.array([0, 1])).to_rle(), [0.5, 0.2])
    >>> folder = Path(tempfile.mkdtemp()) / "made"
    >>> save_proposals(made, folder)
    >>> load_proposals(folder, data) == made
    True
    """
    folder = Path(folder)
    try:
        table = pl.read_parquet(folder / _TABLE)
        file = read_arrays(folder / _MASKS, "counts", "lengths", "heights", "widths")
        stops, runs = np.cumsum(file["lengths"]), file["counts"].astype(np.uint32)
        counts = np.split(runs, stops[:-1]) if len(stops) else []
        masks = MaskStore.from_runs(counts, heights=file["heights"], widths=file["widths"])
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{folder}: holds no proposals ({error})") from error
    if len(table) != len(masks):
        raise InputError(f"{folder}: its table and its masks do not belong together")
    ids = dict(data.images.select("file_name", "image_id").iter_rows())
    owner = [ids.get(name) for name in table["file_name"]]
    here = np.flatnonzero([one is not None for one in owner])
    return as_proposals(
        data,
        [owner[row] for row in here.tolist()],  # type: ignore[misc]
        masks.take(here),
        table["score"].gather(here).to_list(),
    )


def is_saved(path: Path) -> bool:
    """Whether a folder is what `save_proposals` wrote."""
    return (path / _TABLE).is_file() and (path / _MASKS).is_file()
