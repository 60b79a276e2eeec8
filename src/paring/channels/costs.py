"""What a network costs as a function of how many channels each group of it keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from paring.channels.structure import Structure
from paring.channels.tracing import Forward, call
from paring.evaluation.cost import macs_of_run
from paring.models.calling import evaluating
from paring.models.narrowing import SLICEABLE, is_depthwise, widths

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CostModel:
    """Multiply-accumulates and parameters of a network without some units of its groups.

    With o and i the widths of a layer, its MACs are `by_area` · o · i and its parameters
    `per_pair` · o · i + `per_out` · o, where i is 1 for layers that have one number per channel.

    Attributes
    ----------
    layers : paths of what changes its cost with its width, norms among them (L,).
    out, into : widths of each (L,).
    out_of, into_of : how many channels of each go with a unit of each group (L, G).
    by_area, per_pair, per_out : see above (L,).
    fixed_macs, fixed_parameters : of all else.
    sizes : units of each group (G,).
    """

    layers: tuple[str, ...]
    out: Numbers
    into: Numbers
    out_of: Numbers
    into_of: Numbers
    by_area: Numbers
    per_pair: Numbers
    per_out: Numbers
    fixed_macs: int
    fixed_parameters: int
    sizes: Numbers

    def layer_macs(self, removed: Sequence[int] | NDArray[Any]) -> Numbers:
        """MACs of each layer (L,) without that many units of each group (G,)."""
        out, into = self._widths(removed)
        return self.by_area * out * into

    def layer_parameters(self, removed: Sequence[int] | NDArray[Any]) -> Numbers:
        """Parameters of each layer (L,) without that many units of each group (G,)."""
        out, into = self._widths(removed)
        return (self.per_pair * into + self.per_out) * out

    def macs(self, removed: Sequence[int] | NDArray[Any]) -> int:
        """MACs of the whole network."""
        return self.fixed_macs + round(float(self.layer_macs(removed).sum()))

    def parameters(self, removed: Sequence[int] | NDArray[Any]) -> int:
        """Parameters of the whole network."""
        return self.fixed_parameters + round(float(self.layer_parameters(removed).sum()))

    def _widths(self, removed: Sequence[int] | NDArray[Any]) -> tuple[Numbers, Numbers]:
        gone = np.asarray(removed, float)
        return self.out - self.out_of @ gone, self.into - self.into_of @ gone


def model_costs(
    model: nn.Module, example: Any, structure: Structure, *, forward: Forward | None = None
) -> CostModel:
    """The costs of a network on an example, exact for all that `find_structure` lets go.

    Parameters
    ----------
    model, example, forward : as `find_structure` takes them; the size of the example counts here.
    structure : what it gave.

    Example
    -------
    >>> import torch
    >>> from paring.channels.structure import find_structure
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 2, 1))
    >>> x = torch.rand(1, 3, 4, 4)
    >>> costs = model_costs(net, x, find_structure(net, x))
    >>> costs.macs([0]), costs.macs([4]), costs.parameters([4])
    (640, 320, 26)
    """
    run = forward or call
    positions, total = _positions(model, lambda: run(model, example))
    counts = _counts(structure)
    rows: list[tuple[str, str, str]] = []  # path, and the names of its two sides
    numbers: list[tuple[float, ...]] = []  # the two widths, by_area, per_pair, per_out
    for path, layer in model.named_modules():
        if isinstance(layer, SLICEABLE):
            rows.append((path, "out", "in" if _has_inputs(layer) else ""))
            numbers.append(_numbers(layer, positions.get(path, 0.0)))
    for path in sorted({path for path, side in counts if side.startswith("dim ")}):
        shape = model.get_parameter(path).shape
        first, second, *_ = [*sorted(side for at, side in counts if at == path), ""]
        one, other = (float(shape[int(side[4:])]) if side else 1.0 for side in (first, second))
        rows.append((path, first, second))
        numbers.append((one, other, 0.0, math.prod(shape) / (one * other), 0.0))
    nothing = np.zeros(len(structure.groups))
    out, into, by_area, per_pair, per_out = np.array(numbers).reshape(-1, 5).T
    costs = CostModel(
        layers=tuple(path for path, _, _ in rows),
        out=out,
        into=into,
        out_of=np.array([counts.get((path, side), nothing) for path, side, _ in rows]),
        into_of=np.array([counts.get((path, side), nothing) for path, _, side in rows]),
        by_area=by_area,
        per_pair=per_pair,
        per_out=per_out,
        fixed_macs=0,
        fixed_parameters=0,
        sizes=np.array([group.size for group in structure.groups]),
    )
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return replace(
        costs,
        fixed_macs=total - costs.macs(nothing),
        fixed_parameters=parameters - costs.parameters(nothing),
    )


def _positions(model: nn.Module, run: Callable[[], object]) -> tuple[dict[str, float], int]:
    """How often the weights of each layer are multiplied in a run, and the MACs of all of it."""
    positions: dict[str, float] = {}

    def count(path: str, layer: nn.Module) -> Callable[..., None]:
        turned = isinstance(layer, _ConvTransposeNd)
        width = widths(layer)[1 if turned else 0]

        def hook(_: nn.Module, given: tuple[Any, ...], out: Any) -> None:
            seen = given[0] if turned else out
            positions[path] = positions.get(path, 0.0) + seen.numel() / width

        return hook

    handles = [
        layer.register_forward_hook(count(path, layer))
        for path, layer in model.named_modules()
        if isinstance(layer, _ConvNd | nn.Linear)
    ]
    try:
        with evaluating(model):
            return positions, macs_of_run(run)
    finally:
        for handle in handles:
            handle.remove()


def _counts(structure: Structure) -> dict[tuple[str, str], Numbers]:
    """For each side of each layer, how many of its channels go with a unit of each group (G,)."""
    counts: dict[tuple[str, str], Numbers] = {}
    for k, group in enumerate(structure.groups):
        for member in group.members:
            side = member.side if member.dim is None else f"dim {member.dim}"
            row = counts.setdefault((member.layer, side), np.zeros(len(structure.groups)))
            row[k] += member.places.shape[1]
    return counts


def _has_inputs(layer: nn.Module) -> bool:
    """Whether a layer has a width on both sides, and not one number per channel."""
    return isinstance(layer, _ConvNd | nn.Linear) and not is_depthwise(layer)


def _numbers(layer: nn.Module, positions: float) -> tuple[float, ...]:
    """The two widths of a layer, and its `by_area`, `per_pair` and `per_out`."""
    out, into = widths(layer)
    if not isinstance(layer, _ConvNd | nn.Linear):
        one_for_all = isinstance(layer, nn.PReLU) and out == 1
        each = sum(p.numel() for p in layer.parameters(recurse=False)) / out
        return float(out), 1.0, 0.0, 0.0, 0.0 if one_for_all else each
    window = layer.weight.numel() / (out if is_depthwise(layer) else out * into)
    biases = 0.0 if layer.bias is None else 1.0
    other = float(into) if _has_inputs(layer) else 1.0
    return float(out), other, positions * window, window, biases
