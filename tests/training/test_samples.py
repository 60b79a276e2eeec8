from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

import paring
from paring.dataset.labelmaps import VOID
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.training.samples import Samples
from paring.training.sections import Augment
from paring.training.targets import boxes_of, choose_classes

pytestmark = pytest.mark.torch

WILD = Augment(flip=0.5, rotate=25.0, scale=(0.7, 1.5), brightness=0.3)
TASKS = ["instance", "semantic", "binary"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return paring.scenes(10, seed=3, size=(60, 80), folder=tmp_path_factory.mktemp("images"))


def samples_of(data: Dataset, task: Any, **options: Any) -> Samples:
    options = {"size": (48, 56)} | options
    return Samples(data, task, choose_classes(data, task), **options)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[k], other[k]) if isinstance(one[k], torch.Tensor) else one[k] == other[k]
        for k in one
    )


def test_a_sample_of_instances_has_shapes_types_and_ranges_as_promised(data: Dataset) -> None:
    samples = samples_of(data, "instance")
    for row, sample in enumerate(samples[k] for k in range(len(samples))):
        n = len(sample["labels"])
        assert (sample["row"], sample["image_id"]) == (row, data.images["image_id"][row])
        assert sample["image"].dtype == torch.float32
        assert sample["image"].shape == (3, 48, 56)
        assert 0 <= sample["image"].min() < 0.5 < sample["image"].max() <= 1
        assert (sample["boxes"].dtype, sample["boxes"].shape) == (torch.float32, (n, 4))
        assert (sample["masks"].dtype, sample["masks"].shape) == (torch.uint8, (n, 48, 56))
        assert sample["labels"].dtype == sample["instance_rows"].dtype == torch.int64
        np.testing.assert_array_equal(sample["boxes"], boxes_of(sample["masks"].numpy()))
        assert (sample["boxes"][:, 2:] > sample["boxes"][:, :2]).all()


def test_instances_are_those_of_the_image_without_crowds_each_with_its_label(data: Dataset) -> None:
    samples = samples_of(data, "instance", size=(60, 80))
    for row in range(len(data)):
        sample = samples[row]
        mine = np.flatnonzero((data.image_rows == row) & ~data.instances["iscrowd"].to_numpy())
        assert sample["instance_rows"].tolist() == mine.tolist()
        ids = data.instances["category_id"].to_numpy()[mine]
        assert sample["labels"].tolist() == [
            data.categories["category_id"].to_list().index(i) + 1 for i in ids
        ]
        for mask, instance in zip(sample["masks"].numpy(), mine, strict=True):
            top, left, crop = data.masks.crop(int(instance))
            part = mask[top : top + crop.shape[0], left : left + crop.shape[1]]
            np.testing.assert_array_equal(part, crop)
            assert mask.sum() == crop.sum()


@pytest.mark.parametrize("task", ["semantic", "binary"])
def test_a_dense_target_has_a_class_index_or_void_for_every_pixel(data: Dataset, task: Any) -> None:
    samples = samples_of(data, task)
    values = set()
    for row in range(len(samples)):
        target = samples[row]["target"]
        assert (target.dtype, target.shape) == (torch.int64, (48, 56))
        values |= {*target.unique().tolist()}
    assert values <= {*range(1 + len(samples.classes)), VOID}
    assert {0, 1} <= values


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("augment", [None, WILD])
def test_the_cache_changes_nothing_however_little_it_holds(
    data: Dataset, task: Any, augment: Any
) -> None:
    plain = samples_of(data, task, augment=augment, resize="pad")
    for budget in (0, 40_000, 10**7):
        kept = samples_of(data, task, augment=augment, resize="pad", cache=budget)
        for epoch in range(2):
            assert all(same(kept[epoch, row], plain[epoch, row]) for row in range(len(data)))


def test_a_full_cache_reads_no_picture_again(tmp_path: Path) -> None:
    data = paring.scenes(3, seed=0, size=(40, 40), folder=tmp_path / "images")
    samples = samples_of(data, "instance", cache=10**7)
    first = [samples[row] for row in range(3)]
    for picture in (tmp_path / "images").iterdir():
        picture.unlink()
    assert all(same(samples[row], first[row]) for row in range(3))
    with pytest.raises(InputError, match=r"000001\.jpg: the image does not exist"):
        samples_of(data, "instance")[0]


