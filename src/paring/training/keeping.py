"""What a training keeps as it goes: a checkpoint to resume from, the best weights, the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from paring.dataset.writing import beside
from paring.errors import InputError
from paring.models import save
from paring.training.lessons import TrainingFailed
from paring.training.stopping import steps_ahead

LAST = "last.ckpt"


class Checkpoints(pl.Callback):
    """Writes ``last.ckpt`` after every epoch: beside, then renamed, so that one is always whole.

    Parameters
    ----------
    folder : where it goes.
    also : called before each checkpoint, to write what must be as far as it (the log).
    """

    def __init__(self, folder: Path, also: Callable[[], None]) -> None:
        self.folder = folder
        self.also = also

    def on_train_epoch_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Write it; `TrainingFailed` where there is no room, with the one before untouched."""
        path = self.folder / LAST
        if trainer.is_global_zero:
            self.also()
        try:
            if trainer.is_global_zero:
                with beside(path, overwrite=True) as fresh:
                    trainer.save_checkpoint(fresh)
            else:  # every device takes part, the first writes
                trainer.save_checkpoint(path)
        except InputError as error:
            before = "the one of the epoch before stays" if path.is_file() else "there is none yet"
            raise TrainingFailed(
                f"the checkpoint of epoch {trainer.current_epoch + 1} could not be written "
                f"({error}); {before}: make room and run the command again"
            ) from error


class EpochLoss(pl.Callback):
    """Logs the mean loss of an epoch, before its checkpoint is written.

    Lightning logs its own means after that, so that a training which is gone on with would miss
    the one of the epoch that it goes on from.
    """

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start."""
        self._sum, self._batches = 0.0, 0

    def on_train_batch_end(
        self, _: pl.Trainer, __: pl.LightningModule, out: Any, *___: Any
    ) -> None:
        """Add the loss of a batch."""
        self._sum = self._sum + out["loss"].detach()
        self._batches += 1

    def on_train_epoch_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        """Log the mean."""
        if self._batches:
            mean = float(trainer.strategy.reduce(self._sum / self._batches))  # over all devices
            for log in trainer.loggers:
                epoch = {"epoch_loss": mean, "epoch": trainer.current_epoch}
                log.log_metrics(epoch, step=trainer.global_step - 1)


class Best(pl.Callback):
    """Measures the model on the validation data, logs it, and keeps the weights that were best.

    It must come before a callback that averages weights, so that it sees the averaged ones.

    Parameters
    ----------
    path : where the best weights go, or None to keep none.
    monitor : the metric that is to be large.
    """

    def __init__(self, path: Path | None, monitor: str) -> None:
        self.path = path
        self.monitor = monitor
        self.best = float("-inf")

    def on_validation_epoch_end(self, trainer: pl.Trainer, lesson: pl.LightningModule) -> None:
        """Take the result of this validation."""
        measured: dict[str, float] = lesson.validation_result()  # type: ignore[operator]
        if self.monitor not in measured:
            raise InputError(
                f"stop.monitor {self.monitor!r} is not measured; there are {', '.join(measured)}"
            )
        # every device measures all the data, so that the mean over them is what each has
        lesson.log_dict({f"val_{k}": value for k, value in measured.items()}, sync_dist=True)
        value = measured[self.monitor]
        if value > self.best and trainer.is_global_zero:
            self.best = value
            if self.path is not None:
                with beside(self.path, overwrite=True) as fresh:
                    save(lesson.model, fresh, about={self.monitor: value})  # type: ignore[arg-type]

    def state_dict(self) -> dict[str, Any]:
        """The best so far."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from it."""
        self.best = state["best"]


class Clock(pl.Callback):
    """How long the training took, and how much of it went by waiting for images.

    Attributes
    ----------
    seconds : from the start of each epoch to its end, resumed ones included.
    waited : seconds between the end of one batch and the start of the next.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waited = 0.0
        self._began = self._idle = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start."""
        self._began = self._idle = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        """The batch is here."""
        self.waited += time.perf_counter() - self._idle

    def on_train_batch_end(self, *_: Any) -> None:
        """Wait for the next."""
        self._idle = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        """Stop."""
        self.seconds += time.perf_counter() - self._began

    def state_dict(self) -> dict[str, Any]:
        """The time so far."""
        return {"seconds": self.seconds, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from it."""
        self.seconds, self.waited = state["seconds"], state["waited"]


class Steps(pl.Callback):
    """Tells how far a training is.

    Parameters
    ----------
    progress : called with a label, optimiser steps done and to do.
    limit : steps after which it ends, or None.
    label : what the steps are called.
    """

    def __init__(
        self,
        progress: Callable[[str, int, int], None],
        limit: int | None = None,
        label: str = "training",
    ) -> None:
        self.progress = progress
        self.limit = limit
        self.label = label

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """One batch more."""
        total = steps_ahead(trainer, self.limit)
        self.progress(self.label, min(trainer.global_step, total), total)
