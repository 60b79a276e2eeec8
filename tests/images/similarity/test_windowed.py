import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from paring.errors import InputError
from paring.images.similarity.windowed import windowed_ssim

TOLERANCE = 1e-12
SIDES = ((11, 11), (12, 13), (37, 53), (101, 29), (27, 800))  # the last is wider than a cell


def as_scikit_image(x: NDArray, y: NDArray, data_range: float) -> float:
    return float(
        structural_similarity(
            x,
            y,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=data_range,
        )
    )


def as_defined(x: NDArray, y: NDArray, data_range: float) -> float:
    """Window by window, pixel by pixel, in the two-pass form of variance and covariance."""
    offset = range(-5, 6)
    weight = {(p, q): np.exp(-(p * p + q * q) / (2 * 1.5**2)) for p in offset for q in offset}
    whole = sum(weight.values())
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    found = []
    for row in range(5, x.shape[0] - 5):
        for column in range(5, x.shape[1] - 5):
            window = [
                (w / whole, float(x[row + p, column + q]), float(y[row + p, column + q]))
                for (p, q), w in weight.items()
            ]
            mx = sum(w * a for w, a, _ in window)
            my = sum(w * b for w, _, b in window)
            vx = sum(w * (a - mx) ** 2 for w, a, _ in window)
            vy = sum(w * (b - my) ** 2 for w, _, b in window)
            cov = sum(w * (a - mx) * (b - my) for w, a, b in window)
            luminance = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
            found.append(luminance * (2 * cov + c2) / (vx + vy + c2))
    return float(np.mean(found))


