"""Which channels of a network must go together, and which can go at all.

Torch-Pruning follows the computation and says for each layer where its channels go on: over sums,
concatenations, depthwise convolutions, norms. From that come groups of channels that are one and
the same choice in several layers. A group is left out, with the reason, where its channels reach
an output of the network, where a layer is to be left alone, or where the network does not run, or
not to the same shapes, once a channel is gone.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from paring.channels.groups import Group, remove
from paring.channels.tracing import (
    Forward,
    candidates,
    norms_after,
    trained,
)
from paring.errors import InputError, first_line
from paring.models.calling import tensors_of
from paring.models.cuts import Cuts


@dataclass(frozen=True, eq=False)
class Structure:
    """The groups of a network.

    Attributes
    ----------
    groups : those whose units may go.
    left_alone : why the other layers that give out channels keep them all, by path.
    norms : for each layer that gives out channels the norm that takes them as they are, if any.
    """

    groups: tuple[Group, ...]
    left_alone: Mapping[str, str]
    norms: Mapping[str, str] = field(default_factory=dict)

    def without(self, removed: Sequence[Any], cuts: Cuts) -> Structure:
        """The groups of the network that is left by `cuts`, which take out some units of each."""
        return replace(
            self,
            groups=tuple(
                group.without(units, cuts)
                for group, units in zip(self.groups, removed, strict=True)
            ),
        )


def find_structure(
    model: nn.Module,
    example: Any,
    *,
    ignored: Sequence[str] = (),
    forward: Forward | None = None,
) -> Structure:
    """Groups of channels of a network, by running it on an example.

    The network itself is not changed: copies of it are run.

    Parameters
    ----------
    model : any module.
    example : what it takes: a tensor, or a tuple or dict of arguments. Nothing but its shape
        matters.
    ignored : paths of modules that stay as they are, with all within; not even their input
        channels go.
    forward : how the model is run on the example, ``forward(model, example)``, where that is not a
        plain call; it gives tensors, or a list, tuple or dict of such, however deep. Layers that
        this does not run through are not followed, so it is to give all that training uses; of
        dense models of `paring.models` that is done by default.

    Raises
    ------
    InputError
        Where the model does not run on the example, gives nothing that depends on its weights, a
        path is not of the model, or no layer can lose a channel.

    Example
    -------
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1))
    >>> found = find_structure(net, torch.rand(1, 3, 8, 8))
    >>> [(group.name, group.size) for group in found.groups], dict(found.left_alone)
    ([('0', 8)], {'3': 'its channels are an output of the network'})
    """
    run = forward or trained
    traced = _copy(model)
    modules = dict(traced.named_modules())
    unknown = next((path for path in ignored if path not in modules), None)
    if unknown is not None:
        raise InputError(f"{type(model).__name__} has no module {unknown!r} to be ignored")
    untouched = {path for path in modules if any(within(path, top) for top in ignored)}
    found: list[Group] = []
    left_alone: dict[str, str] = {}
    for group, reason in candidates(traced, example, run):
        if reason is None:
            touched = next((m.layer for m in group.members if m.layer in untouched), None)
            if touched is not None:
                reason = f"{touched} is to be ignored"
        if reason is None:
            found.append(group)
        else:
            left_alone |= dict.fromkeys(group.makers or [group.name], reason)
    sound, broken = _tried(model, example, run, found)
    left_alone |= {maker: reason for group, reason in broken for maker in group.makers}
    if not sound:
        reason = next(iter(left_alone.values()), "it has no convolution or linear layer")
        raise InputError(
            f"{type(model).__name__}: no layer can lose a channel; the first reason is that "
            f"{reason}"
        )
    order = {path: place for place, path in enumerate(modules)}
    sound.sort(key=lambda group: order[group.name])
    return Structure(tuple(sound), left_alone, norms_after(traced, example, run))


def _copy(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode, all of whose weights have gradients."""
    return copy.deepcopy(model).eval().requires_grad_(True)


def _tried(
    model: nn.Module, example: Any, run: Forward, groups: Sequence[Group]
) -> tuple[list[Group], list[tuple[Group, str]]]:
    """Groups without which a unit the network still runs, and the others with the reason.

    All are tried at once, and where that fails halves of them, until those to blame are found.
    """
    if not groups:
        return [], []
    shapes = _shapes(_copy(model), example, run)

    def failure(some: Sequence[Group]) -> str | None:
        small = _copy(model)
        try:
            ends = [[0, group.size - 1] if group.size > 2 else [0] for group in some]
            remove(small, some, ends)
            after = _shapes(small, example, run)
        except Exception as error:  # what a model raises may be anything
            return f"without a channel of it the network does not run ({first_line(error)})"
        if after != shapes:
            return "without a channel of it the network's output has another shape"
        return None

    def sift(some: Sequence[Group]) -> tuple[list[Group], list[tuple[Group, str]]]:
        why = failure(some)
        if why is None:
            return list(some), []
        if len(some) == 1:
            return [], [(some[0], why)]
        middle = len(some) // 2
        (good, bad), (more, worse) = sift(some[:middle]), sift(some[middle:])
        return good + more, bad + worse

    good, bad = sift(groups)
    if bad and good and failure(good) is not None:
        raise InputError(
            f"{type(model).__name__}: its layers can lose channels one by one and not together; "
            "name those to leave alone (ignored)"
        )
    return good, bad


def _shapes(model: nn.Module, example: Any, run: Forward) -> list[tuple[int, ...]]:
    with torch.no_grad():
        return [tuple(tensor.shape) for tensor in tensors_of(run(model, example))]


def within(path: str, top: str) -> bool:
    """Whether a module is another or lies in it, by their paths.

    >>> within("net.head.0", "net.head"), within("net.header", "net.head")
    (True, False)
    """
    return path == top or path.startswith(f"{top}.") or top == ""
