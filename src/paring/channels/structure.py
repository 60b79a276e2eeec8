"""Which channels of a network must go together, and which can go at all.

Torch-Pruning follows the computation and says for each layer where its channels go on: over sums,
concatenations, depthwise convolutions, norms. From that come groups of channels that are one and
the same choice in several layers. A group is left out, with the reason, where its channels reach
an output of the network, where a layer is to be left alone, or where the network does not run, or
not to the same shapes, once a channel is gone.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from paring.channels.slicing import SLICEABLE, is_depthwise, narrow, narrow_parameter, widths
from paring.errors import InputError

Forward = Callable[[nn.Module, Any], Any]
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


@dataclass(frozen=True, eq=False)
class Structure:
    """The groups of a network.

    Attributes
    ----------
    groups : those whose units may go.
    left_alone : why the other layers that give out channels keep them all, by path.
    widths : output and input channels of each layer that a group runs through.
    """

    groups: tuple[Group, ...]
    left_alone: Mapping[str, str]
    widths: Mapping[str, tuple[int, int]]

    def group_of(self, layer: str) -> Group | None:
        """The first group that a layer gives out channels of, or None."""
        return next((group for group in self.groups if layer in group.makers), None)


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
        plain call; it gives tensors, or a list, tuple or dict of such, however deep.

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
    run = forward or call
    traced = _copy(model)
    modules = dict(traced.named_modules())
    unknown = next((path for path in ignored if path not in modules), None)
    if unknown is not None:
        raise InputError(f"{type(model).__name__} has no module {unknown!r} to be ignored")
    untouched = {path for path in modules if any(_within(path, top) for top in ignored)}
    found: list[Group] = []
    left_alone: dict[str, str] = {}
    for group, reason in _candidates(traced, example, run):
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
    touched_layers = {m.layer for group in sound for m in group.members if m.dim is None}
    wide = {path: widths(modules[path]) for path in modules if path in touched_layers}
    return Structure(tuple(sound), left_alone, wide)


def call(model: nn.Module, example: Any) -> Any:
    """A plain call with an example: a tensor, a tuple of arguments, or a dict of them."""
    if isinstance(example, Mapping):
        return model(**example)
    return model(*example) if isinstance(example, tuple) else model(example)


def tensors_of(output: Any) -> list[Tensor]:
    """All tensors in what a model gives, however deep.

    >>> len(tensors_of({"out": torch.zeros(1), "aux": [torch.zeros(1), {"x": torch.zeros(1)}]}))
    3
    """
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, Mapping):
        return [tensor for value in output.values() for tensor in tensors_of(value)]
    if isinstance(output, list | tuple):
        return [tensor for value in output for tensor in tensors_of(value)]
    return []


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


# -- from Torch-Pruning's graph ----------------------------------------------------------------


def _copy(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode, all of whose weights have gradients."""
    return copy.deepcopy(model).eval().requires_grad_(True)


def _candidates(model: nn.Module, example: Any, run: Forward) -> Iterator[tuple[Group, str | None]]:
    """Each group of the network with the reason to leave it alone, if any."""
    graph = _graph(model, example, run)
    paths = {module: path for path, module in model.named_modules()}
    parameters = {parameter: path for path, parameter in model.named_parameters()}
    kinds = (nn.Conv2d, nn.Conv1d, nn.Conv3d, nn.Linear, nn.ConvTranspose2d)
    for found in graph.get_all_groups(root_module_types=kinds):
        members: dict[tuple[str, Side, int | None], list[tuple[int, int]]] = {}
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
        yield from _split(model, members, reason)


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
            f"{name} cannot be followed on the example ({_first_line(error)})"
        ) from error


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
    model: nn.Module,
    members: Mapping[tuple[str, Side, int | None], list[tuple[int, int]]],
    reason: str | None,
) -> Iterator[tuple[Group, str | None]]:
    """The units of a group, apart by the layers that they run through.

    Where two layers are concatenated and then convolved by channel, all is one group to the graph,
    but the units of one layer are no choice of the other.
    """
    runs: dict[int, list[tuple[str, Side, int | None]]] = {}
    for key, pairs in members.items():
        for unit in dict(pairs):
            runs.setdefault(unit, []).append(key)
    parts: dict[tuple[Any, ...], list[int]] = {}
    for unit in sorted(runs):
        parts.setdefault(tuple(runs[unit]), []).append(unit)
    for keys, units in parts.items():
        yield _group(model, keys, units, members, reason, whole=len(parts) == 1)


def _group(
    model: nn.Module,
    keys: tuple[tuple[str, Side, int | None], ...],
    units: list[int],
    members: Mapping[tuple[str, Side, int | None], list[tuple[int, int]]],
    reason: str | None,
    *,
    whole: bool,
) -> tuple[Group, str | None]:
    """A group of some units, and the reason to leave it alone, if any."""
    modules = dict(model.named_modules())
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
    makers = sorted((p for p in outs if isinstance(modules[p], _ConvNd)), key=order.__getitem__)
    full = [p for p in outs if isinstance(modules[p], _ConvNd | nn.Linear)]
    first = [p for p in full if not is_depthwise(modules[p])] or full
    group = Group(min(first, key=order.__getitem__), len(units), tuple(made), tuple(makers))
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


# -- does it run? ------------------------------------------------------------------------------


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
            return f"without a channel of it the network does not run ({_first_line(error)})"
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


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _within(path: str, top: str) -> bool:
    return path == top or path.startswith(f"{top}.") or top == ""
