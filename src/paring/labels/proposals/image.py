"""Proposals of one image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.errors import InputError
from paring.labels.proposals.describing import describe
from paring.labels.proposals.grouping import Tree, grow
from paring.labels.proposals.ranking import ranked, scores_of
from paring.labels.proposals.segments import WAYS, Way

_SHORTEST = 4  # pixels of a side that has segments


@dataclass(frozen=True)
class Proposed:
    """Proposals of one image, the best first.

    Attributes
    ----------
    masks : run lengths, of the size of the image.
    scores : float64 (n,), which never rise; less what a proposal pays for being like a better one.
    """

    masks: MaskStore
    scores: NDArray[np.float64]


def propose_image(
    pixels: NDArray[np.uint8],
    *,
    count: int = 500,
    size: int = 320,
    ways: Sequence[Way] = WAYS,
) -> Proposed:
    """Training-free mask proposals of an image.

    The image is cut into small segments in several colour spaces and at several scales; each time,
    the segments are grouped into a tree by colour, texture, size and fill. All nodes of all trees
    are scored by a fixed sum of what speaks for a thing, and the best that differ are taken.

    Parameters
    ----------
    pixels : uint8 (h, w, 3), RGB.
    count : proposals at most.
    size : longest side in pixels at which the work is done; smaller images are not enlarged.
    ways : how the image is cut and grouped.

    Raises
    ------
    InputError
        Where `count` or `size` is below 1.

    Example
    -------
    >>> image = np.full((60, 80, 3), 40, np.uint8)
    >>> image[20:40, 10:30] = (200, 30, 30)
    >>> found = propose_image(image, count=5)
    >>> [10, 20, 20, 20] in found.masks.boxes().tolist()
    True

    References
    ----------
    Uijlings et al., Selective Search for Object Recognition, IJCV 2013, for the grouping.
    """
    if count < 1 or size < 1:
        raise InputError(f"proposals need a count and a size of 1 or more, not {count} and {size}")
    high, wide = pixels.shape[:2]
    small = resized(pixels, size)
    if min(small.shape[:2]) < _SHORTEST:
        whole = np.array([0, high * wide], np.uint32)
        return Proposed(MaskStore.from_runs([whole], heights=[high], widths=[wide]), np.ones(1))
    trees = [grow(small, way) for way in ways]
    scores = [scores_of(describe(tree, small)) for tree in trees]
    which, nodes, values = ranked(trees, scores, count)
    runs = [
        _runs(trees[tree], node, (high, wide))
        for tree, node in zip(which.tolist(), nodes.tolist(), strict=True)
    ]
    return Proposed(
        MaskStore.from_runs(runs, heights=[high] * len(runs), widths=[wide] * len(runs)), values
    )


def resized(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The image with its longest side no longer than `size`."""
    import cv2

    high, wide = pixels.shape[:2]
    scale = min(1.0, size / max(high, wide))
    if scale == 1.0:
        return pixels
    sides = max(1, round(wide * scale)), max(1, round(high * scale))
    return np.asarray(cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA), np.uint8)


def _leaves_below(tree: Tree, node: int) -> NDArray[np.bool_]:
    """Which leaves a node is made of (n,)."""
    inside = np.zeros(tree.n_leaves, bool)
    ahead = [node]
    while ahead:
        one = ahead.pop()
        if one < tree.n_leaves:
            inside[one] = True
        else:
            ahead += tree.children[one].tolist()
    return inside


def _runs(tree: Tree, node: int, size: tuple[int, int]) -> NDArray[np.uint32]:
    """Run lengths of a node in the image, each pixel as the one below its middle."""
    rows, columns = (
        (2 * np.arange(side) + 1) * short // (2 * side)
        for side, short in zip(size, tree.labels.shape, strict=True)
    )
    x1, y1, x2, y2 = tree.boxes[node]
    top, stop = np.searchsorted(rows, (y1, y2))
    left, right = np.searchsorted(columns, (x1, x2))
    leaves = tree.labels[rows[top:stop, None], columns[left:right]]
    crop = _leaves_below(tree, node)[leaves].view(np.uint8)
    return rle.encode_bitmap(crop, int(top), int(left), *size)
