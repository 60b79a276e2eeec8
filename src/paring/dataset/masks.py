"""`MaskStore`: the masks of a data set as polygons and run lengths in flat buffers.

No mask is a Python object and no bitmap is held: a bitmap is made on demand, one instance at a
time, inside its bounding box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paring.dataset import ragged, rle
from paring.dataset.ragged import Offsets
from paring.errors import InputError

LARGEST_BITMAP = 2**30
"""Pixels of the largest bounding box of which a bitmap is made."""

_BLOCK = 2**16  # points worked on at a time, so that they stay in the processor's cache


@dataclass(frozen=True, eq=False)
class MaskStore:
    """Masks of n instances; each has polygon parts, or run lengths, or neither (an empty mask).

    Attributes
    ----------
    points : float64 (P, 2), vertices x, y in pixels, of all parts of all instances in turn.
    part_offsets : int64 (parts + 1,), where each part begins in `points`.
    instance_parts : int64 (n + 1,), where the parts of each instance begin.
    counts : uint32 (R,), run lengths of all RLE masks, column by column, background first.
    count_offsets : int64 (n + 1,), where the runs of each instance begin.
    heights, widths : int32 (n,), size in pixels of the image each mask lies in.

    Example
    -------
    >>> masks = MaskStore.from_polygons([[[0, 0, 4, 0, 4, 3, 0, 3]]], heights=[8], widths=[10])
    >>> masks.areas(), masks.boxes()
    (array([12.]), array([[0., 0., 4., 3.]]))
    """

    points: NDArray[np.float64]
    part_offsets: Offsets
    instance_parts: Offsets
    counts: NDArray[np.uint32]
    count_offsets: Offsets
    heights: NDArray[np.int32]
    widths: NDArray[np.int32]

    def __post_init__(self) -> None:
        n = len(self.heights)
        if not (
            len(self.widths) == n == len(self.instance_parts) - 1 == len(self.count_offsets) - 1
        ):
            raise ValueError("the buffers of a MaskStore disagree about the number of instances")
        if self.part_offsets[-1] != len(self.points) or self.count_offsets[-1] != len(self.counts):
            raise ValueError("the offsets of a MaskStore do not end where its buffers end")

    # -- making ---------------------------------------------------------------------------

    @classmethod
    def from_polygons(
        cls,
        polygons: Sequence[Sequence[ArrayLike]],
        *,
        heights: ArrayLike,
        widths: ArrayLike,
    ) -> MaskStore:
        """From one list of parts per instance, each part a flat x, y, x, y, ... sequence."""
        parts = [np.asarray(part, np.float64).reshape(-1, 2) for one in polygons for part in one]
        return cls(
            points=np.concatenate(parts) if parts else np.empty((0, 2)),
            part_offsets=ragged.offsets_of(np.array([len(p) for p in parts], np.int64)),
            instance_parts=ragged.offsets_of(np.array([len(one) for one in polygons], np.int64)),
            counts=np.empty(0, np.uint32),
            count_offsets=np.zeros(len(polygons) + 1, np.int64),
            heights=np.asarray(heights, np.int32),
            widths=np.asarray(widths, np.int32),
        )

    @classmethod
    def from_runs(
        cls, runs: Sequence[NDArray[np.uint32]], *, heights: ArrayLike, widths: ArrayLike
    ) -> MaskStore:
        """From the run lengths of each instance (see `paring.dataset.rle`)."""
        lengths = np.array([len(r) for r in runs], np.int64)
        return cls(
            points=np.empty((0, 2)),
            part_offsets=np.zeros(1, np.int64),
            instance_parts=np.zeros(len(runs) + 1, np.int64),
            counts=np.concatenate(runs).astype(np.uint32) if len(runs) else np.empty(0, np.uint32),
            count_offsets=ragged.offsets_of(lengths),
            heights=np.asarray(heights, np.int32),
            widths=np.asarray(widths, np.int32),
        )

    @classmethod
    def concat(cls, stores: Sequence[MaskStore]) -> MaskStore:
        """The masks of all stores, one after the other."""

        def joined(name: str) -> Any:
            return np.concatenate([getattr(store, name) for store in stores])

        def offsets(name: str) -> Any:
            return ragged.offsets_of(np.concatenate([np.diff(getattr(s, name)) for s in stores]))

        if not stores:
            return cls.from_polygons([], heights=[], widths=[])
        ragged_fields = {"part_offsets", "instance_parts", "count_offsets"}
        return cls(
            **{
                f.name: offsets(f.name) if f.name in ragged_fields else joined(f.name)
                for f in fields(cls)
            }
        )

    def take(self, rows: ArrayLike) -> MaskStore:
        """The masks of the given rows (k,), in that order."""
        rows = np.asarray(rows, np.int64)
        parts, instance_parts = ragged.take(self.instance_parts, rows)
        points, part_offsets = ragged.take(self.part_offsets, parts)
        runs, count_offsets = ragged.take(self.count_offsets, rows)
        return MaskStore(
            points=self.points[points],
            part_offsets=part_offsets,
            instance_parts=instance_parts,
            counts=self.counts[runs],
            count_offsets=count_offsets,
            heights=self.heights[rows],
            widths=self.widths[rows],
        )

    # -- what is in it --------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.heights)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MaskStore):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def is_rle(self) -> NDArray[np.bool_]:
        """Which masks are run lengths (n,)."""
        return np.diff(self.count_offsets) > 0

    @property
    def is_polygon(self) -> NDArray[np.bool_]:
        """Which masks are polygons (n,)."""
        return np.diff(self.instance_parts) > 0

    @property
    def is_empty(self) -> NDArray[np.bool_]:
        """Which masks have no geometry at all (n,)."""
        return ~(self.is_rle | self.is_polygon)

    def polygon(self, row: int) -> list[NDArray[np.float64]]:
        """Parts of one mask, each (points, 2)."""
        first, stop = self.instance_parts[row], self.instance_parts[row + 1]
        bounds = self.part_offsets[first : stop + 1]
        return [self.points[a:b] for a, b in pairwise(bounds)]

    def runs(self, row: int) -> NDArray[np.uint32]:
        """Run lengths of one mask."""
        return self.counts[self.count_offsets[row] : self.count_offsets[row + 1]]

    # -- geometry -------------------------------------------------------------------------

    def part_geometry(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Area in square pixels and perimeter in pixels of each polygon part, (parts,) both.

        Area is |sum x_k y_k+1 - x_k+1 y_k| / 2, taken from the part's first vertex so that far
        away shapes lose no digits; the perimeter closes from the last vertex to the first.
        """
        n_parts = len(self.part_offsets) - 1
        area, perimeter = np.zeros(n_parts), np.zeros(n_parts)
        for first, stop in ragged.blocks(self.part_offsets, _BLOCK):
            offsets = self.part_offsets[first : stop + 1]
            points = self.points[offsets[0] : offsets[-1]]
            offsets = offsets - offsets[0]
            lengths = np.diff(offsets)
            filled = lengths > 0
            origin = points[offsets[:-1][filled]]
            here = points - np.repeat(origin, lengths[filled], axis=0)
            after = np.empty_like(here)
            after[:-1] = here[1:]
            after[offsets[1:][filled] - 1] = 0.0
            cross = here[:, 0] * after[:, 1] - after[:, 0] * here[:, 1]
            area[first:stop] = np.abs(ragged.reduce(np.add, cross, offsets)) / 2
            after -= here
            step = np.sqrt(after[:, 0] ** 2 + after[:, 1] ** 2)
            perimeter[first:stop] = ragged.reduce(np.add, step, offsets)
        return area, perimeter

    def areas(self) -> NDArray[np.float64]:
        """Area (n,) in square pixels, from the geometry and not from what was annotated.

        Polygons: the sum of their parts' exact areas (COCO's own convention; parts that overlap
        count twice). RLE: the number of pixels. Empty masks: 0.
        """
        areas = ragged.reduce(np.add, self.part_geometry()[0], self.instance_parts)
        return areas + rle.areas(self.counts, self.count_offsets)

    def boxes(self) -> NDArray[np.float64]:
        """Bounding boxes (n, 4) as x, y, width, height in pixels, from the geometry."""
        parts = self.part_offsets[self.instance_parts]
        low = ragged.reduce(np.minimum, self.points, parts)
        high = ragged.reduce(np.maximum, self.points, parts)
        runs = rle.boxes(self.counts, self.count_offsets, self.heights)
        return np.concatenate((low, high - low), axis=1) + runs

    # -- bitmaps --------------------------------------------------------------------------

    def crop(self, row: int) -> tuple[int, int, NDArray[np.uint8]]:
        """Bitmap of one mask inside its bounding box: top, left, bitmap (h, w) of 0 and 1.

        Polygons are filled as COCO's own tools fill them. The bitmap of an empty mask, or of one
        that lies outside its image, is (0, 0). Raises `InputError` where the box is larger than
        `LARGEST_BITMAP` pixels.
        """
        if self.is_rle[row]:
            x, y, w, h = rle.boxes(
                self.runs(row), np.array([0, len(self.runs(row))]), self.heights[row : row + 1]
            )[0]
            self._refuse_large(row, int(h), int(w))
            return int(y), int(x), rle.bitmap(self.runs(row), int(self.heights[row]), (x, y, w, h))
        return self._fill(row)

    def _fill(self, row: int) -> tuple[int, int, NDArray[np.uint8]]:
        from faster_coco_eval import mask as coco_mask

        height, width = int(self.heights[row]), int(self.widths[row])
        parts = [part for part in self.polygon(row) if len(part) > 2]
        if not parts:
            return 0, 0, np.zeros((0, 0), np.uint8)
        points = np.concatenate(parts)
        left, top = (max(int(v) - 1, 0) for v in np.floor(points.min(axis=0)))
        right = min(int(np.ceil(points[:, 0].max())) + 2, width)
        bottom = min(int(np.ceil(points[:, 1].max())) + 2, height)
        if right <= left or bottom <= top:
            return 0, 0, np.zeros((0, 0), np.uint8)
        self._refuse_large(row, bottom - top, right - left)
        if right * bottom < 2**32:  # as far as run lengths can count, vertices stay as they are:
            left = top = 0  # moving them can turn the rounding of a half
        moved = [(part - (left, top)).reshape(-1).tolist() for part in parts]
        coded = coco_mask.merge(coco_mask.frPyObjects(moved, bottom - top, right - left))
        runs = rle.decode_text([coded["counts"]])[0].astype(np.uint32)
        sides = np.array([bottom - top], np.int32)
        box = rle.boxes(runs, np.array([0, len(runs)]), sides)[0]
        return top + int(box[1]), left + int(box[0]), rle.bitmap(runs, bottom - top, box)

    def _refuse_large(self, row: int, height: int, width: int) -> None:
        if height * width > LARGEST_BITMAP:
            raise InputError(
                f"mask {row} spans {height} x {width} pixels, more than a bitmap may have "
                f"({LARGEST_BITMAP}); check its size or work on polygons"
            )

    def to_rle(self, progress: Callable[[int], None] | None = None) -> MaskStore:
        """The same masks as run lengths, polygons filled as :meth:`crop` fills them."""
        runs = []
        for row in range(len(self)):
            if self.is_rle[row]:
                runs.append(self.runs(row))
            else:
                top, left, crop = self.crop(row)
                size = int(self.heights[row]), int(self.widths[row])
                runs.append(rle.encode_bitmap(crop, top, left, *size))
            if progress is not None:
                progress(row + 1)
        return MaskStore.from_runs(runs, heights=self.heights, widths=self.widths)
