"""Area and perimeter of the primary contour of instance masks, as OpenCV measures them.

Two engines give the same numbers, bit for bit: `"opencv"` draws one mask at a time inside its
bounding box, `"compiled"` works on whole ranges of masks without drawing any, and needs a second
or, the first time on a machine, ten to start. Neither is imported before it is needed.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paring.dataset import ragged, rle
from paring.dataset.masks import LARGEST_BITMAP, MaskStore
from paring.errors import InputError

Engine = Literal["auto", "opencv", "compiled"]
Floats = NDArray[np.float64]
Boxes = NDArray[np.int64]

COORDINATE_LIMIT = 2**30
"""Pixels from the image's corner within which coordinates must lie."""

_CHUNK = 1024  # masks handed to a thread at a time
_COMPILED = ("edges", "spans", "kernel")  # modules of the compiled engine, beside this one
_SECONDS_TO_COMPILE, _SECONDS_TO_LOAD = 12.0, 0.7
_SECONDS_SAVED_PER_MASK, _SECONDS_SAVED_PER_RUN = 2.3e-5, 0.5e-6


def measure_contours(
    masks: MaskStore,
    *,
    workers: int = 1,
    engine: Engine = "auto",
    progress: Callable[[int], None] | None = None,
) -> tuple[Floats, Floats]:
    """Area in square pixels and perimeter in pixels of each mask's primary contour, (n,) both.

    A polygon's vertices are truncated toward zero and every part is filled, borders included, so
    that parts unite. Of the outer contours of the 8-connected shapes in the bitmap, the primary
    one has the largest area; holes and all other shapes are ignored. With the contour's pixel
    centres (x_k, y_k), closed from the last to the first::

        area      = |sum x_k y_k+1 - x_k+1 y_k| / 2
        perimeter = sum sqrt((x_k+1 - x_k)^2 + (y_k+1 - y_k)^2)

    with square roots in single precision over straight stretches. So a block of a x b pixels has
    the area (a - 1)(b - 1), and a line or a single pixel has none. Masks without pixels in their
    image have area and perimeter 0.

    The numbers equal those of `cv2.fillPoly`, `cv2.findContours` (external, simple chains),
    `cv2.contourArea` and `cv2.arcLength` on the full image, bit for bit. They are what the scores
    of TFDP (section 3.3.1, Eqs. 4-7) are made of.

    Parameters
    ----------
    masks : the masks to measure.
    workers : threads of the compiled engine; the numbers do not depend on it.
    engine : `"opencv"`, `"compiled"`, or `"auto"` for the one that will be done first.
    progress : called from time to time with the number of masks done so far.

    Raises
    ------
    InputError : for a mask whose box covers more than 2**30 pixels of its image, whose vertices
        are not finite or more than 2**30 pixels away, or whose run lengths overfill its image; the
        message has the mask's number.

    Example
    -------
    >>> from paring.dataset.masks import MaskStore
    >>> square = [0, 0, 9, 0, 9, 9, 0, 9]
    >>> masks = MaskStore.from_polygons([[square], []], heights=[20, 20], widths=[20, 20])
    >>> measure_contours(masks)
    (array([81.,  0.]), array([36.,  0.]))
    """
    if engine not in ("auto", "opencv", "compiled"):
        raise InputError(f"engine {engine!r} is not known; it is 'auto', 'opencv' or 'compiled'")
    if workers < 1:
        raise InputError(f"workers is {workers}; it must be 1 or more")
    pixels = masks.heights.astype(np.int64) * masks.widths
    for row in np.flatnonzero(pixels > LARGEST_BITMAP).tolist():
        _boxes(masks, row, row + 1)

    area, perimeter = np.zeros(len(masks)), np.zeros(len(masks))
    report = progress or (lambda _: None)
    if engine == "compiled" or (engine == "auto" and _compiled_pays_off(masks)):
        _measure_compiled(masks, area, perimeter, workers, report)
    else:
        for first, stop in _chunks(len(masks)):
            _measure_drawn(masks, first, stop, area, perimeter)
            report(stop)
    return area, perimeter


