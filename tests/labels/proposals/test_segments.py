"""Small segments: colours that cannot be confused are kept apart, a flat image is one."""

from __future__ import annotations

import numpy as np
import pytest

from paring.labels.proposals.segments import SMALLEST, WAYS, in_space, segment

pytest.importorskip("skimage")


def test_red_and_green_shares_do_not_know_how_light_it_is() -> None:
    dark, light = (in_space(np.full((2, 2, 3), v, np.uint8), "rgi") for v in (60, 180))
    assert (dark[..., :2] == light[..., :2]).all()
    assert (dark[0, 0, 2], light[0, 0, 2]) == (60, 180)


@pytest.mark.parametrize("space", ["lab", "hsv", "rgi"])
def test_black_has_a_place_in_every_space(space: str) -> None:
    found = in_space(np.zeros((3, 4, 3), np.uint8), space)  # type: ignore[arg-type]
    assert found.dtype == np.uint8
    assert found.shape == (3, 4, 3)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way.space}-{way.scale:g}")
def test_no_segment_holds_pixels_of_two_flat_colours(way: object) -> None:
    pixels = np.full((40, 60, 3), (20, 40, 160), np.uint8)
    pixels[:, 30:] = (210, 60, 20)
    labels = segment(in_space(pixels, way.space), way.scale)  # type: ignore[attr-defined]
    far = np.ones(60, bool)
    far[28:32] = False  # the blur before segmenting moves a border by a pixel
    assert not set(labels[:, far & (np.arange(60) < 30)].flat) & set(
        labels[:, far & (np.arange(60) >= 30)].flat
    )


def test_a_flat_image_is_one_segment() -> None:
    assert not segment(np.full((12, 9, 3), 77, np.uint8), 25).any()


def test_segments_are_numbered_without_gaps_and_none_is_too_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
    sizes = np.bincount(segment(noise, 25).reshape(-1))
    assert sizes.min() >= SMALLEST
