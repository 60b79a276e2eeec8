from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from narrowed import image
from paring.channels.carrying import cut_optimiser, flat_places
from paring.channels.planning import make_plan
from paring.models.cuts import apply_cuts

pytestmark = pytest.mark.torch


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 6, 2),
        nn.ReLU(),
        nn.Conv2d(6, 2, 1),
    )


def step(model: nn.Module, optimiser: torch.optim.Optimizer, x: torch.Tensor) -> None:
    optimiser.zero_grad()
    model(x).square().mean().backward()
    optimiser.step()


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.AdamW(p, lr=0.01),
        lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    ],
)
def test_the_state_of_a_weight_is_sliced_as_the_weight(make) -> None:
    model, x = net(), image(2, 3, 8, 8)
    optimiser = make([{"params": model[:3].parameters()}, {"params": model[3:].parameters()}])
    for _ in range(3):
        step(model, optimiser, x)
    before = dict(model.named_parameters())
    old = {n: copy.deepcopy(optimiser.state[p]) for n, p in before.items()}
    plan = make_plan(model, x, criterion="l1", keep_macs=0.5)
    where = flat_places(model, plan.layers)
    for key in [k for k, v in next(iter(old.values())).items() if v.ndim]:
        # the same network with the state as its weights, cut
        other = copy.deepcopy(model)
        for name, parameter in other.named_parameters():
            parameter.data.copy_(old[name][key])
        apply_cuts(other, plan.layers)
        for name, expected in other.named_parameters():
            assert torch.equal(old[name][key].flatten()[where[name]], expected.detach())
    apply_cuts(model, plan.layers)
    now = dict(model.named_parameters())
    cut_optimiser(optimiser, before, now, where)
    held = [p for group in optimiser.param_groups for p in group["params"]]
    assert all(a is b for a, b in zip(held, model.parameters(), strict=True))
    assert set(optimiser.state) == set(now.values())
    for name, parameter in now.items():
        for key, value in optimiser.state[parameter].items():
            if torch.is_tensor(value) and value.ndim:
                assert torch.equal(value, old[name][key].flatten()[where[name]])
            else:
                assert value == old[name][key]
    was = now["0.weight"].detach().clone()
    step(model, optimiser, x)
    assert not torch.equal(was, now["0.weight"])
