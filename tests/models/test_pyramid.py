"""Five features of one width, and images in one batch."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.models.pyramid import LEVELS, Pyramid, Unresized


def test_features_have_strides_4_to_64_and_one_width() -> None:
    torch.manual_seed(0)
    levels = Pyramid("mobilenet_v2", 24).eval()(torch.rand(1, 3, 128, 192))
    assert len(levels) == LEVELS
    expected = [(1, 24, 128 // stride, 192 // stride) for stride in (4, 8, 16, 32, 64)]
    assert [tuple(level.shape) for level in levels.values()] == expected


def test_images_are_padded_right_and_below_and_stay_as_they_are() -> None:
    images = [torch.rand(3, 50, 33), torch.rand(3, 64, 80)]
    batch = Unresized().batch_images(images)
    assert batch.shape == (2, 3, 64, 96)
    for one, image in zip(batch, images, strict=True):
        high, wide = image.shape[1:]
        assert torch.equal(one[:, :high, :wide], image)
        assert one[:, high:].abs().sum() + one[:, :, wide:].abs().sum() == 0
    assert Unresized().batch_images([torch.rand(3, 8, 8)]).shape == (1, 3, 64, 64)
