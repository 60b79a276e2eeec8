"""When a network is pruned, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paring.channels.importance import Criterion
from paring.channels.planning import FLOOR
from paring.channels.ranking import Score
from paring.channels.redundancy import Distribution, Metric, Resolution
from paring.channels.tracking import DECAY
from paring.errors import InputError


@dataclass(frozen=True)
class Stage:
    """One pruning: after how many optimiser steps, and what share of the first MACs then stays."""

    step: int
    keep_macs: float


def path_of_stages(*, keep_macs: float, stages: int, first: int, every: int) -> list[Stage]:
    """Stages in equal distances, each of which takes away as many MACs.

    >>> path_of_stages(keep_macs=0.4, stages=2, first=100, every=50)
    [Stage(step=100, keep_macs=0.7), Stage(step=150, keep_macs=0.4)]
    """
    return [
        Stage(first + k * every, round(1 - (1 - keep_macs) * (k + 1) / stages, 12))
        for k in range(stages)
    ]


@dataclass(frozen=True)
class Spread:
    """Stages in equal distances over the first part of a training, whatever its length.

    Attributes
    ----------
    keep_macs : share of the MACs that stays after the last.
    stages : how many.
    until : share of the training after which the last is due.
    """

    keep_macs: float
    stages: int = 3
    until: float = 0.5

    def over(self, steps: int) -> list[Stage]:
        """The stages of a training of so many steps.

        >>> Spread(0.4, stages=2).over(200)
        [Stage(step=50, keep_macs=0.7), Stage(step=100, keep_macs=0.4)]
        """
        every = int(self.until * steps / max(1, self.stages))
        if not (0 < self.until < 1 and 0 < self.keep_macs <= 1 and self.stages >= 1 and every):
            raise InputError(f"{self} cannot be in a training of {steps} steps")
        return path_of_stages(
            keep_macs=self.keep_macs, stages=self.stages, first=every, every=every
        )


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """How a network is pruned; see `make_plan` and `track` for what is not said here.

    Attributes
    ----------
    every : redundancy is gathered from each n-th step.
    restart : the averages begin anew after each stage, and are not sliced and continued.
    slimming : weight of an L1 term on the scales of batch norms, until the last stage; for the
        criterion ``"bn_scale"``.
    loss_after : name of the loss from the first stage on, as recipes have it, where a training of
        ours is to change it; None leaves it.
    """

    criterion: Criterion | str = "redundancy"
    score: Score = "sum"
    metric: Metric = "js"
    distribution: Distribution = "l1"
    resolution: Resolution = "full"
    decay: float = DECAY
    every: int = 1
    restart: bool = False
    slimming: float = 0.0
    loss_after: str | None = None
    multiple: int = 1
    floor: float = FLOOR
    ignored: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    seed: int = 0


def check_stages(stages: Sequence[Stage]) -> None:
    """Raise `InputError` where stages do not come later and keep less each time."""
    if not stages:
        raise InputError("no stage of pruning is given")
    for before, stage in zip([None, *stages], stages, strict=False):
        if stage.step < 1 or not 0 < stage.keep_macs <= 1:
            raise InputError(f"{stage} cannot be; it is after a step or more, and keeps a share")
        if before and (stage.step <= before.step or stage.keep_macs > before.keep_macs):
            raise InputError(f"stages must come later and keep less, not {before} and then {stage}")
