"""What a trained network finds in other images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import paring
from paring.errors import InputError
from paring.labels.free.predicting import best_mask, load_free, predict_free
from paring.models import build, save


def test_a_loaded_network_finds_what_the_run_found(whole, data, tmp_path: Path) -> None:
    found = predict_free(load_free(whole.network), data, (64, 96), threads=1)
    assert found.data == whole.predictions.data
    assert np.array_equal(found.embeddings, whole.predictions.embeddings)


def test_masks_are_of_the_size_of_their_images(whole, tmp_path: Path) -> None:
    other = paring.scenes(2, seed=9, size=(50, 90), folder=tmp_path / "p")
    found = predict_free(load_free(whole.network), other, (64, 96))
    assert set(found.data.masks.heights.tolist()) == {50}
    assert set(found.data.masks.widths.tolist()) == {90}
    assert found.data.instances["score"].is_between(0, 1).all()
    scores = found.data.instances.filter(found.data.instances["image_id"] == 1)["score"]
    assert scores.to_list() == sorted(scores, reverse=True)


def test_what_was_predicted_is_kept(whole, data, tmp_path: Path) -> None:
    model = load_free(whole.network)
    first = predict_free(model, data, (64, 96), folder=tmp_path)
    for parameter in model.parameters():
        parameter.data.zero_()
    again = predict_free(model, data, (64, 96), folder=tmp_path)
    assert again.data == first.data


def test_the_best_mask_of_a_crop_is_of_its_size(whole) -> None:
    model = load_free(whole.network)
    crop = np.random.default_rng(0).integers(0, 255, (37, 41, 3), np.uint8)
    found = best_mask(model, crop, (64, 96), score=0.0)
    assert found is not None
    assert found.shape == (37, 41)
    assert best_mask(model, crop, (64, 96), score=1.0) is None


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no network.safetensors; name a run of"):
        load_free(tmp_path / "network.safetensors")
    save(build("unet_mobilenet_v2", ["a", "b"], seed=0), tmp_path / "network.safetensors")
    with pytest.raises(InputError, match="is a unet_mobilenet_v2, not a network that was learnt"):
        load_free(tmp_path / "network.safetensors")
