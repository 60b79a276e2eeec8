"""From the computation of a network to groups of channels, by Torch-Pruning's graph."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm
from torchvision.ops import FrozenBatchNorm2d

from paring.channels.groups import Group, Member, Side
from paring.errors import InputError, first_line
from paring.models.calling import tensors_of
from paring.models.dense import DenseModel
from paring.models.narrowing import SLICEABLE, is_depthwise, widths
from paring.models.solov2 import SoloModel

Forward = Callable[[nn.Module, Any], Any]
NORMS = (_BatchNorm, _InstanceNorm, nn.LayerNorm, nn.GroupNorm, FrozenBatchNorm2d)
Key = tuple[str, Side, int | None]  # of a member: layer, side, dimension


def call(model: nn.Module, example: Any) -> Any:
    """A plain call with an example: a tensor, a tuple of arguments, or a dict of them."""
    if isinstance(example, Mapping):
        return model(**example)
    return model(*example) if isinstance(example, tuple) else model(example)


def trained(model: nn.Module, example: Any) -> Any:
    """All that a network gives in training: of a dense model of ours the auxiliary outputs too.

    Of SOLO what its layers give: how cells are chosen and masks drawn has no weights.
    """
    if isinstance(model, DenseModel) and isinstance(example, Tensor):
        return model.stages(example)
    if isinstance(model, SoloModel) and isinstance(example, list):
        told = model.told(example)
        return [told.categories, told.kernels, told.features, told.embeddings]
    return call(model, example)


def candidates(model: nn.Module, example: Any, run: Forward) -> Iterator[tuple[Group, str | None]]:
    """Each group of the network with the reason to leave it alone, if any."""
    graph = _graph(model, example, run)
    modules = dict(model.named_modules())
    paths = {module: path for path, module in modules.items()}
    parameters = {parameter: path for path, parameter in model.named_parameters()}
    kinds = (nn.Conv2d, nn.Conv1d, nn.Conv3d, nn.Linear, nn.ConvTranspose2d)
    for found in graph.get_all_groups(root_module_types=kinds):
        members: dict[Key, list[tuple[int, int]]] = {}
        reason = None
        for item in found:
            module, handler = item.dep.target.module, item.dep.handler
            side: Side = "out" if graph.is_out_channel_pruning_fn(handler) else "in"
            if type(module).__name__ == "_OutputOp":
                reason = "its channels are an output of the network"
                continue
            dim = None
            if isinstance(module, nn.Parameter):
                path, dim, side = parameters[module], int(item.dep.target.pruning_dim), "out"
            elif module not in paths:
                continue  # a sum, a concatenation, ...: no weights
            elif isinstance(module, SLICEABLE):
                path = paths[module]
                side = side if isinstance(module, _ConvNd | nn.Linear) else "out"
                side = "out" if is_depthwise(module) else side
            else:
                reason = f"{paths[module]} is a {type(module).__name__}, which is not made narrower"
                continue
            pairs = [(int(u), int(p)) for u, p in zip(item.root_idxs, item.idxs, strict=True)]
            if dim is None and len(pairs) > 1 and widths(module)[side == "in"] == 1:
                continue  # one channel that all others are multiplied with, or one slope for all
            members.setdefault((path, side, dim), []).extend(pairs)
        yield from _split(modules, members, reason)


def _graph(model: nn.Module, example: Any, run: Forward) -> Any:
    """Torch-Pruning's graph; `InputError` where the model does not run or cannot be followed."""
    import torch_pruning

    def outputs(model: nn.Module, example: Any) -> list[Tensor]:
        tensors = [t for t in tensors_of(run(model, example)) if t.requires_grad]
        if not tensors:
            raise InputError(f"{name} gives no tensor that depends on its weights")
        return [1 * tensor for tensor in tensors]  # a step of their own, which marks the outputs

    name = type(model).__name__
    try:
        with warnings.catch_warnings(), torch.enable_grad(), _no_fused_attention():
            warnings.simplefilter("ignore")
            return torch_pruning.DependencyGraph().build_dependency(
                model, example, forward_fn=outputs, verbose=False
            )
    except InputError:
        raise
    except Exception as error:  # what a model raises may be anything
        raise InputError(
            f"{name} cannot be followed on the example ({first_line(error)})"
        ) from error


