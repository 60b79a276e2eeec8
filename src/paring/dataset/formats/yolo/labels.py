"""Lines of YOLO label files: a class, then a polygon or a box in shares of the image's size."""

from __future__ import annotations

from array import array
from collections.abc import Container
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.masks import MaskStore

LOWEST, HIGHEST = -1.0, 2.0
"""Coordinates beyond these are no shares of an image's size."""

MOST_CLASSES = 10_000
"""Class numbers that are believed."""

_BOX, _SHORTEST = 5, 7  # numbers in a line: class and box, class and three points


@dataclass
class Labels:
    """The instances of all label files read so far, in flat columns.

    `values` holds x, y, x, y, ... of polygons, and centre and size of boxes; `lengths` how many
    values each instance has, 4 for a box; `texts` each line as it came.
    """

    values: array[float] = field(default_factory=lambda: array("d"))
    lengths: list[int] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    texts: list[bytes] = field(default_factory=list)

    def add(self, owner: int, line: bytes, known: Container[int] | None) -> str | None:
        """Take a line of the image `owner`; gives what is odd about it, if anything.

        Raises ``ValueError`` saying what makes it unusable.
        """
        number, values = parse(line)
        if known is not None and number not in known:
            raise ValueError(f"class {number} is not in the list of names")
        self.owners.append(owner)
        self.classes.append(number)
        self.lengths.append(len(values))
        self.values.extend(values)
        self.texts.append(line)
        if len(values) == _BOX - 1:
            return "box without a mask"
        return "point outside the image" if min(values) < 0 or max(values) > 1 else None

    def geometry(
        self, widths: NDArray[np.int64], heights: NDArray[np.int64]
    ) -> tuple[MaskStore, NDArray[np.float64], NDArray[np.float64]]:
        """Masks, boxes (n, 4) and areas (n,) in pixels; sizes are those of each one's image."""
        pairs = np.array(self.values, np.float64).reshape(-1, 2)
        counts = np.array(self.lengths, np.int64) // 2
        size = np.stack((widths, heights), axis=1).astype(np.float64)
        pairs *= np.repeat(size, counts, axis=0)
        is_box = counts == (_BOX - 1) // 2
        of_box = np.repeat(is_box, counts)
        masks = MaskStore(
            points=pairs[~of_box],
            part_offsets=ragged.offsets_of(counts[~is_box]),
            instance_parts=ragged.offsets_of((~is_box).astype(np.int64)),
            counts=np.empty(0, np.uint32),
            count_offsets=np.zeros(len(counts) + 1, np.int64),
            heights=heights.astype(np.int32),
            widths=widths.astype(np.int32),
        )
        boxes, areas = masks.boxes(), masks.areas()
        centre, sides = pairs[of_box].reshape(-1, 2, 2).swapaxes(0, 1)
        boxes[is_box] = np.concatenate((centre - sides / 2, sides), axis=1)
        areas[is_box] = sides.prod(axis=1)
        return masks, boxes, areas


def parse(line: bytes) -> tuple[int, list[float]]:
    """Class number and values of a line; ``ValueError`` says what is wrong with it.

    >>> parse(b"3 0.5 0.5 0.25 0.25")
    (3, [0.5, 0.5, 0.25, 0.25])
    """
    words = line.removeprefix(b"\xef\xbb\xbf").split()
    try:
        if b"_" in line:  # Python would take it for a mark between digits
            raise ValueError
        number, *values = map(float, words)
    except ValueError:
        raise ValueError("holds something else than numbers") from None
    if not isfinite(sum(values, number)):
        raise ValueError("holds a number that is not finite")
    if not 0 <= number < MOST_CLASSES or number != int(number):
        class_text = words[0].decode()[:40]
        raise ValueError(f"class {class_text} is not a whole number below {MOST_CLASSES:,}")
    if len(words) != _BOX and (len(words) < _SHORTEST or len(words) % 2 == 0):
        raise ValueError(
            f"holds {len(words)} numbers; it needs a class and x y of three points or more, or a "
            "class and the x y width height of a box"
        )
    if min(values) < LOWEST or max(values) > HIGHEST:
        raise ValueError(
            "holds a coordinate far outside the image; they are shares of its width and height, "
            "0 to 1, not pixels"
        )
    if len(words) == _BOX and min(values[2:]) < 0:
        raise ValueError("holds a box of negative size")
    return int(number), values