def draw(height: int, width: int, dtype: type = np.uint8, seed: int = 0) -> NDArray:
    """Noise, twice the same ramp with other noise, its inverse, two constants, black and white."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    ramp = np.add.outer(np.sin(np.arange(height) / 9), np.cos(np.arange(width) / 7))
    smooth = (ramp + 2.2) / 4.4 * top
    noisy = np.clip(smooth + rng.normal(0, top / 20, smooth.shape), 0, top)
    constants = [np.full((height, width), value) for value in (0, top // 3, top)]
    noise = rng.integers(0, top, (height, width), endpoint=True)
    checks = np.indices((height, width)).sum(axis=0) % 2 * top
    return np.stack((noise, smooth, noisy, top - noisy, checks, *constants)).astype(dtype)


def all_pairs(n: int) -> tuple[NDArray, NDArray]:
    """Every image with every image, itself included, in both senses."""
    first, second = np.array(list(itertools.product(range(n), repeat=2))).T
    return first, second


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("sides", SIDES)
def test_pairs_are_as_similar_as_scikit_image_finds(sides: tuple[int, int], dtype: type) -> None:
    images = draw(*sides, dtype)
    top = float(np.iinfo(dtype).max)
    first, second = all_pairs(len(images))
    found = windowed_ssim(images, first, second, data_range=top)
    expected = [
        as_scikit_image(images[i], images[j], top) for i, j in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pairs_are_as_similar_as_the_definition_says(dtype: type) -> None:
    images = draw(12, 13, dtype, seed=1)[:5]
    top = float(np.iinfo(dtype).max)
    first, second = all_pairs(len(images))
    found = windowed_ssim(images, first, second, data_range=top)
    expected = [as_defined(images[i], images[j], top) for i, j in zip(first, second, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def test_a_faint_pattern_on_a_bright_16_bit_image_keeps_its_digits() -> None:
    rng = np.random.default_rng(2)
    images = (65_000 + rng.integers(0, 3, (2, 12, 13))).astype(np.uint16)
    (found,) = windowed_ssim(images, np.array([0]), np.array([1]), data_range=2.0)
    assert found == pytest.approx(as_defined(*images, data_range=2.0), abs=TOLERANCE)


def test_constant_images_are_as_similar_as_their_brightness() -> None:
    images = np.stack([np.full((15, 20), value, np.uint8) for value in (50, 100)])
    (found,) = windowed_ssim(images, np.array([0]), np.array([1]), data_range=255)
    c1 = 2.55**2
    expected = (2 * 50 * 100 + c1) / (50**2 + 100**2 + c1)
    assert found == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_has_similarity_one_with_itself_and_with_its_copy(dtype: type) -> None:
    images = draw(40, 370, dtype)
    images = np.concatenate((images, images))
    rows = np.arange(len(images))
    top = float(np.iinfo(dtype).max)
    assert (windowed_ssim(images, rows, rows, data_range=top) == 1).all()
    assert (windowed_ssim(images, rows, np.roll(rows, 8), data_range=top) == 1).all()


def test_similarity_is_the_same_in_both_senses_bit_for_bit() -> None:
    images = draw(41, 370)
    first, second = all_pairs(len(images))
    there = windowed_ssim(images, first, second, data_range=255)
    back = windowed_ssim(images, second, first, data_range=255)
    turned = windowed_ssim(images[::-1], len(images) - 1 - first, 7 - second, data_range=255)
    assert there.tobytes() == back.tobytes() == turned.tobytes()


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("images_in_memory", [2, 3, 7, 100])
def test_workers_memory_and_order_change_no_bit(workers: int, images_in_memory: int) -> None:
    images = np.concatenate([draw(30, 31, seed=seed) for seed in range(3)])
    first, second = all_pairs(len(images))
    once = windowed_ssim(images, first, second, data_range=255)
    shuffled = np.random.default_rng(3).permutation(len(first))
    memory = images_in_memory * (4 * 30 * 31 + 16 * 20 * 21)
    again = windowed_ssim(
        images,
        first[shuffled],
        second[shuffled],
        data_range=255,
        workers=workers,
        memory=memory,
    )
    assert again.tobytes() == once[shuffled].tobytes()


def test_a_pair_alone_has_the_value_that_it_has_among_others() -> None:
    images = draw(30, 31)
    first, second = all_pairs(len(images))
    together = windowed_ssim(images, first, second, data_range=255)
    alone = [
        windowed_ssim(images, first[[k]], second[[k]], data_range=255)[0] for k in range(len(first))
    ]
    assert together.tolist() == alone


def test_images_may_lie_in_a_mapped_file_of_another_byte_order(tmp_path) -> None:
    images = draw(30, 31, np.uint16)
    path = tmp_path / "pixels.npy"
    np.save(path, images.astype(">u2"))
    first, second = all_pairs(len(images))
    expected = windowed_ssim(images, first, second, data_range=65_535)
    mapped = np.load(path, mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert (windowed_ssim(mapped, first, second, data_range=65_535) == expected).all()


def test_progress_ends_with_the_number_of_pairs() -> None:
    images = draw(11, 12)
    first, second = all_pairs(len(images))
    reported: list[int] = []
    windowed_ssim(
        images,
        np.tile(first, 3),
        np.tile(second, 3),
        data_range=255,
        workers=2,
        memory=10_000,
        progress=reported.append,
    )
    assert reported == sorted(set(reported))
    assert reported[-1] == 3 * len(first)


def test_no_pairs_have_no_similarity() -> None:
    none = np.zeros(0, np.int64)
    assert windowed_ssim(draw(11, 11), none, none, data_range=255).shape == (0,)


@pytest.mark.parametrize("sides", [(10, 40), (40, 10), (1, 1)])
def test_images_smaller_than_the_window_are_refused(sides: tuple[int, int]) -> None:
    images, row = np.zeros((2, *sides), np.uint8), np.array([0])
    with pytest.raises(InputError, match=f"{sides[0]} x {sides[1]} pixels.*larger images"):
        windowed_ssim(images, row, row, data_range=255)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((2, 20, 20, 3), np.uint8),
        np.zeros((2, 20, 20)),
        np.zeros((2, 20, 20), np.int16),
        np.zeros((2, 20, 20), np.uint32),
    ],
)
def test_pixels_of_another_shape_or_kind_are_refused(images: NDArray) -> None:
    row = np.array([0])
    with pytest.raises(InputError, match=r"pixels are .* of shape .* uint8 or uint16"):
        windowed_ssim(images, row, row, data_range=255)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([0, 1], [0], r"first has shape \(2,\) and second \(1,\)"),
        ([[0]], [[1]], "first has shape"),
        ([0.0], [1], "first is float64"),
        ([0, 1], [1, 2], "pair 1 names image 2 in second, but there are 2 images"),
        ([0, -1], [1, 1], "pair 1 names image -1 in first"),
    ],
)
def test_pairs_of_no_images_are_refused(first: list, second: list, message: str) -> None:
    images = np.zeros((2, 11, 11), np.uint8)
    with pytest.raises(InputError, match=message):
        windowed_ssim(images, np.array(first), np.array(second), data_range=255)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data_range": 0.0}, "data_range is 0.0"),
        ({"data_range": float("nan")}, "data_range is nan"),
        ({"data_range": 255, "workers": 0}, "workers is 0"),
        ({"data_range": 255, "memory": 999}, "memory is 999 bytes, but two images .* need 1000"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, message: str) -> None:
    images = np.zeros((2, 11, 11), np.uint8)
    with pytest.raises(InputError, match=message):
        windowed_ssim(images, np.array([0]), np.array([1]), **options)
