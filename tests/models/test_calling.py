from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from paring.models.calling import evaluating, tensors_of

pytestmark = pytest.mark.torch


def test_each_part_is_afterwards_in_the_mode_that_it_was_in() -> None:
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm2d(2), nn.ReLU())).train()
    net[1][0].eval()
    with pytest.raises(ValueError, match="amid"), evaluating(net):
        assert not any(part.training for part in net.modules())
        raise ValueError("amid")
    assert [part.training for part in net.modules()] == [True, True, True, False, True]


def test_tensors_are_found_in_their_order_and_all_else_left_out() -> None:
    a, b, c = torch.zeros(3)
    assert tensors_of({"x": [a, (b, "text")], "y": None, "z": {"deep": c}}) == [a, b, c]
