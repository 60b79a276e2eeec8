"""The classifier of tags and its activation maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import paring
from paring.labels.tags.classifier import (
    ClassifierLesson,
    TaggedImages,
    activation_maps,
    build_classifier,
    image_tensor,
)
from paring.labels.tags.peaks import find_peaks
from paring.training.fitting import Fitting, fit


def test_logits_are_the_means_of_the_maps() -> None:
    torch.manual_seed(0)
    model = build_classifier("mobilenet_v2", 3, stride=16).eval()
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        features = model.encoder(images)
        expected = model.linear(features.mean(dim=(2, 3)))
        torch.testing.assert_close(model(images), expected, atol=1e-5, rtol=1e-4)
        assert model.maps(images).shape == (2, 3, 4, 6)


def test_a_point_of_a_map_lies_where_it_is_in_the_image() -> None:
    """The enlarged map of a cell is largest in the middle of that cell."""

    class Cell(torch.nn.Module):
        def maps(self, images):
            return torch.nn.functional.avg_pool2d(images[:, :1], 8)

    image = torch.zeros(3, 64, 64)
    image[0, 8:16, 48:56] = 1  # the cell at row 1 and column 6
    maps, logits = activation_maps(Cell(), image, enlarge=8)
    assert maps.shape == (1, 64, 64)
    (peak,) = find_peaks(maps, np.array([True])).pixels((64, 64)).tolist()
    assert peak in [[y, x] for y in (11, 12) for x in (51, 52)]
    assert logits.tolist() == pytest.approx([1 / 64])


def test_samples_are_mirrored_by_seed_epoch_and_row(tmp_path: Path) -> None:
    data = paring.scenes(3, seed=0, size=(40, 60), folder=tmp_path / "images")
    present = np.array([[1, 0], [0, 1], [1, 1]], bool)
    samples = TaggedImages(data, present, size=(32, 48), seed=2)
    plain = image_tensor(data.read_image(1), (32, 48))
    seen = [samples[epoch, 0]["image"] for epoch in range(20)]
    flips = [torch.equal(one, plain.flip(2)) for one in seen]
    assert all(f or torch.equal(one, plain) for f, one in zip(flips, seen, strict=True))
    assert 3 < sum(flips) < 17
    assert samples[4, 2]["present"].tolist() == [1, 1]
    assert torch.equal(samples[4, 2]["image"], samples[4, 2]["image"])


def test_it_learns_the_colours_of_two_tags(tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    for k in range(16):
        pixels = rng.integers(0, 60, (48, 48, 3), np.uint8)
        y, x = rng.integers(4, 28, 2)
        pixels[y : y + 16, x : x + 16, 2 if k % 2 else 0] = 250
        cv2.imwrite(str(tmp_path / f"{k:02d}.png"), pixels)
    data = paring.read(tmp_path)
    present = np.array([[k % 2 == 1, k % 2 == 0] for k in range(16)])
    torch.manual_seed(0)
    model = build_classifier("mobilenet_v2", 2, stride=8)
    fitting = Fitting(
        epochs=8, batch_size=8, optimiser="adamw", lr=0.003, workers=0, threads=1, accelerator="cpu"
    )
    samples = TaggedImages(data, present, size=(48, 48), seed=0)
    fit(ClassifierLesson(model, fitting, 0, [""] * 16), samples, tmp_path / "training")
    model.eval()
    right = 0
    for row, image_id in enumerate(data.images["image_id"]):
        _, logits = activation_maps(model, image_tensor(data.read_image(image_id), (48, 48)))
        right += (logits.argmax() == 0) == present[row, 0]
    assert right >= 15
