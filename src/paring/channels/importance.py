"""How much each unit of a group matters: the criteria to compare redundancy with.

The numbers are Torch-Pruning's, of our groups. Chance is our own, and so are the distances of FPGM,
which are those of the filters and not of their absolute values.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from paring.channels.groups import Group, Member
from paring.channels.structure import Structure
from paring.errors import InputError
from paring.models.narrowing import is_depthwise

Criterion = Literal["random", "l1", "l2", "bn_scale", "taylor", "fpgm", "group_norm"]
Importance = dict[str, NDArray[np.float64]]
"""Importance of the units of each group (size,), by the name of the group."""


@dataclass(frozen=True)
class _Way:
    """How a criterion goes: which members count, and whether layers are brought to one scale."""

    members: Callable[[nn.Module, Member], bool]
    scaled: bool
    make: Callable[[Any], Any]


def unit_importance(
    model: nn.Module, structure: Structure, criterion: Criterion, *, seed: int = 0
) -> Importance:
    """Importance of the units of all groups of a network; larger is to be kept.

    ::

        random      uniform by chance
        l1, l2      sum of |w| or w^2 of the filters that make a channel
        bn_scale    |scale| of its batch norms (network slimming)
        taylor      sum of |w dL/dw| of all weights that go with it, from the gradients as they are
        fpgm        sum of the distances of its filter to the layer's others (geometric median)
        group_norm  sum of w^2 of all weights that go with it (DepGraph)

    each the mean over the layers of a group, and the sum over the channels of a unit. All but
    `random`, `bn_scale` and `taylor` are divided by their mean over the group, for layers of
    different sizes to compare.

    Parameters
    ----------
    model, structure : a network and what `find_structure` says of it.
    criterion : one of the above.
    seed : of `random`; a group's numbers depend on its name and size alone.

    Returns
    -------
    dict
        Groups without any such weights are not in it: those without a batch norm for `bn_scale`.

    Raises
    ------
    InputError
        For a criterion that is not known, and for `taylor` where weights have no gradients.

    References
    ----------
    Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017. Liu et al., Learning Efficient
    Convolutional Networks through Network Slimming, ICCV 2017. Molchanov et al., Importance
    Estimation for Neural Network Pruning, CVPR 2019. He et al., Filter Pruning via Geometric
    Median, CVPR 2019. Fang et al., DepGraph, CVPR 2023.

    Example
    -------
    >>> import torch
    >>> from paring.channels.structure import find_structure
    >>> net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 2, 1))
    >>> _ = net[0].weight.data.copy_(torch.tensor([3.0, -1.0]).view(2, 1, 1, 1))
    >>> unit_importance(net, find_structure(net, torch.rand(1, 1, 2, 2)), "l1")["0"]
    array([1.5, 0.5])
    """
    if criterion not in get_args(Criterion):
        raise InputError(
            f"criterion {criterion!r} is not known; it is one of redundancy, "
            f"{', '.join(get_args(Criterion))}"
        )
    if criterion == "random":
        return {
            group.name: np.random.default_rng([seed, zlib.crc32(group.name.encode())]).random(
                group.size
            )
            for group in structure.groups
        }
    way = _WAYS[criterion]
    modules = dict(model.named_modules())
    out: Importance = {}
    for group in structure.groups:
        found = _of_group(modules, group, way, criterion)
        if found is not None:
            out[group.name] = found
    return out


def _of_group(
    modules: Mapping[str, nn.Module], group: Group, way: _Way, criterion: str
) -> NDArray[np.float64] | None:
    """Importance of a group's units, by Torch-Pruning's criterion on a group of its kind."""
    import torch_pruning as tp
    from torch_pruning.dependency import Dependency, Node
    from torch_pruning.dependency import Group as Theirs

    theirs = Theirs()
    for member in group.members:
        layer = modules.get(member.layer)
        if layer is None or not way.members(layer, member):
            continue
        handler = _handler(tp, layer, member, criterion)
        if handler is None:
            continue
        if criterion == "taylor" and layer.weight.grad is None:
            raise InputError(
                f"taylor needs gradients, and layer {member.layer} has none; run the loss backward "
                "on some batches first"
            )
        node = Node(layer, None, member.layer)
        places = member.places.ravel()
        units = np.repeat(np.arange(group.size), member.places.shape[1])
        order = np.argsort(places, kind="stable")  # as one of the criteria sorts them
        theirs.add_dep(Dependency(handler, handler, node, node), places[order].tolist())
        theirs[-1].root_idxs = units[order].tolist()
    if not len(theirs):
        return None
    values = way.make(tp.importance)(theirs)
    numbers: NDArray[np.float64] = values[: group.size].double().cpu().numpy()
    if not np.isfinite(numbers).all():
        raise InputError(f"layer {group.name} has weights or gradients that are not finite")
    mean = numbers.mean()
    return numbers / mean if way.scaled and mean > 0 else numbers


def _handler(tp: Any, layer: nn.Module, member: Member, criterion: str) -> Any:
    """What Torch-Pruning calls this side of this layer."""
    if isinstance(layer, _ConvNd):
        if is_depthwise(layer):
            # to it a depthwise convolution is no maker; by weight it is, one filter a channel
            return tp.prune_conv_out_channels
        return tp.prune_conv_out_channels if member.side == "out" else tp.prune_conv_in_channels
    if isinstance(layer, nn.Linear):
        return tp.prune_linear_out_channels if member.side == "out" else tp.prune_linear_in_channels
    if isinstance(layer, _BatchNorm):
        if not layer.affine:
            return None
        if criterion == "taylor":  # it looks for batch norms under this name
            return tp.prune_groupnorm_out_channels
        return tp.prune_batchnorm_out_channels
    if isinstance(layer, nn.LayerNorm):
        return tp.prune_layernorm_out_channels if layer.elementwise_affine else None
    return None


def _makes(layer: nn.Module, member: Member) -> bool:
    return isinstance(layer, _ConvNd | nn.Linear) and member.side == "out"


def _any(_: nn.Module, __: Member) -> bool:
    return True


def _norm(layer: nn.Module, _: Member) -> bool:
    return isinstance(layer, _BatchNorm)


def _magnitude(p: int) -> Callable[[Any], Any]:
    return lambda of: of.GroupMagnitudeImportance(p=p, normalizer=None)


def _distances(group: Any) -> Tensor:
    """Sum of the distances of each filter to the others of its layer, the mean over layers."""
    total: Tensor | float = 0.0
    for item in group:
        layer = item.dep.layer
        weight = layer.weight.detach()
        if getattr(layer, "transposed", False):
            weight = weight.transpose(0, 1)
        filters = weight[item.idxs].flatten(1).float()
        each = torch.cdist(filters, filters).sum(1)
        units = torch.tensor(item.root_idxs, device=each.device)
        total = total + each.new_zeros(int(units.max()) + 1).index_add_(0, units, each)
    assert isinstance(total, Tensor)
    return total / len(group)


_WAYS = {
    "l1": _Way(_makes, True, _magnitude(1)),
    "l2": _Way(_makes, True, _magnitude(2)),
    "bn_scale": _Way(_norm, False, lambda of: of.BNScaleImportance(normalizer=None)),
    "taylor": _Way(_any, False, lambda of: of.GroupTaylorImportance(normalizer=None)),
    "fpgm": _Way(_makes, True, lambda _: _distances),
    "group_norm": _Way(_any, True, _magnitude(2)),
}
