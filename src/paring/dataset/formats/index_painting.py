"""Masks painted into index images, and what of them does not survive it.

A pixel of an index image has one owner. Instances are painted large first, so that what is small
stays visible; what they take from each other is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paring.dataset.labelmaps import LARGEST_IMAGE, LARGEST_SIDE, VOID
from paring.dataset.table import Dataset
from paring.errors import InputError

MOST = 254
"""Numbers that an 8-bit index image can give: 0 is background, 255 void."""


@dataclass(frozen=True, eq=False)
class Painted:
    """The maps of one image, uint8 (H, W) both, and the losses of painting it.

    `objects` holds the number of each pixel's instance within the image, from 1 on in the order
    of the data set; `classes` its class. Background is 0 and void 255 in both.
    """

    objects: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    losses: Counter[str]


def paint(data: Dataset, class_of: Mapping[int, int]) -> Iterator[Painted]:
    """The maps of each image in turn; ``class_of`` gives the pixel value of a category id.

    Crowd regions become void under whatever instance lies on them. Instances past the 254th of
    an image have their class painted, but are void in the map of objects.

    Raises `InputError` where an image is too large for a map.
    """
    order = np.argsort(data.image_rows, kind="stable")
    bounds = np.searchsorted(data.image_rows[order], np.arange(len(data) + 1))
    classes = np.array([class_of[c] for c in data.instances["category_id"]], np.int64)
    crowds, areas = data.instances["iscrowd"].to_numpy(), data.masks.areas()
    for image, name in enumerate(data.images["file_name"]):
        canvas = _Canvas(_size(data, image, name))
        rows = order[bounds[image] : bounds[image + 1]]
        for row in rows[crowds[rows]]:
            canvas.void(data.masks.crop(row))
        drawn = rows[~crowds[rows] & ~data.masks.is_empty[rows]]
        numbers = {int(row): number for number, row in enumerate(drawn, start=1)}
        for row in drawn[np.argsort(-areas[drawn], kind="stable")]:
            canvas.add(data.masks.crop(row), numbers[int(row)], int(classes[row]))
        crowd_count = int(crowds[rows].sum())
        yield canvas.finish(
            {
                "crowd instances": crowd_count,
                "instances without a mask": len(rows) - crowd_count - len(drawn),
            }
        )


def _size(data: Dataset, image: int, name: str) -> tuple[int, int]:
    height, width = data.images["height"][image], data.images["width"][image]
    large = max(height, width) > LARGEST_SIDE or height * width > LARGEST_IMAGE
    if min(height, width) < 1 or large:
        raise InputError(f"image {name!r}: cannot paint a map of {width} x {height} pixels")
    return height, width


class _Canvas:
    """The maps of an image while they are painted."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.objects = np.zeros(size, np.uint8)
        self.classes = np.zeros(size, np.uint8)
        self.claimed = np.zeros(size, np.uint8)
        self.seen: list[int] = []
        self.losses: Counter[str] = Counter()

    def void(self, crop: tuple[int, int, NDArray[np.uint8]]) -> None:
        """A region that belongs to nobody."""
        window, inside = self._place(crop)
        self.objects[window][inside] = VOID
        self.classes[window][inside] = VOID

    def add(self, crop: tuple[int, int, NDArray[np.uint8]], number: int, value: int) -> None:
        """An instance, over whatever was painted before."""
        window, inside = self._place(crop)
        if not inside.any():
            self.losses["instances without a pixel"] += 1
            return
        if number > MOST:
            self.losses["instances past the 254th of an image"] += 1
        else:
            self.seen.append(number)
        self.objects[window][inside] = min(number, VOID)
        self.classes[window][inside] = value
        claimed = self.claimed[window]
        claimed[inside] = np.minimum(claimed[inside] + 1, 2)

    def _place(
        self, crop: tuple[int, int, NDArray[np.uint8]]
    ) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
        """Window of the maps that a bitmap covers, and which of its pixels the bitmap fills."""
        top, left, bitmap = crop
        height, width = self.objects.shape
        inside = bitmap[: max(height - top, 0), : max(width - left, 0)] != 0
        return (
            slice(top, top + inside.shape[0]),
            slice(left, left + inside.shape[1]),
        ), inside

    def finish(self, losses: Mapping[str, int]) -> Painted:
        """The maps as they are now, with all losses."""
        visible = np.bincount(self.objects.reshape(-1), minlength=VOID + 1) > 0
        self.losses["overlapping pixels"] = int((self.claimed > 1).sum())
        self.losses["instances hidden by others"] = int((~visible[self.seen]).sum())
        return Painted(self.objects, self.classes, +(self.losses + Counter(losses)))


def palette() -> NDArray[np.uint8]:
    """VOC's 256 colours (256, 3).

    The bits of the number are dealt to red, green and blue in turn, each filling its channel from
    the highest bit down.

    >>> palette()[[1, 2, 15, 255]].tolist()
    [[128, 0, 0], [0, 128, 0], [192, 128, 128], [224, 224, 192]]
    """
    number = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for place in range(8):
        for channel in range(3):
            bit = (number >> (3 * place + channel)) & 1
            colours[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return colours


@cache
def _palette_bytes() -> bytes:
    return palette().tobytes()


def save_map(path: Path, values: NDArray[np.uint8]) -> None:
    """Write an index image as an 8-bit PNG in VOC's colours."""
    from PIL import Image

    picture = Image.fromarray(values)
    picture.putpalette(_palette_bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, format="PNG")
