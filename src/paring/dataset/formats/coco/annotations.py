"""The annotations of a COCO file, chunk by chunk, into columns, masks and kept texts."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, cast

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.formats.coco.geometry import parse
from paring.dataset.formats.coco.records import Id, decoded, listed, name_of
from paring.dataset.masks import MaskStore
from paring.dataset.origin import Records
from paring.dataset.reading import Reading
from paring.dataset.table import INSTANCES

CHUNK = 20_000
NO_AREA = "area of zero or less"


class Annotation(msgspec.Struct, gc=False):
    """What an annotation must or may say; anything else stays in its text."""

    image_id: Id
    category_id: Id
    id: Id | None = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")
    bbox: list[float] | None = None
    area: float | None = None
    iscrowd: bool | int | None = 0
    ignore: bool | int | None = None
    score: float | None = None


_FIELDS = Annotation.__struct_fields__
_VALUES = attrgetter(*_FIELDS)


def read_annotations(
    raw: Any, images: pl.DataFrame, categories: pl.DataFrame, reading: Reading
) -> tuple[pl.DataFrame, MaskStore, Records]:
    """The instances frame, the masks and the texts of all usable annotations."""
    raws = listed(raw, "annotations", reading)
    table = _Table(images, categories, reading)
    with _no_collection():
        for first in range(0, len(raws), CHUNK):
            part = raws[first : first + CHUNK]
            raws[first : first + CHUNK] = [msgspec.Raw()] * len(part)  # let go of what is done
            records, rows = decoded(part, Annotation, "annotation", reading, first)
            if records:
                table.add(records, [part[row] for row in rows], first + np.array(rows))
            reading.step("reading annotations", first + len(part), len(raws))
    return table.finish()


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection while records, which hold no cycles, come by the hundred thousand."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Table:
    def __init__(self, images: pl.DataFrame, categories: pl.DataFrame, reading: Reading) -> None:
        self.reading = reading
        ids = images["image_id"].to_numpy()
        self.order = np.argsort(ids, kind="stable")
        self.image_ids = ids[self.order]
        self.widths = images["width"].to_numpy()
        self.heights = images["height"].to_numpy()
        self.category_ids = categories["category_id"].to_numpy()
        self.columns: list[pl.DataFrame] = [pl.DataFrame(schema=INSTANCES)]
        self.masks: list[MaskStore] = []
        self.texts: list[Records] = []
        self.rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]

    def add(self, records: list[Annotation], raws: list[msgspec.Raw], rows: NDArray[Any]) -> None:
        """Take in one chunk of annotations, with their texts and their rows in the file."""
        columns = dict(zip(_FIELDS, zip(*map(_VALUES, records), strict=True), strict=True))
        image_id = np.array(columns["image_id"], np.int64)
        category_id = np.array(columns["category_id"], np.int64)
        place = np.searchsorted(self.image_ids, image_id).clip(max=len(self.image_ids) - 1)
        image = self.order[place]
        width, height = self.widths[image], self.heights[image]
        geometry = parse(columns["segmentation"], height, width)
        bbox, faults = _boxes(columns["bbox"])
        faults |= geometry.faults
        for k in np.flatnonzero(~np.isin(category_id, self.category_ids)).tolist():
            faults[k] = f"names category {category_id[k]}, which is not there"
        for k in np.flatnonzero(self.image_ids[place] != image_id).tolist():
            faults[k] = f"names image {image_id[k]}, which is not there"
        for k in sorted(faults):
            name = name_of("annotation", int(rows[k]), raws[k])
            self.reading.refuse("unusable annotation", name, faults[k])

        masks = geometry.masks
        area = np.array([np.nan if v is None else v for v in columns["area"]])
        if np.isnan(bbox).any():
            bbox = np.where(np.isnan(bbox), masks.boxes(), bbox)
        if np.isnan(area).any():
            area = np.where(np.isnan(area), masks.areas(), area)
        size = np.stack((width, height), axis=1)
        outside = ((bbox[:, :2] < -0.5) | (bbox[:, :2] + bbox[:, 2:] > size + 0.5)).any(axis=1)
        for kind, odd in (
            *geometry.oddities.items(),
            (NO_AREA, np.flatnonzero(area <= 0).tolist()),
            ("box outside the image", np.flatnonzero(outside).tolist()),
        ):
            names = (f"annotation {rows[k]} (id {records[k].id})" for k in odd if k not in faults)
            self.reading.note(kind, names, kind)

        frame = _frame(columns, image_id, category_id, bbox, area)
        if faults:
            kept = np.setdiff1d(np.arange(len(records)), np.fromiter(faults, np.int64))
            frame, masks, rows = frame[kept], masks.take(kept), rows[kept]
            raws = [raws[k] for k in kept]
        self.columns.append(frame)
        self.masks.append(masks)
        self.texts.append(Records.of(raws))
        self.rows.append(rows)

    def finish(self) -> tuple[pl.DataFrame, MaskStore, Records]:
        """The whole table, every id there and there once."""
        frame = pl.concat(self.columns, how="diagonal", rechunk=True)
        if "ignore" in frame.columns:
            frame = frame.with_columns(pl.col("ignore").fill_null(False))
        masks, texts, rows = (
            MaskStore.concat(self.masks),
            Records.concat(self.texts),
            np.concatenate(self.rows),
        )
        ids = frame["instance_id"]
        wrong = np.flatnonzero((ids.is_null() | ~ids.is_first_distinct()).to_numpy())
        if not len(wrong):
            return frame, masks, texts
        if self.reading.repair:
            frame, texts = _renumbered(frame, texts, wrong)
            self.reading.mended.append(f"{len(wrong):,} annotation ids given anew")
            return frame, masks, texts
        for k in wrong.tolist():
            found = "" if ids[k] is None else f" (id {ids[k]})"
            message = "has no id" if ids[k] is None else "this id occurs twice"
            self.reading.refuse("annotation id", f"annotation {rows[k]}{found}", message)
        kept = np.setdiff1d(np.arange(len(frame)), wrong)
        return frame[kept], masks.take(kept), texts.take(kept)


def _boxes(
    boxes: Sequence[list[float] | None],
) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Annotated boxes (n, 4), NaN where there is none, and those of a wrong length by row."""
    faults = {}
    if not all(boxes) or {4} != set(map(len, cast("Sequence[list[float]]", boxes))):
        whole: list[list[float]] = []
        for k, box in enumerate(boxes):
            if box and len(box) != 4:
                faults[k] = f"`bbox` has {len(box)} numbers instead of 4"
            whole.append(box if box and len(box) == 4 else [np.nan] * 4)
        boxes = whole
    return np.array(boxes, np.float64), faults