def _chunks(n: int) -> list[tuple[int, int]]:
    return [(first, min(first + _CHUNK, n)) for first in range(0, n, _CHUNK)]


# -- which engine -----------------------------------------------------------------------------


def _compiled_pays_off(masks: MaskStore) -> bool:
    saved = len(masks) * _SECONDS_SAVED_PER_MASK + len(masks.counts) * _SECONDS_SAVED_PER_RUN
    if _is_ready():
        return saved > 0
    if saved < (_SECONDS_TO_LOAD if _is_cached() else _SECONDS_TO_COMPILE):
        return False
    return _is_usable()


def _is_ready() -> bool:
    """Whether this process has the compiled functions already."""
    modules = [sys.modules.get(f"{__package__}.{name}") for name in _COMPILED]
    return all(module is not None and module.is_ready() for module in modules)


def _is_cached() -> bool:
    """Whether the compiled functions lie on disk, younger than their sources.

    A guess from file names, so as not to import numba for it; a wrong one costs time and nothing
    else.
    """
    here = Path(__file__).parent
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    folders = list(Path(chosen).glob("*")) if chosen else [here / "__pycache__"]
    tag = f"py{sys.version_info.major}{sys.version_info.minor}.nbi"

    def is_cached(name: str) -> bool:
        changed = (here / f"{name}.py").stat().st_mtime
        found = (path for folder in folders for path in folder.glob(f"{name}.*.{tag}"))
        return any(path.stat().st_mtime >= changed for path in found)

    return all(is_cached(name) for name in _COMPILED)


def _is_usable() -> bool:
    """Whether the compiled engine can be had; numba refuses where it has no folder to cache in."""
    if importlib.util.find_spec("numba") is None:
        return False
    try:
        from paring.images.contours import edges, kernel, spans  # noqa: F401
    except (ImportError, RuntimeError):
        return False
    return True


# -- the compiled engine ----------------------------------------------------------------------


def _measure_compiled(
    masks: MaskStore,
    area: Floats,
    perimeter: Floats,
    workers: int,
    report: Callable[[int], None],
) -> None:
    from paring.images.contours import edges, kernel, spans

    status = np.zeros(len(masks), np.uint8)
    by_columns = np.zeros(len(masks), np.bool_)
    is_bad = np.zeros(len(masks), np.bool_)
    size = masks.heights, masks.widths
    polygons = masks.points, masks.part_offsets, masks.instance_parts

    def measure(chunk: tuple[int, int]) -> int:
        at, stop = chunk
        while at < stop:
            found, mask_edges = edges.find_edges(*polygons, *size, at, stop, is_bad)
            done = 0
            while done < len(mask_edges) - 1:
                runs, row_runs, mask_rows = spans.find_runs(
                    found,
                    mask_edges,
                    masks.counts,
                    masks.count_offsets,
                    *size,
                    at,
                    done,
                    by_columns,
                    status,
                )
                rows = slice(at + done, at + done + len(mask_rows) - 1)
                kernel.measure_runs(
                    runs, row_runs, mask_rows, by_columns[rows], area[rows], perimeter[rows]
                )
                done += len(mask_rows) - 1
            at += done
        return chunk[1] - chunk[0]

    def follow(finished: Iterable[int]) -> None:
        done = 0
        for size in finished:
            done += size
            report(done)

    chunks = _chunks(len(masks))
    if workers == 1 or len(chunks) == 1:
        follow(map(measure, chunks))
    else:
        with ThreadPoolExecutor(workers) as pool:
            follow(pool.map(measure, chunks))

    for row in np.flatnonzero(is_bad | (status != spans.FINE)).tolist():
        # what is wrong with it is found, and said, in the one place that knows; a mask that is
        # merely too large for the compiled engine's scratch memory is measured there
        _measure_drawn(masks, row, row + 1, area, perimeter)


# -- the drawing engine -----------------------------------------------------------------------


