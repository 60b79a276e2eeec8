"""Recipes of learning from images alone."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from paring.errors import InputError
from paring.labels import load_free_recipe
from paring.labels.free.masks import PUBLISHED
from paring.labels.free.recipe import free_recipes


@pytest.mark.parametrize("name", free_recipes())
def test_what_is_written_is_read_back_as_the_same(name: str, tmp_path: Path) -> None:
    recipe = load_free_recipe(name)
    (tmp_path / "again.yaml").write_text(recipe.to_yaml())
    assert load_free_recipe(tmp_path / "again.yaml") == recipe
    assert recipe.options()["embedding"] == 128


def test_the_published_recipe_has_the_papers_constants() -> None:
    """Section 4.1 of the paper; the filters are those of FreeSOLO's code."""
    recipe = load_free_recipe("exemplar-freesolo")
    assert recipe.masks == PUBLISHED
    contrast, coarse = recipe.contrast, recipe.network.coarse
    assert (contrast.weight, contrast.tau, contrast.alpha, contrast.beta) == (1.3, 0.02, 0.8, 0.3)
    assert load_free_recipe("small").contrast.tau == 0.25  # 0.02 leaves no loss
    assert (coarse.average_projection, coarse.semantic) == (0.1, 0.4)
    assert recipe.network.fitting.batch_size == 8
    assert recipe.network.fitting.lr == 1e-3
    assert recipe.looking.size == recipe.network.size[0] == 800
    assert recipe.network.options.get("frozen_norm", True)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("network.size=[100,96]",), "network.size must be whole numbers of 32 pixels, not 100"),
        (("exemplars.count=-1",), "exemplars.count must be 0 or more"),
        (("masks.rank=size",), "masks.rank"),
        (("masks.ranks=maskness",), "masks.ranks.*did you mean.*rank"),
        (("weights=''",), "empty path"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(overrides, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_free_recipe("small", overrides)


def test_a_list_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- masks\n")
    with pytest.raises(InputError, match=r"list.yaml: is no recipe"):
        load_free_recipe(tmp_path / "list.yaml")


def test_an_encoder_without_a_network_is_refused_where_one_is_trained() -> None:
    recipe = load_free_recipe("small", ["encoder=resnet18"])
    with pytest.raises(InputError, match="'resnet18' has no SOLOv2 to train; those that have"):
        _ = recipe.model


def test_options_of_the_network_are_checked() -> None:
    recipe = load_free_recipe("small", ["network.options={grids: [1, 2]}"])
    with pytest.raises(InputError, match="options of model solov2_mobilenet_v2_fpn.*grids"):
        recipe.options()


def test_norms_stay_where_weights_are_given() -> None:
    assert "frozen_norm" not in load_free_recipe("small").options()
    assert load_free_recipe("small", ["weights=hub"]).options()["frozen_norm"]
