from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import paring
from paring.channels import running
from paring.channels.network import Network, open_network
from paring.channels.recipe import pruning_recipe
from paring.channels.running import (
    Budget,
    prune_at_once,
    prune_in_stages,
    structure_of,
    write_pruned,
)
from paring.channels.stages import Pruning, Stage
from paring.errors import InputError
from paring.evaluation.cost import count_macs
from paring.models import build, load
from paring.training.run import train
from prunings import trained_at
from trainings import make_scenes, tiny

pytestmark = pytest.mark.torch
LAYER = "net.decoder.blocks.0.conv1.0"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_at(tmp_path_factory.mktemp("made"))


def at_once(network: Network, data, budget: Budget, how: Pruning, **more):
    size = (64, 64)
    structure = structure_of(network.model, size, how)
    return prune_at_once(network, data, budget, how, structure=structure, size=size, **more)


def test_milliseconds_out_of_reach_are_said(trained: Path, monkeypatch) -> None:
    monkeypatch.setattr(running, "latency_of", lambda *_, **__: {"ms": 8.0, "layers": {LAYER: 6.0}})
    with pytest.raises(InputError, match=r"7 ms are not reached: cut 8 times, .* takes 8.00 ms"):
        at_once(open_network(str(trained)), None, Budget(max_latency_ms=7), Pruning(criterion="l1"))


def head_of(model: torch.nn.Module) -> torch.Tensor:
    return model.state_dict()["net.head.weight"]


