"""What speaks for and against a node of a tree being a thing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paring.labels.proposals.grouping import Tree, neighbours
from paring.labels.proposals.kernel import common_nodes

TRAITS = (
    "log_size",
    "log_size_squared",
    "border_gradient",
    "inner_gradient",
    "gradient_ratio",
    "box_fill",
    "raggedness",
    "sides_touched",
    "sides_covered",
    "border_on_frame",
    "colour_apart",
    "texture_apart",
    "unlike_frame",
    "likeness_gap",
    "growth",
    "off_centre_x",
    "off_centre_y",
    "elongation",
    "leaf",
    "likeness",
    "extent",
)
"""What `describe` gives of each node, in order."""


def describe(tree: Tree, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Traits (m, len(TRAITS)) of the nodes of a tree of an image (h, w, 3).

    log_size and its square are of the share of the image. Gradients are of CIE Lab, smoothed;
    border_gradient is their mean along the border with other segments, inner_gradient inside,
    gradient_ratio the logarithm of one to the other. box_fill is the share of the box that is
    filled, raggedness the logarithm of perimeter^2 / (4 pi size). sides_touched and sides_covered
    count sides of the frame of which the node has any, or more than half; border_on_frame is the
    share of its perimeter there. colour_apart and texture_apart are 1 - the intersection with the
    histograms of the sibling, unlike_frame with those of the segments at the frame. likeness_gap
    is how much less alike the parent's two were, growth the logarithm of the parent's size to its
    own. off_centre and extent are shares of the image's sides, elongation the absolute logarithm
    of the box's aspect.
    """
    n, m = tree.n_leaves, len(tree.parents)
    high, wide = tree.labels.shape
    steep = _gradient(pixels)
    first, second, borders = neighbours(tree.labels, n, steep)
    outline = _outlines(tree, first, second, borders)
    flat = tree.labels.reshape(-1)
    inside = np.bincount(flat, steep.reshape(-1), minlength=n).astype(np.float64)
    inner = tree.summed(inside[:, None])[:, 0]
    rims = (tree.labels[0], tree.labels[-1], tree.labels[:, 0], tree.labels[:, -1])
    leaf_sides = np.stack([np.bincount(rim, minlength=n) for rim in rims], axis=1)
    sides = tree.summed(leaf_sides.astype(np.float64))
    covered = sides / np.array([wide, wide, high, high])
    on_frame = sides.sum(axis=1)
    perimeter = np.maximum(outline[:, 0] + on_frame, 4.0)
    width, height = (tree.boxes[:, k + 2] - tree.boxes[:, k] for k in (0, 1))
    root = m - 1
    parent = np.where(tree.parents >= 0, tree.parents, root)
    sibling = np.where(tree.parents >= 0, tree.children[parent].sum(axis=1) - np.arange(m), root)
    frame = (tree.colours[:n] * leaf_sides.sum(axis=1)[:, None]).sum(axis=0)
    frame /= frame.sum()
    share = np.log(tree.sizes / (high * wide))
    at_border = outline[:, 1] / np.maximum(outline[:, 0], 1)
    within = inner / tree.sizes
    parent_likeness = np.where(tree.parents >= 0, tree.likeness[parent], 0.0)
    return np.stack(
        (
            share,
            share**2,
            at_border,
            within,
            np.log((at_border + 1) / (within + 1)),
            tree.sizes / (width * height),
            np.log(perimeter**2 / (4 * np.pi * tree.sizes)),
            (covered > 0).sum(axis=1),
            (covered > 0.5).sum(axis=1),
            on_frame / perimeter,
            1 - np.minimum(tree.colours, tree.colours[sibling]).sum(axis=1),
            1 - np.minimum(tree.textures, tree.textures[sibling]).sum(axis=1),
            1 - np.minimum(tree.colours, frame).sum(axis=1),
            tree.likeness - parent_likeness,
            np.minimum(np.log(tree.sizes[parent] / tree.sizes), 3.0),
            np.abs((tree.boxes[:, 0] + tree.boxes[:, 2]) / (2 * wide) - 0.5),
            np.abs((tree.boxes[:, 1] + tree.boxes[:, 3]) / (2 * high) - 0.5),
            np.abs(np.log(width / height)),
            np.arange(m) < n,
            tree.likeness,
            np.maximum(width / wide, height / high),
        ),
        axis=1,
    )


def _gradient(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Length of the gradient of CIE Lab at each pixel (h, w)."""
    import cv2

    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    dx = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3)) / 8
    dy = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)) / 8
    squared: NDArray[np.float32] = (dx**2 + dy**2).sum(axis=2)
    return np.sqrt(squared)


def _outlines(
    tree: Tree,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    borders: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Length and sum of gradients of the border of each node with others (m, 2).

    That is what its leaves have, less twice the borders between two of them, which vanish at the
    smallest node that holds both.
    """
    n, m = tree.n_leaves, len(tree.parents)
    at_leaves = np.zeros((n, 2))
    inside = np.zeros((m, 2))
    if len(first):
        shared = common_nodes(first, second, tree.parents)
        for k in (0, 1):
            for ends in (first, second):
                at_leaves[:, k] += np.bincount(ends, borders[:, k], minlength=n)
            inside[:, k] = np.bincount(shared, 2 * borders[:, k], minlength=m)
    for node in range(n, m):
        inside[node] += inside[tree.children[node]].sum(axis=0)
    return tree.summed(at_leaves) - inside
