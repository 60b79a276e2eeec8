"""Optimisers and learning rates of a recipe."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

if TYPE_CHECKING:
    from paring.training.recipe import Optimiser, Schedule


def make_optimiser(model: nn.Module, wished: Optimiser) -> Optimizer:
    """The optimiser over all parameters that learn; the encoder's may learn at a rate of its own.

    Parameters
    ----------
    model : has its encoder as `encoder`.
    wished : name, lr, weight_decay, momentum, and encoder_lr as a factor of lr.

    Raises
    ------
    ValueError
        Where no parameter learns.
    """
    encoder: Any = model.encoder
    pretrained = {id(parameter) for parameter in encoder.parameters()}
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            factor = wished.encoder_lr if id(parameter) in pretrained else 1.0
            groups.setdefault(factor, []).append(parameter)
    if not groups:
        raise ValueError("no parameter of the model learns")
    parts: list[dict[str, Any]] = [
        {"params": parameters, "lr": wished.lr * factor} for factor, parameters in groups.items()
    ]
    if wished.name == "sgd":
        return SGD(parts, momentum=wished.momentum, weight_decay=wished.weight_decay)
    return AdamW(parts, weight_decay=wished.weight_decay)


def rate_at(step: int, *, steps: int, steps_an_epoch: float, wished: Schedule) -> float:
    """Factor of the learning rate at an optimiser step, counted from 0.

    After a linear warm-up from `warmup_start`: constant; (1 - t)^power (``poly``); half a cosine;
    or gamma to the number of milestones (in epochs) passed. t is step / steps, from 0 to 1.

    Parameters
    ----------
    step : optimiser steps done.
    steps : optimiser steps of the whole training.
    steps_an_epoch : optimiser steps in one epoch.
    wished : name, warmup_steps, warmup_start, milestones, gamma, power.
    """
    share = min(step / max(steps, 1), 1.0)
    factor = 1.0
    if wished.name == "poly":
        factor = (1 - share) ** wished.power
    elif wished.name == "cosine":
        factor = (1 + math.cos(math.pi * share)) / 2
    elif wished.name == "multistep":
        passed = sum(step >= round(epoch * steps_an_epoch) for epoch in wished.milestones)
        factor = wished.gamma**passed
    if step < wished.warmup_steps:
        start = wished.warmup_start
        factor *= start + (1 - start) * step / wished.warmup_steps
    return factor


def make_schedule(
    optimiser: Optimizer, wished: Schedule, *, steps: int, steps_an_epoch: float
) -> LambdaLR:
    """The schedule of `rate_at`, set after every optimiser step."""
    return LambdaLR(
        optimiser,
        lambda step: rate_at(step, steps=steps, steps_an_epoch=steps_an_epoch, wished=wished),
    )
