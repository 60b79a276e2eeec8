"""Outlines of masks as SVG paths, as short as they can be drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset, rows_of_ids
from paring.errors import InputError

Ring: TypeAlias = NDArray[np.float64]  # vertices (points, 2) of one closed line

TOLERANCE = 1.5
"""Units that a simplified outline may be away from the outline."""

_FINEST = 0.5  # the same where the first leaves no area
_LARGEST_DOUBLED = 2**24  # pixels of a bitmap that is looked at by halves of pixels
_FAR = 2.0**20  # units; what lies further outside is drawn there, so that all numbers stay exact


@dataclass(frozen=True)
class Outlines:
    """The outlines of one image's instances.

    Attributes
    ----------
    size : width and height of the coordinate system (the viewBox is ``0 0 width height``).
    shapes : row in `data.categories`, whether it is a crowd, and path data, the largest first.
        Paths are to be filled by the rule ``nonzero``, the one that SVG has of itself.
    left_out : instances with a mask that are not among the shapes.
    """

    size: tuple[int, int]
    shapes: list[tuple[int, bool, str]]
    left_out: int


def outlines(
    data: Dataset, rows: Sequence[int], *, units: int = 1024, most: int = 200
) -> dict[int, Outlines]:
    """Outlines of the instances of some images, by image row, in the order of `rows`.

    Images without masks, and those whose width or height is not known (0), are not among them.
    A mask that is too small to have an outline is drawn as its bounding box, one unit at least.

    Parameters
    ----------
    rows : rows of `data.images`.
    units : longer side of the coordinate system; all coordinates are whole numbers of units.
    most : shapes that an image may have; the ones of largest area are kept, ties by row.

    Example
    -------
    >>> import paring
    >>> found = outlines(paring.scenes(4, seed=0), [2])[2]
    >>> found.size, len(found.shapes), found.left_out
    ((1024, 768), 7, 0)
    >>> found.shapes[-1]
    (0, False, 'M334 706l5-22 ...')
    """
    wanted = list(dict.fromkeys(int(row) for row in rows))
    by_image = np.argsort(data.image_rows, kind="stable")
    ends = np.array(wanted, np.int64)[:, None] + np.array([0, 1])
    bounds = np.searchsorted(data.image_rows[by_image], ends)
    widths, heights = data.images["width"].to_numpy(), data.images["height"].to_numpy()
    categories = rows_of_ids(data.categories["category_id"], data.instances["category_id"])
    crowds = data.instances["iscrowd"].fill_null(False).to_numpy()
    found = {}
    for row, (first, stop) in zip(wanted, bounds.tolist(), strict=True):
        width, height = int(widths[row]), int(heights[row])
        instances = by_image[first:stop]
        masks = data.masks.take(instances)
        there = np.flatnonzero(~masks.is_empty)
        if min(width, height) < 1 or not len(there):
            continue
        scale = units / max(width, height)
        by_area = there[np.argsort(-masks.areas()[there], kind="stable")]
        shapes = [
            (int(categories[instances[place]]), bool(crowds[instances[place]]), path)
            for place in by_area[:most].tolist()
            if (path := _path(masks, place, scale))
        ]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        found[row] = Outlines(size, shapes, len(there) - len(shapes))
    return found


def _path(masks: MaskStore, row: int, scale: float) -> str:
    """Path data of one mask, empty where it cannot be drawn."""
    rle = masks.count_offsets[row + 1] > masks.count_offsets[row]
    try:
        rings = _bitmap_rings(masks, row, scale) if rle else _polygon_rings(masks, row)
    except InputError:  # larger than a bitmap may be
        return ""
    if not rings or not all(np.isfinite(ring).all() for ring in rings):
        return ""
    scaled = [(ring * scale).clip(-_FAR, _FAR) for ring in rings]
    return "".join(map(_subpath, map(_simplified, scaled))) or _box(np.concatenate(scaled))


def _polygon_rings(masks: MaskStore, row: int) -> list[Ring]:
    """The parts of a polygon mask in pixels, all turning the same way.

    The mask is the union of its parts, and so is what ``nonzero`` fills if none turns against
    another that it overlaps.
    """
    parts = [part for part in masks.polygon(row) if len(part) > 2]
    return [part if _doubled_area(part) >= 0 else part[::-1] for part in parts]


def _doubled_area(ring: Ring) -> float:
    x, y = (ring - ring[0]).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1])


def _bitmap_rings(masks: MaskStore, row: int, scale: float) -> list[Ring]:
    """The borders of a run-length mask in pixels, those of holes turning against the others.

    OpenCV's contours run through the centres of pixels, half a pixel inside the mask. So they are
    taken on a grid of half pixels that has a point on each centre and on each edge; the points
    that a mask touches are set, and its contour runs along the edges: pixels [x0, x1) span x0 to
    x1, and only where the border turns inwards a corner of half a pixel is cut. Where a pixel is
    half a unit or less, or the bitmap is very large, the centres are as good.
    """
    import cv2

    top, left, bitmap = masks.crop(row)
    if not bitmap.size:
        return []
    halves = scale > 0.5 and bitmap.size <= _LARGEST_DOUBLED
    if halves:
        height, width = bitmap.shape
        grid = np.zeros((2 * height + 1, 2 * width + 1), np.uint8)
        grid[1::2, 1::2] = bitmap
        bitmap = np.asarray(cv2.dilate(grid, np.ones((3, 3), np.uint8)), np.uint8)
    found, _ = cv2.findContours(bitmap, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    step, first = (0.5, 0.0) if halves else (1.0, 0.5)
    corner = np.array([left + first, top + first], np.float64)
    return [np.asarray(line, np.float64).reshape(-1, 2) * step + corner for line in found]


def _simplified(ring: Ring) -> NDArray[np.int64]:
    """Vertices (points, 2) in whole units, fewer than three where nothing is left."""
    import cv2

    line = ring.astype(np.float32)
    points = np.empty((0, 2), np.int64)
    for tolerance in (TOLERANCE, _FINEST):
        points = np.rint(cv2.approxPolyDP(line, tolerance, True)).astype(np.int64).reshape(-1, 2)
        points = points[(points != points[np.arange(len(points)) - 1]).any(axis=1)]
        if len(points) > 2:
            break
    return points


def _subpath(points: NDArray[np.int64]) -> str:
    """Path data of a closed line; relative steps are mostly shorter than places.

    >>> _subpath(np.array([[10, 20], [14, 18], [14, 25]]))
    'M10 20l4-2 0 7z'
    """
    if len(points) < 3:
        return ""
    steps = " ".join(map(str, np.diff(points, axis=0).reshape(-1).tolist()))
    return f"M{points[0, 0]} {points[0, 1]}l{steps}z".replace(" -", "-")


def _box(points: Ring) -> str:
    low = np.floor(points.min(axis=0)).astype(np.int64)
    high = np.maximum(np.ceil(points.max(axis=0)).astype(np.int64), low + 1)
    (x0, y0), (x1, y1) = low, high
    return _subpath(np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]))
