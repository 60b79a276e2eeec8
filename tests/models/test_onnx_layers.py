from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import onnx
import timm
import torchvision
from torch import nn
from torch.nn.modules.conv import _ConvNd

from paring.models import build, export_onnx
from paring.models.export import export_module
from paring.models.onnx_layers import calls
from paring.models.onnx_note import NOTE

pytestmark = pytest.mark.torch


def noted(file: Path) -> dict[str, str]:
    return json.loads({p.key: p.value for p in onnx.load(file).metadata_props}[NOTE])


@pytest.mark.parametrize("name", ["resnet18", "vit", "pspnet_mobilenet_v2", "shared"])
def test_every_layer_that_is_called_is_noted(tmp_path: Path, name: str) -> None:
    file, x = tmp_path / "m.onnx", torch.rand(1, 3, 64, 64)
    if name == "pspnet_mobilenet_v2":
        model = build(name, ["a", "b"], seed=0)
        export_onnx(model, file, size=(64, 64))
    else:
        model = {
            "resnet18": torchvision.models.resnet18,
            "vit": lambda: timm.create_model("vit_tiny_patch16_224", img_size=64),
            "shared": Shared,
        }[name]()
        export_module(model, x, file)
    model.eval()
    with calls(model) as seen, torch.no_grad():
        model(x)
    paths = set(noted(file).values())
    assert paths == {*seen[_ConvNd], *seen[nn.Linear]}
    # a convolution's own step bears its weight's shape
    graph = onnx.load(file).graph
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    modules = dict(model.named_modules())
    for node in graph.node:
        if node.op_type == "Conv":
            assert shapes[node.input[1]] == tuple(modules[noted(file)[node.name]].weight.shape)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 2, 1)

    def forward(self, x):
        return [self.two(self.one(self.one(x)).relu())]


def test_a_kind_whose_steps_are_not_its_calls_is_not_noted(tmp_path: Path) -> None:
    class More(Shared):
        def forward(self, x):
            return self.two(nn.functional.conv2d(self.one(x), self.one.weight, padding=1))

    export_module(More(), torch.rand(1, 3, 8, 8), tmp_path / "m.onnx")
    assert noted(tmp_path / "m.onnx") == {}
