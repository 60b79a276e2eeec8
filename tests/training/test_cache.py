from __future__ import annotations

import multiprocessing
import pickle
import sys
import warnings

import numpy as np
import pytest

from paring.training.cache import ByteCache


def some(*values: int) -> np.ndarray:
    return np.array(values, np.uint8)


def test_parts_are_kept_one_after_the_other() -> None:
    cache = ByteCache([4, 3], budget=100)
    cache.put(1, some(1), some(2, 3))
    assert cache.get(0) is None
    found = cache.get(1)
    assert found is not None
    assert found.tolist() == [1, 2, 3]


@pytest.mark.parametrize(("budget", "rows"), [(0, 0), (3, 0), (4, 1), (8, 1), (9, 2), (10**9, 3)])
def test_the_first_rows_that_fit_the_budget_have_places(budget: int, rows: int) -> None:
    cache = ByteCache([4, 5, 6], budget=budget)
    for row in range(3):
        cache.put(row, some(row))
    assert [cache.has_place(row) for row in range(3)] == [row < rows for row in range(3)]
    assert [cache.get(row) is not None for row in range(3)] == [row < rows for row in range(3)]


def test_what_is_kept_cannot_be_written_over_by_who_reads_it() -> None:
    cache = ByteCache([2], budget=2)
    cache.put(0, some(1, 2))
    found = cache.get(0)
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 9


def test_more_bytes_than_a_row_may_have_are_refused_and_spoil_no_other() -> None:
    cache = ByteCache([2, 2], budget=4)
    cache.put(1, some(8, 9))
    with pytest.raises(ValueError, match="row 0 holds more than the 2 bytes"):
        cache.put(0, some(1), some(2, 3))
    assert cache.get(0) is None
    kept = cache.get(1)
    assert kept is not None
    assert kept.tolist() == [8, 9]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are not forked here")
def test_a_forked_process_fills_the_cache_of_this_one() -> None:
    cache = ByteCache([2], budget=2)
    child = multiprocessing.get_context("fork").Process(target=cache.put, args=(0, some(5, 6)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child.start()
    child.join()
    found = cache.get(0)
    assert found is not None
    assert found.tolist() == [5, 6]


def test_a_copy_in_a_process_started_afresh_has_the_same_places_and_is_empty() -> None:
    cache = ByteCache([2, 2], budget=3)
    cache.put(0, some(5, 6))
    copy = pickle.loads(pickle.dumps(cache))
    assert copy.rows == 1
    assert copy.get(0) is None
    copy.put(0, some(1, 2))
    kept = cache.get(0)
    assert kept is not None
    assert kept.tolist() == [5, 6]
