"""Masks of one image over the parts that they cut it into, so that overlaps are one product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paring.dataset.masks import MaskStore

_EXACT = 2**24  # whole numbers up to here are exact in float32
_TRIES = 4


@dataclass(frozen=True)
class Atoms:
    """Masks of one image as sets of atoms: pixels that lie in the same masks are one atom.

    Attributes
    ----------
    members : bool (n, a), which atoms make up each mask.
    areas : float64 (a,), pixels of each atom.
    of_pixels : int32 (H, W), the atom of each pixel, -1 where no mask is.
    """

    members: NDArray[np.bool_]
    areas: NDArray[np.float64]
    of_pixels: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.members)

    def mask_areas(self) -> NDArray[np.float64]:
        """Pixels of each mask (n,)."""
        areas: NDArray[np.float64] = self.members @ self.areas
        return areas

    def intersections(self, others: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Pixels that each mask shares with each of some others (n, m).

        Parameters
        ----------
        others : bool (m, a), further sets of these atoms; unset, the masks themselves.
        """
        # sums of whole numbers are exact in float32 up to 2^24, and twice as fast there
        kind = np.float32 if self.of_pixels.size < _EXACT else np.float64
        mine = self.members.astype(kind)
        theirs = mine if others is None else others.astype(kind)
        shared: NDArray[np.floating] = (mine * self.areas.astype(kind)) @ theirs.T
        return shared.astype(np.float64)

    def overlaps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Intersection over union and containment of all pairs of masks, (n, n) both.

        IoU is |i and j| / |i or j|; containment M[i, j] is |i and j| / |j|, the share of mask j
        that mask i contains (CIM, Algorithm 1). Both are 0 where a mask is empty.

        Example
        -------
        >>> from paring.dataset.masks import MaskStore
        >>> square = [[(0, 0), (4, 0), (4, 4), (0, 4)]]
        >>> half = [[(0, 0), (2, 0), (2, 4), (0, 4)]]
        >>> both = MaskStore.from_polygons([square, half], heights=[8, 8], widths=[8, 8])
        >>> iou, contains = atoms_of(both).overlaps()
        >>> iou[0, 1], contains[0, 1], contains[1, 0]
        (np.float64(0.5), np.float64(1.0), np.float64(0.5))
        """
        shared = self.intersections()
        areas = self.mask_areas()
        return _share(shared, areas[:, None] + areas - shared), _share(shared, areas[None, :])

    def iou_with(self, others: NDArray[np.bool_]) -> NDArray[np.float64]:
        """IoU of each mask with each of some other sets of atoms (m, a): (n, m)."""
        shared = self.intersections(others)
        return _share(shared, self.mask_areas()[:, None] + others @ self.areas - shared)


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros_like(part), where=part > 0)


def atoms_of(masks: MaskStore) -> Atoms:
    """Cut one image by all of its masks; exact, in time that grows with the runs of the masks.

    Each mask has a random number of 64 bits, and each pixel the sum of those of the masks that it
    lies in, which the two ends of every run suffice for. Pixels of equal sums are one atom. That
    no two sums fell together is checked by the areas of the masks.

    Parameters
    ----------
    masks : of one image, all of its size; polygons are filled as they are everywhere.

    Raises
    ------
    ValueError
        Where there is no mask, or they are of several sizes.
    """
    if not len(masks):
        raise ValueError("there is no mask to cut the image by")
    height, width = int(masks.heights[0]), int(masks.widths[0])
    if (masks.heights != height).any() or (masks.widths != width).any():
        raise ValueError("the masks are of several sizes")
    flat = masks if masks.is_rle.all() else masks.to_rle()
    owner, starts, stops = _runs(flat)
    areas = np.bincount(owner, stops - starts, minlength=len(masks))
    for seed in range(_TRIES):
        atoms = _cut(owner, starts, stops, len(masks), (height, width), seed)
        if np.array_equal(atoms.mask_areas(), areas):
            return atoms
    raise AssertionError("random numbers of 64 bits fell together, and did so again")


def _runs(masks: MaskStore) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Mask, first pixel and one past the last, down the columns, of each run of foreground."""
    offsets, counts = masks.count_offsets, masks.counts.astype(np.int64)
    lengths = np.diff(offsets)
    ends = np.cumsum(counts)
    before = np.concatenate(([0], ends))[offsets[:-1]]
    ends -= np.repeat(before, lengths)
    place = np.arange(len(counts)) - np.repeat(offsets[:-1], lengths)
    solid = (place % 2 == 1) & (counts > 0)
    owner = np.repeat(np.arange(len(masks)), lengths)[solid]
    return owner, (ends - counts)[solid], ends[solid]


def _cut(
    owner: NDArray[np.int64],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    n: int,
    size: tuple[int, int],
    seed: int,
) -> Atoms:
    """The atoms by sums of random numbers."""
    numbers = np.random.default_rng(seed).integers(1, 2**64 - 1, n, dtype=np.uint64)
    change = np.zeros(size[0] * size[1] + 1, np.uint64)
    np.add.at(change, starts, numbers[owner])
    np.subtract.at(change, stops, numbers[owner])
    sums = np.cumsum(change[:-1], dtype=np.uint64)
    found, first, which, counts = np.unique(
        sums, return_index=True, return_inverse=True, return_counts=True
    )
    inside = found != 0
    number = np.where(inside, np.cumsum(inside) - 1, -1).astype(np.int32)
    first, counts = first[inside], counts[inside]
    # a mask holds an atom if one of its runs holds the atom's first pixel
    order = np.argsort(first, kind="stable")
    low = np.searchsorted(first[order], starts)
    high = np.searchsorted(first[order], stops)
    edges = np.zeros((n, len(first) + 1), np.int32)
    np.add.at(edges, (owner, low), 1)
    np.subtract.at(edges, (owner, high), 1)
    members = np.zeros((n, len(first)), bool)
    members[:, order] = np.cumsum(edges[:, :-1], axis=1, dtype=np.int32) > 0
    of_pixels = number[which.reshape(-1)].reshape(size[1], size[0]).T
    return Atoms(members, counts.astype(np.float64), np.ascontiguousarray(of_pixels))
