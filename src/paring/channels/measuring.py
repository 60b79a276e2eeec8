"""What a network costs, in all and by layer, and what pruning changed of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from paring.channels.costs import model_costs
from paring.channels.plan import PrunePlan
from paring.channels.structure import Structure
from paring.channels.tracing import trained
from paring.errors import InputError
from paring.evaluation.cost import macs_of_run
from paring.evaluation.onnx_latency import measure_onnx
from paring.models import Model, export_onnx
from paring.models.calling import evaluating
from paring.models.export import OPSET, export_module


def example_of(size: tuple[int, int]) -> Tensor:
    """An image of zeros (1, 3, H, W)."""
    if min(size) < 1:
        raise InputError(f"the size must be 1 pixel or more each way, not {size[0]}x{size[1]}")
    return torch.zeros(1, 3, *size)


def run_on(model: nn.Module, images: Tensor) -> Any:
    """What a network gives for images (B, 3, H, W); detectors take a list of them."""
    instance = getattr(model, "task", None) == "instance"
    return trained(model, list(images)) if instance else model(images)


def export(
    model: nn.Module, file: str | Path, *, size: tuple[int, int], opset: int = OPSET
) -> Path:
    """A network as ONNX, for images of a size; `InputError` where that cannot be."""
    if isinstance(model, Model):
        try:
            return export_onnx(model, file, size=size, opset=opset)
        except (torch.onnx.OnnxExporterError, ValueError) as error:
            raise InputError(f"{model.name} cannot be exported as ONNX ({error})") from error
    return export_module(model, example_of(size), file, opset=opset)


def latency_of(
    model: nn.Module,
    *,
    size: tuple[int, int],
    threads: int = 1,
    repeats: int = 30,
    file: Path | None = None,
    opset: int = OPSET,
) -> dict[str, Any]:
    """What `measure_onnx` says of a network; `refused` alone where it cannot be exported.

    The exported `file` stays, where one is named.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = export(model, file or Path(folder) / "model.onnx", size=size, opset=opset)
            return measure_onnx(made, threads=threads, repeats=repeats)
        except InputError as error:
            return {"refused": str(error)}


def layer_table(
    model: nn.Module, size: tuple[int, int], structure: Structure, plan: PrunePlan | None = None
) -> list[dict[str, Any]]:
    """A row for each convolution and linear layer, in the order of the network.

    Parameters
    ----------
    model, structure : a network at full width, and what `find_structure` says of it.
    plan : what is taken out of it; None for nothing.

    Returns
    -------
    list
        layer, channels_before, channels, macs_before, macs, parameters_before, parameters; and
        why it keeps all channels, where it does and something is known of it.
    """
    costs = model_costs(model, example_of(size), structure, forward=run_on)
    none = np.zeros(len(structure.groups))
    gone = none.copy()
    reasons = dict(structure.left_alone)
    if plan is not None:
        for k, group in enumerate(structure.groups):
            gone[k] = group.size - len(plan.groups[group.name].places)
        reasons |= dict(plan.about.get("kept_whole", {}))
    macs = costs.layer_macs(none), costs.layer_macs(gone)
    parameters = costs.layer_parameters(none), costs.layer_parameters(gone)
    widths = costs.out, costs.out - costs.out_of @ gone
    modules = dict(model.named_modules())
    rows = []
    for k, path in enumerate(costs.layers):
        if isinstance(modules.get(path), _ConvNd | nn.Linear):
            rows.append(
                {
                    "layer": path,
                    "channels_before": round(float(widths[0][k])),
                    "channels": round(float(widths[1][k])),
                    "macs_before": round(float(macs[0][k])),
                    "macs": round(float(macs[1][k])),
                    "parameters_before": round(float(parameters[0][k])),
                    "parameters": round(float(parameters[1][k])),
                    "kept_whole": reasons.get(path),
                }
            )
    return rows


def whole_cost(model: nn.Module, *, size: tuple[int, int], **how: Any) -> dict[str, Any]:
    """Parameters, MACs and latency of a network on one image.

    `ms` and `ms_spread` are those of ONNX Runtime, None where `refused` says why; `layers` has
    milliseconds by layer. `how` is as `latency_of` takes it.
    """
    latency = latency_of(model, size=size, **how)
    with evaluating(model):
        macs = macs_of_run(lambda: run_on(model, example_of(size)))
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "macs": macs,
        "ms": latency.get("ms"),
        "ms_spread": latency.get("ms_spread"),
        "layers": latency.get("layers", {}),
        "refused": latency.get("refused"),
    }
