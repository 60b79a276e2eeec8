import itertools
import os
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

import paring
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.similarity import similar_pairs
from paring.images.similarity.formula import Metric
from similarity_oracle import METRICS, all_similarities, pairs_of, write_images

N, SIZE = 40, 48


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("scenes") / "drawn"
    return paring.scenes(N, seed=1, size=(120, 160), folder=folder, image_format="png")


def places(data: Dataset) -> list[Path]:
    return [data.image_root / name for name in data.images["file_name"]]


def pixels_of(data: Dataset, size: int = SIZE) -> NDArray[np.uint8]:
    """Grey squares of the images (n, size, size), by OpenCV alone: by area where they shrink."""
    how = cv2.INTER_AREA if size <= 120 else cv2.INTER_LINEAR
    grey = [cv2.imread(str(place), cv2.IMREAD_GRAYSCALE) for place in places(data)]
    return np.stack([cv2.resize(image, (size, size), interpolation=how) for image in grey])


def brute_force(data: Dataset, metric: Metric, size: int = SIZE) -> dict[tuple[int, int], float]:
    table = all_similarities(pixels_of(data, size).reshape(len(data), -1), metric, 255)
    ids = data.images["image_id"].to_list()
    pairs = zip(*(rows.tolist() for rows in pairs_of(len(data))), strict=True)
    return {(ids[i], ids[j]): table[i, j] for i, j in pairs}


def as_dict(frame: pl.DataFrame) -> dict[tuple[int, int], float]:
    return {(source, target): value for source, target, value in frame.iter_rows()}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("size", [8, SIZE, 352])
def test_pairs_are_those_of_plain_numpy_over_all_pairs(
    data: Dataset, size: int, metric: Metric
) -> None:
    expected = brute_force(data, metric, size)
    for low in (-1.0, 0.2, 0.8, sorted(expected.values())[-7] - 1e-9, 1.5):
        found = as_dict(similar_pairs(data, threshold=low, metric=metric, size=size))
        passing = {pair: value for pair, value in expected.items() if value >= low}
        assert list(found) == list(passing)
        assert list(found.values()) == pytest.approx(list(passing.values()), abs=1e-10)


@pytest.mark.parametrize("metric", METRICS)
def test_a_threshold_on_a_pair_holds_it_and_one_above_does_not(
    data: Dataset, metric: Metric
) -> None:
    how = {"metric": metric, "size": SIZE}
    everything = similar_pairs(data, threshold=-1, **how)
    assert len(everything) == N * (N - 1) // 2
    for low in everything["similarity"].sort()[[-1, -5, 400, 0]]:
        for threshold in (low, np.nextafter(low, 2)):
            expected = everything.filter(pl.col("similarity") >= threshold)
            assert similar_pairs(data, threshold=threshold, **how).equals(expected)


def test_a_data_set_its_folder_and_its_files_give_the_same_pairs(data: Dataset) -> None:
    expected = similar_pairs(data, threshold=0.6, size=SIZE)
    assert 0 < len(expected) < N * (N - 1) // 2
    assert data.images["image_id"].to_list() == list(range(1, N + 1))
    for images in (data.image_root, str(data.image_root), places(data), [*map(str, places(data))]):
        assert similar_pairs(images, threshold=0.6, size=SIZE).equals(expected)


def test_ids_are_those_of_the_data_set_in_its_order(data: Dataset) -> None:
    ids = [31, 32, 33, 7, 8, 9]
    part = data.subset(ids)
    order = part.images["image_id"].to_list()
    found = similar_pairs(part, threshold=-1, size=SIZE)
    assert list(zip(found["source"], found["target"], strict=True)) == list(
        itertools.combinations(order, 2)
    )
    everything = as_dict(similar_pairs(data, threshold=-1, size=SIZE))
    assert as_dict(found) == {pair: everything[tuple(sorted(pair))] for pair in as_dict(found)}


@pytest.mark.parametrize(
    "how", [{"metric": "ssim"}, {"metric": "pcc"}, {"window": "gaussian"}], ids=str
)
def test_workers_change_no_bit(data: Dataset, how: dict) -> None:
    one, two, five = (
        similar_pairs(data, threshold=0.3, size=SIZE, workers=workers, **how)
        for workers in (1, 2, 5)
    )
    assert one.equals(two)
    assert one.equals(five)
    assert len(one)


