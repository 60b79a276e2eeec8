"""Pre-computed pseudo-labels: which proposals show what the peaks point at (AGPL)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paring.labels.atoms import Atoms
from paring.labels.tags.peaks import Peaks

IGNORED = -1
BACKGROUND = 0


@dataclass(frozen=True)
class Assigned:
    """What each proposal of an image is taken for.

    Attributes
    ----------
    labels : int64 (n,), class from 1 on, `BACKGROUND`, or `IGNORED`.
    clusters : int64 (n,), proposals of one number are of one instance; each background proposal
        is a cluster of its own; `IGNORED` for those that are.
    supports : bool (p, a), the support mask of each peak as atoms; nothing where no proposal
        holds the peak.
    """

    labels: NDArray[np.int64]
    clusters: NDArray[np.int64]
    supports: NDArray[np.bool_]


def support_masks(atoms: Atoms, pixels: NDArray[np.int64], share: float = 0.7) -> NDArray[np.bool_]:
    """What most of the proposals that hold a point have in common (Eq. 1), bool (p, a).

    The support mask of a point is where more than `share` of the proposals that hold it are.

    Parameters
    ----------
    atoms : the proposals of one image.
    pixels : row and column of each point (p, 2).
    """
    at = atoms.of_pixels[pixels[:, 0], pixels[:, 1]]
    holds = np.where(at[:, None] >= 0, atoms.members[:, at].T, False)  # (p, n)
    number = holds.sum(axis=1)
    inside = holds.astype(np.float32) @ atoms.members.astype(np.float32)
    supports: NDArray[np.bool_] = (inside > share * number[:, None]) & (number[:, None] > 0)
    return supports


def assign_proposals(
    atoms: Atoms,
    peaks: Peaks,
    *,
    share: float = 0.7,
    overlap: float = 0.5,
) -> Assigned:
    """Label the proposals of an image by the support masks of its peaks (Eqs. 1 and 2).

    A proposal whose IoU with a support mask is above `overlap` is of that peak's class; where
    several are, the peak of the largest activation counts. One that overlaps a support mask less
    is background; one that overlaps none is left out. Where no support mask is, all proposals are
    background, as in the authors' code.

    Parameters
    ----------
    atoms : the proposals.
    peaks : of the image's tags.

    Example
    -------
    >>> from paring.dataset.masks import MaskStore
    >>> from paring.labels.atoms import atoms_of
    >>> boxes = [(0, 0, 4, 4), (0, 0, 4, 3), (3, 3, 8, 8), (6, 6, 8, 8)]
    >>> corners = [[[(x, y), (u, y), (u, v), (x, v)]] for x, y, u, v in boxes]
    >>> masks = MaskStore.from_polygons(corners, heights=[8] * 4, widths=[8] * 4)
    >>> peaks = Peaks(np.array([[0.1, 0.1]]), np.array([0]), np.array([5.0]))
    >>> assign_proposals(atoms_of(masks), peaks).labels
    array([ 1,  1, -1, -1])
    """
    n = len(atoms)
    size = atoms.of_pixels.shape
    supports = support_masks(atoms, peaks.pixels((size[0], size[1])), share)
    labels = np.full(n, IGNORED, np.int64)
    clusters = np.full(n, IGNORED, np.int64)
    there = np.flatnonzero(supports.any(axis=1))
    if not len(there):
        return Assigned(np.zeros(n, np.int64), np.arange(n), supports)
    iou = atoms.iou_with(supports[there])
    touches = iou.max(axis=1) > 0
    for place in np.argsort(peaks.scores[there], kind="stable").tolist():  # the strongest last
        inside = iou[:, place] > overlap
        labels[inside] = peaks.classes[there[place]] + 1
        clusters[inside] = place
    background = touches & (labels == IGNORED)
    labels[background] = BACKGROUND
    clusters[background] = len(there) + np.arange(int(background.sum()))
    return Assigned(labels, clusters, supports)
