from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

lightning = pytest.importorskip("lightning")
torch = pytest.importorskip("torch")

import paring
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.training.loading import (
    Batches,
    EpochRows,
    SegmentationData,
    collate,
    forks,
    make_loader,
)
from paring.training.recipe import load_recipe
from paring.training.samples import Samples
from paring.training.sections import Augment

pytestmark = pytest.mark.torch

WILD = Augment(flip=0.5, rotate=25.0, scale=(0.7, 1.5))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return paring.scenes(7, seed=3, size=(40, 50), folder=tmp_path_factory.mktemp("images"))


def samples_of(data: Dataset, task: Any = "binary", **options: Any) -> Samples:
    names = data.categories["name"].to_list()
    classes = ["foreground"] if task == "binary" else names
    return Samples(data, task, classes, size=(32, 40), **({"augment": WILD} | options))


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


# -- order ------------------------------------------------------------------------------------


def rows(n: int, epoch: int, **options: Any) -> list[tuple[int, int]]:
    sampler = EpochRows(n, **({"seed": 1} | options))
    sampler.set_epoch(epoch)
    return list(sampler)


def test_every_epoch_has_every_image_once_in_an_order_of_its_own() -> None:
    first, second = rows(50, 0), rows(50, 1)
    assert sorted(row for _, row in first) == list(range(50))
    assert {epoch for epoch, _ in second} == {1}
    assert [row for _, row in first] != [row for _, row in second]
    assert first == rows(50, 0)
    assert [row for _, row in first] != [row for _, row in rows(50, 0, seed=2)]


def test_processes_share_an_epoch_and_have_as_many_images_each() -> None:
    whole = [row for _, row in rows(10, 3)]
    shares = [[row for _, row in rows(10, 3, rank=rank, world=4)] for rank in range(4)]
    assert [len(share) for share in shares] == [3, 3, 3, 3]
    assert [row for turn in zip(*shares, strict=True) for row in turn] == [*whole, *whole[:2]]


def test_more_processes_than_images_have_one_each() -> None:
    assert [len(rows(2, 0, rank=rank, world=5)) for rank in range(5)] == [1] * 5


@pytest.mark.parametrize(
    ("n", "size", "drop", "sizes"),
    [
        (7, 3, False, [3, 3, 1]),
        (7, 3, True, [3, 3]),
        (8, 3, True, [3, 3, 2]),
        (6, 3, True, [3, 3]),
        (1, 3, True, [1]),
        (3, 1, True, [1, 1, 1]),
    ],
)
def test_a_last_batch_of_one_is_dropped_where_others_are_larger(
    n: int, size: int, drop: bool, sizes: list[int]
) -> None:
    batches = Batches(EpochRows(n, seed=0), size=size, drop_single=drop)
    assert [len(batch) for batch in batches] == sizes
    assert len(batches) == len(sizes)


# -- batches ----------------------------------------------------------------------------------


def test_dense_samples_are_stacked_and_instances_stay_lists(data: Dataset) -> None:
    dense = collate([samples_of(data)[row] for row in (4, 2)])
    assert dense["image"].shape == (2, 3, 32, 40)
    assert (dense["target"].shape, dense["row"].tolist()) == ((2, 32, 40), [4, 2])
    assert dense["image_id"].tolist() == [5, 3]
    found = [samples_of(data, "instance")[row] for row in (4, 2)]
    batch = collate(found)
    for name in ("image", "boxes", "labels", "masks", "instance_rows"):
        assert same(batch[name], [sample[name] for sample in found])


@pytest.mark.parametrize("task", ["instance", "binary"])
@pytest.mark.parametrize("cache", [0, 10**7])
def test_batches_are_the_same_whatever_the_number_of_workers(
    data: Dataset, task: Any, cache: int
) -> None:
    found = []
    for workers in (0, 1, 2):
        module = SegmentationData(
            samples_of(data, task, cache=cache), batch_size=2, workers=workers, seed=4
        )
        loader = module.train_dataloader()
        epochs = []
        for epoch in range(3):
            loader.batch_sampler.sampler.set_epoch(epoch)
            epochs.append(list(loader))
        found.append(epochs)
    assert same(found[0], found[1])
    assert same(found[0], found[2])
    assert not same(found[0][0], found[0][1])


def test_an_epoch_is_the_same_after_a_resume(data: Dataset) -> None:
    going_on, resumed = (
        SegmentationData(samples_of(data), batch_size=3, workers=0).train_dataloader()
        for _ in range(2)
    )
    for epoch in range(3):
        going_on.batch_sampler.sampler.set_epoch(epoch)
        batches = list(going_on)
    resumed.batch_sampler.sampler.set_epoch(2)
    assert same(list(resumed), batches)


