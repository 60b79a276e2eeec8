"""What goes along with a network that is cut amid its training: optimisers and averages."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from paring.models.cuts import Cuts, apply_cuts


def averages(trainer: pl.Trainer, part: str) -> list[nn.Module]:
    """Averaged copies of the network that callbacks keep."""
    out = []
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        average = getattr(callback, "_average_model", None)
        if average is not None:
            out.append(getattr(average.module, part) if part else average.module)
    return out


def flat_places(model: nn.Module, cuts: Cuts) -> dict[str, Tensor]:
    """Where each number of a weight was in the whole of it, flat, for the weights that stay."""
    numbered = copy.deepcopy(model).to(torch.float64)
    with torch.no_grad():
        for parameter in numbered.parameters():
            count = torch.arange(parameter.numel(), dtype=torch.float64, device=parameter.device)
            parameter.copy_(count.view(parameter.shape))
    apply_cuts(numbered, cuts)
    return {name: parameter.detach().long() for name, parameter in numbered.named_parameters()}


def cut_optimiser(
    optimiser: Optimizer,
    before: Mapping[str, nn.Parameter],
    now: Mapping[str, nn.Parameter],
    where: Mapping[str, Tensor],
) -> None:
    """Point an optimiser to the weights as they are now, with what it keeps of each sliced."""
    names = {parameter: name for name, parameter in before.items()}
    for group in optimiser.param_groups:
        for k, old in enumerate(group["params"]):
            if old not in names:
                continue
            name = names[old]
            group["params"][k] = now[name]
            state = optimiser.state.pop(old, None)
            if state is None:
                continue
            optimiser.state[now[name]] = {
                key: value.flatten()[where[name]]
                if isinstance(value, Tensor) and value.shape == old.shape and value.ndim
                else value
                for key, value in state.items()
            }
