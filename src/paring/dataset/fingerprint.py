"""A hash of what a data set says, whatever the order of its records.

Each record becomes one 64-bit number; the sorted numbers of all records go through BLAKE2b. Two
data sets of equal records have equal fingerprints, on every machine and in every version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.masks import MaskStore
from paring.dataset.ragged import Offsets

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 2**18


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread every bit of each number over all of its bits (the splitmix64 finaliser)."""
    z = values ^ (values >> np.uint64(30))
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def _bits(values: NDArray[Any]) -> NDArray[np.uint64]:
    if values.dtype.kind == "f":
        return (values.astype(np.float64) + 0.0).view(np.uint64)  # -0.0 counts as 0.0
    return values.astype(np.int64).view(np.uint64)


def _of_strings(values: Iterable[str]) -> NDArray[np.uint64]:
    digests = (hashlib.blake2b(v.encode(), digest_size=8).digest() for v in values)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _of_column(column: pl.Series) -> NDArray[np.uint64]:
    """One number per row of a column of numbers, texts or fixed-length arrays; nulls count."""
    missing = column.is_null().to_numpy()
    if column.dtype == pl.String:
        out = _of_strings(column.fill_null("").to_list())
    elif isinstance(column.dtype, pl.Array):
        table = _bits(np.asarray(column.to_numpy(), dtype=np.float64))
        out = np.zeros(len(column), np.uint64)
        for k in range(table.shape[1]):
            out = _mixed(out * _MULTIPLIER + table[:, k] + np.uint64(k + 1))
    else:
        out = _bits(column.fill_null(0).to_numpy())
    return np.where(missing, np.uint64(0xA5A5A5A5A5A5A5A5), out)


def _of_ragged(values: NDArray[Any], offsets: Offsets) -> NDArray[np.uint64]:
    """One number per row of a ragged array; every entry counts with its place in the row."""
    out = np.zeros(len(offsets) - 1, np.uint64)
    for first, stop in ragged.blocks(offsets, _BLOCK):
        bounds = offsets[first : stop + 1]
        place = np.arange(bounds[-1] - bounds[0]) - np.repeat(
            bounds[:-1] - bounds[0], np.diff(bounds)
        )
        entries = _bits(values[bounds[0] : bounds[-1]])
        entries = _mixed(entries + (place.view(np.uint64) + np.uint64(1)) * _MULTIPLIER)
        out[first:stop] = ragged.reduce(np.add, entries, bounds - bounds[0])
    return _mixed(out + np.diff(offsets).view(np.uint64) * _MULTIPLIER)


def of_masks(masks: MaskStore) -> NDArray[np.uint64]:
    """One number per mask (n,), from its vertices or its runs."""
    parts = _of_ragged(masks.points.reshape(-1), masks.part_offsets * 2)
    polygons = _of_ragged(parts.view(np.int64), masks.instance_parts)
    runs = _of_ragged(masks.counts, masks.count_offsets)
    return _mixed(polygons * np.uint64(3) + runs)


def of_frame(frame: pl.DataFrame, more: NDArray[np.uint64] | None = None) -> NDArray[np.uint64]:
    """One number per row of a frame; column names count, their order does not."""
    total = np.zeros(len(frame), np.uint64) if more is None else more.copy()
    for name in sorted(frame.columns):
        key = _of_strings([name])[0]
        total += _mixed(_of_column(frame[name]) ^ key)
    return _mixed(total)


def combine(tables: dict[str, NDArray[np.uint64]]) -> str:
    """Fingerprint (32 hexadecimal digits) of named sets of record numbers."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tables):
        numbers = np.sort(tables[name]).astype("<u8")
        digest.update(f"{name}:{len(numbers)};".encode())
        digest.update(numbers.tobytes())
    return digest.hexdigest()
