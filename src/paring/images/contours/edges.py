"""Compiled description of polygon edges in an image: where they cross its rows, what they draw.

An edge is clipped at the image's border first. Its slope comes from the clipped ends, its rows from
the ends as given, as in `cv2.fillPoly`. How rows are filled from edges is told in `spans`.

Indices are cast to unsigned (`u`): signed ones make every access test for a negative index.
"""

# mypy: disable-error-code="untyped-decorator"

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy import uint64 as u
from numpy.typing import NDArray

Int: TypeAlias = Any  # a machine integer, which is one kind of number to numba and three to Python
Ints: TypeAlias = NDArray[np.int64]  # (k,)
Table: TypeAlias = NDArray[np.int64]  # (rows, columns)

COORDINATE_LIMIT = 2.0**30  # pixels
NO_ROW = -1
_FAR = 2**40
_ENOUGH_EDGES = 2**12  # then the edges found are handed back, so that they are still in the cache

# Columns of an edge: rows it touches, end of the rows it crosses, crossing in its first row and
# slope (16.16); its line: rows, x at the top, dx, sense (1 to the right, -1 to the left); pixels
# drawn for a neighbour in its first and in its last row, from and to; part. `spans` has them
# compiled in: after a change here, clear the caches of both.
FIRST, LAST, CROSS_STOP, CROSSING, SLOPE = range(5)
LINE_FIRST, LINE_LAST, LINE_X, DX, SENSE = range(5, 10)
MORE_FIRST, MORE_LAST, PART, COLUMNS = 10, 12, 14, 15


@njit(nogil=True, cache=True, error_model="numpy")
def _clip(
    x0: Int, y0: Int, x1: Int, y1: Int, right: Int, bottom: Int
) -> tuple[Int, Int, Int, Int, bool]:
    """Ends of a segment cut at the image; the flag is false where nothing of it is inside.

    The ends of such a segment may have moved all the same, and the fill uses them.
    """
    side0 = (x0 < 0) + 2 * (x0 > right)
    side1 = (x1 < 0) + 2 * (x1 > right)
    level0 = (y0 < 0) + 2 * (y0 > bottom)
    level1 = (y1 < 0) + 2 * (y1 > bottom)
    if side0 & side1 or level0 & level1:
        return x0, y0, x1, y1, False
    if level0:
        edge = 0 if level0 == 1 else bottom
        x0 += np.int64(np.float64(edge - y0) * np.float64(x1 - x0) / np.float64(y1 - y0))
        y0 = edge
        side0 = (x0 < 0) + 2 * (x0 > right)
    if level1:
        edge = 0 if level1 == 1 else bottom
        x1 += np.int64(np.float64(edge - y1) * np.float64(x1 - x0) / np.float64(y1 - y0))
        y1 = edge
        side1 = (x1 < 0) + 2 * (x1 > right)
    if side0 & side1:
        return x0, y0, x1, y1, False
    if side0:
        edge = 0 if side0 == 1 else right
        y0 += np.int64(np.float64(edge - x0) * np.float64(y1 - y0) / np.float64(x1 - x0))
        x0 = edge
    if side1:
        edge = 0 if side1 == 1 else right
        y1 += np.int64(np.float64(edge - x1) * np.float64(y1 - y0) / np.float64(x1 - x0))
        x1 = edge
    return x0, y0, x1, y1, True


