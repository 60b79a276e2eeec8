"""Index images: one number per pixel tells which instance the pixel belongs to.

All instances of a map come out of one pass. The map is laid out column by column, as run lengths
want it, and cut where the number changes; sorting the pieces by number gives every mask its runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.labelmaps import stored_values
from paring.dataset.masks import MaskStore
from paring.dataset.ragged import Offsets
from paring.dataset.reading import Reading
from paring.dataset.table import INSTANCES
from paring.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


class Unusable(Exception):
    """A file without which an image cannot be read; found in a thread, refused in turn."""

    def __init__(self, path: Path, record: str, message: str) -> None:
        super().__init__(message)
        self.path, self.record, self.message = path, record, message


@dataclass(frozen=True, eq=False)
class IndexRuns:
    """Run lengths of the instances of one map, in rising order of their numbers.

    Attributes
    ----------
    size : (height, width) of the map in pixels.
    numbers : int64 (n,), the pixel value of each instance.
    counts, offsets : uint32 (R,) and int64 (n + 1,), their runs (see `paring.dataset.rle`).
    """

    size: tuple[int, int]
    numbers: NDArray[np.int64]
    counts: NDArray[np.uint32]
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.int64]) -> IndexRuns:
        """The instances of the given rows, in that order."""
        places, offsets = ragged.take(self.offsets, rows)
        return IndexRuns(self.size, self.numbers[rows], self.counts[places], offsets)


def index_runs(
    values: NDArray[Any], wanted: Callable[[NDArray[Any]], NDArray[np.bool_]]
) -> IndexRuns:
    """The mask of each number of a map (H, W) that is wanted, as run lengths.

    ``wanted`` is given pixel values and says which of them number an instance.

    >>> found = index_runs(np.array([[7, 0], [7, 9]], np.uint8), lambda values: values > 0)
    >>> found.numbers, found.counts, found.offsets
    (array([7, 9]), array([0, 2, 2, 3, 1], dtype=uint32), array([0, 3, 5]))
    """
    height, width = values.shape
    columns = _by_column(values)
    starts = np.append(0, np.flatnonzero(columns[1:] != columns[:-1]) + 1)[: columns.size]
    stops = np.append(starts[1:], columns.size)[: len(starts)]
    numbers = columns[starts]
    rows = np.flatnonzero(wanted(numbers))
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    starts, stops, numbers = starts[rows], stops[rows], numbers[rows]

    opens = np.append(True, numbers[1:] != numbers[:-1])[: len(numbers)]
    closes = np.append(opens[1:], True)[: len(numbers)]
    before = np.where(opens, 0, np.append(0, stops[:-1])[: len(stops)])
    # gap, piece, gap, piece, ... and, where a mask does not end in the last corner, the rest
    left = np.where(closes, columns.size - stops, 0)
    triples = np.stack((starts - before, stops - starts, left), axis=1)
    used = np.stack((np.ones_like(opens), np.ones_like(opens), left > 0), axis=1)
    per_mask = ragged.offsets_of(used.sum(axis=1))[np.append(np.flatnonzero(opens), len(opens))]
    return IndexRuns(
        size=(height, width),
        numbers=numbers[opens].astype(np.int64),
        counts=triples[used].astype(np.uint32),
        offsets=per_mask.astype(np.int64),
    )


def _by_column(values: NDArray[Any]) -> NDArray[Any]:
    """The map's values in one row, column after column."""
    if values.size == 0:
        return np.empty(0, values.dtype)
    if values.dtype in (np.uint8, np.uint16, np.int32):
        import cv2

        return np.ascontiguousarray(cv2.transpose(values)).reshape(-1)  # ten times numpy's pace
    return np.ascontiguousarray(values.T).reshape(-1)


def mask_store(maps: Sequence[IndexRuns]) -> MaskStore:
    """The masks of the instances of all maps, one map after the other."""
    sizes = np.repeat([m.size for m in maps] or np.empty((0, 2)), [len(m) for m in maps], axis=0)
    lengths = [np.diff(m.offsets) for m in maps]
    return MaskStore(
        points=np.empty((0, 2)),
        part_offsets=np.zeros(1, np.int64),
        instance_parts=np.zeros(len(sizes) + 1, np.int64),
        counts=np.concatenate([np.empty(0, np.uint32), *(m.counts for m in maps)]),
        count_offsets=ragged.offsets_of(np.concatenate([np.empty(0, np.int64), *lengths])),
        heights=sizes[:, 0].astype(np.int32),
        widths=sizes[:, 1].astype(np.int32),
    )


def instance_frame(
    masks: MaskStore,
    image_ids: Sequence[int],
    category_ids: Sequence[int],
    iscrowd: Sequence[bool],
) -> pl.DataFrame:
    """The instances of masks, numbered from 1 on, with box and area from their pixels."""
    return pl.DataFrame(
        {
            "instance_id": range(1, len(masks) + 1),
            "image_id": image_ids,
            "category_id": category_ids,
            "iscrowd": iscrowd,
            "bbox": masks.boxes(),
            "area": masks.areas(),
        },
        schema=INSTANCES,
    )


def open_map(path: Path, record: str) -> NDArray[Any]:
    """Pixel values (H, W) of an index image; raises `Unusable` where there are none."""
    if not path.is_file():
        raise Unusable(path, record, "the label image does not exist")
    try:
        return stored_values(path)
    except InputError as error:
        raise Unusable(path, record, str(error).removeprefix(f"{path}: ")) from error


def usable(
    work: Callable[[Item], Result], items: Sequence[Item], reading: Reading, label: str
) -> Iterator[tuple[int, Result]]:
    """Place of each item and what ``work`` makes of it, in order, worked on by a few threads.

    Where ``work`` raises `Unusable`, the reading refuses the record and the item is left out.
    """

    def attempt(item: Item) -> Result | Unusable:
        try:
            return work(item)
        except Unusable as fault:
            return fault

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for place, result in enumerate(pool.map(attempt, items)):
            reading.step(label, place + 1, len(items))
            if isinstance(result, Unusable):
                # the path of a strict refusal names the image; a list of faults has no paths
                record = result.record or ("" if reading.strict else str(items[place]))
                reading.refuse("unusable image", record, result.message, path=result.path)
            else:
                yield place, result
