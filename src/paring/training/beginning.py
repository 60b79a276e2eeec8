"""How a training begins: Lightning quiet, threads as wished, and from which epoch on."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from paring.dataset.writing import clear_abandoned
from paring.errors import InputError
from paring.evaluation.threads import torch_threads
from paring.training.keeping import LAST
from paring.training.logs import TableLog
from paring.training.trained import CHECKPOINTS, LOG


@contextmanager
def settled(threads: int | None) -> Iterator[None]:
    """Threads as wished, and Lightning quiet, while the block runs."""
    logs = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch_threads(threads):
            # the number of workers is the user's choice, and small sets have few batches
            warnings.filterwarnings("ignore", message=r".*does not have many workers")
            warnings.filterwarnings("ignore", message=r".*The number of training batches")
            # encoders that keep their statistics are so on purpose
            warnings.filterwarnings("ignore", message=r".*module\(s\) in eval mode")
            # Lightning 2.6 asks torch in a way that newer versions of torch have renamed
            warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def how_far(checkpoint: Path, steps: int | None) -> tuple[int, bool]:
    """Epochs that a checkpoint has behind it, and whether the training ends there.

    It does where it has had its steps, or had stopped for want of gain. Raises `InputError` where
    the checkpoint is broken.
    """
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        epochs = int(state["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])
        had_its_steps = steps is not None and int(state["global_step"]) >= steps
        callbacks = state["callbacks"].values()
        had_stopped = any(c["wait_count"] >= c["patience"] for c in callbacks if "patience" in c)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(
            f"{checkpoint}: the checkpoint cannot be read ({type(error).__name__}); remove it to "
            "train from the beginning, all else of the run stays"
        ) from error
    return epochs, had_its_steps or had_stopped


@dataclass(frozen=True)
class Begun:
    """From where a training goes on.

    Attributes
    ----------
    table : its log, as far as the checkpoint.
    checkpoint : to go on from, or None.
    done : epochs that it has behind it.
    epochs : after how many it ends; as many as are done where it has ended.
    """

    table: TableLog
    checkpoint: Path | None
    done: int
    epochs: int


def begin(folder: Path, *, epochs: int, steps: int | None) -> Begun:
    """Find what a folder holds of a training of so many epochs, or so many steps.

    Raises `InputError` where its checkpoint or its log is broken.
    """
    checkpoint = folder / CHECKPOINTS / LAST
    clear_abandoned(checkpoint)
    table = TableLog(folder / LOG)
    if not checkpoint.is_file():
        table.drop_from(0)
        return Begun(table, None, 0, epochs)
    done, over = how_far(checkpoint, steps)
    table.drop_from(done)
    return Begun(table, checkpoint, done, done if over else epochs)
