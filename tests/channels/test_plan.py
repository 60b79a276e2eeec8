from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file
from torch import nn

from narrowed import image
from paring.channels.plan import PrunePlan
from paring.channels.planning import make_plan
from paring.errors import InputError

pytestmark = pytest.mark.torch

NET = """
import torch
from torch import nn

def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(),
        nn.Conv2d(12, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 2, 1),
    )
"""


def net() -> nn.Module:
    scope: dict = {}
    exec(NET, scope)  # the same text that the other process has
    made: nn.Module = scope["net"]()
    return made


def plan_of(keep: float = 0.5, model: nn.Module | None = None) -> PrunePlan:
    return make_plan(model or net(), image(1, 3, 8, 8), criterion="l1", keep_macs=keep)


def test_a_plan_is_a_file_that_reads_and_comes_back(tmp_path: Path) -> None:
    plan = plan_of()
    plan.save(tmp_path / "plan.json")
    again = PrunePlan.load(tmp_path / "plan.json")
    assert again.to_json() == plan.to_json()
    written = json.loads((tmp_path / "plan.json").read_text())
    assert written["layers"]["0"]["out"] == written["groups"]["0"]
    assert written["layers"]["0"]["out"].endswith(" of 12")
    lines = plan.to_json().splitlines()
    assert sum('"out":' in line or '"in":' in line for line in lines) == len(plan.layers)
    assert "0: " in str(plan)
    with pytest.raises(InputError, match="plan.json"):
        plan.save(tmp_path / "plan.json")


def test_applying_leaves_the_network_as_it_is_and_gives_a_smaller_one() -> None:
    model, plan = net(), plan_of()
    before = copy.deepcopy(model.state_dict())
    small = plan.apply(model)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    kept = plan.layers["0"]["out"].places
    assert small[0].out_channels == small[1].num_features == len(kept) < 12
    assert torch.equal(small[0].weight, model[0].weight[kept])
    with pytest.raises(InputError, match="layer 0 of Sequential has .* where 12 were expected"):
        plan.apply(small)


def test_two_plans_are_one() -> None:
    model = net()
    first = plan_of(0.6, model)
    small = first.apply(model)
    second = plan_of(0.6, small)
    both, one = second.apply(small), first.then(second).apply(model)
    for name, value in both.state_dict().items():
        assert torch.equal(value, one.state_dict()[name])
    assert first.then(second).groups["0"].of == 12
    about = first.then(second).about
    assert about["macs_before"] == first.about["macs_before"] > second.about["macs_before"]
    assert about["macs"] == second.about["macs"]


def test_the_pruned_network_comes_back_in_another_process(tmp_path: Path) -> None:
    plan, x = plan_of(), image(1, 3, 8, 8)
    small = plan.apply(net()).eval()
    plan.save(tmp_path / "plan.json")
    save_file(small.state_dict(), tmp_path / "model.safetensors")
    save_file({"x": x}, tmp_path / "x.safetensors")
    code = NET + (
        "import sys, safetensors.torch as st, paring\n"
        "small = paring.channels.PrunePlan.load('plan.json').apply(net()).eval()\n"
        "small.load_state_dict(st.load_file('model.safetensors'))\n"
        "x = st.load_file('x.safetensors')['x']\n"
        "st.save_file({'y': small(x).detach()}, 'y.safetensors')\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    from safetensors.torch import load_file

    found = load_file(tmp_path / "y.safetensors")["y"]
    assert float((found - small(x).detach()).abs().max()) <= 1e-6


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace("paring prune plan 1", "another"), "its format is 'another'"),
        (lambda t: t.replace(" of 12", " for 12"), "does not read as"),
        (lambda t: t.replace('"groups"', '"goats"'), "goats"),
        (lambda t: t[:-9], "is no plan of pruning"),
    ],
)
def test_a_file_that_is_no_plan_is_named(tmp_path: Path, change, says: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(change(plan_of().to_json()))
    with pytest.raises(InputError, match=says) as caught:
        PrunePlan.load(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        PrunePlan.load(tmp_path / "none.json")
