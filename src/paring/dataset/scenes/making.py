"""Generated scenes with known redundancy: a data set for the demo and the tests.

Bursts of one to eight near-duplicate views, like the frames of a video, show shapes of eight
categories. What is annotated is what is visible: a polygon where an instance is whole (cut at
the image's border), run lengths where it has holes, is a crowd, or is partly hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.scenes.layout import Burst, Thing, bursts
from paring.dataset.scenes.shapes import NAMES, Points
from paring.dataset.table import Dataset
from paring.dataset.writing import beside
from paring.errors import InputError

_SHORTEST_SIDE = 32
_FEWEST_PIXELS = 16  # of an instance that an annotator would still see

Bitmap = NDArray[np.bool_]


def scenes(
    n_images: int,
    *,
    seed: int = 0,
    size: tuple[int, int] = (240, 320),
    folder: str | Path | None = None,
    image_format: Literal["jpg", "png"] = "jpg",
) -> Dataset:
    """Generate images of shapes, many of them near-duplicates, with their instance masks.

    Views come in bursts of one to eight frames that share a scene: the camera pans and zooms a
    little, the light drifts, the sensor has noise. The column `group` (Int64) of the `images`
    frame numbers the bursts, so the redundancy is known. Categories run from smooth to intricate
    (disc, bean, tile, ring, star, gear, leaf, cluster) with a long tail of 36 to 1; sizes are
    log-normal, about one image in fifty is empty, and a few hold a crowd.

    Masks are the visible regions, `instance_id` goes from back to front in each image: polygons
    (one part, or several for a cluster) of whole instances, which nothing overlaps; run lengths
    for rings, crowds and instances that another one hides in part. `bbox` and `area` are those
    of the geometry.

    Parameters
    ----------
    n_images : number of images; the first k of them are those of ``scenes(k)``.
    seed : same seed, same bytes.
    size : (height, width) of the images in pixels.
    folder : where to draw the images to; unset, there are annotations only and no `image_root`.
    image_format : ``"jpg"`` (quality 92) or ``"png"``.

    Returns
    -------
    Dataset
        With files ``000001.jpg`` and so on, in `folder` if that was given.

    Raises
    ------
    InputError
        Where there is no image to make, a side is below 32 pixels, the seed is negative, the
        image format is not known, or the folder has something in it already.

    Example
    -------
    >>> data = scenes(12, seed=3)
    >>> len(data), data.categories["name"].to_list()[:4], data.images["group"].n_unique() < 12
    (12, ['disc', 'bean', 'tile', 'ring'], True)
    """
    _refuse_bad(n_images, seed, size, image_format)
    if folder is not None:
        folder = Path(folder)
        _refuse_full(folder)
    frames = list(islice(_frames(seed, size), n_images))
    data = _dataset(frames, size, image_format)
    if folder is None:
        return data
    _draw_all(frames, folder, data.images["file_name"].to_list(), seed, size)
    return replace(data, image_root=folder)


def _refuse_bad(n_images: int, seed: int, size: tuple[int, int], image_format: str) -> None:
    if n_images < 1:
        raise InputError(f"{n_images} images cannot be generated; ask for at least 1")
    if min(size) < _SHORTEST_SIDE:
        raise InputError(
            f"images of {size[0]} x {size[1]} pixels are too small for scenes; "
            f"both sides must have at least {_SHORTEST_SIDE}"
        )
    if seed < 0:
        raise InputError(f"seed {seed} is negative; give 0 or more")
    if image_format not in {"jpg", "png"}:
        raise InputError(f"image format {image_format!r} is not known; there are jpg, png")


def _refuse_full(folder: Path) -> None:
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder}: is not an empty folder; name one that is, or a new one")


# -- frames -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """One view of a burst; `things` are seen in its pixels, from back to front."""

    burst: Burst
    number: int
    things: tuple[Thing, ...]


def _frames(seed: int, size: tuple[int, int]) -> Iterator[Frame]:
    for burst in bursts(seed, size):
        for number, camera in enumerate(burst.cameras):
            yield Frame(burst, number, tuple(thing.seen(camera) for thing in burst.things))


# -- masks --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Visible:
    """The visible region of an instance: polygon parts, or run lengths."""

    thing: Thing
    parts: tuple[Points, ...] = ()
    runs: NDArray[np.uint32] | None = None


def visible_things(things: tuple[Thing, ...], size: tuple[int, int]) -> Iterator[Visible]:
    """What can be seen of each thing (back to front) in an image of `size` pixels."""
    cut = [[_cut_lines(piece.shape.parts, size) for piece in thing.pieces] for thing in things]
    bitmaps: dict[int, Bitmap] = {}

    def bitmap(row: int) -> Bitmap:
        if row not in bitmaps:
            bitmaps[row] = _bitmap(things[row], cut[row], size)
        return bitmaps[row]

    for row, thing in enumerate(things):
        parts = tuple(chain.from_iterable(cut[row]))
        above = [k for k in range(row + 1, len(things)) if _circles_meet(thing, things[k])]
        hidden = [bitmap(k) for k in above if (bitmap(row) & bitmap(k)).any()]
        if not (hidden or thing.iscrowd or thing.pieces[0].shape.holes):
            if sum(map(_area, parts)) >= _FEWEST_PIXELS:
                yield Visible(thing, parts)
            continue
        left = bitmap(row).copy()
        for other in hidden:
            left &= ~other
        if np.count_nonzero(left) >= _FEWEST_PIXELS:
            rows, columns = (np.flatnonzero(left.any(axis=axis)) for axis in (1, 0))
            top, stop, x = int(rows[0]), int(rows[-1]) + 1, int(columns[0])
            crop = left[top:stop, x : int(columns[-1]) + 1].view(np.uint8)
            yield Visible(thing, runs=rle.encode_bitmap(crop, top, x, *size))


def _circles_meet(one: Thing, other: Thing) -> bool:
    # in the scene; two pixels more for what the fill and the zoom add
    gap = np.hypot(one.centre[0] - other.centre[0], one.centre[1] - other.centre[1])
    return bool(gap < one.radius + other.radius + 2)


def _bitmap(thing: Thing, cut: list[tuple[Points, ...]], size: tuple[int, int]) -> Bitmap:
    """Which pixels of the image a thing covers where nothing lies above it."""
    whole = np.zeros(size, bool)
    for piece, parts in zip(thing.pieces, cut, strict=True):
        for line in parts:
            _fill(whole, line, True)
        for line in _cut_lines(piece.shape.holes, size):
            _fill(whole, line, False)
    return whole


def _fill(whole: Bitmap, line: Points, value: bool) -> None:
    """Set the pixels inside a line, filled as every mask of this library is."""
    store = MaskStore.from_polygons([[line]], heights=whole.shape[:1], widths=whole.shape[1:])
    top, left, crop = store.crop(0)
    whole[top : top + crop.shape[0], left : left + crop.shape[1]][crop != 0] = value


def _cut_lines(lines: tuple[Points, ...], size: tuple[int, int]) -> tuple[Points, ...]:
    cut = (_cut(line, size) for line in lines)
    return tuple(line for line in cut if len(line) > 2)


def _cut(line: Points, size: tuple[int, int]) -> Points:
    """A closed line cut off at the image's border (Sutherland and Hodgman, 1974)."""
    low, high = line.min(axis=0).tolist(), line.max(axis=0).tolist()
    for axis, limit in ((0, size[1]), (1, size[0])):
        if low[axis] < 0:
            line = _cut_at(line, axis, 0.0, line[:, axis] >= 0)
        if high[axis] > limit and len(line):
            line = _cut_at(line, axis, float(limit), line[:, axis] <= limit)
    return line