@pytest.mark.parametrize("task", TASKS)
def test_chance_depends_on_the_seed_the_epoch_and_the_row_alone(data: Dataset, task: Any) -> None:
    samples, again = (samples_of(data, task, augment=WILD, seed=5) for _ in range(2))
    backwards = {row: again[2, row] for row in reversed(range(len(data)))}
    samples.set_epoch(2)
    assert all(same(samples[row], backwards[row]) for row in range(len(data)))
    assert not same(samples[0], samples[3, 0])
    assert not same(samples[0], samples_of(data, task, augment=WILD, seed=6)[2, 0])


def test_augmented_boxes_lie_about_their_masks_and_none_is_empty(data: Dataset) -> None:
    augment = Augment(rotate=90.0, scale=(1.0, 3.0), crop=(32, 40))
    samples = samples_of(data, "instance", augment=augment)
    fewer = 0
    for row in range(len(data)):
        sample = samples[row]
        assert sample["image"].shape == (3, 32, 40)
        assert sample["masks"].flatten(1).any(1).all()
        np.testing.assert_array_equal(sample["boxes"], boxes_of(sample["masks"].numpy()))
        lengths = {len(sample[k]) for k in ("boxes", "labels", "masks", "instance_rows")}
        assert len(lengths) == 1
        fewer += lengths.pop() < len(samples_of(data, "instance")[row]["labels"])
    assert fewer


def test_geometry_leads_back_to_the_picture(data: Dataset) -> None:
    geometry = samples_of(data, "binary", resize="pad", size=(30, 80))[0]["geometry"]
    assert (geometry.original, geometry.size, geometry.inner) == ((60, 80), (30, 80), (30, 40))


def test_the_truth_of_the_picture_is_the_target_at_its_own_size(data: Dataset) -> None:
    small, whole = (samples_of(data, "semantic", size=size) for size in ((20, 20), (60, 80)))
    for row in range(len(data)):
        np.testing.assert_array_equal(small.truth(row), whole[row]["target"])
    with pytest.raises(ValueError, match="no map of labels"):
        samples_of(data, "instance").truth(0)


def test_images_can_be_had_without_targets(data: Dataset) -> None:
    samples = samples_of(data, "instance", targets=False, cache=10**6)
    assert {*samples[0]} == {"image", "row", "image_id", "geometry"}
    assert same(samples[0], samples[0])
    assert torch.equal(samples[0]["image"], samples_of(data, "instance")[0]["image"])


def test_an_image_without_instances_gives_an_empty_target(data: Dataset) -> None:
    data = replace(data, instances=data.instances.clear(), masks=data.masks.take([]))
    sample = samples_of(data, "instance", augment=WILD, cache=10**6)[0]
    assert sample["boxes"].shape == (0, 4)
    assert sample["masks"].shape == (0, 48, 56)
    assert not samples_of(data, "binary")[0]["target"].any()


def test_rows_count_from_the_end_and_stop_there(data: Dataset) -> None:
    samples = samples_of(data, "binary")
    assert samples[-1]["row"] == 9
    with pytest.raises(IndexError):
        samples[10]


def test_data_without_pictures_is_refused() -> None:
    with pytest.raises(InputError, match="folder of the images is not known; give images=DIR"):
        samples_of(paring.scenes(2, seed=0), "binary")


def test_a_turned_photograph_is_seen_as_it_is_shown_and_its_annotation_must_fit(
    tmp_path: Path,
) -> None:
    data = paring.scenes(1, seed=0, size=(40, 60), folder=tmp_path / "images")
    path = data.image_path(1)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.open(path).save(path, exif=exif)
    with pytest.raises(
        InputError, match=r"the picture is 40 x 60 pixels, but its masks are 60 x 40"
    ):
        samples_of(data, "instance")[0]
    shown = data.images.with_columns(width=pl.lit(40), height=pl.lit(60))
    bare = replace(data, images=shown, instances=data.instances.clear(), masks=data.masks.take([]))
    assert samples_of(bare, "binary")[0]["geometry"].original == (60, 40)
