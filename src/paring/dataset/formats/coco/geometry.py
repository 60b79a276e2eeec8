"""COCO's `segmentation` values into flat buffers, thousands at a time.

Polygons that are written as they should be (lists of lists of numbers) are never taken apart in
Python: brackets and commas are found with NumPy, and one simdjson parse turns all numbers of the
chunk into one float64 buffer. Whatever is not plain goes through `_one`, which says what is wrong.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import simdjson
from numpy.typing import NDArray

from paring.dataset import ragged, rle
from paring.dataset.formats.coco.records import UNREADABLE
from paring.dataset.masks import MaskStore

FARTHEST = 1e8
"""Largest coordinate, in pixels either side of the origin, that is believed."""

EMPTY = "empty segmentation"
FEW_POINTS = "polygon part with fewer than 3 points"

_NUMBER, _OPEN, _CLOSE, _COMMA, _SPACE, _ALIEN = range(6)  # the marks lie together
_classes = bytearray([_ALIEN]) * 256
for _chars, _class in (
    (b"0123456789+-.eE", _NUMBER),
    (b"[", _OPEN),
    (b"]", _CLOSE),
    (b",", _COMMA),
    (b" \t\r\n", _SPACE),
):
    for _char in _chars:
        _classes[_char] = _class
_CLASS = bytes(_classes)
_NO_BRACKETS = bytes.maketrans(b"[]", b"  ")


class _Rle(msgspec.Struct, gc=False):
    size: list[int]
    counts: str | list[int]


@dataclass
class Geometry:
    """Masks of a chunk; `faults` names what is wrong with a row (its mask is then empty)."""

    masks: MaskStore
    faults: dict[int, str] = field(default_factory=dict)
    oddities: dict[str, list[int]] = field(default_factory=dict)


def parse(
    segmentations: Sequence[Any], heights: NDArray[np.int64], widths: NDArray[np.int64]
) -> Geometry:
    """Masks of n segmentations given as JSON text, in images of the given sizes (n,)."""
    lengths = ragged.byte_lengths(segmentations)
    text = b",".join(segmentations)
    starts = ragged.offsets_of(lengths + 1)[:-1]
    heads = np.frombuffer(text, np.uint8)[starts] if len(starts) else np.empty(0, np.uint8)
    out = Geometry(MaskStore.from_polygons([], heights=[], widths=[]))
    stores, rows = [], []

    listed = np.flatnonzero(heads == ord("["))
    if len(listed):
        if len(listed) < len(segmentations):
            text = b",".join([segmentations[k] for k in listed.tolist()])
            starts = ragged.offsets_of(lengths[listed] + 1)[:-1]
        store, plain = _plain_polygons(text, starts, heights[listed], widths[listed])
        stores.append(store)
        rows.append(listed[plain])
        listed = np.delete(listed, plain)
    coded = np.flatnonzero(heads == ord("{"))
    rest = np.flatnonzero(~np.isin(heads, (ord("["), ord("{"))))
    rest = np.concatenate((rest, listed))
    for subset, reader in ((coded, _run_lengths), (rest, _one_by_one)):
        if len(subset):
            texts = [segmentations[k] for k in subset.tolist()]
            store, faults = reader(texts, heights[subset], widths[subset])
            out.faults |= {int(subset[k]): message for k, message in faults.items()}
            stores.append(store)
            rows.append(subset)
    order = np.argsort(np.concatenate(rows), kind="stable") if rows else np.empty(0, np.int64)
    out.masks = MaskStore.concat(stores).take(order)
    _inspect(out)
    return out


def _inspect(out: Geometry) -> None:
    """What is wrong or odd with coordinates and parts, over the whole chunk."""
    masks = out.masks
    wild = ~(np.abs(masks.points) <= FARTHEST).all(axis=1)
    if wild.any():
        part = np.searchsorted(masks.part_offsets, np.flatnonzero(wild), side="right") - 1
        for point, p in zip(np.flatnonzero(wild), part, strict=True):
            row = int(np.searchsorted(masks.instance_parts, p, side="right")) - 1
            x, y = masks.points[point]
            out.faults.setdefault(row, f"coordinate ({x:g}, {y:g}) cannot be in an image")
    short = np.flatnonzero(np.diff(masks.part_offsets) < 3)
    if len(short):
        odd = np.searchsorted(masks.instance_parts, short, side="right") - 1
        out.oddities[FEW_POINTS] = sorted({int(row) for row in odd})
    empty = [int(row) for row in np.flatnonzero(masks.is_empty) if int(row) not in out.faults]
    if empty:
        out.oddities[EMPTY] = empty


def _plain_polygons(
    text: bytes, starts: NDArray[np.int64], heights: NDArray[Any], widths: NDArray[Any]
) -> tuple[MaskStore, NDArray[np.int64]]:
    """Masks of those segmentations that are lists of lists of numbers, and which they are."""
    kinds = np.frombuffer(text.translate(_CLASS), np.uint8)
    marks = np.flatnonzero(kinds - np.uint8(_OPEN) <= _COMMA - _OPEN)  # below 0 wraps round
    kind = kinds[marks]
    depth = np.cumsum((kind == _OPEN).astype(np.int8) - (kind == _CLOSE), dtype=np.int32)
    after = np.append(kind[1:], _COMMA)
    before = np.append(np.uint8(_COMMA), kind[:-1])
    # a list opens into numbers (depth 2) or into lists (depth 1), and commas agree with that
    strange = (depth > 2) | ((kind == _OPEN) & (after == _CLOSE))
    strange |= (kind == _OPEN) & (depth == 1) & (after != _OPEN)
    strange |= (kind == _COMMA) & (depth == 1) & ((before != _CLOSE) | (after != _OPEN))
    strange |= (kind == _COMMA) & (depth == 2) & ((before == _CLOSE) | (after == _OPEN))
    strange |= (kind == _CLOSE) & (depth == 0) & (before != _CLOSE)
    places = np.concatenate((marks[strange], np.flatnonzero(kinds == _ALIEN)))
    bad = np.zeros(len(starts), dtype=bool)
    bad[np.searchsorted(starts, places, side="right") - 1] = True

    # numbers of a part: its commas and one; parts of an instance: its lists at depth 2
    opens = np.flatnonzero((kind == _OPEN) & (depth == 2))
    closes = np.flatnonzero((kind == _CLOSE) & (depth == 1))
    if len(opens) == len(closes) and not bad.all():
        numbers = closes - opens
        owner = np.searchsorted(starts, marks[opens], side="right") - 1
        bad[owner[numbers % 2 == 1]] = True
    if bad.any():
        good = np.flatnonzero(~bad)
        stops = np.append(starts[1:] - 1, len(text))
        if not len(good):
            return MaskStore.from_polygons([], heights=[], widths=[]), good
        kept = b",".join([text[starts[k] : stops[k]] for k in good])
        fresh = ragged.offsets_of(stops[good] - starts[good] + 1)[:-1]
        store, plain = _plain_polygons(kept, fresh, heights[good], widths[good])
        return store, good[plain]

    flat = b"[" + text.translate(_NO_BRACKETS) + b"]"
    try:
        values = np.frombuffer(simdjson.Parser().parse(flat).as_buffer(of_type="d"), np.float64)  # type: ignore[union-attr]
    except (ValueError, RuntimeError):  # a number past its range somewhere: found one by one
        return MaskStore.from_polygons([], heights=[], widths=[]), np.empty(0, np.int64)
    store = MaskStore(
        points=values.reshape(-1, 2),
        part_offsets=ragged.offsets_of(numbers // 2),
        instance_parts=ragged.offsets_of(np.bincount(owner, minlength=len(starts))),
        counts=np.empty(0, np.uint32),
        count_offsets=np.zeros(len(starts) + 1, np.int64),
        heights=heights.astype(np.int32),
        widths=widths.astype(np.int32),
    )
    return store, np.arange(len(starts))


def _one_by_one(
    texts: Sequence[Any], heights: NDArray[Any], widths: NDArray[Any]
) -> tuple[MaskStore, dict[int, str]]:
    """Masks of segmentations that are not plain, and what is wrong with those that have none."""
    polygons: list[list[list[float]]] = []
    faults = {}
    for k, text in enumerate(texts):
        found = _one(text)
        if isinstance(found, str):
            faults[k], found = found, []
        polygons.append(found)
    return MaskStore.from_polygons(polygons, heights=heights, widths=widths), faults


def _one(text: Any) -> list[list[float]] | str:
    """The parts of one polygon segmentation, or what is wrong with it."""
    try:
        value = msgspec.json.decode(text)
    except UNREADABLE as error:
        return f"segmentation cannot be read ({error})"
    if value is None:
        return []
    if not isinstance(value, list):
        return "segmentation is neither a list of polygons nor run lengths"
    if value and not any(isinstance(part, list) for part in value):
        return "segmentation is a flat list; each polygon is a list of its own ([[x, y, ...]])"
    parts = []
    for part in value:
        if not isinstance(part, list):
            return f"segmentation mixes polygons with {part!r:.40}"
        for number in part:
            if isinstance(number, bool) or not isinstance(number, (int, float)):
                return f"coordinate {number!r:.40} is not a finite number"
            if not math.isfinite(number):
                return f"coordinate {number} is not a finite number"
        if len(part) % 2:
            return f"polygon of {len(part)} numbers; it takes an even count (x, y, x, y, ...)"
        if part:
            parts.append(part)
    return parts


def _run_lengths(
    texts: Sequence[Any], heights: NDArray[Any], widths: NDArray[Any]
) -> tuple[MaskStore, dict[int, str]]:
    """Masks of run-length segmentations, and what is wrong with those that have none."""
    faults: dict[int, str] = {}
    runs: list[NDArray[np.uint32]] = [np.empty(0, np.uint32)] * len(texts)
    decoder = msgspec.json.Decoder(_Rle)
    packed: dict[int, bytes] = {}
    plain: dict[int, list[int]] = {}
    for k, text in enumerate(texts):
        try:
            coded = decoder.decode(text)
        except UNREADABLE as error:
            faults[k] = f"run lengths cannot be read ({error})"
            continue
        if coded.size != [heights[k], widths[k]]:
            faults[k] = (
                f"run lengths of size {coded.size} in an image of height {heights[k]} and width "
                f"{widths[k]}"
            )
        elif isinstance(coded.counts, str):
            packed[k] = coded.counts.encode(errors="replace")
        else:
            plain[k] = coded.counts
    for k, counts in plain.items():
        try:
            runs[k] = np.array(counts, np.uint32)
        except OverflowError:
            faults[k] = "a run length is negative or too large"
    for k, found in _unpacked(packed, faults):
        runs[k] = found
    for k, found in enumerate(runs):
        total, pixels = int(found.sum(dtype=np.int64)), int(heights[k]) * int(widths[k])
        if k not in faults and total != pixels:
            faults[k] = f"run lengths add up to {total:,} pixels; the image has {pixels:,}"
            runs[k] = np.empty(0, np.uint32)
    return MaskStore.from_runs(runs, heights=heights, widths=widths), faults


def _unpacked(
    packed: dict[int, bytes], faults: dict[int, str]
) -> list[tuple[int, NDArray[np.uint32]]]:
    """Run lengths of compressed texts by row; texts that are no such code become faults."""
    while packed:
        rows = list(packed)
        try:
            counts, offsets = rle.decode_text(list(packed.values()))
        except ValueError as error:
            wrong = rows[error.args[0]]
            faults[wrong] = "compressed run lengths cannot be decoded"
            del packed[wrong]
            continue
        negative = ragged.reduce(np.minimum, counts, offsets) < 0
        large = ragged.reduce(np.maximum, counts, offsets) >= 2**32
        for k in np.flatnonzero(negative | large):
            faults[rows[k]] = "a run length is negative or too large"
        chunks = np.split(counts, offsets[1:-1])
        return [
            (row, chunk.astype(np.uint32))
            for row, chunk in zip(rows, chunks, strict=True)
            if row not in faults
        ]
    return []
