"""What the pixel values of masks mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paring.dataset.formats.names import NAME_FILES, read_text
from paring.dataset.labelmaps import VOID
from paring.dataset.reading import Reading
from paring.errors import InputError

BACKGROUND, FOREGROUND = "background", "foreground"
BACKGROUNDS = (BACKGROUND, "_background_", "__background__", "bg")
"""Names that make the first class the background."""

THRESHOLD = 128
"""Values from here on are foreground in a JPEG, whose values are never exact."""

MANY = 64
"""Different values of unnamed classes from which on soft edges are suspected."""


@dataclass(frozen=True)
class Names:
    """Names of the pixel values from `first` on; an empty list where nobody named them."""

    listed: tuple[str, ...]
    first: int

    @property
    def zero_is_class(self) -> bool:
        """Whether pixel value 0 is a class with instances of its own."""
        return bool(self.listed) and self.first == 0 and self.listed[0] not in BACKGROUNDS

    def __contains__(self, value: int) -> bool:
        return not self.listed or self.first <= value < self.first + len(self.listed)

    def __getitem__(self, value: int) -> str:
        if self.listed:
            return self.listed[value - self.first] or f"class {value}"
        return BACKGROUND if value == 0 and self.first == 0 else f"class {value}"


def names_of(reading: Reading, folders: Sequence[Path]) -> Names:
    """The class names that were given, or those of a list in one of the folders.

    They name pixel values 0, 1, ...; the first is the background if it is called so. A single
    name is that of value 1. With `reduce_zero_label` they name 1, 2, ..., as 0 is void then.
    """
    if isinstance(reading.classes, str):
        listed: tuple[str, ...] = (reading.classes,)
    elif reading.classes is not None:
        listed = tuple(reading.classes)
    else:
        paths = [folder / name for folder in folders for name in NAME_FILES]
        path = next((p for p in paths if p.is_file()), None)
        lines = read_text(path).rstrip().split("\n") if path is not None else []
        listed = tuple(line.strip() for line in lines)
        if path is not None:
            reading.say(f"class names taken from {path}")
    if reading.reduce_zero_label:
        return Names(listed, 1)
    return Names((BACKGROUND, *listed) if len(listed) == 1 else listed, 0)


@dataclass(frozen=True)
class Meaning:
    """Category id of each pixel value that has one, and names of the category ids."""

    category_of: dict[int, int]
    names: dict[int, str]
    background: int | None

    @property
    def instance_values(self) -> list[int]:
        """Pixel values whose regions are instances."""
        return [v for v, c in self.category_of.items() if c != self.background]

    def lookup(self, *, jpeg: bool) -> NDArray[np.int64]:
        """Category id of every pixel value, `VOID` where it has none (see `LabelMaps`)."""
        if jpeg:
            return (np.arange(256) >= THRESHOLD).astype(np.int64)
        table = np.full(max([VOID, *self.category_of]) + 1, VOID, np.int64)
        table[list(self.category_of)] = list(self.category_of.values())
        return table


def meaning_of(reading: Reading, names: Names, seen: Sequence[frozenset[int]]) -> Meaning:
    """What the values mean that were seen in each mask; decisions are said.

    Masks of two values, 0 and 1 or 0 and 255, are black and white. Otherwise each value is a
    class, and 255 is void unless `void` says what is, or there is a class 255 by name or beyond.
    """
    values = set().union(*seen) - {reading.void}
    binary = values <= {0, 1} or values <= {0, 255}
    if binary and len(names.listed) <= 2 and not reading.reduce_zero_label:
        known = {0: 0, 1: 1, 255: 1}
        known.pop(-1 if reading.void is None else reading.void, None)
        named = names.listed or (BACKGROUND, FOREGROUND)
        background = None if names.zero_is_class else 0
        return Meaning(known, dict(enumerate(named)), background)
    mixed = values == {0, 1, 255} and not any({1, 255} <= one for one in seen)
    if mixed and not names.listed and reading.void is None:
        raise InputError(
            f"{reading.path}: some masks hold 0 and 1, others 0 and 255; give void=255 if 255 is "
            "no class, or save all masks alike"
        )
    void = {reading.void}
    if reading.void is None and 255 in values and max(values) == 255 and len(names.listed) < 256:
        void = {255}
        reading.say("pixel value 255 taken for void: it is no class")
    if reading.reduce_zero_label:
        void.add(0)
    known_by_name = range(names.first, names.first + len(names.listed))
    always = [0] if names.first == 0 else []
    classes = sorted({*always, *known_by_name, *values} - void)
    if not names.listed and len(classes) > MANY:
        reading.say(
            f"masks hold {len(classes)} different values, each taken for a class; if they are "
            "black and white with soft edges, save them with two values"
        )
    category_of = {value: value - names.first for value in classes if value in names}
    background = None if names.zero_is_class or names.first else 0
    return Meaning(category_of, {c: names[v] for v, c in category_of.items()}, background)
