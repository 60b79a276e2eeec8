"""What stands where in generated scenes: bursts of views, the things seen, the camera's path.

A scene lies in the pixels of its own undisturbed view; every frame of its burst sees it through
a slightly different `Camera`. Burst ``g`` depends on the seed and on ``g`` alone, so a longer
data set begins with the shorter one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from paring.dataset.scenes.shapes import NAMES, Outline, Points, outline

LONGEST_BURST = 8
_LENGTHS = (0.24, 0.18, 0.15, 0.12, 0.10, 0.08, 0.07, 0.06)  # of bursts of 1, 2, ... frames

_DECK = np.repeat(np.arange(1, 9), (36, 13, 22, 5, 8, 3, 1, 2))
"""Category ids as often as they are dealt: a long tail, its head 36 times its end. Frequency
follows neither smoothness nor id, so that no score gets it for free."""

_BLOCK = 25
"""Bursts of which exactly one is without instances and one with a crowd: as rare as in COCO, but
there even in a small data set."""

_MOST, _SMALLEST = 14, 4.0  # instances in a scene; radius in pixels

_CONTENT, _PATH = 1, 2  # random streams of one burst; 0 deals the bursts


@dataclass(frozen=True)
class Camera:
    """How one frame sees its scene: image = zoom * (scene - centre) + centre + shift."""

    zoom: float
    shift: tuple[float, float]
    centre: tuple[float, float]
    gain: float

    def see(self, points: Points) -> Points:
        """Points (k, 2) of the scene in the pixels of the frame, to hundredths of a pixel."""
        centre = np.array(self.centre)
        seen: Points = np.round((points - centre) * self.zoom + (centre + self.shift), 2)
        return seen


@dataclass(frozen=True)
class Piece:
    """One closed shape; `centre`, `radius` (pixels) and `angle` tell where its texture lies."""

    category_id: int
    shape: Outline
    centre: tuple[float, float]
    radius: float
    angle: float

    def seen(self, camera: Camera) -> Piece:
        """The same piece in the pixels of a frame."""
        x, y = camera.see(np.array([self.centre]))[0].tolist()
        parts, holes = (tuple(map(camera.see, s)) for s in (self.shape.parts, self.shape.holes))
        return replace(
            self, shape=Outline(parts, holes), centre=(x, y), radius=self.radius * camera.zoom
        )


@dataclass(frozen=True)
class Thing:
    """What one instance annotates: a piece, or the many pieces of a crowd.

    The circle of `centre` and `radius` in pixels holds all of it.
    """

    category_id: int
    pieces: tuple[Piece, ...]
    centre: tuple[float, float]
    radius: float
    iscrowd: bool = False

    def seen(self, camera: Camera) -> Thing:
        """The same thing in the pixels of a frame."""
        return replace(self, pieces=tuple(piece.seen(camera) for piece in self.pieces))


@dataclass(frozen=True)
class Burst:
    """One scene and the frames that show it; `things` lie from back to front."""

    group: int
    things: tuple[Thing, ...]
    cameras: tuple[Camera, ...]


def bursts(seed: int, size: tuple[int, int]) -> Iterator[Burst]:
    """Bursts without end, numbered from 0; `size` is (height, width) in pixels."""
    dealer = np.random.default_rng([seed, 0])
    deck: list[int] = []
    group = 0
    while True:
        empty, crowded = dealer.choice(_BLOCK, 2, replace=False).tolist()
        for place in range(_BLOCK):
            length = 1 + int(dealer.choice(LONGEST_BURST, p=_LENGTHS))
            count = int(np.clip(dealer.lognormal(np.log(4.2), 0.6), 1, _MOST))
            if place == empty:
                length, count = min(length, 2), 0
            while len(deck) < count:
                deck.extend(dealer.permutation(_DECK).tolist())
            categories, deck = deck[:count], deck[count:]
            rng = np.random.default_rng([seed, _CONTENT, group])
            things = _things(rng, categories, size, with_crowd=place == crowded)
            path = _path(np.random.default_rng([seed, _PATH, group]), size)
            yield Burst(group, things, path[:length])
            group += 1


def _path(rng: np.random.Generator, size: tuple[int, int]) -> tuple[Camera, ...]:
    """A hand-held camera: it drifts one way, trembles a little, zooms slowly; light drifts too."""
    height, width = size
    steps = np.arange(LONGEST_BURST)[:, None]
    speed, way = rng.uniform((0.001, 0.0), (0.004, 2 * np.pi))
    drift = speed * np.array([np.cos(way), np.sin(way)])
    tremble = rng.normal(0.0, 0.0008, (LONGEST_BURST, 2))
    shift = np.clip(rng.uniform(-0.012, 0.012, 2) + drift * steps + tremble, -0.04, 0.04)
    zoom = rng.uniform(1.0, 1.03) + rng.uniform(-0.002, 0.002) * steps[:, 0]
    gain = 1.0 + rng.uniform(-0.012, 0.012) * steps[:, 0] + rng.normal(0, 0.004, LONGEST_BURST)
    return tuple(
        Camera(z, (dx * width, dy * width), (width / 2, height / 2), g)
        for z, (dx, dy), g in zip(zoom.tolist(), shift.tolist(), gain.tolist(), strict=True)
    )


def _things(
    rng: np.random.Generator, categories: list[int], size: tuple[int, int], *, with_crowd: bool
) -> tuple[Thing, ...]:
    """One thing a category, large ones behind; they give way to each other by shrinking."""
    side = min(size)
    sizes = 0.088 * side * rng.lognormal(0.0, 0.68, len(categories))
    sizes = np.clip(sizes, max(0.02 * side, _SMALLEST), max(0.36 * side, _SMALLEST))
    things: list[Thing] = []
    if with_crowd:
        members = int(rng.integers(1, len(NAMES)))  # not of clusters: those would be confetti
        place = _free_place(rng, max(0.2 * side, 2 * _SMALLEST), size, things)
        if place is not None:
            things.append(_crowd(rng, members, *place))
    for row in np.argsort(-sizes, kind="stable").tolist():
        place = _free_place(rng, float(sizes[row]), size, things)
        if place is not None:
            piece = _piece(rng, categories[row], *place)
            things.append(Thing(piece.category_id, (piece,), *place))
    return tuple(things)


def _free_place(
    rng: np.random.Generator, radius: float, size: tuple[int, int], things: list[Thing]
) -> tuple[tuple[float, float], float] | None:
    """Centre and radius of a circle beside those there, or a little over one; None if all full."""
    height, width = size
    others = np.array([(*t.centre, t.radius) for t in things]).reshape(-1, 3)
    over = len(things) > 0 and rng.random() < 0.15
    nearest = 0.76 if over else 1.03  # share of the two radii that lies between
    for attempt in range(64):
        if attempt and attempt % 8 == 0:
            radius = max(0.82 * radius, _SMALLEST)
        x, y = rng.uniform(0.05, 0.95, 2) * (width, height)
        if over and attempt < 16:
            beside, way = others[rng.integers(len(others))], rng.uniform(0, 2 * np.pi)
            away = rng.uniform(nearest, 0.95) * (beside[2] + radius)
            x, y = np.clip(
                beside[:2] + away * np.array([np.cos(way), np.sin(way)]),
                (0.05 * width, 0.05 * height),
                (0.95 * width, 0.95 * height),
            )
        gap = np.hypot(others[:, 0] - x, others[:, 1] - y)
        if (gap >= nearest * (others[:, 2] + radius)).all():
            return (float(x), float(y)), radius
    return None


def _piece(
    rng: np.random.Generator, category_id: int, centre: tuple[float, float], radius: float
) -> Piece:
    angle = float(rng.uniform(0.0, 2 * np.pi))
    shape = outline(category_id, rng, radius)
    turn = radius * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    parts, holes = (tuple(line @ turn + centre for line in s) for s in (shape.parts, shape.holes))
    return Piece(category_id, Outline(parts, holes), centre, radius, angle)


def _crowd(
    rng: np.random.Generator, category_id: int, centre: tuple[float, float], radius: float
) -> Thing:
    """Twelve to twenty-four small pieces on a spiral like a sunflower's, jostled."""
    members = int(rng.integers(12, 25))
    small = radius * 0.8 / np.sqrt(members)
    turn = np.arange(members) * np.pi * (3 - np.sqrt(5))
    away = (radius - 1.3 * small) * np.sqrt((np.arange(members) + 0.5) / members)
    spots: NDArray[np.float64] = np.stack((away * np.cos(turn), away * np.sin(turn)), axis=1)
    spots += centre + rng.uniform(-0.2, 0.2, (members, 2)) * small
    pieces = (_piece(rng, category_id, (x, y), small) for x, y in spots.tolist())
    return Thing(category_id, tuple(pieces), centre, radius, iscrowd=True)
