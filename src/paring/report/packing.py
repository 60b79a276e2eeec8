"""Discs side by side: each tangent to others, as near as can be to where it should be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEAREST = 24  # discs beside a new one with which it may hold another
_TESTED_FIRST = 8  # places, then twice as many, and so on
_TOLERANCE = 1e-9  # by which tangent discs may seem to overlap


@dataclass(eq=False)
class Packing:
    """Discs placed so far, and the pairs of them that a further disc can touch.

    A pair is left or right of the line between its two discs; it is there while the smallest disc
    that touches both on that side overlaps no other. A pair on which not even that has a place is
    taken to have none for larger ones, so that only pairs at the rim and at holes are looked at.

    Attributes
    ----------
    radii : of all discs (c,), more than 0.
    smallest, largest : of the radii of discs that will be added.
    centres : of all discs (c, 2); zeros where not yet placed.
    placed : the discs that were added, in that order.

    >>> packing = Packing(np.ones(3), 1.0, 1.0)
    >>> for disc in range(3):
    ...     packing.add(disc)
    >>> packing.centres.round(3).tolist()
    [[0.0, 0.0], [2.0, 0.0], [1.0, 1.732]]
    """

    radii: NDArray[np.float64]
    smallest: float
    largest: float

    def __post_init__(self) -> None:
        self.centres = np.zeros((len(self.radii), 2))
        self.placed: list[int] = []
        self._pairs = np.zeros((0, 2), np.int64)
        self._side = np.zeros(0)
        self._least = np.zeros(0)  # radius of the smallest disc that touches both
        self._held = np.zeros((0, 2))  # where that one is

    def add(self, disc: int, target: tuple[float, float] | NDArray[np.float64] = (0, 0)) -> None:
        """Place a disc where it touches two others (one, if need be), nearest to a target."""
        if self.placed:
            place = self._best(float(self.radii[disc]), np.asarray(target, np.float64))
            self.centres[disc] = place
            self._hold(disc)
        self.placed.append(disc)

    def _best(self, radius: float, target: NDArray[np.float64]) -> NDArray[np.float64]:
        fits = self._least <= radius + _TOLERANCE
        places = self._touching(self._pairs[fits], self._side[fits], radius)
        # rounded, so that places equally near are taken in order on every machine
        distance = np.hypot(*(places - target).T).round(6)
        order = np.argsort(distance, kind="stable")
        start, stop = 0, _TESTED_FIRST
        while start < len(order):
            some = order[start:stop]
            free = some[self._free(places[some], np.full(len(some), radius), self.placed)]
            if len(free):
                place: NDArray[np.float64] = places[free[0]]
                return place
            start, stop = stop, 2 * stop
        return self._outermost(radius, target)

    def _outermost(self, radius: float, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Beyond all discs, in the direction of the target: there is always room."""
        centres, radii = self.centres[self.placed], self.radii[self.placed]
        direction = target - centres.mean(axis=0)
        length = float(np.hypot(*direction))
        direction = direction / length if length > _TOLERANCE else np.array([1.0, 0.0])
        last = int(np.argmax(centres @ direction + radii))
        place: NDArray[np.float64] = centres[last] + direction * (radii[last] + radius)
        return place

    def _hold(self, disc: int) -> None:
        """Take out pairs that a new disc is in the way of, and put in those that it makes."""
        centre, radius = self.centres[disc], self.radii[disc]
        apart = np.hypot(*(self._held - centre).T) >= self._least + radius - _TOLERANCE
        others = np.array(self.placed)
        between = np.hypot(*(self.centres[others] - centre).T) - self.radii[others] - radius
        least = np.maximum(self.smallest, between / 2)
        near = np.argsort(between.round(6), kind="stable")[:_NEAREST]
        near = near[least[near] <= self.largest + _TOLERANCE]
        pairs = np.column_stack((others[near], np.full(len(near), disc))).repeat(2, axis=0)
        least = least[near].repeat(2)
        side = np.tile([1.0, -1.0], len(near))
        held = self._touching(pairs, side, least)
        # a disc beside the new one reaches no other whose gap to that is wider than itself
        reach = others[between <= 2 * least.max(initial=0) + _TOLERANCE]
        free = self._free(held, least, np.append(reach, disc))
        self._pairs = np.concatenate((self._pairs[apart], pairs[free]))
        self._side = np.concatenate((self._side[apart], side[free]))
        self._least = np.concatenate((self._least[apart], least[free]))
        self._held = np.concatenate((self._held[apart], held[free]))

    def _touching(
        self,
        pairs: NDArray[np.int64],
        side: NDArray[np.float64],
        radius: NDArray[np.float64] | float,
    ) -> NDArray[np.float64]:
        """Where discs that touch both of a pair have their centres (p, 2)."""
        one, other = self.centres[pairs[:, 0]], self.centres[pairs[:, 1]]
        to_one, to_other = self.radii[pairs[:, 0]] + radius, self.radii[pairs[:, 1]] + radius
        line = other - one
        length = np.hypot(*line.T)
        line = line / length[:, None]
        along = (length**2 + to_one**2 - to_other**2) / (2 * length)
        beside = side * np.sqrt(np.maximum(to_one**2 - along**2, 0))
        across = np.column_stack((-line[:, 1], line[:, 0]))
        places: NDArray[np.float64] = one + along[:, None] * line + beside[:, None] * across
        return places

    def _free(
        self,
        places: NDArray[np.float64],
        radius: NDArray[np.float64],
        others: NDArray[np.int64] | list[int],
    ) -> NDArray[np.bool_]:
        """Which discs overlap none of some others (p,)."""
        x, y = self.centres[others].T
        apart = (places[:, :1] - x) ** 2 + (places[:, 1:] - y) ** 2
        needed = radius[:, None] + self.radii[others] - _TOLERANCE
        free: NDArray[np.bool_] = (apart >= needed**2).all(axis=1)
        return free


def around(
    centres: NDArray[np.float64], radii: NDArray[np.float64], count: int, radius: float
) -> NDArray[np.float64]:
    """Centres (count, 2) of equal discs around others, side by side, nearest to the origin.

    They lie on a grid of equilateral triangles, and none in a hole that the others enclose.

    Parameters
    ----------
    centres, radii : of the discs in the middle (c, 2), (c,).
    count, radius : of the discs around them.

    >>> around(np.zeros((1, 2)), np.ones(1), 2, 0.5).round(3).tolist()
    [[0.0, -1.732], [-1.5, -0.866]]
    """
    from scipy.ndimage import label

    reach = float((np.hypot(*centres.T) + radii).max()) if len(radii) else 0.0
    # a circle that has room for the discs within and those around, each in a cell of the grid
    reach = np.sqrt(reach**2 + count * radius**2 * np.sqrt(12) / np.pi) + 4 * radius
    half = int(np.ceil(reach / radius / np.sqrt(3))) + 1
    row, column = np.mgrid[-half : half + 1, -half : half + 1]
    x, y = radius * (2 * column + row), radius * np.sqrt(3) * row
    free = np.ones(x.shape, bool)
    for (across, down), wide in zip(centres.tolist(), radii.tolist(), strict=True):
        free &= (x - across) ** 2 + (y - down) ** 2 >= (wide + radius - _TOLERANCE) ** 2
    region, _ = label(free, structure=[[0, 1, 1], [1, 1, 1], [1, 1, 0]])
    x, y = x[region == region[0, 0]], y[region == region[0, 0]]
    order = np.lexsort((x.round(6), y.round(6), np.hypot(x, y).round(6)))[:count]
    return np.column_stack((x, y))[order]
