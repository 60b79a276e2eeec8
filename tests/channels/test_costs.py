from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import timm
from torch import nn
from torchvision import models as tv

from narrowed import image
from paring.channels.costs import model_costs
from paring.channels.groups import remove
from paring.channels.structure import find_structure
from paring.evaluation.cost import macs_of_run
from paring.models import build

pytestmark = pytest.mark.torch

NETWORKS = {
    "mobilenet_v3_small": tv.mobilenet_v3_small,
    "regnet_y_400mf": tv.regnet_y_400mf,
    "timm seresnet": lambda: timm.create_model("legacy_seresnet18"),
    "deeplabv3plus_mobilenet_v2": lambda: build("deeplabv3plus_mobilenet_v2", ["a", "b"]),
    "segformer_mobilenet_v2": lambda: build("segformer_mobilenet_v2", ["a", "b"]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_costs_are_those_of_the_network_without_the_channels(name: str) -> None:
    model, x = NETWORKS[name]().eval(), image(1, 3, 64, 96)
    found = find_structure(model, x)
    costs = model_costs(model, x, found)
    rng = np.random.default_rng(0)
    for _ in range(2):
        gone = [int(rng.integers(0, group.size)) for group in found.groups]
        units = [rng.permutation(g.size)[:n] for g, n in zip(found.groups, gone, strict=True)]
        small = copy.deepcopy(model)
        remove(small, found.groups, units)
        assert costs.macs(gone) == macs_of_run(lambda m=small: m(x))
        assert costs.parameters(gone) == sum(p.numel() for p in small.parameters())
    none = np.zeros(len(found.groups))
    assert costs.macs(none) == macs_of_run(lambda: model(x))
    assert float(costs.layer_macs(none).sum()) + costs.fixed_macs == costs.macs(none)
    assert float(costs.layer_parameters(none).sum()) == costs.parameters(none)


def test_transposed_and_three_dimensional_convolutions_count_by_their_positions() -> None:
    net = nn.Sequential(nn.Conv3d(2, 6, 3), nn.PReLU(6), nn.ConvTranspose3d(6, 4, 2, stride=2))
    x = image(2, 2, 5, 6, 7)
    found = find_structure(net, x)
    costs = model_costs(net, x, found)
    assert costs.macs([0]) == macs_of_run(lambda: net(x))
    remove(net, found.groups, [[0, 3]])
    assert costs.macs([2]) == macs_of_run(lambda: net(x))
    assert costs.parameters([2]) == sum(p.numel() for p in net.parameters())


def test_training_mode_and_hooks_are_left_as_they_were() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)).train()
    x = image(1, 3, 4, 4)
    before = copy.deepcopy(net.state_dict())
    model_costs(net, x, find_structure(net, x))
    assert all(part.training and not part._forward_hooks for part in net.modules())
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
