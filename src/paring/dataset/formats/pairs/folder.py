"""Folders of images and masks: black and white masks, or label maps with a value per class.

The mask of an image has the image's name (see `paring.dataset.formats.pairs_layout` for the known
folders and endings). Masks in JPEG are black and white: what is bright is foreground.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.formats.indexed import (
    IndexRuns,
    Unusable,
    index_runs,
    instance_frame,
    mask_store,
    open_map,
    usable,
)
from paring.dataset.formats.pairs.layout import (
    Layout,
    Pair,
    find_folders,
    looks_like_pairs,
    match,
)
from paring.dataset.formats.pairs.values import THRESHOLD, Meaning, Names, meaning_of, names_of
from paring.dataset.formats.pairs.writing import origin_of, write, write_part
from paring.dataset.formats.pictures import measure
from paring.dataset.labelmaps import VOID, LabelMaps
from paring.dataset.reading import Reading
from paring.dataset.table import CATEGORIES, IMAGES, Dataset
from paring.errors import InputError

__all__ = ["read", "recognise", "write", "write_part"]

_JPEG = (".jpg", ".jpeg")


@dataclass(frozen=True)
class _Mask:
    """What one mask holds: its values, and the runs of its regions with the value of each."""

    size: tuple[int, int]
    seen: frozenset[int]
    runs: IndexRuns
    values: NDArray[np.int64]

    def only(self, wanted: Sequence[int]) -> _Mask:
        """The same without the regions of other values."""
        rows = np.flatnonzero(np.isin(self.values, wanted))
        return _Mask(self.size, self.seen, self.runs.take(rows), self.values[rows])


def recognise(path: Path) -> bool:
    """A folder of images beside one of masks, whole or by split."""
    return looks_like_pairs(path)


def read(reading: Reading) -> Dataset:
    """Read images and masks: one instance per image and class, or label maps.

    With `components`, every 8-connected region of a class is an instance. A category id is the
    pixel value, counted down by one with `reduce_zero_label`; black and white masks have the
    categories 0 (background, in label maps only) and 1. All masks are read once, and only their
    run lengths are kept.
    """
    semantic = reading.task == "semantic"
    layout = find_folders(reading)
    pairs = match(reading, layout)
    names = names_of(reading, [reading.path, layout.masks.parent, layout.masks])
    work = _reader(reading, layout, names)
    places, masks = [], []
    for place, mask in usable(work, pairs, reading, "masks"):
        places.append(place)
        masks.append(mask)
    if not masks:
        raise InputError(f"{reading.path}: holds no masks that can be used")
    meaning = meaning_of(reading, names, [mask.seen for mask in masks])
    images = _image_frame(pairs, places, masks)
    kept = [mask.only(meaning.instance_values) for mask in masks]
    store = mask_store([mask.runs for mask in kept])
    owners = np.repeat(images["image_id"].to_numpy(), [len(mask.values) for mask in kept])
    values = [value for mask in kept for value in mask.values.tolist()]
    categories = _category_frame(meaning, with_background=semantic)
    instances = instance_frame(
        store,
        owners.tolist(),
        [meaning.category_of[value] for value in values],
        [False] * len(store),
    )
    files = [layout.masks / pairs[place].mask for place in places]
    origin = origin_of(reading.path, layout.masks, [pairs[p].mask for p in places], names.listed)
    return Dataset(
        images,
        instances,
        categories,
        store,
        label_maps=_label_maps(images, files, masks, meaning) if semantic else None,
        image_root=layout.images,
        origin=origin.bind(images, instances, categories, store),
    )


# -- one mask --------------------------------------------------------------------------------


def _reader(reading: Reading, layout: Layout, names: Names) -> Callable[[Pair], _Mask]:
    """What reads the mask of one pair."""

    def wanted(values: NDArray[Any]) -> NDArray[np.bool_]:
        if reading.task == "semantic":
            return np.zeros(values.shape, np.bool_)
        return np.isin(values, [0] * (not names.zero_is_class), invert=True)

    def work(pair: Pair) -> _Mask:
        path, record = layout.masks / pair.mask, f"image {pair.image}"
        values = _values(path, record)
        height, width = values.shape
        if layout.images is not None:
            size = measure(layout.images / pair.image, record)
            if size != (width, height):
                message = f"is {width} x {height} pixels, but the image is {size[0]} x {size[1]}"
                raise Unusable(path, record, message)
        seen = _distinct(values)
        unknown = [v for v in seen if v not in (0, VOID, reading.void) and v not in names]
        if unknown:
            last = names.first + len(names.listed) - 1
            message = f"holds pixel value {unknown[0]}, which is not in the class list"
            raise Unusable(path, record, f"{message} ({names.first} to {last})")
        if reading.components:
            runs, owners = _components(values, wanted)
        else:
            runs = index_runs(values, wanted)
            owners = runs.numbers
        return _Mask((height, width), frozenset(seen), runs, owners)

    return work


def _values(path: Path, record: str) -> NDArray[Any]:
    """Pixel values (H, W) of a mask; those of a JPEG are 0 and 1."""
    values = open_map(path, record)
    if path.suffix.lower() in _JPEG:
        return (values >= THRESHOLD).astype(np.uint8)
    if values.dtype == np.bool_:
        return values.view(np.uint8)
    if values.dtype.kind not in "ui" or (values.size and values.min() < 0):
        raise Unusable(path, record, "holds fractions or negative numbers; classes are 0, 1, 2 ...")
    return values


def _distinct(values: NDArray[Any]) -> list[int]:
    if values.dtype == np.uint8:  # several times the pace of a sort
        found: list[int] = np.flatnonzero(np.bincount(values.reshape(-1), minlength=256)).tolist()
        return found
    return [int(value) for value in np.unique(values)]


def _components(
    values: NDArray[Any], wanted: Callable[[NDArray[Any]], NDArray[np.bool_]]
) -> tuple[IndexRuns, NDArray[np.int64]]:
    """The 8-connected regions of each wanted value, and their values."""
    import cv2

    regions = np.zeros(values.shape, np.int32)
    owners: list[int] = []
    distinct = np.array(_distinct(values), np.int64)
    for value in distinct[wanted(distinct)].tolist():
        count, found = cv2.connectedComponents((values == value).astype(np.uint8), connectivity=8)
        np.add(found, len(owners), out=regions, where=found > 0, dtype=np.int32)
        owners += [value] * (count - 1)
    return index_runs(regions, lambda numbers: numbers > 0), np.array(owners, np.int64)


# -- frames ----------------------------------------------------------------------------------


def _image_frame(
    pairs: Sequence[Pair], places: Sequence[int], masks: Sequence[_Mask]
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "image_id": [place + 1 for place in places],
            "file_name": [pairs[place].image for place in places],
            "width": [mask.size[1] for mask in masks],
            "height": [mask.size[0] for mask in masks],
        },
        schema=IMAGES,
    )


def _category_frame(meaning: Meaning, *, with_background: bool) -> pl.DataFrame:
    ids = [c for c in sorted(meaning.names) if with_background or c != meaning.background]
    return pl.DataFrame(
        {"category_id": ids, "name": [meaning.names[c] for c in ids]}, schema=CATEGORIES
    )


def _label_maps(
    images: pl.DataFrame, files: Iterable[Path], masks: Iterable[_Mask], meaning: Meaning
) -> LabelMaps:
    paths = [str(path) for path in files]
    jpeg = [path.lower().endswith(_JPEG) for path in paths]
    if max(meaning.names) >= VOID:
        raise InputError(f"{paths[0]}: label maps hold {VOID} classes, 0 to {VOID - 1}")
    if any(jpeg):
        for path, mask, noisy in zip(paths, masks, jpeg, strict=True):
            if not noisy and not mask.seen <= {0, 255}:
                raise InputError(f"{path}: among masks in JPEG, others hold 0 and 255 alone")
    frame = pl.DataFrame({"image_id": images["image_id"], "path": paths})
    return LabelMaps(frame, meaning.lookup(jpeg=any(jpeg)))
