"""A callback that records, epoch by epoch, what the model says on the truth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import polars as pls
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import roi_align

from paring.dataset.labelmaps import VOID
from paring.dataset.record import Keep, RecordWriter, Task, pack
from paring.dataset.table import Dataset
from paring.training.cells import Cells, sigmoid_cells, softmax_cells
from paring.training.moving import moved

GRID = 28
"""Cells a side of the region of an instance, as Mask R-CNN's mask head has them."""

Batch = Mapping[str, Any]
Said = Iterator[tuple[int, Cells]]
"""Units, each with its cells."""


class Recording(pl.Callback):
    """After every so many epochs, one pass over the training images, unaugmented, into a record.

    An instance model is asked for the mask of each annotated instance on its annotated box, cell
    by cell of the mask head's grid; a dense model for every pixel of the image at training size.
    Nothing is learned in the pass, and the network is in evaluation mode. Under several devices
    the first does it and the others wait.

    Parameters
    ----------
    folder : where the record goes.
    data : the training images with their instances.
    batches : gives the batches of one pass for a model.
    model : name of the model, for the record.
    task : its task.
    keep : ``"signs"`` or ``"margins"`` of the cells.
    epochs : planned for the training.
    every : epochs from one pass to the next.
    """

    def __init__(
        self,
        folder: Path,
        data: Dataset,
        batches: Callable[[Any], Iterable[Batch]],
        *,
        model: str,
        task: Task,
        keep: Keep,
        epochs: int,
        every: int = 1,
    ) -> None:
        self.folder = folder
        self.data = data
        self.batches = batches
        self.name = model
        self.task = task
        self.keep: Keep = keep
        self.epochs = epochs
        self.every = every
        self.seconds = 0.0

    def on_train_start(self, trainer: pl.Trainer, lesson: pl.LightningModule) -> None:
        """Begin a record, or forget epochs that come after the one the training goes on from."""
        if not trainer.is_global_zero:
            return
        self.writer = RecordWriter(
            self.folder,
            dataset=self.data.fingerprint,
            model=self.name,
            task=self.task,
            unit="instance" if self.task == "instance" else "image",
            keep=self.keep,
            epochs=self.epochs,
            units=units_of(self.data, self.task, self._known(lesson.model)),
        )
        self.writer.drop_from(trainer.current_epoch)

    def _known(self, model: Any) -> NDArray[np.int64]:
        """Cells of each image that have a class (n,); of instance models nobody asks."""
        known = np.zeros(len(self.data), np.int64)
        if self.task != "instance":
            for batch in self.batches(model):
                known[batch["row"].numpy()] = (batch["target"] != VOID).sum((1, 2)).numpy()
        return known

    def on_train_epoch_end(self, trainer: pl.Trainer, lesson: pl.LightningModule) -> None:
        """Ask the model for every unit, and write what it says."""
        if (trainer.current_epoch + 1) % self.every == 0:
            if trainer.is_global_zero:
                self._record(trainer, lesson)
            trainer.strategy.barrier()

    def _record(self, trainer: pl.Trainer, lesson: pl.LightningModule) -> None:
        began = time.perf_counter()
        model: Any = lesson.model
        units: list[int] = []
        rows: list[list[float]] = []
        states: list[bytes] = []
        modes = [(part, part.training) for part in model.modules()]
        model.eval()
        with torch.no_grad(), trainer.precision_plugin.forward_context():
            for batch in self.batches(model):
                for unit, cells in self._said(model, moved(batch, lesson.device)):
                    units.append(unit)
                    margin = cells.margin
                    values = (margin, cells.entropy, cells.el2n, (margin > 0).float())
                    rows.append([float(value.mean()) for value in values])
                    states.append(pack(margin.cpu().numpy(), self.keep))
        for part, training in modes:
            part.training = training
        means = np.array(rows, np.float32).reshape(len(rows), 4).T
        self.writer.write(
            trainer.current_epoch,
            unit=units,
            margin=means[0],
            entropy=means[1],
            el2n=means[2],
            correct=means[3],
            states=states,
        )
        self.seconds += time.perf_counter() - began

    def state_dict(self) -> dict[str, Any]:
        """Seconds so far."""
        return {"seconds": self.seconds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from them."""
        self.seconds = state["seconds"]

    def _said(self, model: Any, batch: Batch) -> Said:
        return (
            instance_cells(model, batch) if self.task == "instance" else image_cells(model, batch)
        )


def instance_cells(model: Any, batch: Batch) -> Said:
    """Row in `Dataset.instances`, and cells, of each instance of a batch."""
    logits = model.mask_logits(list(batch["image"]), batch["boxes"], batch["labels"])
    for found, rows, boxes, masks in zip(
        logits, batch["instance_rows"], batch["boxes"], batch["masks"], strict=True
    ):
        truth = on_grid(masks, boxes)
        for row, z, y in zip(rows.tolist(), found, truth, strict=True):
            yield row, sigmoid_cells(z.flatten(), y.flatten())


def on_grid(masks: Tensor, boxes: Tensor, side: int = GRID) -> Tensor:
    """Masks (n, H, W) on a grid (n, side, side) over their boxes (n, 4): 1 where most is mask."""
    if not len(masks):
        return masks.new_zeros((0, side, side))
    places = torch.arange(len(boxes), device=boxes.device, dtype=boxes.dtype)
    regions = torch.cat([places[:, None], boxes], 1)
    shares: Tensor = roi_align(masks[:, None].to(boxes.dtype), regions, (side, side), 1.0)[:, 0]
    solid: Tensor = shares >= 0.5
    return solid.to(masks.dtype)


def image_cells(model: Any, batch: Batch) -> Said:
    """Row in `Dataset.images`, and cells, of each image of a batch; void pixels are left out."""
    logits = model(batch["image"]).float()
    for row, z, y in zip(batch["row"], logits, batch["target"], strict=True):
        known = y != VOID
        if not known.any():
            continue
        if model.task == "binary":
            yield int(row), sigmoid_cells(z[0][known], y[known])
        else:
            yield int(row), softmax_cells(z[:, known].T, y[known])


def units_of(data: Dataset, task: str, known: NDArray[np.int64]) -> pls.DataFrame:
    """Frame of what is recorded: unit, image_id, instance_id, category_id, cells.

    A unit is a row of `data.instances` of an instance model, and of `data.images` otherwise, with
    `known` cells (n,).
    """
    if task == "instance":
        return data.instances.select(
            pls.int_range(pls.len(), dtype=pls.Int64).alias("unit"),
            "image_id",
            "instance_id",
            "category_id",
            pls.lit(GRID * GRID, pls.Int64).alias("cells"),
        )
    nothing = pls.lit(None, pls.Int64)
    return data.images.select(
        pls.int_range(pls.len(), dtype=pls.Int64).alias("unit"),
        "image_id",
        nothing.alias("instance_id"),
        nothing.alias("category_id"),
        pls.Series("cells", known, dtype=pls.Int64),
    )
