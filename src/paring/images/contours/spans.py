"""Compiled rasterisation of masks to the runs of their rows; no bitmap is ever made.

Polygon rows are filled as `cv2.fillPoly` fills them: spans between pairs of crossings, from the
ceiling of the left one to the floor of the right one in 16.16 fixed point, joined with the pixels
of every edge drawn as a line (`edges` tells how edges come about). COCO run lengths are cut at the
ends of columns.

Indices are cast to unsigned (`u`): signed ones make every access test for a negative index.
"""

# mypy: disable-error-code="untyped-decorator"

from typing import Any, TypeAlias

import numpy as np
from numba import njit
from numpy import uint64 as u
from numpy.typing import NDArray

from paring.images.contours.edges import (
    CROSS_STOP,
    CROSSING,
    DX,
    FIRST,
    LAST,
    LINE_FIRST,
    LINE_LAST,
    LINE_X,
    MORE_FIRST,
    MORE_LAST,
    PART,
    SENSE,
    SLOPE,
)

Int: TypeAlias = Any  # a machine integer, which is one kind of number to numba and three to Python
Ints: TypeAlias = NDArray[np.int64]
Table: TypeAlias = NDArray[np.int64]  # two-dimensional

FINE = 0
TOO_MANY_PIXELS = 1  # run lengths that cover more than the image
TOO_LARGE = 2  # more scratch memory than a mask may take here; nothing is wrong with it

MOST_RECORDS = 2**22  # of one mask, 32 bytes each
_ENOUGH_RUNS = 2**13  # then the runs found are handed back, so that they are still in the cache
_NONE = -1
_NO_CROSSING = -(2**63)

# columns of a record, which is what one edge leaves in one row
_CROSSING, _LEFT, _RIGHT, _PART = range(4)


@njit(nogil=True, cache=True, error_model="numpy")
def _span_of_rows(edges: Table, first_edge: Int, stop_edge: Int) -> tuple[Int, Int, Int]:
    """First and last row that some edges touch, and the number of records they leave."""
    top, bottom, n_records = edges[u(first_edge), FIRST], edges[u(first_edge), LAST], np.int64(0)
    for k in range(first_edge, stop_edge):
        first, last = edges[u(k), FIRST], edges[u(k), LAST]
        top, bottom = min(top, first), max(bottom, last)
        n_records += last - first + 1
    return top, bottom, n_records


