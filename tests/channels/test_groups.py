from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from narrowed import image, masked
from paring.channels.groups import remove
from paring.channels.structure import find_structure

pytestmark = pytest.mark.torch


def test_of_a_convolution_in_groups_one_channel_of_each_goes() -> None:
    net = nn.Sequential(nn.Conv2d(3, 12, 1), nn.Conv2d(12, 24, 3, groups=4), nn.Conv2d(24, 2, 1))
    found = find_structure(net, image(1, 3, 8, 8))
    assert {g.name: g.size for g in found.groups} == {"0": 3, "1": 6}
    assert found.groups[1].places_out("1")[2].tolist() == [2, 8, 14, 20]
    x, removed = image(2, 3, 8, 8), [[1], [0, 4]]
    small = copy.deepcopy(net)
    remove(small, found.groups, removed)
    assert (small[1].in_channels, small[1].out_channels, small[1].groups) == (8, 16, 4)
    assert torch.allclose(small(x), masked(net, found.groups, removed)(x), atol=1e-6)


def test_a_channel_that_is_flattened_takes_all_its_pixels_along() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 16, 3))
    (group,) = find_structure(net, image(1, 3, 4, 4)).groups
    small = copy.deepcopy(net)
    remove(small, [group], [[0, 3]])
    assert small[3].in_features == 48
    x = image(2, 3, 4, 4)
    assert torch.allclose(small(x), masked(net, [group], [[0, 3]])(x), atol=1e-6)
