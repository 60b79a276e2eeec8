from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import factory
from paring.dataset import fingerprint
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset


@pytest.fixture
def data() -> Dataset:
    masks = MaskStore.concat(
        [factory.random_polygons(6, seed=0), factory.random_polygons(6, seed=1).to_rle()]
    )
    sizes = {1: (48, 64), 2: (48, 64), 3: (48, 64)}
    return factory.assemble(masks, [1, 1, 1, 2, 2, 3] * 2, [4, 5, 4, 5, 5, 4] * 2, sizes)


def test_the_order_of_records_does_not_count(data: Dataset) -> None:
    order = np.random.default_rng(0).permutation(12)
    shuffled = Dataset(
        data.images[[2, 0, 1]], data.instances[order], data.categories[::-1], data.masks.take(order)
    )
    assert shuffled != data
    assert shuffled.fingerprint == data.fingerprint


def test_every_number_and_name_counts(data: Dataset) -> None:
    points = data.masks.points.copy()
    points[5, 1] += 1e-9
    counts = data.masks.counts.copy()
    counts[[3, 4]] = counts[[4, 3]] if counts[3] != counts[4] else counts[[3, 4]] + [1, -1]
    parts = data.masks.instance_parts.copy()
    parts[1:6] = parts[1:6][::-1].cumsum() * 0 + np.minimum(parts[1:6] + 1, parts[6])
    changed = [
        replace(data, images=data.images.with_columns(pl.lit(9).alias("height"))),
        replace(data, images=data.images.with_columns(file_name=pl.col("file_name") + "x")),
        replace(data, instances=data.instances.with_columns(area=pl.col("area") + 1)),
        replace(data, instances=data.instances.with_columns(iscrowd=~pl.col("iscrowd"))),
        replace(data, instances=data.instances.with_columns(score=pl.lit(0.5))),
        replace(data, categories=data.categories.with_columns(name=pl.col("name") + "s")),
        replace(data, masks=replace(data.masks, points=points)),
        replace(data, masks=replace(data.masks, counts=counts)),
        replace(data, masks=replace(data.masks, instance_parts=parts)),
        replace(data, tags=data.instances.select("image_id", "category_id").unique()),
    ]
    assert len({d.fingerprint for d in (data, *changed)}) == len(changed) + 1


def test_two_masks_that_change_places_count(data: Dataset) -> None:
    order = np.array([1, 0, *range(2, 12)])
    assert replace(data, masks=data.masks.take(order)).fingerprint != data.fingerprint


def test_where_the_images_lie_does_not_count(data: Dataset, tmp_path) -> None:
    assert replace(data, image_root=tmp_path).fingerprint == data.fingerprint


def test_missing_values_differ_from_zeros() -> None:
    with_null = pl.DataFrame({"a": [None, 1.0]})
    with_zero = pl.DataFrame({"a": [0.0, 1.0]})
    one, other = fingerprint.of_frame(with_null), fingerprint.of_frame(with_zero)
    assert one[0] != other[0]
    assert one[1] == other[1]


def test_the_value_is_the_same_on_every_machine_and_in_every_version() -> None:
    frame = pl.DataFrame({"id": [1, 2], "name": ["cat", "π"], "size": [0.5, -0.0]})
    value = fingerprint.combine({"frame": fingerprint.of_frame(frame)})
    assert value == "c628357db1a66aed9ac61e1945661da2"


def test_blocks_do_not_change_the_number_of_a_mask(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fingerprint.of_masks(data.masks)
    monkeypatch.setattr(fingerprint, "_BLOCK", 7)
    assert fingerprint.of_masks(data.masks).tolist() == whole.tolist()


@pytest.mark.parametrize("place", range(4))
def test_every_number_of_a_box_counts(data: Dataset, place: int) -> None:
    boxes = data.instances["bbox"].to_numpy().copy()
    boxes[0, place] += 1
    moved = data.instances.with_columns(pl.Series("bbox", boxes, dtype=pl.Array(pl.Float64, 4)))
    assert replace(data, instances=moved).fingerprint != data.fingerprint


def test_boxes_and_masks_have_the_same_value_in_every_version() -> None:
    box = pl.Series("bbox", [[1.0, 2.0, 3.0, 4.0]], dtype=pl.Array(pl.Float64, 4))
    masks = MaskStore.concat(
        [
            MaskStore.from_polygons([[[0, 0, 3, 0, 3, 4]]], heights=[5], widths=[5]),
            MaskStore.from_runs([np.array([3, 4, 18], np.uint32)], heights=[5], widths=[5]),
        ]
    )
    tables = {
        "boxes": fingerprint.of_frame(pl.DataFrame({"bbox": box})),
        "masks": fingerprint.of_masks(masks),
    }
    assert fingerprint.combine(tables) == "7a1bfcfcecb73c7468627fab6de4a9a1"
