from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paring.training.resizing import PAD_COLOUR, Geometry, Resize

SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))
RESIZES = st.sampled_from(["stretch", "pad"])


def below(place: int, to: int, since: int) -> int:
    """Where the middle of a pixel lies among `since` pixels over the same length, exactly."""
    return int((place + Fraction(1, 2)) * Fraction(since, to))


def nearest(picture: np.ndarray, geometry: Geometry, beside: int) -> np.ndarray:
    """A whole map resized pixel by pixel."""
    out = np.full(geometry.size, beside, picture.dtype)
    (high, wide), (h, w) = geometry.inner, geometry.original
    for y in range(high):
        for x in range(wide):
            out[y, x] = picture[below(y, high, h), below(x, wide, w)]
    return out


@pytest.mark.parametrize(
    ("original", "size", "resize", "inner"),
    [
        ((100, 200), (64, 64), "stretch", (64, 64)),
        ((100, 200), (64, 64), "pad", (32, 64)),
        ((200, 100), (64, 64), "pad", (64, 32)),
        ((10, 10), (64, 32), "pad", (32, 32)),
        ((1, 1000), (64, 64), "pad", (1, 64)),
        ((480, 640), (800, 1333), "pad", (800, 1067)),
    ],
)
def test_padding_keeps_the_aspect_and_stretching_fills_the_sample(
    original: tuple[int, int], size: tuple[int, int], resize: Resize, inner: tuple[int, int]
) -> None:
    assert Geometry.fit(original, size, resize).inner == inner


@given(SIDES, SIDES, RESIZES)
def test_the_picture_never_passes_the_sample_and_touches_two_of_its_borders(
    original: tuple[int, int], size: tuple[int, int], resize: Resize
) -> None:
    inner = Geometry.fit(original, size, resize).inner
    assert 1 <= inner[0] <= size[0]
    assert 1 <= inner[1] <= size[1]
    assert inner[0] == size[0] or inner[1] == size[1]


@given(SIDES, SIDES, RESIZES, st.integers(0, 2**16))
def test_labels_are_those_of_the_pixel_below_the_middle(
    original: tuple[int, int], size: tuple[int, int], resize: Resize, seed: int
) -> None:
    geometry = Geometry.fit(original, size, resize)
    labels = np.random.default_rng(seed).integers(0, 300, original)
    lookup = (np.arange(300) * 7 % 251).astype(np.uint8)
    found = geometry.resize_labels(labels, lookup, beside=255)
    np.testing.assert_array_equal(found, nearest(lookup[labels], geometry, 255))


@given(SIDES, SIDES, RESIZES, st.integers(0, 2**16))
def test_a_crop_is_resized_as_the_whole_mask_is(
    original: tuple[int, int], size: tuple[int, int], resize: Resize, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    geometry = Geometry.fit(original, size, resize)
    top, left = (int(rng.integers(0, side)) for side in original)
    high, wide = (
        int(rng.integers(1, s - a + 1)) for s, a in zip(original, (top, left), strict=True)
    )
    mask = np.zeros(original, np.uint8)
    mask[top : top + high, left : left + wide] = rng.integers(0, 2, (high, wide))
    y, x, crop = geometry.resize_crop(top, left, mask[top : top + high, left : left + wide])
    found = np.zeros(size, np.uint8)
    found[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    np.testing.assert_array_equal(found, nearest(mask, geometry, 0))


def test_a_picture_that_shrinks_is_averaged_over_areas() -> None:
    pixels = np.array([[0, 100, 8, 8], [100, 200, 8, 8]], np.uint8)[..., None].repeat(3, axis=2)
    sample = Geometry.fit((2, 4), (1, 2), "stretch").resize_picture(pixels)
    assert sample[0, :, 0].tolist() == [100, 8]


def test_a_picture_of_the_size_wanted_stays_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    sample = Geometry.fit((5, 7), (5, 7), "pad").resize_picture(pixels)
    np.testing.assert_array_equal(sample, pixels)


def test_what_lies_beside_a_padded_picture_has_the_mean_colour() -> None:
    sample = Geometry.fit((4, 2), (8, 8), "pad").resize_picture(np.zeros((4, 2, 3), np.uint8))
    assert not sample[:, :4].any()
    assert (sample[:, 4:] == PAD_COLOUR).all()