@njit(nogil=True, cache=True, error_model="numpy")
def _set_edge(
    edges: Table, n: Int, px: Int, py: Int, qx: Int, qy: Int, height: Int, width: Int
) -> bool:
    """Describe the edge from p to q in the rows of the image; false where it touches none."""
    x0, y0, x1, y1, visible = px, py, qx, qy, True
    upper, lower = py, qy
    right, bottom = width - 1, height - 1
    if min(px, py, qx, qy) < 0 or max(px, qx) > right or max(py, qy) > bottom:
        x0, y0, x1, y1, visible = _clip(px, py, qx, qy, right, bottom)
        if y0 != y1:
            upper, lower = y0, y1

    e = u(n)
    edges[e, MORE_FIRST] = edges[e, MORE_LAST] = _FAR
    edges[e, MORE_FIRST + 1] = edges[e, MORE_LAST + 1] = -_FAR
    first, stop = max(min(py, qy), 0), min(max(py, qy), height)
    if first < stop:
        rise, run = abs(lower - upper), abs(x1 - x0)
        slope = np.int64(u(run << 16) // u(rise))  # truncates toward zero: the sign comes after
        if (x1 < x0) != (lower < upper):
            slope = -slope
        if py < qy:
            edges[e, CROSSING] = (x0 << 16) + (first - upper) * slope
        else:
            edges[e, CROSSING] = (x1 << 16) + (first - lower) * slope
        edges[e, SLOPE] = slope
        edges[e, FIRST], edges[e, LAST], edges[e, CROSS_STOP] = first, stop - 1, stop
    elif visible:
        edges[e, FIRST], edges[e, LAST] = min(y0, y1), max(y0, y1)
        edges[e, CROSS_STOP] = NO_ROW
    else:
        return False

    if not visible:
        edges[e, LINE_FIRST], edges[e, LINE_LAST] = height, NO_ROW
        return True
    if x1 < x0:  # lines are drawn from left to right
        x0, y0, x1, y1 = x1, y1, x0, y0
    edges[e, DX] = x1 - x0
    if y0 <= y1:
        edges[e, LINE_FIRST], edges[e, LINE_LAST] = y0, y1
        edges[e, LINE_X], edges[e, SENSE] = x0, 1
    else:
        edges[e, LINE_FIRST], edges[e, LINE_LAST] = y1, y0
        edges[e, LINE_X], edges[e, SENSE] = x1, -1
    edges[e, LAST] = max(edges[e, LAST], edges[e, LINE_LAST])
    return True


@njit(nogil=True, cache=True, error_model="numpy")
def _meet(edges: Table, a: Int, b: Int, x: Int, y: Int) -> None:
    """Let one of two edges that meet at a pixel of the image draw there for both.

    Where an edge does not cross its last row, its line there is left to the other edge, which has
    that pixel too. So most rows have just as many records as crossings.
    """
    if edges[a, CROSS_STOP] > y:
        a, b = b, a
    if edges[a, CROSS_STOP] > y or edges[a, LAST] != y:
        return
    if edges[b, CROSS_STOP] > y:
        more = u(MORE_FIRST)
    else:
        if edges[b, CROSS_STOP] == NO_ROW:  # level: it may be left to its other neighbour
            a, b = b, a
        if edges[b, CROSS_STOP] == NO_ROW or edges[a, LAST] != y or edges[b, LAST] != y:
            return
        more = u(MORE_LAST)
    dx, dy = edges[a, DX], edges[a, LINE_LAST] - edges[a, LINE_FIRST]
    to_left = edges[a, SENSE] > 0
    if dy == 0:
        pixels = dx
        to_left = edges[a, LINE_X] != x
    elif dy > dx:
        pixels = 0
    else:
        pixels = np.int64(u(dx + (not to_left) + 2 * dy - 1) // u(2 * dy)) - 1
    edges[b, more] = x - pixels if to_left else x
    edges[b, more + u(1)] = x if to_left else x + pixels
    edges[a, LAST] = y - 1


@njit(nogil=True, cache=True, error_model="numpy")
def _append_edges(
    points: NDArray[np.float64],
    first: Int,
    stop: Int,
    part: Int,
    height: Int,
    width: Int,
    edges: Table,
    n_edges: Int,
) -> Int:
    """Append the edges of one part; returns their new number, or `NO_ROW` for a bad coordinate."""
    begun = n_edges
    px, py = np.int64(points[u(stop - 1), 0]), np.int64(points[u(stop - 1), 1])
    for k in range(first, stop):
        x, y = points[u(k), 0], points[u(k), 1]
        if not (abs(x) < COORDINATE_LIMIT and abs(y) < COORDINATE_LIMIT):
            return NO_ROW
        qx, qy = np.int64(x), np.int64(y)
        if _set_edge(edges, n_edges, px, py, qx, qy, height, width):
            edges[u(n_edges), PART] = part
            if k > first and 0 <= px < width and 0 <= py < height:
                _meet(edges, u(n_edges - 1), u(n_edges), px, py)
            n_edges += 1
        px, py = qx, qy
    if n_edges - begun > 1 and 0 <= px < width and 0 <= py < height:
        _meet(edges, u(n_edges - 1), u(begun), px, py)
    return n_edges


@njit(nogil=True, cache=True, error_model="numpy")
def find_edges(
    points: NDArray[np.float64],
    part_offsets: Ints,
    instance_parts: Ints,
    heights: NDArray[np.int32],
    widths: NDArray[np.int32],
    first: Int,
    stop: Int,
    is_bad: NDArray[np.bool_],
) -> tuple[Table, Ints]:
    """Edges of the masks from `first` on, up to `stop` or until they are enough at a time.

    The other arguments are buffers of a `MaskStore`, and `is_bad` (n,), which is set for masks that
    have a coordinate that is not finite or too far away; these have no edges. Returns the edges
    (E, 15) and where each mask's begin (k + 1,).
    """
    edges = np.empty((2 * _ENOUGH_EDGES, COLUMNS), np.int64)
    mask_edges = np.zeros(stop - first + 1, np.int64)
    n_edges, i = np.int64(0), first
    while i < stop and n_edges < _ENOUGH_EDGES:
        first_part, stop_part = instance_parts[u(i)], instance_parts[u(i + 1)]
        needed = n_edges + part_offsets[u(stop_part)] - part_offsets[u(first_part)]
        if needed > len(edges):
            larger = np.empty((2 * needed, COLUMNS), np.int64)
            larger[:n_edges] = edges[:n_edges]
            edges = larger
        begun = n_edges
        for part in range(first_part, stop_part):
            a, b = part_offsets[u(part)], part_offsets[u(part + 1)]
            if a == b:
                continue
            n_edges = _append_edges(
                points, a, b, part, np.int64(heights[u(i)]), np.int64(widths[u(i)]), edges, n_edges
            )
            if n_edges == NO_ROW:
                is_bad[u(i)] = True
                n_edges = begun
                break
        i += 1
        mask_edges[u(i - first)] = n_edges
    return edges[:n_edges], mask_edges[: i - first + 1]


def is_ready() -> bool:
    """Whether the functions are compiled, or loaded, in this process."""
    return bool(find_edges.signatures)