def test_more_is_cut_until_what_is_measured_is_within_the_budget(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, said = open_network(str(trained)), []

    def latency(model: torch.nn.Module, **_: object) -> dict:
        """Half of the time does not go with the MACs, which the prediction does not know."""
        share = count_macs(model, size=(64, 64)) / count_macs(network.model, size=(64, 64))
        layers = {
            n: 0.1 for n, m in network.model.named_modules() if isinstance(m, torch.nn.Conv2d)
        }
        return {"ms": 5 + 5 * share, "layers": layers}

    monkeypatch.setattr(running, "latency_of", latency)
    _, plan = at_once(
        network, None, Budget(max_latency_ms=8.0), Pruning(criterion="l1"), say=said.append
    )
    assert said
    assert all("so more must go" in sentence for sentence in said)
    assert 7.0 < plan.about["measured_ms"] <= 8.0
    assert plan.about["measured_ms"] == pytest.approx(
        5 + 5 * plan.about["macs"] / plan.about["macs_before"]
    )


def test_images_are_spread_over_the_data_and_normalised_for_ones_own(tmp_path: Path) -> None:
    data = paring.scenes(9, seed=0, size=(32, 32), folder=tmp_path)
    layers = [torch.nn.Conv2d(3, 8, 1), torch.nn.ReLU(), torch.nn.Conv2d(8, 2, 1)]
    net, seen = torch.nn.Sequential(*layers), []
    network, how = Network(net, "own:net"), Pruning()
    structure = structure_of(net, (32, 32), how)

    def hear(_: torch.nn.Module, given: tuple) -> None:
        seen.extend(given if len(given[0]) == 2 else ())  # batches, not the example

    net.register_forward_pre_hook(hear)
    prune_at_once(
        *(network, data, Budget(keep_macs=0.5), how),
        structure=structure,
        size=(32, 32),
        mean=(0.5, 0.25, 0.0),
        std=(2.0, 1.0, 0.5),
        batches=2,
    )
    from paring.training.samples import Samples

    plain = Samples(data, "binary", ["foreground"], size=(32, 32), targets=False)
    mean, std = torch.tensor([0.5, 0.25, 0.0]), torch.tensor([2.0, 1.0, 0.5])
    images = torch.stack([plain[row]["image"] for row in (0, 2, 4, 6)])
    assert torch.allclose(torch.cat(seen), (images - mean.view(3, 1, 1)) / std.view(3, 1, 1))


def test_redundancy_and_taylor_say_what_they_lack() -> None:
    network = Network(build("emcad_mobilenet_v2", ["a"], seed=0).eval(), "it")
    half = Budget(keep_macs=0.5)
    with pytest.raises(InputError, match="redundancy is measured on images; give --data"):
        at_once(network, None, half, Pruning())
    with pytest.raises(InputError, match="taylor needs gradients of a training"):
        at_once(network, None, half, Pruning(criterion="taylor"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("maskrcnn", {"proposals": 10, "detections": 5, "mask_width": 32}),
        ("solov2", {"head_width": 64, "head_layers": 2, "mask_width": 16, "kept_score": 0.0}),
    ],
)
def test_a_detector_is_pruned_and_still_finds(name: str, options: dict, tmp_path: Path) -> None:
    options = {"score_threshold": 0.0, "fpn_channels": 32, **options}
    model = build(f"{name}_mobilenet_v2_fpn", ["a"], seed=0, **options).eval()
    data = paring.scenes(2, seed=0, size=(64, 64), folder=tmp_path)
    small, plan = at_once(Network(model, "it"), data, Budget(keep_macs=0.8), Pruning())
    assert plan.about["macs"] <= 0.8 * plan.about["macs_before"]
    assert len(small([torch.rand(3, 64, 64)])[0]["boxes"]) > 0
    small.train()
    targets = {
        "boxes": torch.tensor([[4.0, 4.0, 30.0, 30.0]]),
        "labels": torch.tensor([1]),
        "masks": torch.ones(1, 64, 64, dtype=torch.uint8),
    }
    assert sum(small([torch.rand(3, 64, 64)], [targets]).values()).isfinite()


def test_a_detector_is_pruned_while_it_is_fine_tuned(tmp_path: Path) -> None:
    recipe = tiny(
        make_scenes(tmp_path, 6), model="maskrcnn_mobilenet_v2_fpn", trainer={"epochs": 1}
    )
    train(recipe, tmp_path / "trained")
    network = open_network(str(tmp_path / "trained"))
    tuned, section = pruning_recipe(network, None, ["trainer.epochs=2"])
    stages = [Stage(1, 0.9), Stage(2, 0.8)]
    small, plan = prune_in_stages(network, tuned, tmp_path / "run", stages, section.pruning(0))
    assert plan.about["macs"] <= 0.8 * plan.about["macs_before"]
    assert small.cuts
    assert "boxes" in small([torch.rand(3, 64, 64)])[0]


def test_pruning_goes_on_where_it_was_cut_short_and_changes_its_loss(
    trained: Path, tmp_path: Path
) -> None:
    network = open_network(str(trained))
    recipe, section = pruning_recipe(
        network, None, ["trainer.epochs=3", "prune.loss_after=gsrl", "trainer.ema=0.9"]
    )
    stages, how = [Stage(1, 0.8), Stage(3, 0.6)], section.pruning(0)

    class Enough(Exception):
        pass

    def stop(_: str, done: int, __: int) -> None:
        if done == 5:
            raise Enough

    whole, plan = prune_in_stages(network, recipe, tmp_path / "whole", stages, how)
    with pytest.raises(Enough):
        prune_in_stages(network, recipe, tmp_path / "cut", stages, how, progress=stop)
    again, same = prune_in_stages(network, recipe, tmp_path / "cut", stages, how)
    assert same.to_json() == plan.to_json()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    # what was finished but for its files is not trained again
    (tmp_path / "cut" / "cost.json").unlink(missing_ok=True)
    once_more, _ = prune_in_stages(network, recipe, tmp_path / "cut", stages, how)
    assert torch.equal(
        once_more.state_dict()["net.head.weight"], again.state_dict()["net.head.weight"]
    )
    other, _ = prune_in_stages(
        network, recipe, tmp_path / "other", stages, pruning_recipe(network, None)[1].pruning(0)
    )
    assert not torch.equal(
        other.state_dict()["net.head.weight"], whole.state_dict()["net.head.weight"]
    )
    cost = write_pruned(
        *(tmp_path / "cut", network, again, plan),
        structure=structure_of(network.model, (64, 64), how),
        size=(64, 64),
        opset=18,
        threads=1,
    )
    assert json.loads((tmp_path / "cut" / "cost.json").read_text()) == json.loads(json.dumps(cost))
    assert load(tmp_path / "cut" / "model.safetensors").cuts == again.cuts


def test_what_cannot_be_fine_tuned_here_is_said(trained: Path, tmp_path: Path) -> None:
    own = Network(torch.nn.Conv2d(3, 4, 1), "own:net")
    network = open_network(str(trained))
    recipe, section = pruning_recipe(network, None, ["trainer.epochs=3"])
    with pytest.raises(InputError, match="own:net: only models of ours can be fine-tuned here"):
        prune_in_stages(own, recipe, tmp_path / "run", [Stage(1, 0.5)], Pruning())
    patient, _ = pruning_recipe(network, None, ["stop.patience=2"])
    with pytest.raises(InputError, match=r"stop.patience could end the training"):
        prune_in_stages(network, patient, tmp_path / "run", [Stage(1, 0.5)], section.pruning(0))
