"""Proposals of one image as the network sees them, small enough to keep for every image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paring.dataset.masks import MaskStore
from paring.labels.arrays import read_arrays, write_arrays
from paring.labels.atoms import Atoms, atoms_of
from paring.labels.tags.assignment import Assigned
from paring.labels.tags.peaks import Peaks

SIDE = 7


@dataclass(frozen=True)
class Regions:
    """The proposals of one image.

    Attributes
    ----------
    size : (height, width) of the image in pixels.
    rows : int64 (n,), rows among all proposals of the data set.
    boxes : float32 (n, 4) x1, y1, x2, y2 in pixels, tight about the masks.
    masks : bool (n, 7, 7), each mask inside its box, nearest pixel.
    members : bool (n, a), areas : float64 (a,); see `Atoms`.
    labels, clusters : int64 (n,), pre-computed pseudo-labels; see `Assigned`.
    peaks : what these go by.
    """

    size: tuple[int, int]
    rows: NDArray[np.int64]
    boxes: NDArray[np.float32]
    masks: NDArray[np.bool_]
    members: NDArray[np.bool_]
    areas: NDArray[np.float64]
    labels: NDArray[np.int64]
    clusters: NDArray[np.int64]
    peaks: Peaks

    def __len__(self) -> int:
        return len(self.rows)

    def overlaps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """IoU and containment of all pairs (n, n); see `Atoms.overlaps`."""
        pixels = np.broadcast_to(np.int32(0), self.size)
        return Atoms(self.members, self.areas, pixels).overlaps()

    def save(self, path: Path) -> None:
        """Write it as one file."""
        write_arrays(
            path,
            size=np.array(self.size),
            rows=self.rows,
            boxes=self.boxes,
            masks=np.packbits(self.masks),
            members=np.packbits(self.members),
            areas=self.areas,
            labels=self.labels,
            clusters=self.clusters,
            places=self.peaks.places,
            classes=self.peaks.classes,
            scores=self.peaks.scores,
        )

    @classmethod
    def load(cls, path: Path) -> Regions:
        """Read it back; `InputError` where the file is broken."""
        parts = read_arrays(
            path,
            *("size", "rows", "boxes", "masks", "members", "areas", "labels", "clusters"),
            *("places", "classes", "scores"),
        )
        n, a = len(parts["rows"]), len(parts["areas"])
        masks = np.unpackbits(parts.pop("masks"), count=n * SIDE * SIDE)
        members = np.unpackbits(parts.pop("members"), count=n * a)
        high, wide = parts.pop("size").tolist()
        peaks = Peaks(*(parts.pop(name) for name in ("places", "classes", "scores")))
        return cls(
            size=(high, wide),
            masks=masks.reshape(n, SIDE, SIDE).astype(bool),
            members=members.reshape(n, a).astype(bool),
            peaks=peaks,
            **parts,
        )


def cut_regions(masks: MaskStore) -> tuple[Atoms, NDArray[np.float32], NDArray[np.bool_]]:
    """Atoms, boxes (n, 4) and small masks (n, 7, 7) of an image's proposals, none of them empty.

    A small mask has, for each of 7 x 7 equal cells of the box, whether the pixel below the
    middle of the cell is in the mask.

    Example
    -------
    >>> triangle = [[(0, 0), (14, 0), (0, 14)]]
    >>> store = MaskStore.from_polygons([triangle], heights=[20], widths=[20])
    >>> cut_regions(store)[2][0].sum(axis=1)
    array([7, 6, 5, 4, 3, 2, 1])
    """
    flat = masks.to_rle()
    atoms = atoms_of(flat)
    boxes = flat.boxes().astype(np.int64)  # x, y, width, height
    step = (2 * np.arange(SIDE) + 1)[None]
    rows = boxes[:, 1:2] + step * boxes[:, 3:] // (2 * SIDE)
    columns = boxes[:, :1] + step * boxes[:, 2:3] // (2 * SIDE)
    at = atoms.of_pixels[rows[:, :, None], columns[:, None, :]]
    small = np.where(at >= 0, atoms.members[np.arange(len(flat))[:, None, None], at], False)
    corners = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)
    return atoms, corners.astype(np.float32), small


def regions_of(
    atoms: Atoms,
    boxes: NDArray[np.float32],
    small: NDArray[np.bool_],
    rows: NDArray[np.int64],
    assigned: Assigned,
    peaks: Peaks,
) -> Regions:
    """Put together what `cut_regions`, `find_peaks` and `assign_proposals` gave."""
    high, wide = atoms.of_pixels.shape
    return Regions(
        size=(high, wide),
        rows=rows,
        boxes=boxes,
        masks=small,
        members=atoms.members,
        areas=atoms.areas,
        labels=assigned.labels,
        clusters=assigned.clusters,
        peaks=peaks,
    )
