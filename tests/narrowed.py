"""Networks with channels at zero, which those without the channels must equal."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd


def image(*shape: int) -> torch.Tensor:
    """Noise that is always the same."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def masked(model: nn.Module, groups: Any, removed: Any) -> nn.Module:
    """The model at full width whose removed channels are zero wherever they are made."""
    model = copy.deepcopy(model)
    modules = dict(model.named_modules())
    for group, units in zip(groups, removed, strict=True):
        for member in group.members:
            places = torch.as_tensor(member.places[units].ravel())
            layer = modules.get(member.layer)
            if member.side == "in" or isinstance(layer, nn.PReLU):
                continue
            for name in ("weight", "bias"):
                value = getattr(layer, name, None)
                if value is not None:
                    made_by = isinstance(layer, _ConvTransposeNd) and name == "weight"
                    value.data.index_fill_(1 if made_by and layer.groups == 1 else 0, places, 0)
    return model
