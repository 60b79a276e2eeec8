from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torchvision
from torch import nn

from narrowed import image
from paring.channels.importance import unit_importance
from paring.channels.latency import Latency
from paring.channels.planning import make_plan
from paring.channels.structure import find_structure
from paring.channels.tracking import calibrate
from paring.errors import InputError
from paring.evaluation.cost import macs_of_run
from paring.models import build

pytestmark = pytest.mark.torch

X = (1, 3, 64, 64)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18().eval()


@pytest.fixture(scope="module")
def scores(net: nn.Module):
    return calibrate(net, [image(2, 3, 64, 64), image(2, 3, 64, 64) ** 2])


def widths(plan) -> dict[str, int]:
    return {name: len(stays.places) for name, stays in plan.groups.items()}


@pytest.mark.parametrize(
    "criterion", ["redundancy", "random", "l1", "l2", "bn_scale", "fpgm", "group_norm"]
)
@pytest.mark.parametrize("keep", [0.7, 0.25])
def test_the_budget_is_met_within_a_hundredth(net, scores, criterion: str, keep: float) -> None:
    x = image(*X)
    given = scores if criterion == "redundancy" else None
    before = copy.deepcopy(net.state_dict())
    plan = make_plan(
        net, x, scores=given, criterion=criterion, keep_macs=keep, structure=scores.structure
    )
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    small = plan.apply(net)
    macs, whole = macs_of_run(lambda: small(x)), macs_of_run(lambda: net(x))
    assert 0.99 * keep * whole <= macs <= keep * whole
    assert (plan.about["macs"], plan.about["macs_before"]) == (macs, whole)
    assert plan.about["parameters"] == sum(p.numel() for p in small.parameters())
    assert plan.about["below_budget"] == pytest.approx(1 - macs / (keep * whole))


def test_products_that_change_with_the_width_count_too() -> None:
    model, x = build("pspnet_mobilenet_v2", ["a", "b"], seed=0).eval(), image(1, 3, 64, 64)
    plan = make_plan(model, x, criterion="l1", keep_macs=0.3)
    macs = macs_of_run(lambda: plan.apply(model)(x))
    assert plan.about["macs"] == macs
    assert 0.99 * 0.3 <= macs / macs_of_run(lambda: model(x)) <= 0.3


def test_parameters_and_macs_in_numbers_are_budgets_too(net) -> None:
    x = image(*X)
    plan = make_plan(net, x, criterion="l1", max_params=5_000_000)
    assert 4_950_000 <= sum(p.numel() for p in plan.apply(net).parameters()) <= 5_000_000
    plan = make_plan(net, x, criterion="l1", max_macs=60_000_000)
    assert 59_400_000 <= macs_of_run(lambda: plan.apply(net)(x)) <= 60_000_000


def test_milliseconds_are_a_budget_by_where_they_go(net) -> None:
    x = image(*X)
    times = {name: 1.0 for name, part in net.named_modules() if isinstance(part, nn.Conv2d)}
    latency = Latency(total=25.0, layers=times)  # 20 convolutions, and 5 ms that stay
    plan = make_plan(net, x, criterion="random", max_latency_ms=15.0, latency=latency)
    assert 14.85 <= plan.about["reached"] <= 15.0
    with pytest.raises(InputError, match="needs latency"):
        make_plan(net, x, criterion="random", max_latency_ms=15.0)
    with pytest.raises(InputError, match="the latency is of another network"):
        other = Latency(1.0, {"x": 1.0})
        make_plan(net, x, criterion="random", max_latency_ms=0.5, latency=other)


def test_widths_are_multiples_where_asked(net, scores) -> None:
    plan = make_plan(net, image(*X), scores=scores, keep_macs=0.5, multiple=8)
    assert all(
        stays.of == n or n % 8 == 0
        for n, stays in zip(widths(plan).values(), plan.groups.values(), strict=True)
    )
    assert plan.about["macs"] <= 0.5 * plan.about["macs_before"]


def test_a_floor_and_what_is_ignored_stay(net, scores) -> None:
    plan = make_plan(
        net, image(*X), scores=scores, keep_macs=0.35, floor=0.25, ignored=["layer3.0"]
    )
    for name, stays in plan.groups.items():
        assert len(stays.places) >= int(0.25 * stays.of), name
    small = plan.apply(net)
    for one, other in zip(small.layer3[0].parameters(), net.layer3[0].parameters(), strict=True):
        assert torch.equal(one, other)
    assert plan.about["kept_whole"]["layer3.0.conv1"] == "layer3.0.conv1 is to be ignored"


