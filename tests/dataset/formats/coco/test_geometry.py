import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paring.dataset.formats.coco.geometry import parse

numbers = st.one_of(
    st.integers(-1000, 1000), st.floats(-1e6, 1e6), st.sampled_from([0.1, 1e-7, 2.5e3, -0.0])
)
parts = st.lists(numbers, min_size=1, max_size=5).map(lambda xs: xs + xs)
polygons = st.lists(parts, max_size=3)
spacings = st.sampled_from([None, 1, (",", ":"), (" ,\n", ":")])


def texts(values: list[Any], spacing: Any) -> list[bytes]:
    kwargs = {"separators": spacing} if isinstance(spacing, tuple) else {"indent": spacing}
    return [json.dumps(v, **kwargs).encode() for v in values]


@given(st.lists(polygons, max_size=6), spacings)
def test_vertices_equal_those_of_a_plain_parser(values: list, spacing: Any) -> None:
    n = len(values)
    found = parse(texts(values, spacing), np.full(n, 9), np.full(n, 9))
    assert found.faults == {}
    assert len(found.masks) == n
    for k, value in enumerate(values):
        assert [p.reshape(-1).tolist() for p in found.masks.polygon(k)] == value


@given(st.lists(st.one_of(polygons, st.just({"size": [3, 3], "counts": [4, 5]})), max_size=6))
def test_polygons_and_runs_keep_their_rows_when_mixed(values: list) -> None:
    n = len(values)
    found = parse(texts(values, None), np.full(n, 3), np.full(n, 3))
    assert found.masks.is_rle.tolist() == [isinstance(v, dict) for v in values]
    assert found.masks.is_polygon.tolist() == [isinstance(v, list) and len(v) > 0 for v in values]


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(-9, 9), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(json_values, min_size=1, max_size=6))
def test_each_row_is_judged_as_if_it_stood_alone(values: list) -> None:
    n = len(values)
    together = parse(texts(values, None), np.full(n, 9), np.full(n, 9))
    for k, value in enumerate(values):
        alone = parse(texts([value], None), np.array([9]), np.array([9]))
        assert together.faults.get(k) == alone.faults.get(0)
        assert together.masks.take([k]) == alone.masks


@pytest.mark.parametrize(
    "value",
    [[1, 2, 3, 4], [[1, 2], 3], [[1, 2, [3, 4]]], [[[1, 2]]], [[1, True]], "x", 4, [["1", 2]]],
)
def test_what_is_no_list_of_polygons_is_a_fault(value: Any) -> None:
    found = parse(texts([value], None), np.array([9]), np.array([9]))
    assert list(found.faults) == [0]
    assert found.masks.is_empty.all()


def test_a_number_past_the_range_of_floats_is_a_fault_of_its_row_alone() -> None:
    found = parse([b"[[1,2,3,4]]", b"[[1,2,1e999,4]]"], np.array([9, 9]), np.array([9, 9]))
    assert list(found.faults) == [1]
    assert found.masks.polygon(0)[0].tolist() == [[1, 2], [3, 4]]


def test_empty_parts_are_left_out_and_null_is_an_empty_mask() -> None:
    found = parse([b"[[], [1, 2]]", b"null", b"[]"], np.full(3, 9), np.full(3, 9))
    assert [len(found.masks.polygon(k)) for k in range(3)] == [1, 0, 0]
    assert found.oddities["empty segmentation"] == [1, 2]
    assert found.oddities["polygon part with fewer than 3 points"] == [0]


def test_runs_past_32_bits_are_a_fault() -> None:
    for counts in ([2**32], [10**30], [-1, 10]):
        text = json.dumps({"size": [3, 3], "counts": counts}).encode()
        assert "negative or too large" in parse([text], np.array([3]), np.array([3])).faults[0]


def test_a_whole_number_of_many_digits_is_a_fault_of_its_row_alone() -> None:
    texts = [b"[[1,2,3,4]]", b"[[99999999999999999999999,2,3,4]]"]
    found = parse(texts, np.array([9, 9]), np.array([9, 9]))
    assert list(found.faults) == [1]
    assert "cannot be in an image" in found.faults[1]
    assert found.masks.polygon(0)[0].tolist() == [[1, 2], [3, 4]]
