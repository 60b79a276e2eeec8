"""Channels that go or stay together, and how they are taken out of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from paring.models.cuts import Cuts, Stays, apply_cuts
from paring.models.narrowing import widths

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
    makers : convolutions and linear layers that give them out, depthwise ones among them, in the
        network's order.
    """

    name: str
    size: int
    members: tuple[Member, ...]
    makers: tuple[str, ...]

    def places_out(self, layer: str) -> NDArray[np.intp]:
        """Where each unit is in what a layer gives out (units, k)."""
        return next(m.places for m in self.members if m.layer == layer and m.side == "out")

    def without(self, units: Any, cuts: Cuts) -> Group:
        """The group in the network that is left by `cuts`, which take out some of its units."""
        kept = np.ones(self.size, bool)
        kept[np.asarray(units, int)] = False
        members = []
        for member in self.members:
            places = member.places[kept]
            side = member.side if member.dim is None else f"dim {member.dim}"
            stays = cuts.get(member.layer, {}).get(side)
            if stays is not None:
                places = np.searchsorted(stays.places, places)
            members.append(replace(member, places=places))
        return replace(self, size=int(kept.sum()), members=tuple(members))


def cuts_of(model: nn.Module, groups: Sequence[Group], removed: Sequence[Any]) -> Cuts:
    """What stays in all layers of a network without some units; `removed` are the units of each."""
    modules = dict(model.named_modules())
    gone: dict[tuple[str, str], list[NDArray[np.intp]]] = {}
    for group, units in zip(groups, removed, strict=True):
        chosen = np.asarray(units, int)
        for member in group.members if len(chosen) else ():
            side = member.side if member.dim is None else f"dim {member.dim}"
            gone.setdefault((member.layer, side), []).append(member.places[chosen].ravel())
    cuts: Cuts = {}
    for (path, side), parts in gone.items():
        if side.startswith("dim "):
            width = model.get_parameter(path).shape[int(side[4:])]
        else:
            width = widths(modules[path])[side == "in"]
        kept = np.ones(width, bool)
        kept[np.concatenate(parts)] = False
        cuts.setdefault(path, {})[side] = Stays(np.flatnonzero(kept), width)
    return cuts


def remove(model: nn.Module, groups: Sequence[Group], removed: Sequence[Any]) -> None:
    """Take units out of all layers of some groups, in place; `removed` are the units of each."""
    apply_cuts(model, cuts_of(model, groups, removed))
