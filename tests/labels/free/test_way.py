"""Stages from images to masks: what each was made from, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import timm
from safetensors.torch import save_file

from freeing import same, tiny
from paring.errors import InputError
from paring.labels import labels_from_images, load_free_recipe
from paring.labels.free.looking import FeatureFolder
from paring.labels.free.way import refuse_nothing
from paring.training.logs import TableLog
from paring.training.trained import LOG


def test_other_exemplars_train_the_second_network_anew(whole, data, recipe, tmp_path: Path) -> None:
    shutil.copytree(whole.network.parent.parent, tmp_path / "run")
    ids = data.images["image_id"].to_list()
    one, other = data.subset(ids[:2]), data.subset(ids[3:5])
    first = labels_from_images(data, recipe, tmp_path / "run", exemplars=one)
    second = labels_from_images(data, recipe, tmp_path / "run", exemplars=other)
    assert not same(first, second)
    assert same(labels_from_images(data, recipe, tmp_path / "run", exemplars=other), second)


def test_other_features_are_looked_at_anew(data, recipe, tmp_path: Path) -> None:
    found = []
    for seed in (0, 1):
        folder = tmp_path / f"features-{seed}"
        folder.mkdir()
        rng = np.random.default_rng(seed)
        for name in data.images["file_name"]:
            np.save((folder / name).with_suffix(".npy"), rng.normal(size=(6, 8, 10)))
        found.append(
            labels_from_images(
                data,
                recipe,
                tmp_path / "run",
                until="masks",
                features=FeatureFolder(folder),
            )
        )
    assert found[0].masks.data != found[1].masks.data


@pytest.mark.parametrize("learnt", [True, False])
def test_a_seed_matters_to_free_masks_only_where_the_encoder_is_of_chance(
    data, tmp_path: Path, learnt: bool
) -> None:
    words = tiny()
    if learnt:
        encoder = timm.create_model("mobilenetv2_100", num_classes=0)
        save_file(encoder.state_dict(), tmp_path / "learnt.safetensors")
        words = tiny(f"weights={tmp_path / 'learnt.safetensors'}")
    times = []
    for seed in (0, 1):
        recipe = load_free_recipe("small", [*words, f"seed={seed}"])
        labels_from_images(data, recipe, tmp_path / "run", until="masks")
        times.append({file: file.stat().st_mtime_ns for file in tmp_path.glob("run/masks/*.npz")})
    assert len(times[0]) == len(data)
    assert (times[0] == times[1]) is learnt


def test_mixed_precision_learns_about_the_same(whole, data, tmp_path: Path) -> None:
    made = whole.network.parent.parent
    shutil.copytree(made, tmp_path / "run")
    mixed = load_free_recipe("small", tiny("network.fitting.precision=bf16-mixed"))
    found = labels_from_images(data, mixed, tmp_path / "run")
    assert len(found.predictions)

    def losses(folder: Path) -> list[float]:
        return [
            float(row["epoch_loss"])
            for stage in ("first", "second")
            for row in TableLog(folder / stage / "training" / LOG).rows
        ]

    whole_losses, mixed_losses = losses(made), losses(tmp_path / "run")
    assert len(whole_losses) == 4
    assert mixed_losses != whole_losses
    assert mixed_losses == pytest.approx(whole_losses, rel=0.3)


def test_nothing_to_learn_from_is_one_sentence(whole) -> None:
    refuse_nothing(whole.masks, "search")
    with pytest.raises(InputError, match="the search found nothing in any image"):
        refuse_nothing(whole.masks.take([]), "search")
