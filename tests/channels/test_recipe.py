from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from paring.channels.network import Network
from paring.channels.recipe import pruning_recipe, pruning_recipes
from paring.channels.stages import Pruning, Spread, Stage
from paring.errors import InputError
from paring.models import build

pytestmark = pytest.mark.torch


def network(name: str = "unet_mobilenet_v2", recipe=None) -> Network:
    return Network(build(name, ["a", "b"], seed=0), "the network", Path("m.safetensors"), recipe)


def test_the_authors_schedules_are_their_steps_and_shares() -> None:
    steps = {}
    for name in ("sirfp-cityscapes", "sirfp-ade20k", "sirfp-coco"):
        model = "deeplabv3plus_resnet50" if "city" in name else "deeplabv3_resnet50"
        recipe, prune = pruning_recipe(network(model), name)
        assert prune.pruning(0).loss_after == "gsrl"
        steps[name] = ([(s.step, s.keep_macs) for s in prune.when(None)], recipe.trainer.steps)
    assert steps == {
        "sirfp-cityscapes": ([(4000, 0.7), (12000, 0.4)], 48000),
        "sirfp-ade20k": ([(16000, 0.4)], 160000),
        "sirfp-coco": ([(6000, 0.7), (12000, 0.4)], 66000),
    }
    assert {*steps, "small"} == set(pruning_recipes())


def test_the_recipe_of_a_training_goes_on_with_what_is_wished(tmp_path: Path) -> None:
    own, _ = pruning_recipe(network(), "small", ["data.size=[32,48]", "seed=7"], data=tmp_path)
    recipe, prune = pruning_recipe(
        network(recipe=own),
        None,
        ["prune.criterion=l1", "prune.ignored=[net.head]", "trainer.epochs=2"],
        wished={"multiple": 8, "score": None},
    )
    assert (recipe.data.size, recipe.seed, recipe.trainer.epochs) == ((32, 48), 7, 2)
    assert recipe.data.train.path == str(tmp_path)
    assert prune.pruning(7) == Pruning(criterion="l1", ignored=("net.head",), multiple=8, seed=7)
    assert prune.when(0.3) == Spread(0.3, 3)


def test_a_file_of_ones_own_is_a_recipe_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("prune: {stages: [[5, 0.8], [9, 0.6]], every: 2}\ndata: {train: here}\n")
    recipe, prune = pruning_recipe(network(), str(file))
    assert prune.when(0.6) == [Stage(5, 0.8), Stage(9, 0.6)]
    assert recipe.data.train.path == str(tmp_path / "here")
    with pytest.raises(InputError, match="keeps 0.6 of the MACs in its last stage"):
        prune.when(0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prune: {steps: 3}", "mine.yaml: prune: .*unknown field `steps`"),
        ("prune: {criterion: best}", "mine.yaml: prune: Invalid enum value 'best'"),
        ("model: pspnet_mobilenet_v2", "is for pspnet_mobilenet_v2, and the network holds unet"),
        ("- a", "mine.yaml: is no recipe"),
        ("trainer: {epoch: 3}", "mine.yaml: .*epoch"),
    ],
)
def test_a_recipe_that_cannot_be_is_said(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        pruning_recipe(network(), str(file))


def test_the_network_goes_on_with_its_own_options_and_normalisation(tmp_path: Path) -> None:
    model = build(
        "unet_mobilenet_v2", ["a", "b"], seed=0, aux=False, mean=[0.5, 0.25, 0.125], std=[1, 2, 4]
    )
    recipe, _ = pruning_recipe(Network(model, "it", Path("m")), "small", data=tmp_path)
    assert recipe.options == model.options
    assert recipe.options["aux"] is False
    assert (recipe.mean, recipe.std) == ((0.5, 0.25, 0.125), (1.0, 2.0, 4.0))


def test_what_is_missing_is_said() -> None:
    with pytest.raises(InputError, match="has no recipe beside it; give --recipe"):
        pruning_recipe(network(), None)
    _, prune = pruning_recipe(network(), "small")
    with pytest.raises(InputError, match="give --keep-macs"):
        prune.when(None)
