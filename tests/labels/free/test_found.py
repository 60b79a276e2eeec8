"""What is found in images, kept and put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import paring
from paring.errors import InputError
from paring.labels.free.found import Found, gathered


def found(n: int, seed: int = 0, size: tuple[int, int] = (12, 15)) -> Found:
    chance = torch.Generator().manual_seed(seed)
    solid = torch.rand(n, *size, generator=chance) > 0.7
    scores = torch.linspace(0.9, 0.1, n) if n else torch.zeros(0)
    return Found.of(solid, scores, scores / 2, torch.randn(n, 4, generator=chance))


def test_it_is_read_back_as_it_was(tmp_path: Path) -> None:
    for n in (3, 0):
        one = found(n)
        one.save(tmp_path / "one.npz")
        again = Found.load(tmp_path / "one.npz")
        for name in Found.__dataclass_fields__:
            assert np.array_equal(getattr(one, name), getattr(again, name))


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "one.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="one.npz: cannot be read"):
        Found.load(tmp_path / "one.npz")


def test_put_together_each_mask_is_with_its_image_score_and_embedding() -> None:
    data = paring.scenes(3, seed=0)
    parts = {1: found(2, 1), 2: found(0), 3: found(3, 3, (20, 9))}
    labels = gathered(data, parts, 4)
    assert labels.data.instances["image_id"].to_list() == [1, 1, 3, 3, 3]
    assert labels.data.instances["score"].to_list() == [
        *parts[1].scores.tolist(),
        *parts[3].scores.tolist(),
    ]
    assert np.array_equal(labels.embeddings[2:], parts[3].embeddings)
    assert np.array_equal(labels.maskness[:2], parts[1].maskness)
    top, left, crop = labels.data.masks.crop(3)
    whole = np.zeros((20, 9), np.uint8)
    whole[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    solid = torch.rand(3, 20, 9, generator=torch.Generator().manual_seed(3)) > 0.7
    assert np.array_equal(whole, solid[1].numpy())
    some = labels.take([4, 0])
    assert some.data.instances["image_id"].to_list() == [3, 1]
    assert np.array_equal(some.embeddings, labels.embeddings[[4, 0]])
    assert len(some) == len(some.data.masks) == 2


def test_where_nothing_was_found_the_labels_are_empty() -> None:
    labels = gathered(paring.scenes(2, seed=0), {1: found(0), 2: found(0)}, 4)
    assert len(labels) == 0
    assert labels.embeddings.shape == (0, 4)
