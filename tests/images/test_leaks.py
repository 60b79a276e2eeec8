import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

import paring
from paring.errors import InputError
from paring.images.leaks import Leaks, find_leaks
from paring.images.similarity.decoding import read_grey
from paring.images.similarity.opening import Comparing
from similarity_oracle import all_similarities
from videos import video

HOW = Comparing(size=32, workers=2)
COLUMNS = ["cluster", "similarity", "train_id", "train_file", "test_id", "test_file"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes in bursts; the first of each burst is like no other."""
    folder = tmp_path_factory.mktemp("drawn") / "images"
    paring.scenes(60, seed=2, folder=folder, size=(48, 64))
    return folder


def sets(drawn: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Thirty images each, in two folders, numbered anew: names tell nothing."""
    for name, numbers in (("train", range(1, 31)), ("test", range(31, 61))):
        (tmp_path / name).mkdir()
        for place, number in enumerate(numbers):
            shutil.copy(drawn / f"{number:06d}.jpg", tmp_path / name / f"{place:03d}.jpg")
    return tmp_path / "train", tmp_path / "test"


def table(one: Path, other: Path, metric: str = "ssim") -> NDArray[np.float64]:
    """Similarity of each training image with each test image, the slow way."""
    paths = sorted(one.iterdir()), sorted(other.iterdir())
    pixels = np.stack([read_grey(path, HOW.size).reshape(-1) for part in paths for path in part])
    return all_similarities(pixels, metric, 255.0)[: len(paths[0]), len(paths[0]) :]


def pairs_of(found: Leaks) -> set[tuple[str, str]]:
    return set(found.pairs.select("train_file", "test_file").iter_rows())


def test_planted_copies_are_found_however_they_were_saved(drawn: Path, tmp_path: Path) -> None:
    train, test = sets(drawn, tmp_path)
    picture = cv2.imread(str(train / "004.jpg"))
    shutil.copy(train / "004.jpg", test / "copy.jpg")
    cv2.imwrite(str(test / "again.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 70])
    cv2.imwrite(str(test / "plain.png"), picture)
    cv2.imwrite(str(test / "lighter.png"), cv2.add(picture, np.full_like(picture, 6)))
    found = find_leaks(train, test, threshold=0.98, how=HOW)
    for name in ("copy.jpg", "again.jpg", "plain.png", "lighter.png"):
        assert ("004.jpg", name) in pairs_of(found)
    copies = found.pairs.filter(pl.col("train_file") == "004.jpg")
    assert copies["similarity"].max() == 1
    assert copies["cluster"].n_unique() == 1


def test_pairs_within_one_set_are_not_listed(drawn: Path, tmp_path: Path) -> None:
    train, test = sets(drawn, tmp_path)
    for folder, number in ((train, 3), (test, 5)):
        shutil.copy(folder / f"{number:03d}.jpg", folder / "twin.jpg")
    found = find_leaks(train, test, threshold=0.999, how=HOW)
    assert len(found.pairs) == 0
    shutil.copy(train / "003.jpg", test / "leaked.jpg")
    found = find_leaks(train, test, threshold=0.999, how=HOW)
    assert pairs_of(found) == {("003.jpg", "leaked.jpg"), ("twin.jpg", "leaked.jpg")}


@pytest.mark.parametrize("metric", ["ssim", "pcc"])
@pytest.mark.parametrize("threshold", [0.5, 0.9, -1.0])
def test_pairs_are_those_of_brute_force(
    drawn: Path, tmp_path: Path, metric: str, threshold: float
) -> None:
    train, test = sets(drawn, tmp_path)
    for number in (2, 9, 11):
        shutil.copy(train / f"{number:03d}.jpg", test / f"{20 + number:03d}.jpg")
    expected = table(train, test, metric)
    found = find_leaks(train, test, threshold=threshold, how=replace(HOW, metric=metric))
    first, second = np.nonzero(expected >= threshold)
    ids = found.pairs.select("train_id", "test_id").to_numpy() - 1
    assert set(map(tuple, ids.tolist())) == set(zip(first.tolist(), second.tolist(), strict=True))
    assert np.allclose(found.pairs["similarity"], expected[ids[:, 0], ids[:, 1]], atol=1e-9)


def clusters_of(pairs: pl.DataFrame) -> Iterator[set[str]]:
    """Clusters by merging sets until none meet."""
    groups = [{f"train {a}", f"test {b}"} for a, b in pairs.select("train_id", "test_id").rows()]
    while groups:
        group = groups.pop()
        while meets := [other for other in groups if other & group]:
            groups = [other for other in groups if not other & group]
            group = group.union(*meets)
        yield group


def test_pairs_that_share_an_image_are_one_cluster_and_the_worst_comes_first(
    drawn: Path, tmp_path: Path
) -> None:
    train, test = tmp_path / "train", tmp_path / "test"
    for folder, odd in ((train, 1), (test, 0)):  # bursts are torn apart
        folder.mkdir()
        for number in range(1, 61):
            if number % 2 == odd:
                shutil.copy(drawn / f"{number:06d}.jpg", folder)
    pairs = find_leaks(train, test, threshold=0.95, how=HOW).pairs
    assert pairs.columns == COLUMNS
    expected = {frozenset(group) for group in clusters_of(pairs)}
    frames = pairs.partition_by("cluster", maintain_order=True)
    mine = {
        frozenset([f"train {i}" for i in f["train_id"]] + [f"test {i}" for i in f["test_id"]])
        for f in frames
    }
    assert len(expected) > 3
    assert mine == expected
    assert pairs["cluster"].unique(maintain_order=True).to_list() == [*range(1, len(frames) + 1)]
    assert pairs["cluster"].is_sorted()
    worst = [f["similarity"][0] for f in frames]
    assert worst == sorted(worst, reverse=True)
    assert all(f["similarity"].is_sorted(descending=True) for f in frames)


def test_ids_and_names_are_those_of_each_data_set(drawn: Path, tmp_path: Path) -> None:
    data = paring.scenes(60, seed=2, size=(48, 64))
    data = replace(data, image_root=drawn)
    train = data.subset(range(1, 31))
    test = data.subset(range(11, 51))
    found = find_leaks(train, test, threshold=0.9999, how=HOW).pairs
    # the images of both sets leak with themselves, whatever their rows
    same = found.filter(pl.col("train_id") == pl.col("test_id"))
    assert same["train_id"].sort().to_list() == list(range(11, 31))
    for side in ("train", "test"):
        assert found[f"{side}_file"].to_list() == [f"{i:06d}.jpg" for i in found[f"{side}_id"]]


def test_one_name_in_both_sets_is_two_images(drawn: Path, tmp_path: Path) -> None:
    train, test = sets(drawn, tmp_path)
    found = find_leaks(train, test, threshold=0.9999, how=HOW)
    assert (found.n_train, found.n_test, len(found.pairs)) == (30, 30, 0)
    shutil.copy(train / "000.jpg", test / "000.jpg")
    found = find_leaks(train, test, threshold=0.9999, how=HOW)
    assert pairs_of(found) == {("000.jpg", "000.jpg")}


def test_nothing_found_is_an_empty_frame_with_all_columns(drawn: Path, tmp_path: Path) -> None:
    found = find_leaks(*sets(drawn, tmp_path), threshold=1.01, how=HOW).pairs
    assert (found.columns, len(found)) == (COLUMNS, 0)
    assert found.schema["cluster"] == found.schema["train_id"] == pl.Int64
    assert found.schema["train_file"] == pl.String


def test_frames_of_a_video_leak_into_pictures(tmp_path: Path) -> None:
    train = video(tmp_path / "clip.avi", 6)
    (tmp_path / "test").mkdir()
    cv2.imwrite(str(tmp_path / "test" / "still.png"), np.full((32, 48), 36, np.uint8))
    found = find_leaks(train, tmp_path / "test", threshold=0.99, how=HOW, frame_step=2).pairs
    assert found.select("train_file", "test_file").rows() == [("clip.avi#000004", "still.png")]


def test_broken_images_are_left_out_on_request_and_not_counted(drawn: Path, tmp_path: Path) -> None:
    train, test = sets(drawn, tmp_path)
    for path in (train / "007.jpg", test / "007.jpg"):
        path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"007\.jpg: .*; 1 more cannot be read"):
        find_leaks(train, test, how=HOW)
    found = find_leaks(train, test, how=replace(HOW, on_error="skip"))
    assert sorted(found.faults) == ["test/007.jpg", "train/007.jpg"]
    assert (found.n_train, found.n_test) == (29, 29)


def test_windowed_similarities_find_the_same_copy(drawn: Path, tmp_path: Path) -> None:
    train, test = sets(drawn, tmp_path)
    shutil.copy(train / "004.jpg", test / "copy.jpg")
    found = find_leaks(train, test, threshold=0.9999, how=replace(HOW, window="gaussian"))
    assert pairs_of(found) == {("004.jpg", "copy.jpg")}


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_that_is_no_number_is_refused(threshold: float, drawn: Path) -> None:
    with pytest.raises(InputError, match="threshold must be a number"):
        find_leaks(drawn, drawn, threshold=threshold, how=HOW)


def test_annotations_without_a_known_folder_of_images_are_refused(drawn: Path) -> None:
    lost = paring.scenes(3, seed=0)
    for pair in ((lost, drawn), (drawn, lost)):
        with pytest.raises(InputError, match=r"the folder of image '000001\.jpg' is not known"):
            find_leaks(*pair, how=HOW)


def test_kvasir_shows_one_picture_in_training_and_test(shared_data: Path) -> None:
    kvasir = shared_data / "kvasir"
    found = find_leaks(kvasir / "train" / "images", kvasir / "test" / "images", threshold=0.95)
    assert found.pairs.select("train_file", "test_file").rows() == [("222.jpg", "16.jpg")]
    assert (found.n_train, found.n_test) == (800, 100)