def test_the_gaussian_window_is_that_of_scikit_image(data: Dataset) -> None:
    part = data.subset(data.images["image_id"][:12].to_list())
    pixels = pixels_of(part)
    found = similar_pairs(part, threshold=-1, window="gaussian", size=SIZE)
    expected = [
        structural_similarity(
            pixels[i],
            pixels[j],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
        for i, j in zip(*pairs_of(12), strict=True)
    ]
    np.testing.assert_allclose(found["similarity"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "how", [{"metric": "ssim"}, {"metric": "pcc"}, {"window": "gaussian"}], ids=str
)
def test_views_of_one_burst_are_more_alike_than_strangers(data: Dataset, how: dict) -> None:
    group = dict(data.images.select("image_id", "group").iter_rows())
    found = similar_pairs(data, threshold=-1, size=SIZE, **how)
    same = np.array([group[i] == group[j] for i, j, _ in found.iter_rows()])
    value = found["similarity"].to_numpy()
    assert same.sum() > 20
    assert np.median(value[same]) > np.quantile(value[~same], 0.99)


def test_skipped_images_are_in_no_pair(data: Dataset, tmp_path: Path) -> None:
    for place in places(data)[:6]:
        os.link(place, tmp_path / place.name)
    whole = places(data)[6].read_bytes()
    (tmp_path / "000000.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"000000.png: .*; --on-error skip"):
        similar_pairs(tmp_path, threshold=0.5)
    with pytest.warns(UserWarning, match=r"1 images? cannot be read.*000000\.png"):
        found = as_dict(similar_pairs(tmp_path, threshold=-1, size=SIZE, on_error="skip"))
    kept = paring.read(tmp_path).images.filter(pl.col("file_name") != "000000.png")["image_id"]
    assert list(found) == list(itertools.combinations(kept.to_list(), 2))


def test_deep_images_are_compared_with_all_their_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 65_536, (24, 24)).astype(np.uint16)
    fine = image ^ rng.integers(0, 256, image.shape).astype(np.uint16)  # 8 bits would not see it
    write_images(tmp_path, {"a.png": image, "b.png": fine, "c.png": image})
    found = as_dict(similar_pairs(tmp_path, threshold=-1, size=24, metric="pcc"))
    assert found[1, 3] == 1
    assert found[1, 2] == found[2, 3] < 1
    whole = np.stack((image, fine)).reshape(2, -1)
    assert found[1, 2] == pytest.approx(all_similarities(whole, "pcc", 65_535)[0, 1], abs=1e-12)


def test_copies_are_exactly_alike(data: Dataset, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        os.link(places(data)[0], tmp_path / name)
    for how in ({"metric": "ssim"}, {"metric": "pcc"}, {"window": "gaussian"}):
        assert as_dict(similar_pairs(tmp_path, threshold=1.0, **how)) == {(1, 2): 1.0}
        assert not as_dict(similar_pairs(tmp_path, threshold=1.0000001, **how))


def test_progress_is_told_of_each_part(data: Dataset) -> None:
    told: dict[str, tuple[int, int]] = {}
    similar_pairs(
        data, threshold=0.5, size=SIZE, progress=lambda *step: told.update({step[0]: step[1:]})
    )
    n_pairs = N * (N - 1) // 2
    assert told == {
        "reading images": (N, N),
        "summing up images": (N, N),
        "comparing images (pairs)": (n_pairs, n_pairs),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": float("nan")}, "the threshold must be a number, not nan"),
        ({"size": 2000}, "the size must lie between 8 and 1024"),
        ({"metric": "psnr"}, "metric 'psnr' is not known"),
        ({"memory": 1000}, "MiB of memory are too few"),
    ],
)
def test_options_that_cannot_be_are_refused(data: Dataset, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        similar_pairs(data, **{"threshold": 0.5} | options)


def test_files_that_are_gone_or_no_images_are_left_out_with_a_warning(
    data: Dataset, tmp_path: Path
) -> None:
    root = data.image_root
    assert root is not None
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    good = [root / name for name in data.images["file_name"][:3]]
    with pytest.warns(UserWarning, match=r"2 images cannot be read.*gone\.png.*does not exist"):
        found = similar_pairs(
            [good[0], tmp_path / "gone.png", broken, *good[1:]],
            threshold=-1,
            size=SIZE,
            on_error="skip",
        )
    assert len(found) == 3