def _measure_drawn(
    masks: MaskStore, first: int, stop: int, area: Floats, perimeter: Floats
) -> None:
    import cv2

    boxes = _boxes(masks, first, stop)
    vertices = _vertices_in_boxes(masks, first, stop, boxes)
    begin = masks.part_offsets[masks.instance_parts[first]]
    buffer = np.empty(int((boxes[:, 2] * boxes[:, 3]).max(initial=0)), np.uint8)
    for row, (left, top, width, height) in zip(range(first, stop), boxes.tolist(), strict=True):
        if width == 0 or height == 0:
            continue
        if masks.instance_parts[row] < masks.instance_parts[row + 1]:
            bitmap = buffer[: height * width].reshape(height, width)
            bitmap.fill(0)
            parts = slice(masks.instance_parts[row], masks.instance_parts[row + 1] + 1)
            bounds = (masks.part_offsets[parts] - begin).tolist()
            for a, b in pairwise(bounds):
                if a < b:
                    cv2.fillPoly(bitmap, [vertices[a:b]], 1)
        else:
            bitmap = rle.bitmap(
                masks.runs(row), int(masks.heights[row]), (left, top, width, height)
            )
        contours, _ = cv2.findContours(bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if contours:
            primary = max(contours, key=cv2.contourArea)
            area[row] = cv2.contourArea(primary)
            perimeter[row] = cv2.arcLength(primary, True)


def _boxes(masks: MaskStore, first: int, stop: int) -> Boxes:
    """Pixel boxes (k, 4) of some masks as x, y, width, height, cut at their images.

    Drawing inside such a box is exact even for a polygon that leaves its image: the box reaches
    the image's border on just those sides where something has to be clipped.
    """
    heights, widths = masks.heights[first:stop], masks.widths[first:stop]
    size = np.stack((widths, heights), axis=1).astype(np.int64)
    begins = masks.part_offsets[masks.instance_parts[first : stop + 1]]
    points = masks.points[begins[0] : begins[-1]]
    begins = begins - begins[0]
    wrong = ~(np.abs(points) < COORDINATE_LIMIT).all(axis=1)
    if wrong.any():
        row = first + int(np.searchsorted(begins, np.flatnonzero(wrong)[0], side="right")) - 1
        raise InputError(
            f"mask {row} has a vertex that is not finite or more than {COORDINATE_LIMIT} pixels "
            "away; correct or remove it"
        )
    vertices = points.astype(np.int64)
    low = np.maximum(ragged.reduce(np.minimum, vertices, begins), 0)
    high = np.minimum(ragged.reduce(np.maximum, vertices, begins, empty=-1), size - 1)
    boxes = np.concatenate((low, np.maximum(high - low + 1, 0)), axis=1)

    coded = np.flatnonzero(
        (np.diff(begins) == 0) & (np.diff(masks.count_offsets[first : stop + 1]) > 0)
    )
    if len(coded):
        runs, offsets = ragged.take(masks.count_offsets, first + coded)
        counts = masks.counts[runs]
        over = ragged.reduce(np.add, counts.astype(np.int64), offsets) > size[coded].prod(axis=1)
        if over.any():
            row = first + int(coded[over][0])
            raise InputError(
                f"mask {row} has run lengths for more pixels than its image of "
                f"{masks.heights[row]} x {masks.widths[row]} has; correct its size or remove it"
            )
        boxes[coded] = rle.boxes(counts, offsets, heights[coded])

    large = np.flatnonzero(boxes[:, 2] * boxes[:, 3] > LARGEST_BITMAP)
    if len(large):
        _, _, width, height = boxes[large[0]].tolist()
        raise InputError(
            f"mask {first + int(large[0])} spans {height} x {width} pixels, more than a bitmap may "
            f"have ({LARGEST_BITMAP}); check its size or cut its image into tiles"
        )
    return boxes


def _vertices_in_boxes(masks: MaskStore, first: int, stop: int, boxes: Boxes) -> NDArray[np.int32]:
    """Vertices of some masks, truncated toward zero and counted from their boxes' corners."""
    begins = masks.part_offsets[masks.instance_parts[first : stop + 1]]
    vertices = masks.points[begins[0] : begins[-1]].astype(np.int32)
    vertices -= np.repeat(boxes[:, :2].astype(np.int32), np.diff(begins), axis=0)
    return vertices
