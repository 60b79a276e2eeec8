import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from paring.images.similarity.formula import Metric, Moments, constants, similarities
from similarity_oracle import METRICS, exactly, images_of_all_kinds, of_moments, pairs_of

TOLERANCE = 1e-12
C1, C2 = 6.5025, 58.5225  # (0.01 * 255)^2 and (0.03 * 255)^2, by hand


def moments_of(pixels: NDArray) -> Moments:
    whole = pixels.astype(np.int64)
    return Moments.of(pixels.shape[1], whole.sum(axis=1), (whole * whole).sum(axis=1))


def all_pairs(
    pixels: NDArray, first: NDArray, second: NDArray, metric: Metric, data_range: float = 255
) -> NDArray:
    whole = pixels.astype(np.int64)
    products = (whole[first] * whole[second]).sum(axis=1)
    return similarities(
        moments_of(pixels), first, second, products, metric=metric, data_range=data_range
    )


def one_pair(x: list[int], y: list[int], metric: Metric, data_range: float = 255) -> float:
    pixels = np.array([x, y], np.uint16)
    return all_pairs(pixels, np.array([0]), np.array([1]), metric, data_range).item()


# -- by hand -----------------------------------------------------------------------------------


def test_two_by_two_pixels_have_the_ssim_of_equation_2() -> None:
    # means 3 and 6, variances over all four pixels 5 and 20, covariance 10
    expected = (2 * 18 + C1) * (2 * 10 + C2) / ((9 + 36 + C1) * (5 + 20 + C2))
    assert one_pair([0, 2, 4, 6], [0, 4, 8, 12], "ssim") == pytest.approx(expected, abs=1e-15)


def test_two_by_two_pixels_have_the_pcc_of_equation_3() -> None:
    # means 3 and 1, variances 5 and 1.5, covariance 18 / 4 - 3
    found = one_pair([0, 2, 4, 6], [1, 0, 0, 3], "pcc")
    assert found == pytest.approx(1.5 / math.sqrt(7.5), abs=1e-15)
    assert one_pair([0, 2, 4, 6], [0, 4, 8, 12], "pcc") == 1
    assert one_pair([0, 2, 4, 6], [6, 4, 2, 0], "pcc") == -1


def test_a_left_and_an_upper_white_half_share_their_brightness_only() -> None:
    left, upper = np.zeros((2, 8, 8), int)
    left[:, :4] = upper[:4] = 255
    # no covariance, means 127.5, variances 127.5^2
    expected = C2 / (2 * 127.5**2 + C2)
    pixels = left.ravel().tolist(), upper.ravel().tolist()
    assert one_pair(*pixels, "ssim") == pytest.approx(expected, abs=1e-15)
    assert one_pair(*pixels, "pcc") == 0


def test_constant_images_differ_by_brightness_and_have_no_correlation() -> None:
    expected = (2 * 50 * 100 + C1) / (50**2 + 100**2 + C1)
    assert one_pair([50] * 9, [100] * 9, "ssim") == pytest.approx(expected, abs=1e-15)
    assert math.isnan(one_pair([50] * 9, [100] * 9, "pcc"))
    assert math.isnan(one_pair([50] * 4, [1, 2, 3, 4], "pcc"))


def test_the_constants_of_16_bits_come_of_their_range() -> None:
    assert constants(65_535) == pytest.approx((429_483.6225, 3_865_352.6025))


# -- exact numbers -----------------------------------------------------------------------------


@settings(max_examples=150)
@given(
    st.sampled_from([np.uint8, np.uint16]).flatmap(
        lambda kind: hnp.arrays(
            kind,
            st.tuples(st.just(2), st.integers(1, 40)),
            elements=st.one_of(
                st.integers(0, np.iinfo(kind).max),
                st.sampled_from([0, 1, np.iinfo(kind).max - 1, np.iinfo(kind).max]),
            ),
        )
    ),
    st.sampled_from([1e-3, 1.0, 255.0, 65_535.0]),
)
def test_any_two_images_are_as_similar_as_rational_numbers_say(
    pixels: NDArray, data_range: float
) -> None:
    for metric in METRICS:
        found = all_pairs(pixels, np.array([0]), np.array([1]), metric, data_range).item()
        expected = exactly(pixels[0], pixels[1], metric, data_range)
        assert found == pytest.approx(expected, rel=0, abs=TOLERANCE, nan_ok=True)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("metric", METRICS)
