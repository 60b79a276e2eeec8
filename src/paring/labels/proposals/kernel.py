"""Compiled parts: grouping of segments, and the choice of different proposals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]


@njit(cache=True, nogil=True)
def _likeness(
    i: int, j: int, sizes: Floats, boxes: Floats, colours: Floats, textures: Floats, weights: Floats
) -> Any:
    total = 0.0
    if weights[0] > 0:
        same = 0.0
        for k in range(colours.shape[1]):
            same += min(colours[i, k], colours[j, k])
        total += weights[0] * same
    if weights[1] > 0:
        same = 0.0
        for k in range(textures.shape[1]):
            same += min(textures[i, k], textures[j, k])
        total += weights[1] * same
    image = weights[4]
    both = sizes[i] + sizes[j]
    total += weights[2] * (1.0 - both / image)
    wide = max(boxes[i, 2], boxes[j, 2]) - min(boxes[i, 0], boxes[j, 0])
    high = max(boxes[i, 3], boxes[j, 3]) - min(boxes[i, 1], boxes[j, 1])
    total += weights[3] * (1.0 - (wide * high - both) / image)
    return total


@njit(cache=True, nogil=True)
def _group(
    first: Whole,
    second: Whole,
    leaf_sizes: Floats,
    leaf_boxes: Floats,
    leaf_colours: Floats,
    leaf_textures: Floats,
    weights: Floats,
) -> Any:
    n = len(leaf_sizes)
    m = 2 * n - 1
    sizes = np.zeros(m)
    boxes = np.zeros((m, 4))
    colours = np.zeros((m, leaf_colours.shape[1]))
    textures = np.zeros((m, leaf_textures.shape[1]))
    sizes[:n], boxes[:n], colours[:n], textures[:n] = (
        leaf_sizes,
        leaf_boxes,
        leaf_colours,
        leaf_textures,
    )
    parents = np.full(m, -1, np.int64)
    children = np.full((m, 2), -1, np.int64)
    likeness = np.full(m, weights[0] + weights[1] + weights[2] + weights[3])
    one, other = first.copy(), second.copy()
    live = len(one)
    alike = np.zeros(live)
    for e in range(live):
        alike[e] = _likeness(one[e], other[e], sizes, boxes, colours, textures, weights)
    seen = np.full(m, -1, np.int64)
    for k in range(n, m):
        best = 0
        for e in range(1, live):
            # of equals, the pair that comes first, wherever it lies in the list
            if alike[e] > alike[best] or (
                alike[e] == alike[best]
                and (one[e] < one[best] or (one[e] == one[best] and other[e] < other[best]))
            ):
                best = e
        i, j = one[best], other[best]
        parents[i] = parents[j] = k
        children[k, 0], children[k, 1] = i, j
        likeness[k] = alike[best]
        sizes[k] = sizes[i] + sizes[j]
        for axis in range(2):
            boxes[k, axis] = min(boxes[i, axis], boxes[j, axis])
            boxes[k, axis + 2] = max(boxes[i, axis + 2], boxes[j, axis + 2])
        share = sizes[i] / sizes[k]
        for q in range(colours.shape[1]):
            colours[k, q] = share * colours[i, q] + (1 - share) * colours[j, q]
        for q in range(textures.shape[1]):
            textures[k, q] = share * textures[i, q] + (1 - share) * textures[j, q]
        e = 0
        while e < live:
            x, y = one[e], other[e]
            if x in (i, j) or y in (i, j):
                rest = y if x in (i, j) else x
                if rest in (i, j) or seen[rest] == k:
                    live -= 1
                    one[e], other[e], alike[e] = one[live], other[live], alike[live]
                    continue
                seen[rest] = k
                one[e], other[e] = rest, k
                alike[e] = _likeness(rest, k, sizes, boxes, colours, textures, weights)
            e += 1
    return parents, children, likeness, sizes, boxes, colours, textures


def group(
    first: Whole,
    second: Whole,
    sizes: Floats,
    boxes: Floats,
    colours: Floats,
    textures: Floats,
    weights: Floats,
) -> tuple[Whole, Whole, Floats, Floats, Floats, Floats, Floats]:
    """Group n segments until one is left; in time of pairs times segments, all of it compiled.

    Parameters
    ----------
    first, second : int64 (p,), pairs that touch, the smaller first; together they reach all.
    sizes, boxes, colours, textures : of the segments, as in `Tree`.
    weights : of colour, texture, size and fill.

    Returns
    -------
    parents, children, likeness, sizes, boxes, colours, textures of all nodes, as in `Tree`.
    """
    wished = np.append(weights, sizes.sum())
    parts: tuple[Whole, Whole, Floats, Floats, Floats, Floats, Floats] = _group(
        first, second, sizes, boxes, colours, textures, wished
    )
    return parts


@njit(cache=True, nogil=True)
def common_nodes(first: Whole, second: Whole, parents: Whole) -> Whole:
    """The smallest node that holds both of each pair of nodes (p,)."""
    out = np.empty(len(first), np.int64)
    for e in range(len(first)):
        x, y = first[e], second[e]
        while x != y:
            if x < y:
                x = parents[x]
            else:
                y = parents[y]
        out[e] = x
    return out


@njit(cache=True, nogil=True)
def _shared(a: Any, b: Any) -> Any:
    """Bits set in both of two rows of words."""
    total = np.int64(0)
    for k in range(len(a)):
        x = a[k] & b[k]
        x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
        x = (x & np.uint64(0x3333333333333333)) + (
            (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
        )
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        total += np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
    return total


@njit(cache=True, nogil=True)
def choose(
    scores: Floats,
    bits: NDArray[np.uint64],
    sizes: Floats,
    boxes: Floats,
    count: int,
    same: float,
    near: float,
    price: float,
) -> Any:
    """Proposals one after the other, each the best of what is left once likeness is paid for.

    What overlaps a chosen one by an IoU above `same` is dropped; otherwise the largest IoU with
    one, where above `near`, takes `price` times it from the score. Masks are compared bit by bit,
    but only where the overlap of their boxes leaves room for an IoU above `near`.

    Parameters
    ----------
    scores, sizes, boxes : (n,), (n,), (n, 4).
    bits : uint64 (n, words), a bit a pixel.
    count : how many to choose at most.

    Returns
    -------
    chosen : int64 (k,).
    paid : (k,), their scores less what likeness cost, which never rise.
    """
    n = len(scores)
    paid = scores.copy()
    worst = np.zeros(n)
    left = np.ones(n, np.bool_)
    chosen = np.empty(min(count, n), np.int64)
    values = np.empty(len(chosen))
    found = 0
    while found < len(chosen):
        best = -1
        for k in range(n):
            if left[k] and (best < 0 or paid[k] > paid[best]):
                best = k
        if best < 0:
            break
        chosen[found] = best
        values[found] = paid[best]
        found += 1
        left[best] = False
        for k in range(n):
            if not left[k]:
                continue
            wide = min(boxes[k, 2], boxes[best, 2]) - max(boxes[k, 0], boxes[best, 0])
            high = min(boxes[k, 3], boxes[best, 3]) - max(boxes[k, 1], boxes[best, 1])
            if wide <= 0 or high <= 0:
                continue
            most = min(wide * high, sizes[k], sizes[best])
            both = sizes[k] + sizes[best]
            if most <= near * (both - most):
                continue
            shared = _shared(bits[k], bits[best])
            iou = shared / (both - shared)
            if iou > same:
                left[k] = False
            elif iou > near and iou > worst[k]:
                worst[k] = iou
                paid[k] = scores[k] - price * iou
    return chosen[:found], values[:found]
