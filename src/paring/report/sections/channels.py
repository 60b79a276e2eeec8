"""What the page of a pruned network shows: its layers and what it costs."""

from __future__ import annotations

from typing import Any

import msgspec


class Change(msgspec.Struct):
    """A number before and after; None where it could not be measured."""

    before: float | None
    after: float | None


class Layer(msgspec.Struct):
    """A row of ``cost.json``."""

    layer: str
    channels_before: int
    channels: int
    macs_before: int
    macs: int
    parameters_before: int
    parameters: int
    kept_whole: str | None = None


class Cost(msgspec.Struct):
    """What ``cost.json`` says."""

    height: int
    width: int
    threads: int
    parameters: Change
    macs: Change
    ms: Change
    ms_spread: Change
    layers: list[Layer]
    onnx_refused: str | None = None


class Pruned(msgspec.Struct):
    """What ``run.json`` says of a pruned network."""

    model: str
    plan: dict[str, Any]


def channels_section(
    run: Pruned, cost: Cost, metrics: dict[str, float], *, hidden: bool
) -> dict[str, Any]:
    """The section, ready for JSON.

    Parameters
    ----------
    run, cost : of the run.
    metrics : of the pruned network on validation data, where it was fine-tuned.
    hidden : whether names are not to be shown; those of layers are then numbers.
    """
    layers = msgspec.to_builtins(cost.layers)
    if hidden:
        for number, layer in enumerate(layers, 1):
            layer["layer"] = f"layer {number}"
            layer["kept_whole"] = None
    plan = {key: value for key, value in run.plan.items() if not (hidden and key == "apart")}
    return {
        "model": "a network" if hidden else run.model,
        "plan": plan,
        "size": [cost.height, cost.width],
        "threads": cost.threads,
        "costs": {
            name: msgspec.to_builtins(getattr(cost, name))
            for name in ("macs", "parameters", "ms", "ms_spread")
        },
        "layers": layers,
        "refused": None if hidden else cost.onnx_refused,
        "metrics": metrics,
    }


def channels_headline(cost: Cost) -> str:
    """What came out, in one sentence."""
    parts = []
    for name, word in (("macs", "multiply-accumulates"), ("parameters", "parameters")):
        change: Change = getattr(cost, name)
        if change.before and change.after is not None:
            parts.append(f"{change.after / change.before:.1%} of the {word}")
    said = " and ".join(parts)
    if cost.ms.before and cost.ms.after is not None:
        return (
            f"The network keeps {said}, and takes {cost.ms.after / cost.ms.before:.1%} of the time."
        )
    return f"The network keeps {said}."
