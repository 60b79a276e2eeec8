"""Channels that go or stay together, and how they are taken out of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from paring.channels.slicing import narrow, narrow_parameter, widths

Side = Literal["out", "in"]


@dataclass(frozen=True, eq=False)
class Member:
    """A side of a layer where the channels of a group are.

    Attributes
    ----------
    layer : path of the module, or of the parameter where `dim` is given.
    side : ``"out"`` or ``"in"``; ``"out"`` for what has one number per channel.
    places : where each unit of the group is on that side (units, k).
    dim : of a parameter that belongs to no layer known; else None.
    """

    layer: str
    side: Side
    places: NDArray[np.intp]
    dim: int | None = None


@dataclass(frozen=True, eq=False)
class Group:
    """Channels that go or stay together, in all layers that they run through.

    Attributes
    ----------
    name : path of the first layer that makes them.
    size : how many units there are; a unit is a channel, or of a convolution in groups one channel
        of each.
    members : where they are.
    makers : convolutions that give them out, depthwise ones among them, in the network's order.
    """

    name: str
    size: int
    members: tuple[Member, ...]
    makers: tuple[str, ...]

    def places_out(self, layer: str) -> NDArray[np.intp]:
        """Where each unit is in what a layer gives out (units, k)."""
        return next(m.places for m in self.members if m.layer == layer and m.side == "out")


def remove(model: nn.Module, structure: Sequence[Group], removed: Sequence[Any]) -> None:
    """Take units out of all layers of some groups, in place; `removed` are the units of each."""
    modules = dict(model.named_modules())
    gone: dict[tuple[str, Side, int | None], set[int]] = {}
    for group, units in zip(structure, removed, strict=True):
        for member in group.members:
            key = (member.layer, member.side, member.dim)
            gone.setdefault(key, set()).update(
                member.places[np.asarray(units, int)].ravel().tolist()
            )
    by_layer: dict[str, dict[Side, list[int]]] = {}
    for (path, side, dim), places in gone.items():
        if dim is not None:
            _narrow_parameter(model, path, dim, places)
            continue
        width = widths(modules[path])[side == "in"]
        by_layer.setdefault(path, {})[side] = [k for k in range(width) if k not in places]
    for path, kept in by_layer.items():
        narrow(modules[path], kept.get("out"), kept.get("in"))


def _narrow_parameter(model: nn.Module, path: str, dim: int, gone: set[int]) -> None:
    owner, _, name = path.rpartition(".")
    module = model.get_submodule(owner)
    parameter = getattr(module, name)
    kept = [k for k in range(parameter.shape[dim]) if k not in gone]
    setattr(module, name, narrow_parameter(parameter, dim, kept))
