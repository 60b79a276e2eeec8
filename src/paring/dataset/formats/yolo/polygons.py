"""One polygon per mask, as a YOLO label line wants it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paring.dataset.masks import MaskStore

_BLOCK = 2**20  # distances held at a time


@dataclass(frozen=True, eq=False)
class Outline:
    """A mask as one polygon.

    Attributes
    ----------
    points : float64 (k, 2), vertices x, y in pixels; (0, 2) where the mask has no area.
    parts : how many separate parts were joined into it.
    holes : how many holes of the mask it covers.
    """

    points: NDArray[np.float64]
    parts: int
    holes: int


def outline(masks: MaskStore, row: int) -> Outline:
    """The mask of a row as one polygon.

    Polygon parts keep their vertices, unless their boxes overlap: they could cancel each other
    out in one polygon, so their pixels are traced. Run lengths are traced a quarter of a pixel
    inside their pixels' outer edges: filled by pixel centres, as COCO's tools do, or after
    cutting off the decimals and drawing the border, as OpenCV does, the polygon gives every pixel
    back. Separate parts are joined by bridges of no width between their nearest points; holes are
    covered.
    """
    parts, holes = [p for p in masks.polygon(row) if len(p) > 2], 0
    if masks.is_rle[row] or _overlap(parts):
        parts, holes = _traced(masks, row)
    return Outline(_joined(parts), len(parts), holes)


def _overlap(parts: list[NDArray[np.float64]]) -> bool:
    """Whether the boxes of any two parts overlap."""
    if len(parts) < 2:
        return False
    low = np.array([part.min(axis=0) for part in parts])
    high = np.array([part.max(axis=0) for part in parts])
    return any(
        bool(((low[k] < high[k + 1 :]) & (low[k + 1 :] < high[k])).all(axis=1).any())
        for k in range(len(parts) - 1)
    )


def _traced(masks: MaskStore, row: int) -> tuple[list[NDArray[np.float64]], int]:
    """Outer contours of the run lengths of a row, each (k, 2), and the number of holes."""
    import cv2

    top, left, bitmap = masks.crop(row)
    if not bitmap.size:
        return [], 0
    # at twice the size, the pixels along a contour have their centres a quarter inside
    doubled = bitmap.repeat(2, axis=0).repeat(2, axis=1)
    contours, hierarchy = cv2.findContours(doubled, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    parent = np.asarray(hierarchy)[0, :, 3]
    depth, up = np.zeros(len(parent), np.int64), parent
    while (up >= 0).any():
        depth += up >= 0
        up = np.where(up >= 0, parent[up], -1)
    # what lies deeper lies in a hole, which the outer contour covers
    outer = [contours[k] for k in np.flatnonzero(depth == 0).tolist()]
    parts = [(contour.reshape(-1, 2) + 0.5) / 2 + (left, top) for contour in outer]
    return parts, int((depth % 2 == 1).sum())


def _joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """All parts as one polygon: starting from the first, the nearest part is bridged to next.

    A bridge is walked there and back, so it has no width.
    """
    if len(parts) < 2:
        return parts[0] if parts else np.empty((0, 2))
    points = np.concatenate(parts)
    owner = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    nearest = np.full(len(points), np.inf)
    partner = np.zeros(len(points), np.int64)
    waiting = np.ones(len(points), bool)
    path: list[int] = []
    entry = 0
    for _ in parts:
        ring = np.flatnonzero(owner == owner[entry])
        turned = np.roll(ring, ring[0] - entry).tolist()
        if path:
            after = path.index(int(partner[entry])) + 1
            path[after:after] = [*turned, entry, path[after - 1]]
        else:
            path = turned
        waiting[ring] = False
        others = np.flatnonzero(waiting)
        if not len(others):
            break
        _update(points, others, ring, nearest, partner)
        entry = int(others[np.argmin(nearest[others])])
    return points[path]


def _update(
    points: NDArray[np.float64],
    others: NDArray[np.int64],
    ring: NDArray[np.int64],
    nearest: NDArray[np.float64],
    partner: NDArray[np.int64],
) -> None:
    """Let the points `others` know a new part `ring` where it is nearer than what they knew."""
    step = max(_BLOCK // len(ring), 1)
    for first in range(0, len(others), step):
        block = others[first : first + step]
        apart = points[block, None] - points[None, ring]
        squared = np.einsum("ijk,ijk->ij", apart, apart)
        closest = squared.argmin(axis=1)
        distance = squared[np.arange(len(block)), closest]
        closer = distance < nearest[block]
        nearest[block[closer]] = distance[closer]
        partner[block[closer]] = ring[closest[closer]]
