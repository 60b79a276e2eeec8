"""Free masks of a data set, gone on with where they were cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.errors import InputError
from paring.labels.free.finding import find_masks, found_file, image_vectors
from paring.labels.free.looking import FeatureFolder
from paring.labels.free.masks import Masking, free_masks


@pytest.fixture
def folder(data, tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for name in data.images["file_name"]:
        np.save((tmp_path / name).with_suffix(".npy"), rng.normal(size=(5, 6, 8)))
    return tmp_path


class Counting(FeatureFolder):
    """A folder that notes which images it was asked for."""

    def batches(self, data, rows):
        self.asked = rows
        return super().batches(data, rows)


def test_each_image_has_the_masks_of_its_features(data, folder: Path) -> None:
    how = Masking(count=4, embedding=3)
    labels = find_masks(data, FeatureFolder(folder), how)
    ids = labels.data.instances["image_id"].to_numpy()
    for row, (image_id, name) in enumerate(data.images.select("image_id", "file_name").iter_rows()):
        features = torch.from_numpy(FeatureFolder(folder).of(name))[None]
        size = data.images["height"][row], data.images["width"][row]
        (expected,) = free_masks(features, [size], how)
        mine = np.flatnonzero(ids == image_id)
        assert labels.data.instances["score"].gather(mine).to_list() == pytest.approx(
            expected.scores.tolist()
        )
        areas = labels.data.instances["area"].gather(mine).to_list()
        assert areas == expected.solid.flatten(1).sum(1).tolist()
    assert labels.embeddings.shape == (len(ids), 3)


def test_what_was_found_is_not_looked_for_again(data, folder: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    whole = find_masks(data, FeatureFolder(folder), folder=kept)
    ids = data.images["image_id"].to_list()
    found_file(kept, ids[2]).unlink()
    features = Counting(folder)
    steps: list[tuple[str, int, int]] = []
    again = find_masks(data, features, folder=kept, progress=lambda *one: steps.append(one))
    assert features.asked == [2]
    assert steps == [("finding masks", 6, 6)]
    assert again.data == whole.data
    assert np.array_equal(again.embeddings, whole.embeddings)


def test_the_vector_of_an_image_is_the_mean_over_its_places(data, folder: Path) -> None:
    vectors = image_vectors(data, FeatureFolder(folder))
    name = data.images["file_name"][3]
    assert vectors.shape == (6, 5)
    assert np.allclose(vectors[3], FeatureFolder(folder).of(name).mean(axis=(1, 2)), atol=1e-6)
    np.save((folder / name).with_suffix(".npy"), np.zeros((4, 6, 8)))
    with pytest.raises(InputError, match="different numbers of channels"):
        image_vectors(data, FeatureFolder(folder))
