"""Recipes of learning from tags."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from paring.labels import load_tag_recipe
from paring.labels.tags.recipe import tag_recipes


def test_built_in_recipes_can_be_written_and_read_again(tmp_path: Path) -> None:
    for name in tag_recipes():
        recipe = load_tag_recipe(name)
        file = tmp_path / f"{name}.yaml"
        file.write_text(recipe.to_yaml())
        assert load_tag_recipe(file) == recipe


def test_the_papers_settings() -> None:
    voc = load_tag_recipe("cim-voc")
    first, last = voc.mining.rules(0), voc.mining.rules(2)
    assert (first.cls, first.iou, first.nms, first.contains) == (0.25, 0.5, 0.25, 0.85)
    assert (last.cls, last.iou, last.nms) == pytest.approx((0.45, 0.7, 0.45))
    assert (voc.mining.alpha, voc.mining.seeds, voc.network.branches) == (12, 0.1, 3)
    assert voc.inference.sizes == voc.network.sizes == (480, 576, 688, 864, 1200)
    fitting = voc.network.fitting
    # the rate of a mean of four gradients, where the authors sum them at 2.5e-4
    assert fitting.lr / fitting.accumulate == pytest.approx(2.5e-4)
    assert (fitting.momentum, fitting.weight_decay) == (0.9, 5e-4)
    assert fitting.epochs * 10_582 / fitting.accumulate >= fitting.steps == 45_000
    coco = load_tag_recipe("cim-coco").network.fitting
    assert coco.epochs * 115_000 / coco.accumulate >= coco.steps == 240_000


def test_paths_start_from_the_folder_of_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("weights: w.safetensors\n")
    assert load_tag_recipe(tmp_path / "r.yaml").weights == str(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network: {widht: 3}", "network.widht is no key of a recipe; did you mean network.width"),
        ("mining: {cls: 2}", "mining.cls"),
        ("encoder: resnet50", "network.start is weights, but none are given"),
        ("weights: ''", "empty path"),
        ("- a", "is no recipe"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(paring.InputError, match=said) as error:
        load_tag_recipe(tmp_path / "r.yaml")
    assert "r.yaml" in str(error.value)
