"""Small segments of an image, in several colour spaces and at several scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Space: TypeAlias = Literal["lab", "hsv", "rgi"]
Labels: TypeAlias = NDArray[np.int64]

SMALLEST = 20
"""Pixels of the smallest segment, at the size that proposals are made at."""

_BLUR = 0.8  # standard deviation in pixels, before segmenting


@dataclass(frozen=True)
class Way:
    """One way to cut and group an image.

    Attributes
    ----------
    space : of the colours: CIE Lab, HSV, or red and green shares with intensity.
    scale : of the segments (Felzenszwalb and Huttenlocher, 2004); larger makes larger ones.
    colour, texture, size, fill : how much each counts when segments are grouped.
    """

    space: Space
    scale: float
    colour: float = 1.0
    texture: float = 1.0
    size: float = 1.0
    fill: float = 1.0


WAYS = (
    Way("lab", 25),
    Way("hsv", 30),
    Way("lab", 60, colour=0.0),
    Way("rgi", 40),
    Way("hsv", 100),
    Way("lab", 150, size=0.0),
)
"""The six whose proposals go together well: fine and coarse, by colour and without."""


def in_space(pixels: NDArray[np.uint8], space: Space) -> NDArray[np.uint8]:
    """RGB pixels (h, w, 3) in another colour space, each channel from 0 to 255.

    >>> in_space(np.full((1, 1, 3), (255, 0, 0), np.uint8), "rgi").tolist()
    [[[255, 0, 85]]]
    """
    import cv2

    if space == "lab":
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB), np.uint8)
    if space == "hsv":
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV_FULL), np.uint8)
    values = pixels.astype(np.float32)
    total = values.sum(axis=2, keepdims=True)
    shares = 255 * values[..., :2] / np.maximum(total, 1)
    return np.concatenate((shares, total / 3), axis=2).clip(0, 255).astype(np.uint8)


def segment(colours: NDArray[np.uint8], scale: float) -> Labels:
    """Label of the small segment of each pixel (h, w), from 0 on.

    Felzenszwalb and Huttenlocher's segmentation, by scikit-image.
    """
    from skimage.segmentation import felzenszwalb

    labels = felzenszwalb(colours, scale=scale, sigma=_BLUR, min_size=SMALLEST)
    return np.asarray(labels, np.int64)