def _frame(
    columns: dict[str, tuple[Any, ...]],
    image_id: NDArray[np.int64],
    category_id: NDArray[np.int64],
    bbox: NDArray[np.float64],
    area: NDArray[np.float64],
) -> pl.DataFrame:
    frame = {
        "instance_id": pl.Series(columns["id"], dtype=pl.Int64),
        "image_id": pl.Series(image_id),
        "category_id": pl.Series(category_id),
        "iscrowd": pl.Series(list(map(bool, columns["iscrowd"])), dtype=pl.Boolean),
        "bbox": pl.Series(bbox, dtype=pl.Array(pl.Float64, 4)),
        "area": pl.Series(area, dtype=pl.Float64),
    }
    if set(columns["score"]) != {None}:
        frame["score"] = pl.Series(columns["score"], dtype=pl.Float64)
    if set(columns["ignore"]) != {None}:
        frame["ignore"] = pl.Series(list(map(bool, columns["ignore"])), dtype=pl.Boolean)
    return pl.DataFrame(frame)


def _renumbered(
    frame: pl.DataFrame, texts: Records, wrong: NDArray[np.int64]
) -> tuple[pl.DataFrame, Records]:
    """The same with fresh ids in the given rows, in the frame and in the kept texts."""
    ids = frame["instance_id"].to_list()
    fresh = max((i for i in ids if i is not None), default=0)
    for number, k in enumerate(wrong.tolist(), start=fresh + 1):
        ids[k] = number
    edited = iter(texts.take(wrong).with_fields({"id": [ids[k] for k in wrong.tolist()]}))
    changed = set(wrong.tolist())
    written = [next(edited) if k in changed else text for k, text in enumerate(texts)]
    column = pl.Series("instance_id", ids, dtype=pl.Int64)
    return frame.with_columns(column), Records.of(written)
