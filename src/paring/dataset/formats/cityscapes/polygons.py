"""Cityscapes polygons painted into an instance map, as the data set's own maps are made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from paring.dataset.formats.cityscapes.labels import SPAN, UNPAINTED, value_of
from paring.dataset.formats.indexed import Unusable
from paring.dataset.labelmaps import LARGEST_SIDE

LARGEST_PAINTED = 2**26
"""Pixels of the largest map that a polygon file can ask for; Cityscapes has 2**21."""

_FARTHEST = 1e6  # pixels from the corner; a vertex farther out is a broken number


class _Region(msgspec.Struct):
    label: str
    polygon: list[tuple[float, float]]
    deleted: bool | int = False


class _Drawing(msgspec.Struct):
    imgHeight: int
    imgWidth: int
    objects: list[_Region]


def paint_polygons(path: Path, record: str) -> NDArray[np.int32]:
    """Instance map (H, W) of a polygon file: label x 1000 + number, or the label of a crowd.

    Regions are painted in the order of the file, later over earlier ones; those of labels without
    instances cover what is under them and have the value 0. Raises `Unusable` naming the region.
    """
    from PIL import Image, ImageDraw

    drawing = _load(path, record)
    picture = Image.new("I", (drawing.imgWidth, drawing.imgHeight), 0)
    pen = ImageDraw.Draw(picture)
    counted: Counter[int] = Counter()
    for place, region in enumerate(drawing.objects):
        if region.deleted or region.label == UNPAINTED:
            continue
        value, crowd = _checked(region, path, f"{record}, object {place}")
        if value and not crowd:
            counted[value] += 1
            if counted[value] > SPAN:
                raise Unusable(path, record, f"has more than {SPAN} objects {region.label!r}")
            value = value * SPAN + counted[value] - 1
        pen.polygon(region.polygon, fill=value)
    return np.asarray(picture, np.int32)


def _load(path: Path, record: str) -> _Drawing:
    try:
        drawing = msgspec.json.decode(path.read_bytes(), type=_Drawing)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(path, record, f"is not a Cityscapes polygon file ({error})") from error
    height, width = drawing.imgHeight, drawing.imgWidth
    if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
        raise Unusable(path, record, f"cannot be {width} x {height} pixels")
    if height * width > LARGEST_PAINTED:
        message = f"is {width} x {height} pixels, more than is painted ({LARGEST_PAINTED:,})"
        raise Unusable(path, record, message)
    return drawing


def _checked(region: _Region, path: Path, record: str) -> tuple[int, bool]:
    """Label id and crowd flag of a region that can be painted."""
    known = value_of(region.label)
    if known is None:
        raise Unusable(path, record, f"{region.label!r} is not a label of Cityscapes")
    if len(region.polygon) < 3:
        message = f"the polygon has {len(region.polygon)} points; it takes three"
        raise Unusable(path, record, message)
    if not all(abs(x) <= _FARTHEST and abs(y) <= _FARTHEST for x, y in region.polygon):
        raise Unusable(path, record, "the polygon has a vertex far outside of the image")
    return known
