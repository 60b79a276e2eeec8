"""Which layer of a network is which step of its ONNX file, noted in the file itself.

A runtime fuses steps and names what is left after the last of them, so each layer is noted under
its own name and those of the steps that may be fused to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd

from paring.models.onnx_note import NOTE

_CONVOLUTIONS = ("Conv", "ConvTranspose")
_PRODUCTS = ("Gemm", "MatMul")


@contextmanager
def calls(model: nn.Module) -> Iterator[dict[type[nn.Module], list[str]]]:
    """Paths of the convolutions and of the linear layers that are called in the block, in turn."""
    seen: dict[type[nn.Module], list[str]] = {_ConvNd: [], nn.Linear: []}

    def note(kind: type[nn.Module], path: str) -> Callable[..., None]:
        return lambda *_: seen[kind].append(path)

    handles = [
        layer.register_forward_hook(note(kind, path))
        for path, layer in model.named_modules()
        for kind in seen
        if isinstance(layer, kind)
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def note_layers(file: Path, called: dict[type[nn.Module], list[str]]) -> None:
    """Write into an ONNX file which of its steps are which layers, in the order of their calls.

    Where there are more steps of a kind than calls, or fewer, none of that kind is noted.
    """
    import onnx

    model = onnx.load(file)
    graph = model.graph
    weights = {one.name for one in graph.initializer}
    weights |= {
        node.output[0]
        for node in graph.node
        if node.op_type in ("Transpose", "Identity") and node.input[0] in weights
    }
    steps = {
        _ConvNd: [node for node in graph.node if node.op_type in _CONVOLUTIONS],
        nn.Linear: [
            node for node in graph.node if node.op_type in _PRODUCTS and node.input[1] in weights
        ],
    }
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    names: dict[str, str] = {}
    for kind, nodes in steps.items():
        if len(nodes) == len(called[kind]):
            for node, path in zip(nodes, called[kind], strict=True):
                for name in _after(node, users):
                    names[name] = path
    onnx.helper.set_model_props(model, {NOTE: json.dumps(names)})
    onnx.save(model, file)


def _after(node: Any, users: dict[str, list[Any]]) -> Iterator[str]:
    """Names of a step and what it gives, and of those after it while each is all that uses it."""
    for _ in range(8):
        yield node.name
        yield node.output[0]
        following = users.get(node.output[0], [])
        if len(following) != 1 or following[0].op_type in (*_CONVOLUTIONS, *_PRODUCTS):
            return
        node = following[0]
