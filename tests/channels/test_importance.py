from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torchvision import models as tv

from narrowed import image
from paring.channels.importance import unit_importance
from paring.channels.structure import find_structure
from paring.errors import InputError

pytestmark = pytest.mark.torch


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.norm = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.two = nn.Conv2d(6, 2, 1)
        nn.init.uniform_(self.norm.weight, -1, 1)

    def forward(self, x):
        return self.two(self.norm(self.one(x)).relu())


def by_hand(net: Plain, criterion: str) -> np.ndarray:
    made, used = net.one.weight.detach().flatten(1), net.two.weight.detach()[:, :, 0, 0].T
    scale = net.norm.weight.detach()
    if criterion in ("l1", "l2"):
        found = made.abs().pow(int(criterion[1])).sum(1)
    elif criterion == "bn_scale":
        return scale.abs().double().numpy()
    elif criterion == "fpgm":
        found = (made[:, None] - made).square().sum(-1).sqrt().sum(0)
    elif criterion == "group_norm":
        found = (made.pow(2).sum(1) + used.pow(2).sum(1) + scale.pow(2)) / 3
    else:
        parts = [
            (made * net.one.weight.grad.flatten(1)).abs().sum(1),
            (used * net.two.weight.grad[:, :, 0, 0].T).abs().sum(1),
            (scale * net.norm.weight.grad).abs(),
        ]
        return (sum(parts) / 3).double().numpy()
    return (found / found.mean()).double().numpy()


@pytest.mark.parametrize("criterion", ["l1", "l2", "bn_scale", "fpgm", "group_norm", "taylor"])
def test_the_criteria_are_their_formulas(criterion: str) -> None:
    net, x = Plain(), image(2, 3, 8, 8)
    found = find_structure(net, x)
    if criterion == "taylor":
        with pytest.raises(InputError, match="taylor needs gradients, and layer one has none"):
            unit_importance(net, found, criterion)
        net(x).square().sum().backward()
    got = unit_importance(net, found, criterion)
    np.testing.assert_allclose(got["one"], by_hand(net, criterion), rtol=1e-5)


def test_chance_depends_on_the_seed_and_the_name_alone() -> None:
    net, x = Plain(), image(2, 3, 8, 8)
    found = find_structure(net, x)
    one, same, other = (unit_importance(net, found, "random", seed=s)["one"] for s in (0, 0, 1))
    assert one.tolist() == same.tolist() != other.tolist()


@pytest.mark.parametrize("criterion", ["l1", "group_norm", "fpgm", "bn_scale"])
def test_units_of_several_channels_are_the_sum_of_theirs(criterion: str) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(8, 2, 1)
    )
    torch.manual_seed(0)
    for p in net.parameters():
        nn.init.normal_(p)
    found = find_structure(net, image(1, 3, 8, 8))
    group = next(g for g in found.groups if g.name == "0")
    assert group.places_out("0").shape == (2, 4)
    got = unit_importance(net, found, criterion)["0"]
    if criterion == "bn_scale":
        expected = net[1].weight.detach().abs().numpy()[group.places_out("1")].sum(1)
        np.testing.assert_allclose(got, expected, rtol=1e-5)
    if criterion == "l1":
        each = net[0].weight.detach().abs().flatten(1).sum(1).numpy()
        expected = each[group.places_out("0")].sum(1)
        np.testing.assert_allclose(got, expected / expected.mean(), rtol=1e-5)
    if criterion == "fpgm":
        filters = net[0].weight.detach().flatten(1)
        each = (filters[:, None] - filters).square().sum(-1).sqrt().sum(0).numpy()
        expected = each[group.places_out("0")].sum(1)
        np.testing.assert_allclose(got, expected / expected.mean(), rtol=1e-4)
    assert got.shape == (2,)
    assert got[0] != got[1]


def test_groups_without_a_norm_have_no_scale() -> None:
    net = tv.mobilenet_v3_small()
    found = find_structure(net, image(1, 3, 32, 32))
    missing = {g.name for g in found.groups} - unit_importance(net, found, "bn_scale").keys()
    assert missing
    assert all("fc1" in name or "classifier" in name for name in missing)


def test_what_is_not_known_or_not_finite_is_said() -> None:
    net, x = Plain(), image(2, 3, 8, 8)
    found = find_structure(net, x)
    with pytest.raises(InputError, match="criterion 'best' is not known; it is one of redundancy"):
        unit_importance(net, found, "best")
    net.one.weight.data[0] = float("inf")
    with pytest.raises(InputError, match="layer one has weights or gradients that are not finite"):
        unit_importance(net, found, "l1")