def test_parts_apart_lose_the_same_share_of_their_units(net, scores) -> None:
    plan = make_plan(net, image(*X), scores=scores, keep_macs=0.5, apart=["layer4"], floor=0.0)
    gone = [[0, 0], [0, 0]]
    for name, stays in plan.groups.items():
        part = gone[name.startswith("layer4")]
        part[0] += stays.of - len(stays.places)
        part[1] += stays.of - 1
    shares = [lost / of for lost, of in gone]
    assert abs(shares[0] - shares[1]) < 0.02


def test_both_scores_keep_the_last_of_the_elimination(net, scores) -> None:
    from paring.channels.clique import greedy_clique

    plans = [
        make_plan(net, image(*X), scores=scores, keep_macs=0.4, score=score)
        for score in ("mean", "sum")
    ]
    assert widths(plans[0]) != widths(plans[1])
    for plan in plans:
        for group in scores.structure.groups:
            kept = plan.groups[group.name].places
            order = greedy_clique(scores.edge_weights(group)).order
            assert sorted(order[-len(kept) :]) == kept.tolist()


def test_own_numbers_by_group_are_a_criterion(net, scores) -> None:
    numbers = unit_importance(net, scores.structure, "l1")
    x = image(*X)
    mine = make_plan(net, x, scores=numbers, criterion="mine", keep_macs=0.5)
    theirs = make_plan(net, x, criterion="l1", keep_macs=0.5)
    assert widths(mine) == widths(theirs)
    assert mine.about["criterion"] == "mine"


@pytest.mark.parametrize(
    ("wished", "says"),
    [
        ({}, "give one budget of keep_macs, max_macs, max_params, max_latency_ms, not 0"),
        ({"keep_macs": 0.5, "max_params": 9}, "give one budget .* not 2"),
        ({"keep_macs": 1.5}, "keep_macs 1.5 cannot be; it is a share above 0, at most 1"),
        ({"max_macs": 0}, "max_macs 0 cannot be"),
        ({"keep_macs": 0.5, "multiple": 0}, "multiple 0 cannot be"),
        ({"keep_macs": 0.5, "floor": 2}, "floor 2 cannot be"),
        ({"keep_macs": 0.5, "apart": ["head"]}, "ResNet has no module 'head'"),
        ({"keep_macs": 0.5, "criterion": "redundancy"}, "the criterion redundancy needs scores"),
        ({"keep_macs": 0.5, "criterion": "best"}, "criterion 'best' is not known"),
        ({"keep_macs": 0.5, "ignored": [""]}, "nothing can go: of conv1"),
    ],
)
def test_a_wish_that_cannot_be_is_said(net, scores, wished: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_plan(net, image(*X), **{"criterion": "l1", "structure": scores.structure, **wished})


def test_a_budget_out_of_reach_says_the_smallest_that_is_in_reach(net, scores) -> None:
    x, structure = image(*X), scores.structure
    with pytest.raises(InputError, match="cannot be reached") as caught:
        make_plan(net, x, criterion="l1", keep_macs=0.1, floor=0.5, structure=structure)
    least = int(str(caught.value).split(" it is ")[1].split(", ")[0].replace(",", ""))
    plan = make_plan(net, x, criterion="l1", max_macs=least, floor=0.5, structure=structure)
    assert plan.about["macs"] == least
    with pytest.raises(InputError, match="cannot be reached"):
        make_plan(net, x, criterion="l1", max_macs=least - 1, floor=0.5, structure=structure)


def test_auxiliary_heads_lose_their_inputs_too() -> None:
    model = build("deeplabv3plus_mobilenet_v2", ["a", "b"], seed=0, aux=True)
    x = image(1, 3, 64, 64)
    assert "net.aux.0" in {m.layer for g in find_structure(model, x).groups for m in g.members}
    small = make_plan(model, x, criterion="random", keep_macs=0.4).apply(model).eval()
    assert [tuple(stage.shape) for stage in small.stages(x)] == 2 * [(1, 2, 64, 64)]
    assert small(x).shape == (1, 2, 64, 64)


def test_the_same_seed_gives_the_same_plan(net, scores) -> None:
    plans = [make_plan(net, image(*X), scores=scores, keep_macs=0.5).to_json() for _ in range(2)]
    assert plans[0] == plans[1]
    rng = [make_plan(net, image(*X), criterion="random", keep_macs=0.5, seed=s) for s in (1, 1, 2)]
    assert rng[0].to_json() == rng[1].to_json() != rng[2].to_json()
    assert np.isfinite(rng[0].about["below_budget"])
