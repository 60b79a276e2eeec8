"""The eight families of shapes that generated scenes are made of, from smooth to intricate.

A family is a function of a random generator and of how finely to draw; it gives an `Outline`
inside the unit circle. Sizes, places and angles are for the caller to choose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""Vertices x, y (k, 2) of a closed line."""


@dataclass(frozen=True)
class Outline:
    """Closed lines of one shape: the parts that are filled, then the holes cut out of them."""

    parts: tuple[Points, ...]
    holes: tuple[Points, ...] = ()


def _circle(n: int) -> NDArray[np.float64]:
    return np.linspace(0.0, 2 * np.pi, n, endpoint=False, dtype=np.float64)


def _polar(radii: NDArray[np.float64] | float, angles: NDArray[np.float64]) -> Points:
    return np.stack((radii * np.cos(angles), radii * np.sin(angles)), axis=1)


def _centred(points: Points) -> Points:
    """Moved and scaled to touch the unit circle from inside."""
    points = points - (points.min(axis=0) + points.max(axis=0)) / 2
    scaled: Points = points / np.sqrt((points**2).sum(axis=1).max())
    return scaled


def _superellipse(n: int, power: float) -> Points:
    """The curve |x|^p + |y|^p = 1: a circle at 2, all but a square at 7."""
    turn = _polar(1.0, _circle(n))
    points: Points = np.sign(turn) * np.abs(turn) ** (2 / power)
    return points


def disc(rng: np.random.Generator, n: int) -> Outline:
    """A circle, hardly out of true."""
    squeeze = rng.uniform(0.94, 1.0)
    return Outline((_polar(1.0, _circle(n)) * (1.0, squeeze),))


def bean(rng: np.random.Generator, n: int) -> Outline:
    """A stout ellipse bent along an arc."""
    half_width, half_arc = rng.uniform((0.40, 0.65), (0.50, 1.05))
    flat = _superellipse(n, 2.5) * (half_arc, half_width)
    points = _polar(1 / half_arc + flat[:, 1], flat[:, 0])
    return Outline((_centred(points),))


def tile(rng: np.random.Generator, n: int) -> Outline:
    """A rectangle with round corners."""
    power, height = rng.uniform((4.5, 0.68), (7.0, 1.0))
    return Outline((_centred(_superellipse(n, power) * (1.0, height)),))


def ring(rng: np.random.Generator, n: int) -> Outline:
    """A circle, somewhat tilted, with a round hole."""
    hole, squeeze = rng.uniform((0.46, 0.80), (0.64, 1.0))
    turn = _polar(1.0, _circle(n)) * (1.0, squeeze)
    return Outline((turn,), (turn * hole,))


def star(rng: np.random.Generator, _n: int) -> Outline:
    """A star of five to seven straight rays; its corners are all the vertices it has."""
    rays = int(rng.integers(5, 8))
    radii = np.tile((1.0, rng.uniform(0.42, 0.52)), rays)
    return Outline((_polar(radii, _circle(2 * rays)),))


def gear(rng: np.random.Generator, _n: int) -> Outline:
    """A wheel of nine to thirteen teeth with slanted flanks, four vertices a tooth."""
    teeth = int(rng.integers(9, 14))
    root = rng.uniform(0.74, 0.80)
    place = np.tile((0.08, 0.24, 0.58, 0.74), teeth) + np.repeat(np.arange(teeth), 4)
    radii = np.tile((root, 1.0, 1.0, root), teeth)
    return Outline((_polar(radii, place * (2 * np.pi / teeth)),))


def leaf(rng: np.random.Generator, _n: int) -> Outline:
    """A long leaf whose two edges are saws, with a short stalk."""
    teeth = int(rng.integers(7, 11))
    width, depth = rng.uniform((0.46, 0.22), (0.60, 0.34))
    along = (np.arange(2 * teeth) + 0.5) / (2 * teeth)
    height = width * np.sin(np.pi * along**0.85) ** 0.8
    height[0::2] *= 1 - depth
    # tips lean forward, as on a nettle
    x = 2 * along - 1 + np.tile((-0.03, 0.05), teeth)
    upper, lower = np.stack((x, height), axis=1), np.stack((x, -height), axis=1)[::-1]
    stalk = np.array([[-1.25, -0.035], [-1.25, 0.035]])
    return Outline((_centred(np.concatenate((stalk, upper, [[1.12, 0.0]], lower))),))


def cluster(rng: np.random.Generator, n: int) -> Outline:
    """Three to six berries that do not touch: one object in several parts."""
    berries = int(rng.integers(3, 7))
    largest = {3: 0.44, 4: 0.38, 5: 0.34, 6: 0.31}[berries]
    radii = largest * rng.uniform(0.78, 1.0, berries)
    centres = _polar(1.0 - largest, _circle(berries) + rng.uniform(-0.05, 0.05, berries))
    if berries == 6:  # room for one in the middle
        centres = _polar(1.0 - largest, _circle(5))
        centres = np.concatenate((centres, np.zeros((1, 2))))
    turn = _polar(1.0, _circle(max(n // 2, 8)))
    return Outline(tuple(c + r * turn for c, r in zip(centres, radii, strict=True)))


FAMILIES: tuple[Callable[[np.random.Generator, int], Outline], ...] = (
    disc,
    bean,
    tile,
    ring,
    star,
    gear,
    leaf,
    cluster,
)
"""Families in the order of their category ids, which start at 1."""

NAMES = tuple(family.__name__ for family in FAMILIES)


def outline(category_id: int, rng: np.random.Generator, radius: float) -> Outline:
    """A shape of a category, drawn as finely as an annotator would at this radius in pixels.

    >>> shape = outline(4, np.random.default_rng(0), radius=20)
    >>> len(shape.parts), len(shape.holes)
    (1, 1)
    """
    return FAMILIES[category_id - 1](rng, int(np.clip(1.2 * radius + 8, 12, 64)))
