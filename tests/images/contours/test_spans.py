from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

import contour_oracle as oracle
from paring.dataset.masks import MaskStore
from paring.images.contours import edges, spans


def runs_of(masks: MaskStore) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Runs of few masks, and which are by columns."""
    is_bad = np.zeros(len(masks), bool)
    by_columns, status = is_bad.copy(), np.zeros(len(masks), np.uint8)
    size = masks.heights, masks.widths
    found, mask_edges = edges.find_edges(
        *(masks.points, masks.part_offsets, masks.instance_parts, *size, 0, len(masks), is_bad)
    )
    runs, row_runs, mask_rows = spans.find_runs(
        *(found, mask_edges, masks.counts, masks.count_offsets, *size, 0, 0, by_columns, status)
    )
    assert not is_bad.any()
    assert (status == spans.FINE).all()
    assert len(mask_rows) == len(masks) + 1
    return runs, row_runs, mask_rows, by_columns


def plain_runs(bitmap: NDArray) -> list[list[tuple[int, int]]]:
    """First and last pixel of the runs of every row, without empty rows before and after."""
    rows = []
    for row in bitmap:
        steps = np.diff(np.concatenate(([0], row, [0])).astype(int))
        first, last = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1) - 1
        rows.append(list(zip(first.tolist(), last.tolist(), strict=True)))
    filled = [k for k, row in enumerate(rows) if row]
    return rows[filled[0] : filled[-1] + 1] if filled else []


def assert_runs(masks: MaskStore) -> None:
    runs, row_runs, mask_rows, by_columns = runs_of(masks)
    for k in range(len(masks)):
        bitmap = oracle.bitmap_of(masks, k)
        expected = plain_runs(bitmap.T if by_columns[k] else bitmap)
        bounds = row_runs[mask_rows[k] : mask_rows[k + 1] + 1]
        found = [[tuple(run) for run in runs[a:b].tolist()] for a, b in pairwise(bounds)]
        filled = [i for i, row in enumerate(found) if row]
        assert (found[filled[0] : filled[-1] + 1] if filled else []) == expected


@pytest.mark.parametrize("kind", oracle.KINDS)
def test_polygons_have_the_pixels_that_opencv_fills(kind: str) -> None:
    for seed in range(2 if kind == "far away" else 20):
        assert_runs(oracle.random_polygons(seed, kind, 20))


def test_run_lengths_are_cut_at_column_ends_and_joined_over_empty_runs() -> None:
    counts = np.array([2, 1, 0, 4, 3], np.uint32)  # pixels 2 to 6 of columns of 4
    masks = MaskStore.from_runs([counts], heights=[4], widths=[5])
    runs, row_runs, mask_rows, by_columns = runs_of(masks)
    assert runs.tolist() == [[2, 3], [0, 2]]
    assert row_runs.tolist() == [0, 1, 2]
    assert mask_rows.tolist() == [0, 2]
    assert by_columns.tolist() == [True]


def test_run_lengths_have_the_pixels_that_they_encode() -> None:
    for seed in range(20):
        assert_runs(oracle.random_runs(seed, 10))


def test_a_row_of_hundreds_of_crossings_is_put_in_order() -> None:
    rng = np.random.default_rng(0)
    x = rng.permutation(600) * 3
    comb = np.stack((x, 39 * (np.arange(600) % 2)), axis=1).reshape(-1)
    assert_runs(MaskStore.from_polygons([[comb]], heights=[40], widths=[1800]))
