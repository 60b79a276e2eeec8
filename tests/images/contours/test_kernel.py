import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import contour_oracle as oracle
from paring.images.contours import kernel

Rows = list[list[tuple[int, int]]]


def measure_rows(masks: list[Rows], by_columns: bool = False) -> list[tuple[float, float]]:
    """Area and perimeter of masks given as the runs of their rows."""
    rows = [row for mask in masks for row in mask]
    runs = np.array([run for row in rows for run in row], np.int64).reshape(-1, 2)
    row_runs = np.cumsum([0] + [len(row) for row in rows]).astype(np.int64)
    mask_rows = np.cumsum([0] + [len(mask) for mask in masks]).astype(np.int64)
    area, perimeter = np.full(len(masks), np.nan), np.full(len(masks), np.nan)
    kernel.measure_runs(runs, row_runs, mask_rows, np.full(len(masks), by_columns), area, perimeter)
    return list(zip(area.tolist(), perimeter.tolist(), strict=True))


def rows_of(bitmap: NDArray) -> Rows:
    rows = []
    for row in bitmap:
        steps = np.diff(np.concatenate(([0], row, [0])).astype(int))
        first, last = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
        rows.append(list(zip(first.tolist(), last.tolist(), strict=True)))
    return rows


def test_a_stair_has_one_length_for_each_straight_stretch() -> None:
    # right side: down, two slants in one stretch, then a slant with a level stretch after it
    stair = [[(0, 0)], [(0, 0)], [(0, 1)], [(0, 2)], [(0, 6)]]
    slanted = np.float64(np.sqrt(np.float32(3**2 + 3**2)))
    # 1 down, a slant of 3, 3 to the right, 6 back along the bottom, 4 up
    expected = 1 + slanted + 3 + 6 + 4
    # trapezoids between the rows: 0, 0.5, 1.5, and 2 + (3 - 2) / 2 as the slant moves by one
    assert measure_rows([[*stair]]) == [(0 + 0.5 + 1.5 + 2.5, expected)]


def test_a_mask_without_runs_measures_zero_between_others() -> None:
    square = [[(0, 2)], [(0, 2)], [(0, 2)]]
    assert measure_rows([square, [], [[], []], square]) == [(4, 8), (0, 0), (0, 0), (4, 8)]


def test_the_border_of_a_hole_is_no_contour() -> None:
    ring = np.ones((9, 9), int)
    ring[1:8, 1:8] = 0
    assert measure_rows([rows_of(ring)]) == [(64, 32)]


def test_a_shape_in_a_hole_of_a_shape_in_a_hole_is_found_and_outdone() -> None:
    bitmap = np.zeros((15, 15), int)
    for inset, value in ((1, 1), (2, 0), (4, 1), (5, 0), (7, 1)):
        bitmap[inset : 15 - inset, inset : 15 - inset] = value
    assert measure_rows([rows_of(bitmap)]) == [(144, 48)]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_noise_measures_as_opencv_measures_it(share: float) -> None:
    rng = np.random.default_rng(int(100 * share))
    bitmaps = [(rng.random(rng.integers(1, 25, 2)) < share).astype(np.uint8) for _ in range(600)]
    expected = [oracle.measure_bitmap(bitmap) for bitmap in bitmaps]
    assert measure_rows([rows_of(bitmap) for bitmap in bitmaps]) == expected
    turned = [rows_of(bitmap.T) for bitmap in bitmaps]
    assert measure_rows(turned, by_columns=True) == expected


@settings(max_examples=300, deadline=None)
@given(
    hnp.arrays(
        np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 1)
    )
)
def test_any_small_bitmap_measures_as_opencv_measures_it(bitmap: NDArray) -> None:
    expected = [oracle.measure_bitmap(bitmap)]
    assert measure_rows([rows_of(bitmap)]) == expected
    assert measure_rows([rows_of(bitmap.T)], by_columns=True) == expected


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 6)), min_size=1, max_size=30))
def test_one_run_a_row_measures_as_opencv_measures_it(steps: list[tuple[int, int]]) -> None:
    low = np.cumsum([step for step, _ in steps])
    low -= low.min()
    bitmap = np.zeros((len(low), int(low.max()) + 8), np.uint8)
    for row, (first, (_, more)) in enumerate(zip(low, steps, strict=True)):
        bitmap[row, first : first + more + 1] = 1
    assert measure_rows([rows_of(bitmap)]) == [oracle.measure_bitmap(bitmap)]


def test_ties_in_columns_go_to_the_outline_that_starts_last_in_row_order() -> None:
    """Found by hypothesis: a diagonal pair of arms beside a single pixel, both without area."""
    bitmap = np.zeros((3, 8), np.uint8)
    bitmap[0, 7] = bitmap[1, 6] = bitmap[2, 7] = bitmap[1, 0] = 1
    expected = [oracle.measure_bitmap(bitmap)]
    assert expected == [(0.0, 0.0)]
    assert measure_rows([rows_of(bitmap)]) == expected
    assert measure_rows([rows_of(bitmap.T)], by_columns=True) == expected
