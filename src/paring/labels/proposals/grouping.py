"""Segments grouped into a tree: the two most alike neighbours become one, until one is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paring.labels.proposals.kernel import group
from paring.labels.proposals.segments import Labels, Way, in_space, segment

_COLOURS, _TEXTURES, _DIRECTIONS = 20, 8, 8  # bins, bins, directions of a gradient
_STEEP = 400.0  # gradient (a Sobel filter's) of the last bin of texture


@dataclass(frozen=True)
class Tree:
    """A hierarchy of segments: n leaves, then n - 1 nodes that two others became.

    Attributes
    ----------
    labels : int64 (h, w), the leaf of each pixel.
    parents : int64 (m,), the node that each became part of; -1 for the root, which is the last.
    children : int64 (m, 2), the two that each was made of; -1 for leaves.
    likeness : (m,), how alike these two were; for leaves the most that two can be.
    sizes : (m,), pixels.
    boxes : (m, 4), x1, y1, x2, y2 in pixels.
    colours, textures : (m, k), histograms, each of sum 1.
    """

    labels: Labels
    parents: NDArray[np.int64]
    children: NDArray[np.int64]
    likeness: NDArray[np.float64]
    sizes: NDArray[np.float64]
    boxes: NDArray[np.float64]
    colours: NDArray[np.float64]
    textures: NDArray[np.float64]

    @property
    def n_leaves(self) -> int:
        """Number of leaves, which come first."""
        return (len(self.parents) + 1) // 2

    def summed(self, leaves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the leaves of each node (m, k), of values of the leaves (n, k).

        >>> tree = grow(np.zeros((4, 4, 3), np.uint8), Way("lab", 25))
        >>> tree.summed(np.array([[3.0]]))
        array([[3.]])
        """
        out = np.zeros((len(self.parents), leaves.shape[1]))
        out[: self.n_leaves] = leaves
        for node in range(self.n_leaves, len(out)):
            one, other = self.children[node]
            out[node] = out[one] + out[other]
        return out


def grow(pixels: NDArray[np.uint8], way: Way) -> Tree:
    """The tree of an image (h, w, 3) in one way.

    Of two neighbours, likeness is the weighted sum of: the intersection of their histograms of
    colour; of texture (gradients by direction); 1 - their share of the image; and 1 - the share of
    it that their common box has beside them. It is that of selective search (Uijlings et al., 2013,
    section 3.2) with directed Sobel gradients for its derivatives of Gaussians.
    """
    colours = in_space(pixels, way.space)
    labels = segment(colours, way.scale)
    n = int(labels.max()) + 1
    sizes = np.bincount(labels.reshape(-1), minlength=n).astype(np.float64)
    first, second, _ = neighbours(labels, n)
    parts = group(
        first,
        second,
        sizes,
        _boxes(labels, n),
        _colour_histograms(labels, colours, n),
        _texture_histograms(labels, colours, n),
        np.array([way.colour, way.texture, way.size, way.fill]),
    )
    return Tree(labels, *parts)


def neighbours(
    labels: Labels, n: int, strength: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of segments that touch, each once, and their borders (p, 2).

    A border has its length in pairs of pixels and, with `strength` (h, w), the sum over these of
    the larger strength of the two.
    """
    firsts, values = [], []
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        here, there = labels[one], labels[other]
        differ = here != there
        low = np.minimum(here[differ], there[differ])
        firsts.append(low * n + np.maximum(here[differ], there[differ]))
        if strength is not None:
            values.append(np.maximum(strength[one][differ], strength[other][differ]))
    keys, inverse, lengths = np.unique(
        np.concatenate(firsts), return_inverse=True, return_counts=True
    )
    weights = np.concatenate(values) if values else np.zeros(len(inverse))
    sums = np.bincount(inverse, weights, minlength=len(keys))
    return keys // n, keys % n, np.stack((lengths.astype(np.float64), sums), axis=1)


def _boxes(labels: Labels, n: int) -> NDArray[np.float64]:
    """x1, y1, x2, y2 of each segment (n, 4)."""
    flat = labels.reshape(-1)
    order = np.argsort(flat, kind="stable")
    starts = np.searchsorted(flat[order], np.arange(n))
    y, x = np.divmod(order, labels.shape[1])
    low = [np.minimum.reduceat(values, starts) for values in (x, y)]
    high = [np.maximum.reduceat(values, starts) + 1 for values in (x, y)]
    return np.stack((*low, *high), axis=1).astype(np.float64)


def _histograms(
    labels: Labels, bins: list[NDArray[np.int64]], number: int, n: int
) -> NDArray[np.float64]:
    """Histograms of each segment (n, len(bins) * number), each of sum 1."""
    flat = labels.reshape(-1) * number
    counts = [
        np.bincount(flat + one.reshape(-1), minlength=n * number).reshape(n, number) for one in bins
    ]
    both = np.concatenate(counts, axis=1).astype(np.float64)
    both /= both.sum(axis=1, keepdims=True)
    return both


def _colour_histograms(labels: Labels, colours: NDArray[np.uint8], n: int) -> NDArray[np.float64]:
    bins = [colours[..., c].astype(np.int64) * _COLOURS // 256 for c in range(3)]
    return _histograms(labels, bins, _COLOURS, n)


def _texture_histograms(labels: Labels, colours: NDArray[np.uint8], n: int) -> NDArray[np.float64]:
    """Of the gradient in each of eight directions, of each channel."""
    import cv2

    bins = []
    for c in range(3):
        smooth = cv2.GaussianBlur(colours[..., c].astype(np.float32), (0, 0), 1.0)
        dx = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3))
        dy = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3))
        for turn in range(_DIRECTIONS):
            angle = 2 * np.pi * turn / _DIRECTIONS
            steep = np.maximum(dx * np.float32(np.cos(angle)) + dy * np.float32(np.sin(angle)), 0)
            place = (np.sqrt(steep / _STEEP) * _TEXTURES).astype(np.int64)
            bins.append(np.minimum(place, _TEXTURES - 1))
    return _histograms(labels, bins, _TEXTURES, n)
