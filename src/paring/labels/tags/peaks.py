"""Peaks of class activation maps: where, to a classifier, a tagged thing shows itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Bound: TypeAlias = "float | Literal['half']"


@dataclass(frozen=True)
class Peaks:
    """Points of one image at which classes are seen.

    Attributes
    ----------
    places : float64 (p, 2), row and column as shares of the image's height and width, in [0, 1).
    classes : int64 (p,), which class each is of, from 0.
    scores : float64 (p,), the activation there.
    """

    places: NDArray[np.float64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def pixels(self, size: tuple[int, int]) -> NDArray[np.int64]:
        """Row and column (p, 2) of each in an image of a size (height, width)."""
        places = np.floor(self.places * size).astype(np.int64)
        inside: NDArray[np.int64] = np.minimum(places, np.array(size) - 1)
        return inside


def find_peaks(
    maps: NDArray[np.floating], present: NDArray[np.bool_], *, bound: Bound = "half"
) -> Peaks:
    """The peaks of the classes that an image is tagged with.

    A peak is a point, or the middle of a plateau, that is the largest of its 3 x 3 neighbourhood,
    not below the median of its map, and above the bound. A tagged class without any has its
    largest point for a peak.

    Parameters
    ----------
    maps : (c, h, w) class activation maps, enlarged as far as peaks are to be exact.
    present : bool (c,), the classes of the image's tags.
    bound : a logit (the authors' is 10), or ``"half"`` for half of the class's largest.

    Example
    -------
    >>> map = np.zeros((1, 5, 6))
    >>> map[0, 1, 1], map[0, 3, 4] = 4.0, 3.0
    >>> peaks = find_peaks(map, np.array([True]))
    >>> peaks.pixels((5, 6)).tolist(), peaks.scores.tolist()
    ([[1, 1], [3, 4]], [4.0, 3.0])

    References
    ----------
    Section 3.2; where peaks are taken from is the authors' code's (facts of the published systems).
    """
    places, classes, scores = [], [], []
    for row in np.flatnonzero(present).tolist():
        values = np.asarray(maps[row], np.float64)
        for y, x in _peaks_of(values, bound):
            places.append(((y + 0.5) / values.shape[0], (x + 0.5) / values.shape[1]))
            classes.append(row)
            scores.append(values[y, x])
    return Peaks(
        np.array(places, np.float64).reshape(-1, 2),
        np.array(classes, np.int64),
        np.array(scores, np.float64),
    )


def _peaks_of(values: NDArray[np.float64], bound: Bound) -> list[tuple[int, int]]:
    """Rows and columns of one map's peaks, the highest first."""
    largest = float(values.max())
    least = largest / 2 if bound == "half" else float(bound)
    summits = (values == ndimage.maximum_filter(values, size=3, mode="nearest")) & (
        values >= np.median(values)
    )
    summits &= values > least
    if not summits.any():
        y, x = np.unravel_index(int(values.argmax()), values.shape)
        return [(int(y), int(x))]
    plateaus, n = ndimage.label(summits, structure=np.ones((3, 3)))
    found = []
    for number in range(1, n + 1):
        points = np.argwhere(plateaus == number)
        middle = points[np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1))]
        found.append((int(middle[0]), int(middle[1])))
    return sorted(found, key=lambda place: (-values[place], place))
