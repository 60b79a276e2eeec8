"""From a picture to the size that a model sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Resize: TypeAlias = Literal["stretch", "pad"]

PAD_COLOUR = (124, 116, 104)
"""RGB of what is beside a picture: the mean of ImageNet, which most encoders take for nothing."""


@dataclass(frozen=True)
class Geometry:
    """Where a picture lies in its sample: in the top left corner, resized to `inner`.

    Attributes
    ----------
    original : (height, width) of the picture in pixels.
    size : (height, width) of the sample.
    inner : (height, width) of the resized picture in it; all of it where it is stretched.

    Example
    -------
    >>> Geometry.fit((100, 200), (64, 64), "pad").inner
    (32, 64)
    >>> Geometry.fit((100, 200), (64, 64), "stretch").scale
    (0.64, 0.32)
    """

    original: tuple[int, int]
    size: tuple[int, int]
    inner: tuple[int, int]

    @classmethod
    def fit(cls, original: tuple[int, int], size: tuple[int, int], resize: Resize) -> Geometry:
        """The geometry of a picture of a size (height, width) in a sample of another."""
        if resize == "stretch":
            return cls(original, size, size)
        scale = min(size[0] / original[0], size[1] / original[1])
        high, wide = (
            min(max(1, round(scale * side)), limit)
            for side, limit in zip(original, size, strict=True)
        )
        return cls(original, size, (high, wide))

    @property
    def scale(self) -> tuple[float, float]:
        """Pixels of the sample to one of the picture, down and across."""
        return self.inner[0] / self.original[0], self.inner[1] / self.original[1]

    def source_rows(self) -> NDArray[np.int64]:
        """Row of the picture below the middle of each row of the resized one (inner height,)."""
        return _sources(self.inner[0], self.original[0])

    def source_columns(self) -> NDArray[np.int64]:
        """Column of the picture below the middle of each column of the resized one."""
        return _sources(self.inner[1], self.original[1])

    def resize_picture(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The sample (H, W, 3) of a picture (h, w, 3): areas averaged where it shrinks."""
        import cv2

        high, wide = self.inner
        shrinks = high < self.original[0] or wide < self.original[1]
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = np.asarray(cv2.resize(pixels, (wide, high), interpolation=way), np.uint8)
        if self.inner == self.size:
            return resized
        sample = np.empty((*self.size, 3), np.uint8)
        sample[:] = PAD_COLOUR
        sample[:high, :wide] = resized
        return sample

    def resize_labels(
        self, labels: NDArray[Any], lookup: NDArray[np.uint8], *, beside: int
    ) -> NDArray[np.uint8]:
        """The sample (H, W) of a label map (h, w), nearest pixel.

        Parameters
        ----------
        labels : stored values, whole numbers.
        lookup : the label of each stored value.
        beside : the label of what lies beside the picture.
        """
        sample = np.full(self.size, beside, np.uint8)
        inside = labels[self.source_rows()[:, None], self.source_columns()]
        sample[: self.inner[0], : self.inner[1]] = lookup[inside]
        return sample

    def resize_crop(
        self, top: int, left: int, bitmap: NDArray[np.uint8]
    ) -> tuple[int, int, NDArray[np.uint8]]:
        """The same of a bitmap (h, w) that lies at (top, left) of the picture, all else being 0.

        Gives top, left and bitmap in the sample; what is between two of its pixels vanishes.

        >>> Geometry.fit((8, 8), (4, 4), "stretch").resize_crop(2, 4, np.ones((4, 2), np.uint8))
        (1, 2, array([[1], [1]], dtype=uint8))
        """
        (y0, rows), (x0, columns) = (
            _within(sources, first, length)
            for sources, first, length in (
                (self.source_rows(), top, bitmap.shape[0]),
                (self.source_columns(), left, bitmap.shape[1]),
            )
        )
        return y0, x0, np.ascontiguousarray(bitmap[rows[:, None], columns])


def _sources(to: int, since: int) -> NDArray[np.int64]:
    """Place in `since` pixels below the middle of each of `to` pixels over the same length."""
    return (2 * np.arange(to, dtype=np.int64) + 1) * since // (2 * to)


def _within(sources: NDArray[np.int64], first: int, length: int) -> tuple[int, NDArray[np.int64]]:
    """The first of the sources in [first, first + length), and all of them counted from first."""
    start, stop = np.searchsorted(sources, [first, first + length])
    return int(start), sources[start:stop] - first
