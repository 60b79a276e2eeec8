"""Pixels of generated scenes: textured backgrounds, shaded shapes, light and sensor noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring.dataset.scenes.layout import Burst, Camera, Piece, Thing
from paring.dataset.scenes.shapes import NAMES
from paring.errors import InputError

Field = NDArray[np.float32]

JPEG_QUALITY = 92
_MARGIN = 0.09  # of the background beyond the view, as a share of its side: what a pan can reach
_FINER = 4  # subpixels along a side from which soft borders are made
_BACKDROP, _LOOK, _NOISE = 3, 4, 5  # random streams; 0 to 2 are those of the layout

_COLOURS = np.array(
    [
        (226, 84, 64),  # disc: coral
        (131, 90, 178),  # bean: aubergine
        (58, 128, 196),  # tile: blue
        (36, 178, 170),  # ring: teal
        (250, 196, 52),  # star: yellow
        (140, 152, 164),  # gear: steel
        (86, 166, 72),  # leaf: green
        (214, 74, 138),  # cluster: raspberry
    ],
    np.float32,
)

_GROUNDS = np.array(
    [
        [(196, 180, 152), (228, 216, 192)],  # sand
        [(92, 104, 116), (134, 146, 154)],  # slate
        [(150, 164, 140), (196, 204, 180)],  # sage
        [(62, 72, 92), (98, 112, 134)],  # dusk
        [(214, 206, 196), (240, 236, 228)],  # paper
        [(122, 98, 82), (164, 138, 116)],  # wood
        [(164, 186, 196), (208, 220, 224)],  # mist
        [(70, 86, 78), (108, 126, 112)],  # moss
        [(176, 150, 148), (214, 194, 188)],  # clay
    ],
    np.float32,
)


@dataclass
class Painter:
    """Draws frames of one data set; holds the background of the burst it is at."""

    seed: int
    size: tuple[int, int]
    _group: int = -1
    _ground: Field | None = None

    def paint(self, burst: Burst, number: int, things: tuple[Thing, ...]) -> NDArray[np.uint8]:
        """Image (height, width, 3) RGB of frame `number` with these things from back to front."""
        camera = burst.cameras[number]
        image = self._seen_ground(burst.group, camera)
        for row, thing in enumerate(things):
            look = np.random.default_rng([self.seed, _LOOK, burst.group, row])
            shift = look.normal(0.0, 9.0, 3).astype(np.float32)
            for piece in thing.pieces:
                _lay(image, piece, _COLOURS[piece.category_id - 1] + shift)
        noise = np.random.default_rng([self.seed, _NOISE, burst.group, number])
        image *= np.float32(camera.gain)
        image += 1.6 * noise.standard_normal((*self.size, 1), np.float32)
        np.clip(image, 0, 255, out=image)
        image += 0.5
        return image.astype(np.uint8)

    def _seen_ground(self, group: int, camera: Camera) -> Field:
        import cv2

        height, width = self.size
        if group != self._group or self._ground is None:
            rng = np.random.default_rng([self.seed, _BACKDROP, group])
            share = 1 + 2 * _MARGIN
            self._ground = ground(rng, round(share * height), round(share * width))
            self._group = group
        # pixel k of the ground lies at k - margin of the scene; frames as in `Camera.see`
        beyond = (np.array(self._ground.shape[1::-1]) - (width, height)) / 2
        centre = np.array(camera.centre) - 0.5
        move = -camera.zoom * (centre + beyond) + centre + camera.shift
        matrix = np.array([[camera.zoom, 0, move[0]], [0, camera.zoom, move[1]]])
        seen = cv2.warpAffine(
            self._ground, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101
        )
        return np.asarray(seen, np.float32)


def save(image: NDArray[np.uint8], path: Path) -> None:
    """Write an RGB image as JPEG or PNG, as its suffix says."""
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), np.ascontiguousarray(image[:, :, ::-1]), options):
        raise InputError(f"{path}: the image cannot be written")


# -- backgrounds --------------------------------------------------------------------------


def ground(rng: np.random.Generator, height: int, width: int) -> Field:
    """A background (height, width, 3) of one of six kinds, 0 to 255, lit from one side."""
    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    across, down = np.meshgrid(
        np.linspace(0, width / height, width, dtype=np.float32),
        np.linspace(0, 1, height, dtype=np.float32),
    )
    share = kind(rng, across, down)[:, :, None]
    dark, light = _GROUNDS[int(rng.integers(len(_GROUNDS)))] + rng.normal(0, 6, 3)
    way = rng.uniform(0, 2 * np.pi)
    lit = (across - across.mean()) * np.cos(way) + (down - 0.5) * np.sin(way)
    lit = 1 + np.float32(0.16) * lit + np.float32(0.05) * (_clouds(rng, (height, width), 40) - 0.5)
    painted: Field = ((dark + (light - dark) * share) * lit[:, :, None]).astype(np.float32)
    return painted


def _clouds(rng: np.random.Generator, shape: tuple[int, ...], cells: int) -> Field:
    """Smooth noise, 0 to 1 in the main, `cells` waves to the height."""
    import cv2

    height, width = shape
    rows, columns = cells + 2, max(cells * width // height, 2) + 2
    coarse = rng.random((rows, columns), np.float32)
    return np.asarray(
        cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32
    )


def _turbulence(rng: np.random.Generator, shape: tuple[int, ...]) -> Field:
    octaves = ((3, 0.5), (7, 0.27), (15, 0.15), (34, 0.08))
    noise = sum(share * _clouds(rng, shape, cells) for cells, share in octaves)
    return np.asarray(noise, np.float32)


def _haze(rng: np.random.Generator, across: Field, _down: Field) -> Field:
    stretched: Field = 1.7 * (_turbulence(rng, across.shape) - 0.5) + 0.5
    return stretched


def _dunes(rng: np.random.Generator, across: Field, down: Field) -> Field:
    way = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(way) * (across - 0.6) + np.sin(way) * (down - 0.5)
    rolled: Field = 0.5 + 0.8 * ramp + 0.25 * (_turbulence(rng, across.shape) - 0.5)
    return rolled


def _stripes(rng: np.random.Generator, across: Field, down: Field) -> Field:
    way, waves = rng.uniform((0, 5), (np.pi, 11))
    along = np.cos(way) * across + np.sin(way) * down
    bent = along + 0.06 * _clouds(rng, across.shape, 3)
    striped: Field = 0.5 + 0.42 * np.tanh(2.5 * np.sin(2 * np.pi * waves * bent))
    return striped


def _patches(rng: np.random.Generator, across: Field, _down: Field) -> Field:
    level: Field = 0.75 * _clouds(rng, across.shape, 5) + 0.25 * _clouds(rng, across.shape, 13)
    spread: Field = 0.5 + 0.45 * np.tanh(9 * (level - 0.5))
    return spread


def _weave(rng: np.random.Generator, across: Field, down: Field) -> Field:
    way, waves = rng.uniform((0, 6), (np.pi / 2, 12))
    u = np.cos(way) * across + np.sin(way) * down
    v = np.cos(way) * down - np.sin(way) * across
    woven = np.sin(2 * np.pi * waves * u) * np.sin(2 * np.pi * waves * v)
    cloth: Field = 0.5 + 0.3 * np.tanh(3 * woven) + 0.3 * (_turbulence(rng, across.shape) - 0.5)
    return cloth


def _planks(rng: np.random.Generator, across: Field, down: Field) -> Field:
    way, rings = rng.uniform((-0.3, 5), (0.3, 9))
    u = np.cos(way) * down + np.sin(way) * across
    v = np.cos(way) * across - np.sin(way) * down
    wavy = u + 0.10 * np.sin(2.2 * v + 6 * rng.random()) * _clouds(rng, across.shape, 2)
    grain: Field = 0.5 + 0.33 * np.sin(2 * np.pi * rings * wavy + 2 * np.sin(9 * wavy))
    return grain + 0.3 * (_turbulence(rng, across.shape) - 0.5)


_KINDS: tuple[Callable[[np.random.Generator, Field, Field], Field], ...] = (
    _haze,
    _dunes,
    _stripes,
    _patches,
    _weave,
    _planks,
)

# -- shapes -------------------------------------------------------------------------------


def _lay(image: Field, piece: Piece, colour: Field) -> None:
    """Draw one piece over what is there: its shadow, then its shaded face."""
    import cv2

    height, width = image.shape[:2]
    radius = piece.radius
    margin = 0.22 * radius + 4
    (x, y), reach = piece.centre, radius + margin
    left, top = max(int(x - reach), 0), max(int(y - reach), 0)
    right, bottom = min(int(x + reach) + 2, width), min(int(y + reach) + 2, height)
    if right <= left or bottom <= top:
        return
    # drawn whole, cut afterwards: at the image's border a shape has no edge to shade
    whole = int(np.ceil(2 * reach)) + 2
    x0, y0 = int(np.floor(x - reach)), int(np.floor(y - reach))
    inner = np.s_[top - y0 : bottom - y0, left - x0 : right - x0]
    solid = _coverage(piece, (x0, y0), whole)
    soft = cv2.GaussianBlur(solid, (0, 0), max(0.09 * radius, 0.8))
    slope = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=0.25) + cv2.Sobel(
        soft, cv2.CV_32F, 0, 1, scale=0.25
    )
    relief = np.clip(slope * np.float32(max(0.09 * radius, 0.8)), -0.5, 0.5)

    drop = max(round(0.07 * radius), 1)
    shadow = np.zeros_like(soft)
    shadow[drop:, drop:] = soft[:-drop, :-drop]
    view = image[top:bottom, left:right]
    view *= (1 - 0.42 * shadow[inner])[:, :, None]

    texture = _seen_texture(piece, (x0, y0), whole)
    fall = np.linspace(0.10, -0.10, whole, dtype=np.float32)[:, None]  # light comes from above
    shade = (1 + fall + 0.95 * relief + texture)[inner]
    face = colour * shade[:, :, None] + (70 * np.maximum(relief[inner], 0))[:, :, None]
    view += solid[inner][:, :, None] * (face - view)


def _coverage(piece: Piece, origin: tuple[int, int], side: int) -> Field:
    """Share (side, side) of each pixel that the piece covers."""
    import cv2

    lines: list[Any] = [
        np.round(((line - origin) * _FINER - 0.5) * 16).astype(np.int32)
        for line in (*piece.shape.parts, *piece.shape.holes)
    ]
    fine = np.zeros((side * _FINER, side * _FINER), np.uint8)
    cv2.fillPoly(fine, lines, 255, shift=4)
    share = cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(share, np.float32) / np.float32(255)


_TEXTURE_SIDE = 160


def _seen_texture(piece: Piece, origin: tuple[int, int], side: int) -> Field:
    """The category's texture (side, side) as it lies on the piece: turned and scaled with it."""
    import cv2

    scale = _TEXTURE_SIDE / 2 / (1.05 * piece.radius)
    turn = scale * np.array(
        [
            [np.cos(piece.angle), np.sin(piece.angle)],
            [-np.sin(piece.angle), np.cos(piece.angle)],
        ]
    )
    away = turn @ (np.array(origin) + 0.5 - piece.centre) + (_TEXTURE_SIDE - 1) / 2
    matrix = np.concatenate((turn, away[:, None]), axis=1)
    seen = cv2.warpAffine(
        _texture(piece.category_id),
        matrix,
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(seen, np.float32)


@lru_cache(maxsize=len(NAMES))
def _texture(category_id: int) -> Field:
    """Lighter and darker places (-0.3 to 0.3) on the unit square that holds a shape."""
    u, v = np.meshgrid(*2 * [np.linspace(-1, 1, _TEXTURE_SIDE, dtype=np.float32)])
    away, angle = np.hypot(u, v), np.arctan2(v, u)
    rng = np.random.default_rng(category_id)
    mottle = _turbulence(rng, u.shape) - 0.5
    drawn = {
        "disc": 0.10 * np.tanh(6 * np.sin(13 * away)) * (away < 0.85),
        "bean": 0.5 * np.maximum(_clouds(rng, u.shape, 12) - 0.62, 0),
        "tile": 0.07 * np.sign(np.sin(9 * u) * np.sin(9 * v)),
        "ring": 0.12 * np.tanh(3 * np.sin(16 * angle)),
        "star": 0.10 * np.cos(5 * angle) * away - 0.10 * (away < 0.18),
        "gear": 0.05 * np.sin(60 * away) - 0.30 * (away < 0.26) + 0.12 * (abs(away - 0.5) < 0.08),
        "leaf": 0.24 * np.exp(-((v / 0.03) ** 2))
        + 0.10 * np.tanh(4 * np.sin(24 * (u - 0.9 * abs(v)))),
        "cluster": 0.08 * np.sin(11 * u) * np.sin(11 * v),
    }[NAMES[category_id - 1]]
    return np.asarray(drawn + 0.22 * mottle, np.float32)
