from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from paring.dataset.formats.indexed import (
    Unusable,
    index_runs,
    instance_frame,
    mask_store,
    open_map,
    usable,
)
from paring.dataset.reading import Reading
from paring.errors import InputError

TYPES = (np.uint8, np.uint16, np.int32, np.int64)

maps = st.sampled_from(TYPES).flatmap(
    lambda dtype: arrays.arrays(
        dtype,
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
        elements=st.sampled_from([0, 1, 2, 7, 200, 255]),
    )
)


def is_instance(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    return (values != 0) & (values != 255)


def unrolled(runs: NDArray[np.uint32], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Bitmap of run lengths, written out: background first, column by column."""
    flat: list[bool] = []
    for place, length in enumerate(runs.tolist()):
        flat += [place % 2 == 1] * length
    flat += [False] * (shape[0] * shape[1] - len(flat))
    return np.array(flat).reshape(shape[1], shape[0]).T


@given(maps)
def test_every_number_of_a_map_gets_the_mask_of_its_pixels(values: NDArray[np.integer]) -> None:
    found = index_runs(values, is_instance)
    expected = [n for n in sorted(set(values.flatten().tolist())) if n not in (0, 255)]
    assert found.numbers.tolist() == expected
    for row, number in enumerate(expected):
        runs = found.counts[found.offsets[row] : found.offsets[row + 1]]
        np.testing.assert_array_equal(unrolled(runs, values.shape), values == number)


@given(maps)
def test_runs_are_whole_and_fill_the_image_exactly(values: NDArray[np.integer]) -> None:
    found = index_runs(values, is_instance)
    for first, stop in zip(found.offsets[:-1], found.offsets[1:], strict=True):
        runs = found.counts[first:stop]
        assert runs.sum(dtype=np.int64) == values.size
        assert (runs[1:] > 0).all()


@given(st.lists(maps, max_size=4))
def test_boxes_and_areas_of_all_maps_are_those_of_the_pixels(maps: list[NDArray]) -> None:
    masks = mask_store([index_runs(values, is_instance) for values in maps])
    frame = instance_frame(masks, [1] * len(masks), [1] * len(masks), [False] * len(masks))
    boxes, areas = [], []
    for values in maps:
        for number in np.unique(values[is_instance(values)]):
            rows, columns = np.nonzero(values == number)
            x, y = int(columns.min()), int(rows.min())
            boxes.append([x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1])
            areas.append(len(rows))
    assert frame["bbox"].to_list() == boxes
    assert frame["area"].to_list() == areas
    assert frame["instance_id"].to_list() == list(range(1, len(areas) + 1))


def test_taking_instances_of_a_map_keeps_their_runs() -> None:
    found = index_runs(np.array([[1, 2, 3]], np.uint8), is_instance).take(np.array([2, 0]))
    masks = mask_store([found])
    assert found.numbers.tolist() == [3, 1]
    assert [masks.runs(row).tolist() for row in range(2)] == [[2, 1], [0, 1, 2]]


def test_a_map_that_is_missing_broken_or_coloured_is_unusable_by_name(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    colours = np.zeros((2, 2, 3), np.uint8)
    colours[..., 1] = 9
    Image.fromarray(colours).save(tmp_path / "colours.png")
    for name, message in (
        ("missing.png", "does not exist"),
        ("broken.png", "cannot be read"),
        ("colours.png", "one value per pixel"),
    ):
        with pytest.raises(Unusable, match=message) as caught:
            open_map(tmp_path / name, "image 7")
        assert caught.value.path == tmp_path / name
        assert caught.value.record == "image 7"
        assert str(tmp_path) not in caught.value.message


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_map_cut_short_is_unusable(tmp_path: Path, dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 200, (64, 64)).astype(dtype)
    Image.fromarray(values).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Unusable, match="cannot be read"):
        open_map(tmp_path / "cut.png", "image 7")


def test_one_bit_maps_have_the_values_0_and_1(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bit.png")
    values = open_map(tmp_path / "bit.png", "image 7")
    assert values.tolist() == [[1, 0]]
    assert index_runs(values, is_instance).numbers.tolist() == [1]


def test_results_come_in_order_and_refused_items_are_left_out() -> None:
    def work(item: int) -> int:
        if item % 10 == 3:
            raise Unusable(Path("map.png"), f"image {item}", "is odd")
        return item * item

    steps: list[int] = []
    reading = Reading(Path("x"), strict=False, progress=lambda _, done, __: steps.append(done))
    found = list(usable(work, range(30), reading, "maps"))
    assert found == [(k, k * k) for k in range(30) if k % 10 != 3]
    assert [fault.record for fault in reading.faults] == ["image 3", "image 13", "image 23"]
    assert steps == list(range(1, 31))


def test_a_strict_reading_stops_at_the_first_unusable_item() -> None:
    def work(item: int) -> int:
        raise Unusable(Path("map.png"), f"image {item}", "is odd")

    with pytest.raises(InputError, match=r"^map\.png: image 0: is odd$"):
        list(usable(work, range(30), Reading(Path("x")), "maps"))
