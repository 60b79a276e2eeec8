"""How many optimiser steps a training takes."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl


class Limit(pl.Callback):
    """Ends a training after so many optimiser steps, amid an epoch if need be.

    Lightning's own limit makes it go on from a checkpoint as if amid the epoch that was finished.

    Parameters
    ----------
    steps : after which it ends.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """One batch more."""
        if trainer.global_step >= self.steps:
            trainer.should_stop = True


def steps_ahead(trainer: pl.Trainer, limit: int | None) -> int:
    """Optimiser steps of a whole training: of its epochs, or `limit` where that is sooner.

    Sets up the loaders.
    """
    steps = int(trainer.estimated_stepping_batches)
    return steps if limit is None else min(steps, limit)
