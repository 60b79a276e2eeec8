from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from paring.training.optimising import make_optimiser, make_schedule, rate_at
from paring.training.recipe import Optimiser, Schedule

pytestmark = pytest.mark.torch


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(2, 2)
        self.head = nn.Linear(2, 1)


def rates(wished: Schedule, *, steps: int = 10, steps_an_epoch: float = 5) -> list[float]:
    return [
        rate_at(step, steps=steps, steps_an_epoch=steps_an_epoch, wished=wished)
        for step in range(steps + 1)
    ]


def test_the_encoder_learns_at_its_own_rate() -> None:
    model = Tiny()
    optimiser = make_optimiser(model, Optimiser(name="sgd", lr=0.1, encoder_lr=0.5))
    by_rate = {group["lr"]: group["params"] for group in optimiser.param_groups}
    assert {rate: {id(p) for p in params} for rate, params in by_rate.items()} == {
        0.05: {id(p) for p in model.encoder.parameters()},
        0.1: {id(p) for p in model.head.parameters()},
    }


def test_parameters_that_do_not_learn_are_left_out() -> None:
    model = Tiny()
    model.encoder.requires_grad_(False)
    optimiser = make_optimiser(model, Optimiser())
    assert sum(len(group["params"]) for group in optimiser.param_groups) == 2
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="no parameter"):
        make_optimiser(model, Optimiser())


def test_the_names_give_the_optimisers_with_their_settings() -> None:
    adamw = make_optimiser(Tiny(), Optimiser(weight_decay=0.3))
    assert type(adamw) is torch.optim.AdamW
    assert adamw.defaults["weight_decay"] == 0.3
    sgd = make_optimiser(Tiny(), Optimiser(name="sgd", momentum=0.7))
    assert type(sgd) is torch.optim.SGD
    assert sgd.defaults["momentum"] == 0.7


def test_the_schedules_are_their_formulas() -> None:
    assert rates(Schedule()) == [1.0] * 11
    poly = rates(Schedule(name="poly", power=0.9))
    assert poly == pytest.approx([(1 - t / 10) ** 0.9 for t in range(11)])
    cosine = rates(Schedule(name="cosine"))
    assert cosine[0] == 1
    assert cosine[5] == pytest.approx(0.5)
    assert cosine[10] == pytest.approx(0, abs=1e-12)
    falling = rates(Schedule(name="multistep", milestones=(1,), gamma=0.1))
    assert falling == [1.0] * 5 + [0.1] * 6


def test_warm_up_rises_on_a_line_to_the_schedule() -> None:
    warm = rates(Schedule(warmup_steps=4, warmup_start=0.2))
    assert warm[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_milestones_are_epochs_whatever_the_number_of_batches() -> None:
    wished = Schedule(name="multistep", milestones=(2,))
    for steps_an_epoch in (1, 3, 7.5):
        changed = [
            step
            for step in range(1, 40)
            if rate_at(step, steps=40, steps_an_epoch=steps_an_epoch, wished=wished) < 1
        ]
        assert changed[0] == round(2 * steps_an_epoch)


def test_the_optimiser_follows_the_schedule_step_by_step() -> None:
    optimiser = make_optimiser(Tiny(), Optimiser(name="sgd", lr=0.5))
    schedule = make_schedule(optimiser, Schedule(name="cosine"), steps=4, steps_an_epoch=2)
    seen = []
    for _ in range(4):
        seen.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert seen == pytest.approx([0.5 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(4)])
