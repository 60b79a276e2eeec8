"""What Lightning trains: a dense or an instance model, its loss and its validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from paring.dataset.table import Dataset
from paring.evaluation.dense import DenseTally
from paring.evaluation.seen import Collected, labels_of
from paring.training.losses import (
    DenseLoss,
    cross_entropy,
    outline_weight,
    rebalanced_loss,
    structure_loss,
    supervise,
    supervise_aside,
)
from paring.training.optimising import make_optimiser, make_schedule
from paring.training.stopping import steps_ahead

if TYPE_CHECKING:
    from paring.models.dense import DenseModel
    from paring.models.instance import InstanceModel
    from paring.training.recipe import Loss, Recipe

Batch = Mapping[str, Any]


class TrainingFailed(RuntimeError):
    """A training that cannot go on: the loss is no number, or a file cannot be written.

    The message is one sentence that says where it stopped and what to do.
    """


class Watched(pl.LightningModule, ABC):
    """What every training shares: randomness of its own each epoch, and a watch on the loss.

    Parameters
    ----------
    seed : decides what is drawn.
    file_names : of the training images, by row.
    """

    def __init__(self, seed: int, file_names: Sequence[str]) -> None:
        super().__init__()
        self.seed = seed
        self.file_names = file_names

    def on_train_epoch_start(self) -> None:
        """Each epoch draws from a stream of its own, so that a resumed training draws the same."""
        torch.manual_seed(self.seed * 1_000_003 + self.current_epoch)

    @abstractmethod
    def loss_of(self, batch: Batch) -> Tensor:
        """The loss of a batch, a number."""

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """One batch; stops where the loss is no number."""
        loss = self.loss_of(batch)
        if not torch.isfinite(loss):
            raise TrainingFailed(self._where(batch, float(loss.detach())))
        self.log("loss", loss)
        return loss

    def _where(self, batch: Batch, loss: float) -> str:
        rows = [int(row) for row in batch["row"]]
        wrong = [row for place, row in enumerate(rows) if not self._is_sound(batch, place)] or rows
        first = self.file_names[wrong[0]]
        others = f" and {len(wrong) - 1} more of its batch" if len(wrong) > 1 else ""
        return (
            f"the loss became {loss} in epoch {self.current_epoch + 1}, step "
            f"{self.global_step + 1}, at image {first!r}{others}; {self.advice}, or another look "
            "at that image helps"
        )

    advice = "a lower learning rate"
    """What may help where the loss is no number."""

    def _is_sound(self, batch: Batch, place: int) -> bool:
        """Whether the loss of one image of a batch is a number, all by itself."""
        alone = {
            key: values if key == "scale" else values[place : place + 1]
            for key, values in batch.items()
        }
        with torch.no_grad():
            return bool(torch.isfinite(self.loss_of(alone)))


class Lesson(Watched, ABC):
    """What both kinds of models share: optimiser, schedule, and validation data.

    Parameters
    ----------
    model : a model of `paring.models`.
    recipe : how it is trained.
    file_names : of the training images, by row.
    truth : validation data, or None.
    """

    advice = "a lower optimiser.lr, trainer.clip=1"

    def __init__(
        self, model: Any, recipe: Recipe, file_names: Sequence[str], truth: Dataset | None = None
    ) -> None:
        super().__init__(recipe.seed, file_names)
        self.model = model
        self.recipe = recipe
        self.truth = truth

    def configure_optimizers(self) -> Any:
        """The optimiser of the recipe, its rate set after every step."""
        optimiser = make_optimiser(self.model, self.recipe.optimiser)
        steps = steps_ahead(self.trainer, self.recipe.trainer.steps)
        batches = float(self.trainer.num_training_batches)
        schedule = make_schedule(
            optimiser,
            self.recipe.schedule,
            steps=steps,
            steps_an_epoch=batches / self.trainer.accumulate_grad_batches,
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


class DenseLesson(Lesson):
    """A semantic or binary model, every output of it supervised."""

    model: DenseModel

    def loss_of(self, batch: Batch) -> Tensor:
        """The recipe's loss over the model's outputs, at the scale of the batch."""
        images, target = rescaled(batch["image"], batch["target"], batch.get("scale", 1.0))
        wished = self.recipe.loss
        stages = [stage.float() for stage in self.model.stages(images)]
        loss = dense_loss(wished, self.model.task)
        if self.model.task == "semantic":
            return supervise_aside(stages, target, loss, wished.aux_weight)
        if loss is structure_loss:  # the weight is that of the target, for all outputs
            loss = partial(structure_loss, weight=outline_weight(target))
        return supervise(stages, target, loss, wished.aggregate)

    def on_validation_epoch_start(self) -> None:
        """Start counting."""
        self.seen = DenseTally(self.model.classes)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Count one batch, at the size that the model sees."""
        labels = labels_of(self.model(batch["image"]), self.model.task)
        for found, target, image_id in zip(
            labels, batch["target"].cpu().numpy(), batch["image_id"], strict=True
        ):
            self.seen.add(found, target, int(image_id))

    def validation_result(self) -> dict[str, float]:
        """Metrics over the validation data."""
        return self.seen.result()


class InstanceLesson(Lesson):
    """Mask R-CNN: the sum of its own five losses.

    Raises `InputError` where a class of the model is no category of the validation data.
    """

    model: InstanceModel

    def __init__(
        self, model: Any, recipe: Recipe, file_names: Sequence[str], truth: Dataset | None = None
    ) -> None:
        super().__init__(model, recipe, file_names, truth)
        if truth is not None:
            Collected(truth, model.classes)  # not only after an epoch

    def loss_of(self, batch: Batch) -> Tensor:
        """The sum of the losses of proposals, boxes and masks."""
        targets = [
            {"boxes": boxes, "labels": labels, "masks": masks}
            for boxes, labels, masks in zip(
                batch["boxes"], batch["labels"], batch["masks"], strict=True
            )
        ]
        return torch.stack(list(self.model(list(batch["image"]), targets).values())).sum()

    def on_validation_epoch_start(self) -> None:
        """Start collecting."""
        assert self.truth is not None
        self.seen = Collected(self.truth, self.model.classes)

    def validation_step(self, batch: Batch, _: int) -> None:
        """Collect what is found in one batch."""
        found = self.model(list(batch["image"]))
        for one, image_id, geometry in zip(
            found, batch["image_id"], batch["geometry"], strict=True
        ):
            self.seen.add(one, int(image_id), content=geometry.inner, size=geometry.original)

    def validation_result(self) -> dict[str, float]:
        """COCO metrics over the validation data."""
        return self.seen.result()


def dense_loss(wished: Loss, task: str) -> DenseLoss:
    """The loss that a recipe names; ``auto`` is the usual one of the task."""
    name = wished.name
    if name == "auto":
        name = "structure" if task == "binary" else "cross_entropy"
    if name == "structure":
        return structure_loss
    if name == "gsrl":
        gsrl = wished.gsrl
        return partial(rebalanced_loss, beta=gsrl.beta, pool=gsrl.pool, hardness=gsrl.hardness)
    return cross_entropy


def rescaled(images: Tensor, target: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """Images (B, 3, H, W) and target (B, H, W) at a scale, sides rounded to 32 pixels."""
    if scale == 1.0:
        return images, target
    size = [max(32, round(side * scale / 32) * 32) for side in images.shape[-2:]]
    larger = F.interpolate(images, size, mode="bilinear", align_corners=False)
    return larger, F.interpolate(target[:, None].float(), size, mode="nearest")[:, 0].long()
