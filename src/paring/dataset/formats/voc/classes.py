"""Which pixel value of a VOC folder means which class."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from paring.dataset.formats.index_painting import MOST
from paring.dataset.formats.names import BACKGROUND, NAME_FILES, read_text
from paring.errors import InputError

NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
"""The classes of VOC 2012, which have the pixel values 1 to 20."""

_VOID = ("__ignore__", "void")
_BACKGROUND = (BACKGROUND, "_background_", "__background__")


def read_names(root: Path) -> tuple[str, ...]:
    """Names of the classes 1, 2, ... of a VOC folder: from its own list, or VOC's.

    Lines for void and background at the head of the list are passed over.
    """
    for path in (root / name for name in NAME_FILES):
        if not path.is_file():
            continue
        names = [line.rstrip("\r") for line in read_text(path).rstrip().split("\n")]
        for heads in (_VOID, _BACKGROUND):
            if names and names[0] in heads:
                del names[0]
        if len(names) > MOST:
            raise InputError(f"{path}: names {len(names)} classes; a VOC map holds {MOST}")
        return tuple(names)
    return NAMES


def name_of(value: int, names: tuple[str, ...]) -> str:
    """Name of a pixel value, ``class N`` where the list has none for it."""
    return (names[value - 1] if value <= len(names) else "") or f"class {value}"


def numbering(categories: pl.DataFrame) -> tuple[dict[int, int], list[str] | None]:
    """Pixel value of each category id, and the names in order of their values.

    VOC's own classes keep their values and need no names (None). Others keep their ids where
    those are 1, 2, ..., and else are counted by their place in the frame. Raises `InputError`
    where there are more than an 8-bit map can tell apart, or where a name spans lines.
    """
    pairs: list[tuple[int, str]] = list(categories.select("category_id", "name").iter_rows())
    if all(1 <= i <= len(NAMES) and NAMES[i - 1] == name for i, name in pairs):
        return {i: i for i, _ in pairs}, None
    if len(pairs) > MOST:
        raise InputError(f"{len(pairs)} categories cannot be written as VOC, which holds {MOST}")
    for _, name in pairs:
        if "\n" in name or "\r" in name:
            raise InputError(f"category {name!r} cannot be written as VOC: its name spans lines")
    if {i for i, _ in pairs} == set(range(1, len(pairs) + 1)):
        pairs.sort()
    return {i: value for value, (i, _) in enumerate(pairs, start=1)}, [name for _, name in pairs]
