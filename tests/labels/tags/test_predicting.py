"""Instances of images put together as data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from paring.labels.proposals.files import as_proposals
from paring.labels.tags.given import Tags
from paring.labels.tags.predicting import Found, gathered

NONE = np.empty(0, np.int64)


def found(rows, classes, scores) -> Found:
    return Found(
        np.array(rows, np.int64), np.array(classes, np.int64), np.array(scores, np.float64),
        NONE, NONE, NONE, np.empty((0, 4)),
    )  # fmt: skip


@pytest.fixture
def given():
    data = paring.scenes(3, seed=0)
    proposals = as_proposals(data, [1] * 6, data.masks.take(np.arange(6)).to_rle(), [0.5] * 6)
    present = np.array([[True, False], [False, True], [True, True]])
    return Tags(data, present, ["disc", "tile"], [1, 3]), proposals


def test_pseudo_labels_are_of_the_tags_and_above_the_bound(given) -> None:
    tags, proposals = given
    by_image = {
        1: found([0, 1, 2], [0, 1, 0], [0.9, 0.8, 0.2]),  # tile is no tag of it
        2: found([3], [1], [0.3]),
        3: found([], [], []),
    }
    everything, labels = gathered(by_image, tags, proposals, 0.3)
    assert everything.instances["image_id"].to_list() == [1, 1, 1, 2]
    assert everything.instances["category_id"].to_list() == [1, 3, 1, 3]
    assert labels.instances.select("image_id", "category_id", "score").rows() == [
        (1, 1, 0.9),
        (2, 3, 0.3),
    ]
    np.testing.assert_array_equal(
        labels.masks.areas(), proposals.masks.take(np.array([0, 3])).areas()
    )
    assert everything.tags is None


def test_what_was_found_comes_back_from_its_file(tmp_path: Path) -> None:
    one = found([4, 2], [1, 0], [0.5, 0.25])
    one.save(tmp_path / "1.npz")
    back = Found.load(tmp_path / "1.npz")
    for name in Found.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(back, name), getattr(one, name))
    (tmp_path / "1.npz").write_bytes(b"none")
    with pytest.raises(paring.InputError, match=r"1\.npz"):
        Found.load(tmp_path / "1.npz")