@njit(nogil=True, cache=True, error_model="numpy")
def _fill_records(
    edges: Table, first_edge: Int, stop_edge: Int, top: Int, n_rows: Int, ends: Ints, records: Table
) -> None:
    """Leave one record per edge and row, row by row; `ends` tells where each row's end."""
    for row in range(n_rows + 1):
        ends[u(row)] = 0
    for k in range(first_edge, stop_edge):
        ends[u(edges[u(k), FIRST] - top)] += 1
        ends[u(edges[u(k), LAST] + 1 - top)] -= 1
    depth, total = np.int64(0), np.int64(0)
    for row in range(n_rows):
        depth += ends[u(row)]
        ends[u(row)] = total  # for now where the row begins: moved on with every record
        total += depth

    for k in range(first_edge, stop_edge):
        edge = u(k)
        first, last = edges[edge, FIRST], edges[edge, LAST]
        if first > last:
            continue
        cross_stop, part = edges[edge, CROSS_STOP], edges[edge, PART]
        crossing, slope = edges[edge, CROSSING], edges[edge, SLOPE]
        line_first, line_last = edges[edge, LINE_FIRST], edges[edge, LINE_LAST]
        line_x, dx, mirrored = edges[edge, LINE_X], edges[edge, DX], edges[edge, SENSE] < 0
        # Bresenham's line in closed form: k rows below its top a steep line has the pixel
        # floor((2 dx k + dy - 1 + m) / 2 dy), a flat one ends at floor((dx (2 k + 1) - m) / 2 dy);
        # m = 1 where the line climbs, as it is drawn from its other end.
        dy = line_last - line_first
        steep = dy > dx
        offset = u(max(dy - 1 + mirrored if steep else dx - mirrored, 0))
        period = u(max(2 * dy, 1))
        reach, rest = np.int64(offset // period), np.int64(offset % period)
        step, step_rest = np.int64(u(2 * dx) // period), np.int64(u(2 * dx) % period)
        whole = np.int64(period)
        before = np.int64(-1)
        place = first_place = u(ends[u(first - top)])
        for row in range(first, last + 1):
            place = u(ends[u(row - top)])
            ends[u(row - top)] += 1
            records[place, _CROSSING] = crossing if row < cross_stop else _NO_CROSSING
            records[place, _PART] = part
            crossing += slope
            if row < line_first or row > line_last:
                records[place, _LEFT], records[place, _RIGHT] = 1, 0
                continue
            far = dx if row == line_last else reach
            near = far if steep else before + 1
            before = far
            carry = rest + step_rest >= whole
            reach += step + carry
            rest += step_rest - (whole if carry else 0)
            records[place, _LEFT] = line_x - far if mirrored else line_x + near
            records[place, _RIGHT] = line_x - near if mirrored else line_x + far
        records[first_place, _LEFT] = min(records[first_place, _LEFT], edges[edge, MORE_FIRST])
        records[first_place, _RIGHT] = max(
            records[first_place, _RIGHT], edges[edge, MORE_FIRST + 1]
        )
        records[place, _LEFT] = min(records[place, _LEFT], edges[edge, MORE_LAST])
        records[place, _RIGHT] = max(records[place, _RIGHT], edges[edge, MORE_LAST + 1])


@njit(nogil=True, cache=True, error_model="numpy")
def _sort(table: Table, first: Int, stop: Int, major: Int, minor: Int, columns: Int) -> None:
    """Sort some rows of a table of 2 or 4 columns by two of them (Shell's sort)."""
    gap = 1
    while gap < (stop - first) >> 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(first + gap, stop):
            a, b = table[u(i), 0], table[u(i), 1]
            c, d = (table[u(i), 2], table[u(i), 3]) if columns == 4 else (a, b)
            low, high = table[u(i), major], table[u(i), minor]
            j = i - gap
            while j >= first and (
                table[u(j), major] > low
                or (table[u(j), major] == low and table[u(j), minor] > high)
            ):
                for column in range(columns):
                    table[u(j + gap), u(column)] = table[u(j), u(column)]
                j -= gap
            table[u(j + gap), 0], table[u(j + gap), 1] = a, b
            if columns == 4:
                table[u(j + gap), 2], table[u(j + gap), 3] = c, d
        gap //= 3


@njit(nogil=True, cache=True, error_model="numpy")
def _join_row(records: Table, first: Int, stop: Int, width: Int, runs: Table, n_runs: Int) -> Int:
    """Append the runs of one row, made of its records, and return the new number of runs."""
    _sort(records, first, stop, _PART, _CROSSING, 4)
    free = n_runs
    k = first
    while k < stop:
        a, b = u(k), u(k + 1)
        a_left, a_right = records[a, _LEFT], records[a, _RIGHT]
        k += 1
        if a_left <= a_right:
            runs[u(free), 0], runs[u(free), 1] = a_left, a_right
            free += 1
        if records[a, _CROSSING] == _NO_CROSSING:
            continue
        # the crossing that closes the span comes next: a closed part has an even number of them
        k += 1
        b_left, b_right = records[b, _LEFT], records[b, _RIGHT]
        left = max(np.int64(np.int32((records[a, _CROSSING] + 65535) >> 16)), np.int64(0))
        right = min(np.int64(np.int32(records[b, _CROSSING] >> 16)), width - 1)
        if left <= right:
            runs[u(free), 0], runs[u(free), 1] = left, right
            free += 1
        if b_left <= b_right:
            runs[u(free), 0], runs[u(free), 1] = b_left, b_right
            free += 1

    # what touches the run before it is joined to it at once; most rows are in order already
    for k in range(n_runs + 1, free):
        if runs[u(k), 0] < runs[u(k - 1), 0]:
            _sort(runs, n_runs, free, 0, 1, 2)
            break
    last = n_runs
    for k in range(n_runs + 1, free):
        if runs[u(k), 0] <= runs[u(last), 1] + 1:
            runs[u(last), 1] = max(runs[u(last), 1], runs[u(k), 1])
        else:
            last += 1
            runs[u(last), 0], runs[u(last), 1] = runs[u(k), 0], runs[u(k), 1]
    return last + 1 if free > n_runs else n_runs


@njit(nogil=True, cache=True, error_model="numpy")
def _in_order(records: Table, a: Int, b: Int) -> tuple[Int, Int]:
    """Two records by their crossings, without a branch, as their order cannot be foreseen."""
    swapped = records[b, _CROSSING] < records[a, _CROSSING]
    return (b if swapped else a), (a if swapped else b)


@njit(nogil=True, cache=True, error_model="numpy")
def _close(records: Table, a: Int, b: Int, width: Int) -> tuple[Int, Int, bool]:
    """Run of the span between two crossings and of their edges' pixels; false if it has gaps."""
    left, right = (records[a, _CROSSING] + 65535) >> 16, records[b, _CROSSING] >> 16
    a_left, a_right = records[a, _LEFT], records[a, _RIGHT]
    b_left, b_right = records[b, _LEFT], records[b, _RIGHT]
    is_run = (
        (records[a, _CROSSING] != _NO_CROSSING)
        & (a_left <= a_right)
        & (b_left <= b_right)
        & (left <= right)
        & (left <= a_right + 1)
        & (right >= a_left - 1)
        & (right >= b_left - 1)
        & (left <= b_right + 1)
    )
    low, high = min(left, min(a_left, b_left)), max(right, max(a_right, b_right))
    return max(low, 0), min(high, width - 1), is_run


@njit(nogil=True, cache=True, error_model="numpy")
def _polygon_runs(
    records: Table, ends: Ints, n_rows: Int, width: Int, runs: Table, n_runs: Int, row_runs: Ints
) -> Int:
    """Append the runs of every row of one mask, and return the new number of runs.

    Nearly all rows have two or four crossings, each pair of them closing one run.
    """
    stop = u(0)
    for row in range(n_rows):
        row_runs[u(row)] = n_runs
        first, stop = stop, u(ends[u(row)])
        if stop - first == 2:
            a, b = _in_order(records, first, first + u(1))
            low, high, is_run = _close(records, a, b, width)
            if is_run:
                runs[u(n_runs), 0], runs[u(n_runs), 1] = low, high
                n_runs += 1
                continue
        elif stop - first == 4 and records[first, _PART] == records[stop - u(1), _PART]:
            a, b = _in_order(records, first, first + u(1))
            c, d = _in_order(records, first + u(2), first + u(3))
            a, c = _in_order(records, a, c)
            b, d = _in_order(records, b, d)
            b, c = _in_order(records, b, c)
            low, high, is_run = _close(records, a, b, width)
            next_low, next_high, is_next_run = _close(records, c, d, width)
            if is_run & is_next_run & (next_low > high + 1):
                runs[u(n_runs), 0], runs[u(n_runs), 1] = low, high
                runs[u(n_runs + 1), 0], runs[u(n_runs + 1), 1] = next_low, next_high
                n_runs += 2
                continue
        n_runs = _join_row(records, np.int64(first), np.int64(stop), width, runs, n_runs)
    return n_runs


@njit(nogil=True, cache=True, error_model="numpy")
def _column_runs(
    counts: NDArray[np.uint32],
    first: Int,
    stop: Int,
    height: Int,
    width: Int,
    runs: Table,
    n_runs: Int,
    column_runs: Ints,
    base: Int,
) -> tuple[Int, Int]:
    """Append the runs of every column of one RLE mask, from the first column that has any.

    Returns the number of columns and the new number of runs; `_NONE` for the first where the run
    lengths cover more than the image.
    """
    begun, start, position = n_runs, np.int64(0), np.int64(0)  # the column at hand has a `start`
    n_columns = np.int64(0)
    for k in range(first, stop):
        begin = position
        position += np.int64(counts[u(k)])
        if position > height * width:
            return _NONE, begun
        if (k - first) % 2 == 0 or position == begin:
            continue
        skipped = (begin - start) // height if begin - start >= height else 0
        start += skipped * height
        if n_columns == 0:
            skipped = 1
        for _ in range(skipped):
            column_runs[u(base + n_columns)] = n_runs
            n_columns += 1
        while begin < position:
            if begin == start + height:
                start += height
                column_runs[u(base + n_columns)] = n_runs
                n_columns += 1
            end = min(position, start + height)
            in_column = n_runs > column_runs[u(base + n_columns - 1)]
            if in_column and runs[u(n_runs - 1), 1] == begin - start - 1:
                runs[u(n_runs - 1), 1] = end - start - 1  # after an empty background run
            else:
                runs[u(n_runs), 0], runs[u(n_runs), 1] = begin - start, end - start - 1
                n_runs += 1
            begin = end
    return n_columns, n_runs


@njit(nogil=True, cache=True, error_model="numpy")
def _grown(table: Table, used: Int, needed: Int) -> Table:
    """The table with room for `needed` rows more; what is in use is kept."""
    if used + needed <= len(table):
        return table
    larger = np.empty((2 * (used + needed), table.shape[1]), table.dtype)
    larger[:used] = table[:used]
    return larger


@njit(nogil=True, cache=True, error_model="numpy")
def find_runs(
    edges: Table,
    mask_edges: Ints,
    counts: NDArray[np.uint32],
    count_offsets: Ints,
    heights: NDArray[np.int32],
    widths: NDArray[np.int32],
    first: Int,
    done: Int,
    by_columns: NDArray[np.bool_],
    status: NDArray[np.uint8],
) -> tuple[Table, Ints, Ints]:
    """Runs of the masks from `first + done` on, as many as are enough at a time.

    `edges` (E, 15) and `mask_edges` (m + 1,) are those of the m masks from `first` on; the other
    arguments are buffers of a `MaskStore`, and `by_columns` and `status` (n,), which are filled:
    whether the runs of a mask are those of its columns, and whether all is well. Returns `runs`
    (R, 2), first and last pixel; `row_runs` (rows + 1,), where each row's runs begin; `mask_rows`
    (k + 1,), where each mask's rows begin. A mask that is not `FINE` has no rows.
    """
    stop = len(mask_edges) - 1
    runs = np.empty((2 * _ENOUGH_RUNS, 2), np.int64)
    row_runs = np.empty((2 * _ENOUGH_RUNS, 1), np.int64)
    mask_rows = np.zeros(stop - done + 1, np.int64)
    records = np.empty((4096, 4), np.int64)
    ends = np.empty((1024, 1), np.int64)
    n_runs, n_rows, i = np.int64(0), np.int64(0), done
    while i < stop and n_runs < _ENOUGH_RUNS:
        at = u(first + i)
        height, width = np.int64(heights[at]), np.int64(widths[at])
        first_edge, stop_edge = mask_edges[u(i)], mask_edges[u(i + 1)]
        first_count, stop_count = count_offsets[at], count_offsets[at + u(1)]
        by_columns[at], status[at] = first_count < stop_count, FINE
        if first_edge < stop_edge:
            top, bottom, n_records = _span_of_rows(edges, first_edge, stop_edge)
            rows = bottom - top + 1
            if n_records + rows > MOST_RECORDS:
                status[at] = TOO_LARGE
            else:
                ends = _grown(ends, 0, rows + 1)
                records = _grown(records, 0, n_records)
                runs = _grown(runs, n_runs, 3 * n_records // 2)
                row_runs = _grown(row_runs, n_rows, rows + 1)
                _fill_records(edges, first_edge, stop_edge, top, rows, ends.reshape(-1), records)
                n_runs = _polygon_runs(
                    records,
                    ends.reshape(-1),
                    rows,
                    width,
                    runs,
                    n_runs,
                    row_runs.reshape(-1)[n_rows:],
                )
                n_rows += rows
        elif first_count < stop_count:
            most_runs = (stop_count - first_count) // 2 + width
            if most_runs > MOST_RECORDS:
                status[at] = TOO_LARGE
            else:
                runs = _grown(runs, n_runs, most_runs)
                row_runs = _grown(row_runs, n_rows, width + 1)
                columns, n_runs = _column_runs(
                    counts,
                    first_count,
                    stop_count,
                    height,
                    width,
                    runs,
                    n_runs,
                    row_runs.reshape(-1),
                    n_rows,
                )
                if columns == _NONE:
                    status[at] = TOO_MANY_PIXELS
                else:
                    n_rows += columns
        i += 1
        mask_rows[u(i - done)] = n_rows
    row_runs[u(n_rows), 0] = n_runs
    return runs[:n_runs], row_runs[: n_rows + 1, 0], mask_rows[: i - done + 1]


def is_ready() -> bool:
    """Whether the functions are compiled, or loaded, in this process."""
    return bool(find_runs.signatures)
