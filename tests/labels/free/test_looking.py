"""Features of images: by an encoder in batches, and from a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import cv2

import paring
from paring.errors import InputError
from paring.labels.free.looking import EncoderFeatures, FeatureFolder, Looking, seen_at
from paring.models.stride import StrideEncoder


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> paring.Dataset:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for k, size in enumerate([(40, 60), (60, 40), (40, 60), (90, 60), (40, 60), (16, 300)]):
        cv2.imwrite(str(folder / f"{k}.png"), rng.integers(0, 255, (*size, 3), np.uint8))
    return paring.read(folder)


@pytest.fixture(scope="module")
def encoder() -> StrideEncoder:
    torch.manual_seed(0)
    return StrideEncoder("mobilenet_v2", 32).eval()


def test_images_in_batches_have_the_features_of_each_alone(photos, encoder) -> None:
    how = Looking(size=64, longest=256, batch_size=2)
    alone = Looking(size=64, longest=256, batch_size=1)
    found, expected = {}, {}
    for out, wished in ((found, how), (expected, alone)):
        for rows, sizes, batch in EncoderFeatures(encoder, wished).batches(photos, list(range(6))):
            for row, size, one in zip(rows, sizes, batch, strict=True):
                out[row] = size, one
    assert sorted(found) == list(range(6))
    for row in range(6):
        assert found[row][0] == expected[row][0]
        assert torch.allclose(found[row][1], expected[row][1], atol=1e-4)
    assert found[0][0] == (40, 60)
    assert found[0][1].shape[1:] == (2, 3)


def test_images_of_one_size_go_together(photos, encoder) -> None:
    features = EncoderFeatures(encoder, Looking(size=64, longest=256, batch_size=2))
    found = [rows for rows, _, _ in features.batches(photos, list(range(6)))]
    assert sorted(found) == [[0, 2], [1, 3], [4], [5]]


def test_images_of_many_sizes_do_not_all_wait(encoder, tmp_path: Path) -> None:
    for k in range(20):
        cv2.imwrite(str(tmp_path / f"{k:02}.png"), np.zeros((64, 64 + 64 * (k % 19), 3), np.uint8))
    many = paring.read(tmp_path)
    features = EncoderFeatures(encoder, Looking(size=64, longest=2048, batch_size=1))
    first, _, _ = next(iter(features.batches(many, list(range(20)))))
    assert first == [0]
    waiting = EncoderFeatures(encoder, Looking(size=64, longest=2048, batch_size=2))
    read: list[int] = []
    rows = iter(range(20))

    def noted():
        for row in rows:
            read.append(row)
            yield row

    next(iter(waiting.batches(many, noted())))
    assert len(read) == 16


def test_only_the_rows_asked_for_are_looked_at(photos, encoder) -> None:
    features = EncoderFeatures(encoder, Looking(size=64))
    assert sorted(r for rows, _, _ in features.batches(photos, [4, 1]) for r in rows) == [1, 4]


@pytest.mark.parametrize(
    ("image", "expected"),
    [((480, 640), (384, 512)), ((100, 100), (384, 384)), ((20, 2000), (64, 1344))],
)
def test_sizes_are_whole_cells_and_never_fewer_than_two(image, expected) -> None:
    assert Looking(size=384, longest=1333).seen(*image) == expected


def test_an_image_is_seen_in_colours_from_0_to_1() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[..., 0] = 255
    seen = seen_at(pixels, (8, 3))
    assert seen.shape == (3, 8, 3)
    assert seen[0].min() == 1
    assert seen[1:].max() == 0


def test_features_of_a_folder_are_found_by_the_name_of_the_image(photos, tmp_path: Path) -> None:
    for k in range(6):
        np.save(tmp_path / f"{k}.npy", np.full((3, 4, 5), k, np.float16))
    found = list(FeatureFolder(tmp_path).batches(photos, [2, 3]))
    assert [(rows, sizes) for rows, sizes, _ in found] == [([2], [(40, 60)]), ([3], [(90, 60)])]
    assert found[1][2].dtype == torch.float32
    assert float(found[1][2].mean()) == 3


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (None, "there are no features of image 0.png"),
        (np.zeros((3, 4)), r"an array of numbers \(C, h, w\), not of shape \(3, 4\)"),
        (np.zeros((3, 4, 4), int), "kind int64"),
        (np.full((3, 4, 4), np.nan), "not finite numbers"),
        (np.array(["a"], object), "is not a NumPy array"),
        (np.zeros((0, 4, 4)), r"not of shape \(0, 4, 4\)"),
    ],
)
def test_features_that_are_none_are_refused_by_name(made, words, photos, tmp_path: Path) -> None:
    if made is not None:
        np.save(tmp_path / "0.npy", made, allow_pickle=True)
    with pytest.raises(InputError, match=f"0.npy: .*{words}"):
        list(FeatureFolder(tmp_path).batches(photos, [0]))


def test_a_folder_of_features_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder of features"):
        FeatureFolder(tmp_path / "none")