def _cut_at(line: Points, axis: int, border: float, inside: Bitmap) -> Points:
    after = np.roll(line, -1, axis=0)
    leaves = inside != np.roll(inside, -1)
    step = after[:, axis] - line[:, axis]
    share = (border - line[:, axis]) / np.where(leaves, step, 1.0)
    met = np.round(line + (after - line) * share[:, None], 2)
    met[:, axis] = border
    both = np.stack((line, met), axis=1).reshape(-1, 2)
    kept: Points = both[np.stack((inside, leaves), axis=1).reshape(-1)]
    return kept


def _area(line: Points) -> float:
    x, y = line[:, 0], line[:, 1]
    twice = x[:-1] @ y[1:] - y[:-1] @ x[1:] + x[-1] * y[0] - y[-1] * x[0]
    return abs(float(twice)) / 2


# -- the whole ----------------------------------------------------------------------------


def _dataset(frames: list[Frame], size: tuple[int, int], suffix: str) -> Dataset:
    seen = [
        (image_id, one)
        for image_id, frame in enumerate(frames, start=1)
        for one in visible_things(frame.things, size)
    ]
    heights, widths = (np.full(len(seen), side, np.int32) for side in size)
    none = np.empty(0, np.uint32)
    runs = MaskStore.from_runs(
        [none if one.runs is None else one.runs for _, one in seen], heights=heights, widths=widths
    )
    polygons = MaskStore.from_polygons(
        [one.parts for _, one in seen], heights=heights, widths=widths
    )
    masks = replace(polygons, counts=runs.counts, count_offsets=runs.count_offsets)
    images = pl.DataFrame(
        {
            "image_id": np.arange(1, len(frames) + 1),
            "file_name": [f"{k:06d}.{suffix}" for k in range(1, len(frames) + 1)],
            "width": np.full(len(frames), size[1]),
            "height": np.full(len(frames), size[0]),
            "group": np.array([frame.burst.group for frame in frames], np.int64),
        }
    )
    instances = pl.DataFrame(
        {
            "instance_id": np.arange(1, len(seen) + 1),
            "image_id": np.array([image_id for image_id, _ in seen], np.int64),
            "category_id": np.array([one.thing.category_id for _, one in seen], np.int64),
            "iscrowd": np.array([one.thing.iscrowd for _, one in seen], bool),
            "bbox": pl.Series(masks.boxes(), dtype=pl.Array(pl.Float64, 4)),
            "area": masks.areas(),
        }
    )
    categories = pl.DataFrame({"category_id": np.arange(1, len(NAMES) + 1), "name": NAMES})
    return Dataset(images=images, instances=instances, categories=categories, masks=masks)


def _draw_all(
    frames: list[Frame], folder: Path, names: list[str], seed: int, size: tuple[int, int]
) -> None:
    from paring.dataset.scenes.painting import Painter, save

    painter = Painter(seed, size)
    with beside(folder.resolve(), overwrite=True) as fresh:
        fresh.mkdir()
        for frame, name in zip(frames, names, strict=True):
            save(painter.paint(frame.burst, frame.number, frame.things), fresh / name)