def test_images_of_all_kinds_are_as_similar_as_rational_numbers_say(
    metric: Metric, bits: int
) -> None:
    pixels = images_of_all_kinds(9, bits)
    first, second = pairs_of(len(pixels))
    found = all_pairs(pixels, first, second, metric, 2**bits - 1)
    expected = [
        exactly(pixels[i], pixels[j], metric, 2**bits - 1)
        for i, j in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


def counted(n: int, levels: tuple[int, int], shared: int, own: tuple[int, int]) -> dict:
    """Sums of two images of n pixels that have the second level in some places, shared or not."""
    low, high = levels
    counts = [shared + k for k in own]
    return {
        "sums": [low * (n - k) + high * k for k in counts],
        "squares": [low * low * (n - k) + high * high * k for k in counts],
        "product": low * low * (n - shared - sum(own))
        + low * high * sum(own)
        + high * high * shared,
    }


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("size", [352, 1024])
@pytest.mark.parametrize(
    ("levels", "shared", "own"),
    [
        ((1, 0), 2, (3, 3)),  # all but a few pixels are 1: the digits of the rests cancel
        ((0, 1), 2, (3, 1)),
        ((65_535, 65_534), 1, (1, 2)),
        ((65_535, 0), 1, (1, 0)),
        ((0, 65_535), 50_000, (9_999, 3_333)),
        ((65_535, 0), 50_000, (9_999, 3_333)),
    ],
)
@pytest.mark.parametrize("data_range", [1e-3, 65_535.0])
def test_large_images_keep_their_digits(
    levels: tuple[int, int],
    shared: int,
    own: tuple[int, int],
    size: int,
    metric: Metric,
    data_range: float,
) -> None:
    n = size * size
    made = counted(n, levels, shared, own)
    moments = Moments.of(n, np.array(made["sums"]), np.array(made["squares"]))
    rows = np.array([0]), np.array([1])
    product = np.array([made["product"]])
    found = similarities(moments, *rows, product, metric=metric, data_range=data_range).item()
    mx, my = (Fraction(s, n) for s in made["sums"])
    vx, vy = (Fraction(q, n) - m * m for q, m in zip(made["squares"], (mx, my), strict=True))
    cov = Fraction(made["product"], n) - mx * my
    expected = of_moments(mx, my, vx, vy, cov, metric, data_range)
    assert found == pytest.approx(expected, rel=0, abs=1e-13)


# -- properties --------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("data_range", [1e-3, 255, 65_535])
def test_an_image_is_exactly_like_itself(bits: int, data_range: float) -> None:
    pixels = images_of_all_kinds(11, bits)
    rows = np.arange(len(pixels))
    assert (all_pairs(pixels, rows, rows, "ssim", data_range) == 1).all()
    alike = all_pairs(pixels, rows, rows, "pcc")
    constant = (pixels == pixels[:, :1]).all(axis=1)
    assert (alike[~constant] == 1).all()
    assert np.isnan(alike[constant]).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("metric", METRICS)
def test_both_senses_of_a_pair_are_the_same_bit_for_bit(metric: Metric, bits: int) -> None:
    pixels = images_of_all_kinds(11, bits)
    first, second = pairs_of(len(pixels))
    there = all_pairs(pixels, first, second, metric, 2**bits - 1)
    assert there.tobytes() == all_pairs(pixels, second, first, metric, 2**bits - 1).tobytes()
    assert np.nanmax(np.abs(there)) <= 1


def test_rounding_lifts_no_correlation_above_one() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 37))
    factor, offset = rng.integers(2, 200, (2, 300, 1))
    for other, expected in ((images * factor + offset, 1), (60_000 - images * factor, -1)):
        pixels = np.concatenate((images, other)).astype(np.uint16)
        found = all_pairs(pixels, np.arange(300), np.arange(300, 600), "pcc")
        assert np.abs(found).max() == 1
        assert found == pytest.approx(expected, abs=1e-15)


def test_an_image_without_moments_is_like_no_other() -> None:
    moments = moments_of(np.array([[1, 2], [3, 5]]))
    gone = np.array([np.nan, 0])
    moments = Moments(2, moments.whole, moments.rest, moments.mean + gone, moments.variance + gone)
    rows, product = (np.array([0]), np.array([1])), np.array([13])
    for metric in METRICS:
        assert np.isnan(similarities(moments, *rows, product, metric=metric, data_range=255))
