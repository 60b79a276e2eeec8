"""Trainings that are no recipe's: of a lesson with a loss of its own, from its own samples."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from msgspec import Meta
from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from paring.dataset.reading import Progress
from paring.training.beginning import begin, settled
from paring.training.keeping import Checkpoints, Clock, EpochLoss, Steps
from paring.training.lessons import Watched
from paring.training.loading import Batches, EpochRows, Loader, Seeded, make_loader
from paring.training.moving import moved
from paring.training.sections import NotNegative, Positive, Section, Share, Whole
from paring.training.stopping import Limit, steps_ahead
from paring.training.trained import CHECKPOINTS


class Fitting(Section, frozen=True):
    """How such a training goes.

    Attributes
    ----------
    epochs : passes over the images.
    steps : optimiser steps after which it ends, where that comes first.
    batch_size : images at a time.
    accumulate : batches whose mean gradient makes one step.
    bias_lr : factor of the rate of biases, which have no weight decay.
    warmup_steps, warmup_start : the rate rises in so many steps, from this factor on.
    drops : shares of the training after which the rate falls to a tenth.
    clip : largest norm of the gradient.
    workers : processes that make samples.
    threads : of the processor that torch may use; None for torch's own choice.
    """

    epochs: Whole = 10
    steps: Whole | None = None
    batch_size: Whole = 1
    accumulate: Whole = 1
    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 1.0e-3
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: NotNegative = 5.0e-4
    bias_lr: Positive = 2.0
    warmup_steps: Annotated[int, Meta(ge=0)] = 0
    warmup_start: Share = 0.333
    drops: tuple[Share, ...] = ()
    clip: Positive | None = None
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    workers: Annotated[int, Meta(ge=0, le=1024)] = 2
    threads: Whole | None = None


class FittedLesson(Watched, ABC):
    """A lesson whose optimiser and rate a `Fitting` says.

    Parameters
    ----------
    fitting : how it goes.
    seed, file_names : see `Watched`.
    """

    def __init__(self, fitting: Fitting, seed: int, file_names: Sequence[str]) -> None:
        super().__init__(seed, file_names)
        self.fitting = fitting

    def configure_optimizers(self) -> Any:
        """The optimiser, its rate set after every step."""
        wished = self.fitting
        optimiser = _optimiser(self, wished)
        steps = steps_ahead(self.trainer, wished.steps)
        schedule = LambdaLR(optimiser, lambda step: fitted_rate(step, steps, wished))
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def transfer_batch_to_device(
        self,
        batch: Any,
        device: torch.device,
        dataloader_idx: int,  # noqa: ARG002 - Lightning's own
    ) -> Any:
        """Tensors move; all else stays."""
        return moved(batch, device)


def _optimiser(module: nn.Module, wished: Fitting) -> Optimizer:
    """Over all parameters that learn; biases at a rate of their own and without decay."""
    biases: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            (biases if name.endswith("bias") else others).append(parameter)
    parts: list[dict[str, Any]] = [
        {"params": others, "lr": wished.lr, "weight_decay": wished.weight_decay},
        {"params": biases, "lr": wished.lr * wished.bias_lr, "weight_decay": 0.0},
    ]
    if wished.optimiser == "sgd":
        return SGD(parts, lr=wished.lr, momentum=wished.momentum)
    return AdamW(parts, lr=wished.lr)


def fitted_rate(step: int, steps: int, wished: Fitting) -> float:
    """Factor of the learning rate at an optimiser step, counted from 0.

    >>> fitting = Fitting(drops=(0.5,), warmup_steps=2, warmup_start=0.5)
    >>> [round(fitted_rate(step, 8, fitting), 3) for step in (0, 1, 2, 4)]
    [0.5, 0.75, 1.0, 0.1]
    """
    factor = 0.1 ** sum(step >= share * steps for share in wished.drops)
    if step < wished.warmup_steps:
        factor *= wished.warmup_start + (1 - wished.warmup_start) * step / wished.warmup_steps
    return float(factor)


@dataclass(frozen=True)
class Fitted:
    """What a training took.

    Attributes
    ----------
    seconds, waited : of the training, and of it waiting for samples.
    epochs, steps : done.
    device : it ran on.
    """

    seconds: float
    waited: float
    epochs: int
    steps: int
    device: str


def fit(
    lesson: FittedLesson,
    samples: Seeded,
    folder: Path,
    *,
    label: str = "training",
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    along: Sequence[Callback] = (),
) -> Fitted:
    """Train a lesson into a folder; one that was cut short goes on from its last epoch.

    The folder holds the checkpoint and ``metrics.csv``. The outcome is that of a training that was
    never cut short.

    Parameters
    ----------
    lesson : what learns.
    samples : what it learns from; asked for by (epoch, row).
    label : what the steps are called in `progress`.
    along : further callbacks of Lightning.
    """
    wished = lesson.fitting
    folder.mkdir(parents=True, exist_ok=True)
    begun = begin(folder, epochs=wished.epochs, steps=wished.steps)
    if say is not None and 0 < begun.done < begun.epochs:
        say(f"{label} goes on after epoch {begun.done} of {wished.epochs}")
    lesson.train()
    clock = Clock()
    callbacks: list[Callback] = [clock, EpochLoss(), *along]
    if wished.steps is not None:
        callbacks.append(Limit(wished.steps))
    if progress is not None:
        callbacks.append(Steps(progress, wished.steps, label))
    with settled(wished.threads):
        trainer = pl.Trainer(
            accelerator=wished.accelerator,
            devices=1,
            precision=wished.precision,
            max_epochs=begun.epochs,
            gradient_clip_val=wished.clip,
            accumulate_grad_batches=wished.accumulate,
            logger=begun.table,
            callbacks=[*callbacks, Checkpoints(folder / CHECKPOINTS, begun.table.save)],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            deterministic="warn" if torch.cuda.is_available() else None,
            default_root_dir=folder,
        )
        trainer.fit(
            lesson,
            _loader(samples, wished),
            ckpt_path=begun.checkpoint,
            weights_only=True,
        )
    return Fitted(
        seconds=round(clock.seconds, 3),
        waited=round(clock.waited, 3),
        epochs=trainer.current_epoch,
        steps=trainer.global_step,
        device=str(trainer.strategy.root_device),
    )


def _loader(samples: Seeded, wished: Fitting) -> Loader:
    rows = EpochRows(len(samples), seed=samples.seed)
    batches = Batches(rows, size=wished.batch_size, drop_single=wished.batch_size > 1)
    pin = False if wished.accelerator == "cpu" else None
    return make_loader(samples, batches, workers=wished.workers, pin=pin)
