"""Batches: which images when, from how many workers, put together how."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Sampler

from paring.errors import InputError
from paring.training.moving import moved
from paring.training.samples import Sample, Samples
from paring.training.sections import Recipe
from paring.training.sources import Prepared, prepare_data

_STACKED = {"row", "image_id"}

Batch = dict[str, Any]


class EpochRows(Sampler[tuple[int, int]]):
    """(epoch, row) of every image of an epoch, in an order that seed and epoch alone decide.

    The epoch goes with the row to the workers, which live longer than an epoch. Of several
    processes each has its share, filled up from the front so that all have as many.

    Parameters
    ----------
    n : number of images.
    seed : decides the order; None keeps that of the data set.
    rank, world : which of how many processes this is.

    Example
    -------
    >>> rows = EpochRows(4, seed=None)
    >>> rows.set_epoch(2)
    >>> list(rows)
    [(2, 0), (2, 1), (2, 2), (2, 3)]
    """

    def __init__(self, n: int, *, seed: int | None, rank: int = 0, world: int = 1) -> None:
        self._n, self._seed, self._rank, self._world = n, seed, rank, world
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch; Lightning does so before each."""
        self._epoch = epoch

    def __len__(self) -> int:
        return -(-self._n // self._world)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self._n)
        if self._seed is not None:
            order = np.random.default_rng([self._seed, self._epoch]).permutation(self._n)
        filled = np.resize(order, len(self) * self._world)
        return iter([(self._epoch, row) for row in filled[self._rank :: self._world].tolist()])


class Batches(Sampler[list[tuple[int, int]]]):
    """The rows of an epoch in batches; the last may be smaller.

    `drop_single` leaves out a last batch of one image, of which batch normalisation learns
    nothing, unless it is the only batch, or all have one.

    >>> [len(batch) for batch in Batches(EpochRows(5, seed=0), size=2, drop_single=True)]
    [2, 2]
    """

    def __init__(self, sampler: EpochRows, *, size: int, drop_single: bool = False) -> None:
        self.sampler, self._size = sampler, size  # Lightning tells `sampler` the epoch
        self._drop = drop_single and size > 1 and len(sampler) > size and len(sampler) % size == 1

    def __len__(self) -> int:
        return -(-len(self.sampler) // self._size) - self._drop

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        rows = list(self.sampler)
        for k in range(len(self)):
            yield rows[k * self._size : (k + 1) * self._size]


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples as a batch.

    `row` and `image_id` become int64 (B,). Of dense models `image` (B, 3, H, W) and `target`
    (B, H, W) are stacked; of instance models they stay lists, as all else does.

    >>> batch = collate([{"row": 4, "image_id": 9, "image": torch.zeros(3, 2, 2)}])
    >>> batch["row"], batch["image"].shape
    (tensor([4]), torch.Size([1, 3, 2, 2]))
    """
    batch: Batch = {name: [sample[name] for sample in samples] for name in samples[0]}
    for name in _STACKED & batch.keys():
        batch[name] = torch.tensor(batch[name], dtype=torch.int64)
    if "boxes" not in batch:
        for name in {"image", "target"} & batch.keys():
            batch[name] = torch.stack(batch[name])
    return batch


class Loader(DataLoader[Any]):
    """A loader whose workers are forked, where the system can, so that they share one cache.

    Python warns of every fork of a process that has threads. Workers here touch no lock of a
    thread: they decode, resize and paint, each on one thread, and use no data frame.

    `scales` are factors of the size: each batch is given once for each, which its key `scale` says;
    without any, once.
    """

    scales: tuple[float, ...] = ()

    def __len__(self) -> int:
        return super().__len__() * max(1, len(self.scales))

    def __iter__(self) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*use of fork\(\) may lead to deadlocks")
            batches = super().__iter__()
        return _at_scales(_in_a_sentence(batches), self.scales)


def _at_scales(batches: Iterator[Batch], scales: Sequence[float]) -> Iterator[Batch]:
    """Each batch once for each scale; as it is where there are none.

    >>> [batch["scale"] for batch in _at_scales(iter([{"row": 4}]), (0.75, 1.0))]
    [0.75, 1.0]
    """
    for batch in batches:
        if scales:
            yield from (batch | {"scale": scale} for scale in scales)
        else:
            yield batch


def _in_a_sentence(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches; bad input is told as it was, without the traceback of a worker."""
    try:
        yield from batches
    except InputError as error:
        raise InputError(str(error).rpartition("InputError: ")[2].rstrip()) from error


class Seeded(Protocol):
    """Samples that are drawn by chance."""

    seed: int

    def __getitem__(self, key: tuple[int, int]) -> Any: ...

    def __len__(self) -> int: ...


def make_loader(
    samples: Seeded,
    batches: Batches,
    *,
    workers: int,
    pin: bool | None = None,
    scales: tuple[float, ...] = (),
) -> Loader:
    """Batches of samples, made by `workers` processes that live on, or by this one where 0.

    Parameters
    ----------
    pin : whether batches lie in memory that a GPU copies fast; unset, where there is CUDA.
    scales : see `Loader`.
    """
    loader = Loader(
        samples,  # type: ignore[arg-type]
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available() if pin is None else pin,
        worker_init_fn=_settle_worker,
        multiprocessing_context="fork" if workers and forks() else None,
        # its own, so that the chance of all else does not depend on how often a loader starts
        generator=torch.Generator().manual_seed(samples.seed),
    )
    loader.scales = scales
    return loader


def forks() -> bool:
    """Whether workers are forked, and share what lay in memory before."""
    return sys.platform == "linux"


def _settle_worker(_: int) -> None:
    """One thread for each worker; torch sees to its own."""
    import cv2

    cv2.setNumThreads(0)


class SegmentationData(LightningDataModule):
    """The loaders of a training, from samples or from a recipe.

    A trainer that has several processes must not shard again (``use_distributed_sampler=False``).
    Each process validates on all images.

    Parameters
    ----------
    train, val : samples to learn from, and to measure on.
    batch_size : images of one process at a time.
    workers : processes that make samples; 0 for none but this one.
    seed : decides the order of the images.
    drop_single : see `Batches`.
    pin : see `make_loader`.
    scales : of the batches to learn from, see `Loader`.

    Example
    -------
    >>> import paring, tempfile
    >>> data = paring.scenes(4, seed=0, folder=tempfile.mkdtemp())
    >>> samples = Samples(data, "binary", ["foreground"], size=(32, 32))
    >>> loader = SegmentationData(samples, batch_size=2, workers=0).train_dataloader()
    >>> [batch["target"].shape[0] for batch in loader]
    [2, 2]
    """

    def __init__(
        self,
        train: Samples,
        val: Samples | None = None,
        *,
        batch_size: int = 8,
        workers: int = 2,
        seed: int = 0,
        drop_single: bool = True,
        pin: bool | None = None,
        scales: tuple[float, ...] = (),
    ) -> None:
        super().__init__()
        self.train, self.val = train, val
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self._drop_single, self._pin, self._scales = drop_single, pin, scales

    @classmethod
    def from_recipe(cls, recipe: Recipe, prepared: Prepared | None = None) -> SegmentationData:
        """The samples and loaders of a recipe, whose data is read unless it is given."""
        prepared = prepared or prepare_data(recipe)
        data = recipe.data
        # the bytes are shared out by the number of images; workers that are started afresh have
        # a cache each
        sets = [prepared.train, *([] if prepared.val is None else [prepared.val])]
        total = data.cache if forks() else data.cache // max(1, data.workers)
        made = [
            Samples(
                images,
                prepared.task,
                prepared.classes,
                size=data.size,
                resize=data.resize,
                augment=recipe.augment if images is prepared.train else None,
                seed=recipe.seed,
                cache=total * len(images) // sum(map(len, sets)),
            )
            for images in sets
        ]
        return cls(
            *made,
            batch_size=data.batch_size,
            workers=data.workers,
            seed=recipe.seed,
            pin=False if recipe.trainer.accelerator == "cpu" else None,
            scales=recipe.trainer.multi_scale,
        )

    def train_dataloader(self) -> Loader:
        """Batches to learn from, in another order every epoch."""
        rank, world = self._place()
        rows = EpochRows(len(self.train), seed=self.seed, rank=rank, world=world)
        batches = Batches(rows, size=self.batch_size, drop_single=self._drop_single)
        return make_loader(
            self.train, batches, workers=self.workers, pin=self._pin, scales=self._scales
        )

    def val_dataloader(self) -> Loader | list[Any]:
        """Batches to measure on, in the order of the data set; without any, an empty list."""
        if self.val is None:
            return []
        batches = Batches(EpochRows(len(self.val), seed=None), size=self.batch_size)
        return make_loader(self.val, batches, workers=self.workers, pin=self._pin)

    def transfer_batch_to_device(
        self,
        batch: Batch,
        device: torch.device,
        dataloader_idx: int,  # noqa: ARG002 - Lightning's own
    ) -> Batch:
        """Tensors move; where an image lies in its sample stays."""
        on_device: Batch = moved(batch, device)
        return on_device

    def _place(self) -> tuple[int, int]:
        """Which of how many processes this is."""
        if self.trainer is None:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size
