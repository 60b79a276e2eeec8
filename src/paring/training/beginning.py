"""How a training begins: Lightning quiet, threads as wished, and from which epoch on."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from paring.errors import InputError
from paring.evaluation.threads import torch_threads


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
