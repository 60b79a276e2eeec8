from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paring.dataset import ragged

rows = st.lists(st.lists(st.integers(-5, 5), max_size=5), max_size=8)


def flat(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array([v for one in lists for v in one], np.int64)
    return values, ragged.offsets_of(np.array([len(one) for one in lists], np.int64))


@given(rows, st.data())
def test_take_gives_the_rows_asked_for_in_their_order(lists: list, data: st.DataObject) -> None:
    values, offsets = flat(lists)
    indices = st.lists(st.integers(0, len(lists) - 1), max_size=10) if lists else st.just([])
    chosen = data.draw(indices)
    positions, fresh = ragged.take(offsets, np.array(chosen, np.int64))
    parts = [values[positions][a:b].tolist() for a, b in pairwise(fresh)]
    assert parts == [lists[k] for k in chosen]


@given(rows)
def test_reductions_equal_python_over_each_row(lists: list) -> None:
    values, offsets = flat(lists)
    assert ragged.reduce(np.add, values, offsets).tolist() == [sum(one) for one in lists]
    assert ragged.reduce(np.maximum, values, offsets, empty=-9).tolist() == [
        max(one, default=-9) for one in lists
    ]


@given(rows)
def test_first_maximum_is_the_first_of_the_largest(lists: list) -> None:
    values, offsets = flat(lists)
    expected = [-1 if not one else offsets[k] + one.index(max(one)) for k, one in enumerate(lists)]
    assert ragged.first_maximum(values, offsets).tolist() == expected


@given(rows, st.integers(1, 7))
def test_blocks_cover_every_row_once_and_stay_near_their_size(lists: list, size: int) -> None:
    _, offsets = flat(lists)
    found = list(ragged.blocks(offsets, size))
    assert [k for a, b in found for k in range(a, b)] == list(range(len(lists)))
    assert all(b - a == 1 or offsets[b] - offsets[a] <= size for a, b in found)


@given(rows)
def test_rows_of_names_the_row_of_every_entry(lists: list) -> None:
    _, offsets = flat(lists)
    assert ragged.rows_of(offsets).tolist() == [k for k, one in enumerate(lists) for _ in one]
