import numpy as np
import pytest
from numpy.typing import NDArray

from paring.images.similarity import kernel

LENGTHS = (1, 64, 8_191, 8_192, 8_193, 3 * 8_192 + 5)
LOOPS = {np.uint8: kernel.products_8, np.uint16: kernel.products_16}


def exact(one: NDArray, other: NDArray) -> int:
    """Sum of products in whole numbers of any size."""
    return int((one.astype(object) * other.astype(object)).sum())


@pytest.mark.parametrize("kind", LOOPS)
@pytest.mark.parametrize("length", LENGTHS)
def test_products_are_those_of_whole_numbers(length: int, kind: type) -> None:
    rng = np.random.default_rng(length)
    top = np.iinfo(kind).max
    pixels = np.stack(
        [
            np.full(length, top),
            np.zeros(length),
            rng.integers(0, top, length, endpoint=True),
            rng.choice([0, top], length),
        ]
    ).astype(kind)
    first, second = np.indices((4, 4)).reshape(2, -1)
    expected = [exact(pixels[i], pixels[j]) for i, j in zip(first, second, strict=True)]
    for rows in (np.int64, np.int32):
        out = np.full(16, -1)
        LOOPS[kind](pixels, first.astype(rows), second.astype(rows), out)
        assert out.tolist() == expected


@pytest.mark.parametrize("kind", LOOPS)
def test_the_largest_white_image_does_not_overflow(kind: type) -> None:
    pixels = np.full((1, 1024 * 1024), np.iinfo(kind).max, kind)
    out, row = np.zeros(1, np.int64), np.array([0])
    LOOPS[kind](pixels, row, row, out)
    assert out.tolist() == [int(np.iinfo(kind).max) ** 2 * 1024 * 1024]


def test_images_may_lie_in_a_mapped_file(tmp_path) -> None:
    pixels = np.arange(30, dtype=np.uint8).reshape(3, 10)
    np.save(tmp_path / "pixels.npy", pixels)
    mapped = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    out = np.zeros(1, np.int64)
    kernel.products_8(np.asarray(mapped), np.array([0]), np.array([2]), out)
    assert out.tolist() == [exact(pixels[0], pixels[2])]


# -- the test of bounds ------------------------------------------------------------------------

SINGLE = np.float32
C1, C2 = SINGLE(6.5025), SINGLE(58.5225)


def tile(height: int, width: int, seed: int = 0) -> tuple[NDArray, ...]:
    rng = np.random.default_rng(seed)
    variance = rng.uniform(0, 3_000, height), rng.uniform(0, 3_000, width)
    bound = rng.uniform(-1, 1, (height, width)) * np.sqrt(np.outer(*variance))
    mean = rng.uniform(0, 255, height), rng.uniform(0, 255, width)
    return tuple(part.astype(SINGLE) for part in (bound, *mean, *variance))


def passing(bound, mi, mj, vi, vj, low: float) -> NDArray:
    """The same in doubles, all at once."""
    mi, mj, vi, vj = (part.astype(float) for part in (mi[:, None], mj, vi[:, None], vj))
    ssim = (2 * mi * mj + 6.5025) * (2.0 * bound + 58.5225)
    return ssim / ((mi * mi + mj * mj + 6.5025) * (vi + vj + 58.5225)) >= low


@pytest.mark.parametrize("low", [-2.0, -0.5, 0.0, 0.3, 0.7, 2.0])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (7, 1), (13, 13), (40, 33)])
def test_the_screen_passes_the_pairs_whose_bound_is_high_enough(
    height: int, width: int, low: float
) -> None:
    parts = tile(height, width)
    for diagonal in (False, True) if height == width else (False,):
        expected = passing(*parts, low)
        if diagonal:
            expected = np.triu(expected, 1)
        first, second = np.full((2, height * width), -1, np.int32)
        found = kernel.screen(*parts, C1, C2, SINGLE(low), diagonal, first, second)
        rows = np.stack((first, second), axis=1)[:found]
        assert rows.tolist() == np.argwhere(expected).tolist()


def test_the_screen_counts_on_where_there_is_no_room() -> None:
    parts = tile(9, 9)
    first, second = np.full((2, 10), -1, np.int32)
    found = kernel.screen(*parts, C1, C2, SINGLE(-2), False, first[:5], second[:5])
    assert found == 81
    assert second.tolist() == [0, 1, 2, 3, 4, -1, -1, -1, -1, -1]


def test_what_is_not_a_number_passes_no_screen() -> None:
    bound, *rest = tile(3, 3)
    bound[1] = np.nan
    first, second = np.zeros((2, 9), np.int32)
    assert kernel.screen(bound, *rest, C1, C2, SINGLE(-2), False, first, second) == 6
    assert set(first[:6].tolist()) == {0, 2}


def test_dots_are_dot_products() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(6, 769)).astype(SINGLE)
    table[5] = np.nan
    first, second = np.array([0, 3, 1, 5]), np.array([0, 2, 4, 1])
    out = np.zeros(4, SINGLE)
    kernel.dots(table, first, second, out)
    expected = (table[first].astype(float) * table[second]).sum(axis=1)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)
