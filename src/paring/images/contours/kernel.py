"""Compiled measurement of mask contours: area and perimeter, from the runs of a mask's rows.

A contour is walked from run end to run end, so the work grows with the height of a mask and not
with its pixels. Two facts make the result equal to that of a walk over pixels, bit for bit:

* A contour's area is a sum of whole numbers, and its perimeter is a sum of single-precision
  lengths of straight stretches in double precision, exact below 2**30 pixels. Neither depends on
  where the contour starts, on its sense or on the order of summation.
* Swapping rows and columns changes neither, so masks given column by column (COCO run lengths)
  are walked as they are, columns taking the part of rows.

The area is that of the polygon through the pixel centres. With x the column of a contour that goes
down the right ends of the runs and up their left ends, it is the sum of x dy; every step between
rows covers one pixel in y and at most one in x, so twice the area stays a whole number.

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

_NONE = -1
# Columns of a linked run. Those in pairs serve the way down right ends, then the way up left ends:
# the end (a left one with its sign changed, so that both sides obey one rule), the run that is next
# on the way, and, of the runs that touch it from behind, the one whose way leads here.
_END, _NEXT, _BACK, _ROW, _SEEN = 0, 2, 4, 6, 7


@njit(nogil=True, cache=True, error_model="numpy")
def _slant(steps: Int) -> float:
    """Length of a diagonal stretch, in single precision as `cv2.arcLength` has it."""
    side = np.float32(steps)
    return np.float64(np.sqrt(side * side + side * side))


@njit(nogil=True, cache=True, error_model="numpy")
def _measure_column(runs: Table, first: Int, stop: Int) -> tuple[Int, float]:
    """Twice the area, and the perimeter, of a shape with one run in every row.

    The area is `_NONE` where the runs do not each touch the next. The contour is the first run,
    two sides, and the last run. A left side is a right side seen in a mirror, so both are followed
    down with one rule: a step between rows is straight or diagonal, and where the end moves by more
    than one pixel the rest is a straight stretch, before the diagonal if the end draws in and after
    it if it moves out.
    """
    low, high = np.int64(runs[u(first), 0]), np.int64(runs[u(first), 1])
    doubled, straight, slanted = np.int64(0), high - low, 0.0
    right_steps, right_length, right_move = np.int64(0), 0.0, np.int64(0)
    left_steps, left_length, left_move = np.int64(0), 0.0, np.int64(0)
    for k in range(first + 1, stop):
        new_low, new_high = np.int64(runs[u(k), 0]), np.int64(runs[u(k), 1])
        if new_low > high + 1 or new_high < low - 1:
            return np.int64(_NONE), 0.0
        move = new_high - high
        goes_on = ((right_move == 1) & (move > 0)) | ((right_move < 0) & (move == -1))
        right_steps = (right_steps + 1 if goes_on else np.int64(1)) if move != 0 else np.int64(0)
        length = _slant(right_steps)
        slanted += length - (right_length if goes_on else 0.0)
        straight += abs(abs(move) - 1)
        doubled += 2 * min(high, new_high) + (move != 0)
        right_length, right_move = length, move

        move = low - new_low
        goes_on = ((left_move == 1) & (move > 0)) | ((left_move < 0) & (move == -1))
        left_steps = (left_steps + 1 if goes_on else np.int64(1)) if move != 0 else np.int64(0)
        length = _slant(left_steps)
        slanted += length - (left_length if goes_on else 0.0)
        straight += abs(abs(move) - 1)
        doubled -= 2 * max(low, new_low) - (move != 0)
        left_length, left_move = length, move
        low, high = new_low, new_high
    return doubled, straight + (high - low) + slanted


@njit(nogil=True, cache=True, error_model="numpy")
def _link_runs(runs: Table, row_runs: Ints, first_row: Int, stop_row: Int, linked: Table) -> None:
    """Copy the runs of a mask and tell each which runs above and below it touches.

    Runs that meet at a corner touch (8-connected). Runs are counted from the mask's first.
    """
    base = row_runs[u(first_row)]
    upper, upper_stop = np.int64(0), np.int64(0)
    for row in range(first_row, stop_row):
        lower, lower_stop = upper_stop, row_runs[u(row + 1)] - base
        for k in range(lower, lower_stop):
            linked[u(k), _END] = runs[u(base + k), 1]
            linked[u(k), _END + 1] = -runs[u(base + k), 0]
            linked[u(k), _NEXT] = linked[u(k), _NEXT + 1] = _NONE
            linked[u(k), _ROW], linked[u(k), _SEEN] = row, 0
        j = lower
        while upper < lower and j < lower_stop:
            upper_high, lower_high = linked[u(upper), _END], linked[u(j), _END]
            upper_low, lower_low = -linked[u(upper), _END + 1], -linked[u(j), _END + 1]
            if upper_low <= lower_high + 1 and lower_low <= upper_high + 1:
                if linked[u(upper), _NEXT] == _NONE:
                    linked[u(upper), _BACK + 1] = j
                linked[u(upper), _NEXT] = j
                if linked[u(j), _NEXT + 1] == _NONE:
                    linked[u(j), _NEXT + 1] = upper
                linked[u(j), _BACK] = upper
            if upper_high < lower_high:
                upper += 1
            else:
                j += 1
        upper, upper_stop = lower, lower_stop


@njit(nogil=True, cache=True, error_model="numpy")
def _walk(linked: Table, begin: Int) -> tuple[Int, float, Int]:
    """Walk the contour that has the left end of run `begin`, which has no run above it.

    Down along right ends and up along left ends, the foreground to the right. Returns twice the
    signed area (negative for the border of a hole), the perimeter, and the contour's first pixel
    in column order as column * 2**32 + row.
    """
    doubled, straight, slanted = np.int64(0), np.int64(0), 0.0
    # the last step between rows, as a move of the end; its diagonal stretch so far; its length
    last, steps, length = np.int64(0), np.int64(0), 0.0
    earliest = -linked[u(begin), _END + 1] << 32 | linked[u(begin), _ROW]
    at, side = np.int64(begin), np.int64(1)
    while True:
        onward = linked[u(at), u(_NEXT + side)]
        here = linked[u(at), u(_END + side)]
        if onward == _NONE:  # along the top or the bottom of a shape, to the other side
            if side == 1:
                if linked[u(at), _SEEN] == 1:
                    return doubled, straight + slanted, earliest
                linked[u(at), _SEEN] = 1
            straight += here + linked[u(at), u(_END + 1 - side)]
            side, last = 1 - side, np.int64(0)
            continue
        if linked[u(onward), u(_BACK + side)] != at:  # round the end of a gap, to the other side
            at += 1 - 2 * side
            side = 1 - side
            earliest = min(earliest, -linked[u(at), _END + 1] << 32 | linked[u(at), _ROW])
            gap = -here - linked[u(at), u(_END + side)]
            steps = steps + 1 if last == 1 else np.int64(1)
            slanted += _slant(steps) - (length if last == 1 else 0.0)
            straight += gap - 2
            doubled -= 2 * gap - 2
            last, steps, length = np.int64(-1), np.int64(1), _slant(1)
            slanted += length
            continue
        at = onward
        there = linked[u(at), u(_END + side)]
        earliest = min(earliest, -linked[u(at), _END + 1] << 32 | linked[u(at), _ROW])
        move = there - here
        goes_on = ((last == 1) & (move > 0)) | ((last < 0) & (move == -1))
        steps = (steps + 1 if goes_on else np.int64(1)) if move != 0 else np.int64(0)
        slanted -= length if goes_on else 0.0
        length = _slant(steps)
        slanted += length
        straight += abs(abs(move) - 1)
        doubled += 2 * min(here, there) + (move != 0)
        last = move


@njit(nogil=True, cache=True, error_model="numpy")
def _largest_contour(linked: Table, n_runs: Int, by_columns: bool) -> tuple[Int, float]:
    """Twice the area, and the perimeter, of the largest contour; the last in row order on ties.

    OpenCV lists contours from the last to the first, so its first largest one is the last. A hole
    has no positive area, and a shape inside a hole is smaller than the one around it, so outer
    contours need not be told from the others.
    """
    doubled, perimeter, latest = np.int64(_NONE), 0.0, np.int64(0)
    for begin in range(n_runs):
        if linked[u(begin), _NEXT + 1] != _NONE or linked[u(begin), _SEEN] == 1:
            continue
        new_doubled, new_perimeter, place = _walk(linked, begin)
        if not by_columns:
            place = linked[u(begin), _ROW] << 32 | -linked[u(begin), _END + 1]
        if new_doubled > doubled or (new_doubled == doubled and place > latest):
            doubled, perimeter, latest = new_doubled, new_perimeter, place
    return doubled, perimeter


@njit(nogil=True, cache=True, error_model="numpy")
def measure_runs(
    runs: Table,
    row_runs: Ints,
    mask_rows: Ints,
    by_columns: NDArray[np.bool_],
    area: NDArray[np.float64],
    perimeter: NDArray[np.float64],
) -> None:
    """Area and perimeter of the largest contour of each of k masks; 0 for a mask without runs.

    `runs` (R, 2) holds first and last pixel of every run, in order; `row_runs` (rows + 1) tells
    where each row's runs begin, `mask_rows` (k + 1) where each mask's rows begin, `by_columns` (k)
    which masks have columns for rows. `area` and `perimeter` (k) are filled.
    """
    linked = np.empty((1024, 8), np.int64)
    for i in range(len(mask_rows) - 1):
        first_row, stop_row = mask_rows[u(i)], mask_rows[u(i + 1)]
        first, stop = row_runs[u(first_row)], row_runs[u(stop_row)]
        area[u(i)] = perimeter[u(i)] = 0.0
        if first == stop:
            continue
        doubled, length = np.int64(_NONE), 0.0
        if stop - first == stop_row - first_row:
            doubled, length = _measure_column(runs, first, stop)
        if doubled == _NONE:
            if stop - first > len(linked):
                linked = np.empty((2 * (stop - first), 8), np.int64)
            _link_runs(runs, row_runs, first_row, stop_row, linked)
            doubled, length = _largest_contour(linked, stop - first, by_columns[u(i)])
        area[u(i)] = doubled / 2
        perimeter[u(i)] = length


def is_ready() -> bool:
    """Whether the functions are compiled, or loaded, in this process."""
    return bool(measure_runs.signatures)