@pytest.mark.skipif(not forks(), reason="workers do not share memory here")
def test_workers_fill_one_cache_so_that_pictures_are_read_once(tmp_path: Path) -> None:
    data = paring.scenes(4, seed=3, size=(40, 50), folder=tmp_path / "images")
    loader = make_loader(
        samples_of(data, cache=10**7), Batches(EpochRows(4, seed=0), size=1), workers=2
    )
    first = list(loader)
    for picture in (tmp_path / "images").iterdir():
        picture.unlink()
    assert same(list(loader), first)


def test_a_loader_draws_nothing_from_the_chance_of_all_else(data: Dataset) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(SegmentationData(samples_of(data), workers=0).train_dataloader())
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_input_is_told_in_one_sentence_whoever_met_it(tmp_path: Path, workers: int) -> None:
    data = paring.scenes(2, seed=3, size=(40, 50), folder=tmp_path / "images")
    (tmp_path / "images" / "000002.jpg").write_bytes(b"no picture")
    module = SegmentationData(samples_of(data), batch_size=1, workers=workers)
    with pytest.raises(InputError) as error:
        list(module.train_dataloader())
    assert str(error.value) == f"{tmp_path / 'images' / '000002.jpg'}: the image cannot be decoded"


@pytest.mark.skipif(not forks(), reason="workers are not forked here")
def test_a_fork_beside_threads_is_not_warned_of(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, said = os.fork, []

    def fork() -> int:
        said.append(1)
        warnings.warn(
            "This process (pid=1) is multi-threaded, use of fork() may lead to deadlocks in the "
            "child.",
            DeprecationWarning,
            stacklevel=2,
        )
        return plain()

    monkeypatch.setattr(os, "fork", fork)
    loader = SegmentationData(samples_of(data), batch_size=4, workers=1).train_dataloader()
    assert len(list(loader)) == 2
    assert said


def test_without_validation_images_there_is_no_loader_for_them(data: Dataset) -> None:
    assert SegmentationData(samples_of(data)).val_dataloader() == []


# -- from a recipe ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco")
    data = paring.scenes(8, seed=3, size=(40, 50), folder=folder / "images")
    data.write(folder / "scenes.json", format="coco")
    return folder / "scenes.json"


def test_a_recipe_says_what_the_loaders_do(coco: Path) -> None:
    recipe = load_recipe(
        "small-polyp",
        [f"data.train={coco}", "data.holdout=0.25", "data.size=[32, 48]", "data.workers=0"],
    )
    module = SegmentationData.from_recipe(recipe)
    [train], [val] = list(module.train_dataloader()), list(module.val_dataloader())
    assert train["image"].shape == (6, 3, 32, 48)
    assert val["row"].tolist() == [0, 1]
    plain = Samples(module.val.data, "binary", ["foreground"], size=(32, 48))
    assert torch.equal(val["image"][1], plain[1]["image"])


def test_the_cache_is_shared_out_by_the_number_of_images(coco: Path) -> None:
    four = 4 * (8 + 4 * 32 * 32)  # bytes of four images and their targets
    wished = ("data.holdout=0.25", "data.size=[32, 32]", "data.workers=0", f"data.cache={four}")
    recipe = load_recipe("small-polyp", [f"data.train={coco}", *wished])
    module = SegmentationData.from_recipe(recipe)
    kept = [module.train._cache.rows, module.val._cache.rows]  # type: ignore[union-attr]
    assert kept == [3, 1]


class Listener(lightning.LightningModule):
    """Learns one number, and remembers which images it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[int] = []

    def training_step(self, batch: dict[str, Any], _: int) -> Any:
        self.seen += batch["row"].tolist()
        return self.weight * batch["image"].mean()

    def validation_step(self, batch: dict[str, Any], _: int) -> None:
        self.validated = batch["row"].tolist()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated:FutureWarning")  # of Lightning
def test_lightning_tells_every_epoch_its_order(data: Dataset, tmp_path: Path) -> None:
    val = samples_of(data, augment=None)
    module = SegmentationData(samples_of(data), val, batch_size=4, workers=0, seed=4)
    listener = Listener()
    lightning.Trainer(
        accelerator="cpu",
        max_epochs=2,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=tmp_path,
    ).fit(listener, datamodule=module)
    assert listener.validated == [4, 5, 6]
    assert listener.seen == [row for epoch in (0, 1) for _, row in rows(7, epoch, seed=4)]
