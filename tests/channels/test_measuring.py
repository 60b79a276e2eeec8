from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import onnx
import torchvision

from narrowed import image
from paring.channels.measuring import (
    example_of,
    export,
    latency_of,
    layer_table,
    run_on,
    whole_cost,
)
from paring.channels.planning import make_plan
from paring.channels.structure import find_structure
from paring.errors import InputError
from paring.evaluation.cost import macs_of_run
from paring.models import build

pytestmark = pytest.mark.torch


def test_rows_are_the_layers_before_and_after() -> None:
    model = torchvision.models.resnet18()
    x = image(1, 3, 64, 64)
    found = find_structure(model, x)
    plan = make_plan(model, x, criterion="l1", keep_macs=0.5, structure=found)
    small = plan.apply(model)
    rows = layer_table(model, (64, 64), found, plan)
    assert [row["layer"] for row in rows[:3]] == ["conv1", "layer1.0.conv1", "layer1.0.conv2"]
    for row in rows:
        one, other = (m.get_submodule(row["layer"]) for m in (model, small))
        assert row["parameters_before"] == sum(p.numel() for p in one.parameters())
        assert row["parameters"] == sum(p.numel() for p in other.parameters())
        assert row["channels"] == other.weight.shape[0]
    assert sum(row["macs"] for row in rows) == macs_of_run(lambda: small.eval()(x))
    assert rows[-1]["kept_whole"] == "its channels are an output of the network"


def test_whole_costs_are_those_of_the_network_as_it_is() -> None:
    model = build("emcad_mobilenet_v2", ["a"], seed=0).train()
    cost = whole_cost(model, size=(64, 64), repeats=2)
    assert model.training
    assert cost["parameters"] == sum(p.numel() for p in model.parameters())
    assert cost["ms"] > 0
    assert cost["refused"] is None


def test_a_network_that_cannot_be_exported_is_not_timed_and_says_why() -> None:
    class Odd(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return torch.linalg.qr(self.one(x).flatten(2))[0]

    measured = latency_of(Odd(), size=(8, 8))
    assert measured.keys() == {"refused"}
    assert "Odd cannot be exported as ONNX" in measured["refused"]
    assert whole_cost(Odd(), size=(8, 8))["ms"] is None


def test_detectors_are_run_on_lists_and_exported(tmp_path: Path) -> None:
    model = build("maskrcnn_mobilenet_v2_fpn", ["a"], seed=0, proposals=10, detections=2).eval()
    assert set(run_on(model, example_of((64, 64)))[0]) >= {"boxes", "masks"}
    export(model, tmp_path / "m.onnx", size=(64, 64), opset=17)
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == 17
    with pytest.raises(InputError, match="1 pixel or more each way, not 0x4"):
        example_of((0, 4))