def norms_after(model: nn.Module, example: Any, run: Forward) -> dict[str, str]:
    """For each convolution or linear layer the norm that takes what it gives, as it is."""
    given: dict[int, tuple[str, Any]] = {}  # with the tensor, so that its number is not used again
    found: dict[str, str] = {}

    def leaves(path: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, out: Any) -> None:
            given[id(out)] = (path, out)

        return hook

    def enters(path: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            before = given.get(id(inputs[0])) if inputs else None
            if before is not None:
                found.setdefault(before[0], path)

        return hook

    handles = []
    for path, module in model.named_modules():
        if isinstance(module, _ConvNd | nn.Linear):
            handles.append(module.register_forward_hook(leaves(path)))
        elif isinstance(module, NORMS):
            handles.append(module.register_forward_pre_hook(enters(path)))
    try:
        with torch.no_grad():
            run(model, example)
    finally:
        for handle in handles:
            handle.remove()
    return found


@contextmanager
def _no_fused_attention() -> Iterator[None]:
    """PyTorch's fast path of attention leaves no graph behind."""
    was = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was)


def _split(
    modules: Mapping[str, nn.Module],
    members: Mapping[Key, list[tuple[int, int]]],
    reason: str | None,
) -> Iterator[tuple[Group, str | None]]:
    """The units of a group, apart by the layers that they run through.

    Where two layers are concatenated and then convolved by channel, all is one group to the graph,
    but the units of one layer are no choice of the other.
    """
    runs: dict[int, list[Key]] = {}
    for key, pairs in members.items():
        for unit in dict(pairs):
            runs.setdefault(unit, []).append(key)
    parts: dict[tuple[Key, ...], list[int]] = {}
    for unit in sorted(runs):
        parts.setdefault(tuple(runs[unit]), []).append(unit)
    for keys, units in parts.items():
        yield _group(modules, keys, units, members, reason, whole=len(parts) == 1)


def _group(
    modules: Mapping[str, nn.Module],
    keys: tuple[Key, ...],
    units: list[int],
    members: Mapping[Key, list[tuple[int, int]]],
    reason: str | None,
    *,
    whole: bool,
) -> tuple[Group, str | None]:
    """A group of some units, and the reason to leave it alone, if any."""
    order = {path: place for place, path in enumerate(modules)}
    row = {unit: k for k, unit in enumerate(units)}
    made = []
    for key in keys:
        places: list[list[int]] = [[] for _ in units]
        for unit, place in members[key]:
            if unit in row:
                places[row[unit]].append(place)
        counts = {len(p) for p in places}
        if len(counts) > 1:
            reason = reason or f"{key[0]} has some of its channels more often than others"
            places = [p[:1] for p in places]
        made.append(Member(key[0], key[1], np.array(places, np.intp), key[2]))
    outs = [m.layer for m in made if m.side == "out" and m.dim is None]
    makers = [p for p in outs if isinstance(modules[p], _ConvNd | nn.Linear)]
    makers.sort(key=order.__getitem__)
    first = [p for p in makers if not is_depthwise(modules[p])] or makers
    group = Group(first[0], len(units), tuple(made), tuple(makers))
    if reason is None:
        group, reason = _folded(modules, group, whole=whole)
    if reason is None and group.size < 2:
        reason = "it has a single channel"
    return group, reason


def _folded(
    modules: Mapping[str, nn.Module], group: Group, *, whole: bool
) -> tuple[Group, str | None]:
    """The group with one channel of each part as a unit, where a layer works in parts."""
    parts = 1
    for member in group.members:
        layer = modules.get(member.layer)
        own = 1
        if isinstance(layer, _ConvNd) and not is_depthwise(layer):
            own = layer.groups
        elif isinstance(layer, nn.GroupNorm):
            own = layer.num_groups
        if own > 1 and not (whole and member.places.shape[1] == 1):
            return group, f"{member.layer} works in {own} parts that several layers share"
        parts = math.lcm(parts, own)
    if parts == 1:
        return group, None
    if group.size % parts or any(
        (np.diff(m.places[:, 0]) != 1).any() for m in group.members if m.places.shape[1] == 1
    ):
        return group, f"its {group.size} channels do not fall into {parts} equal parts"
    size = group.size // parts
    rows = np.arange(size)[:, None] + size * np.arange(parts)
    folded = [
        Member(m.layer, m.side, m.places[rows].reshape(size, -1), m.dim) for m in group.members
    ]
    return Group(group.name, size, tuple(folded), group.makers), None
