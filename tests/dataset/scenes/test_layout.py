"""What stands where: bursts are numbered, long-tailed, reproducible, and cameras hardly move."""

from itertools import islice

import numpy as np
import pytest

from paring.dataset.scenes.layout import LONGEST_BURST, Camera, bursts

SIZE = (240, 320)


@pytest.fixture(scope="module")
def many():
    return list(islice(bursts(4, SIZE), 250))


def test_bursts_are_numbered_from_zero_and_last_one_to_eight_frames(many):
    assert [burst.group for burst in many] == list(range(250))
    assert {len(burst.cameras) for burst in many} == set(range(1, LONGEST_BURST + 1))


def test_one_burst_in_twenty_five_is_empty_and_short_and_one_has_a_crowd(many):
    for first in range(0, 250, 25):
        block = many[first : first + 25]
        assert [len(b.cameras) <= 2 for b in block if not b.things] == [True]
        assert sum(any(t.iscrowd for t in b.things) for b in block) == 1


def test_the_commonest_category_is_dealt_about_36_times_as_often_as_the_rarest(many):
    dealt = [t.category_id for burst in many for t in burst.things if not t.iscrowd]
    counts = np.bincount(dealt, minlength=9)[1:]
    assert 27 <= counts.max() / counts.min() <= 45


def test_a_piece_keeps_within_the_circle_it_says(many):
    for burst in many:
        for thing in burst.things:
            points = np.concatenate([p for piece in thing.pieces for p in piece.shape.parts])
            away = np.hypot(*(points - thing.centre).T)
            assert away.max() <= thing.radius * 1.05


def test_some_things_overlap_but_never_hide_another_wholly(many):
    overlapping = 0
    for burst in many:
        for k, one in enumerate(burst.things):
            for other in burst.things[k + 1 :]:
                gap = np.hypot(*np.subtract(one.centre, other.centre))
                assert gap >= 0.75 * (one.radius + other.radius)
                overlapping += gap < one.radius + other.radius
    assert overlapping > 20


def test_small_things_lie_in_front_of_large_ones(many):
    behind = [b.things[0].radius >= b.things[-1].radius for b in many if len(b.things) > 1]
    assert np.mean(behind) > 0.95


def test_a_camera_zooms_about_the_centre_of_the_image_and_then_shifts():
    camera = Camera(zoom=2.0, shift=(3.0, -1.0), centre=(10.0, 20.0), gain=1.0)
    seen = camera.see(np.array([[10.0, 20.0], [11.0, 18.0]]))
    assert seen.tolist() == [[13.0, 19.0], [15.0, 15.0]]


def test_cameras_of_one_burst_move_by_a_few_pixels_at_most(many):
    for burst in many:
        corners = np.array([[0.0, 0.0], [320.0, 0.0], [160.0, 120.0]])
        seen = np.stack([camera.see(corners) for camera in burst.cameras])
        assert np.abs(np.diff(seen, axis=0)).max(initial=0) < 4
        assert np.abs(seen - corners).max() < 0.09 * 320  # all of it has a background


def test_the_same_seed_gives_the_same_bursts_and_another_seed_others(many):
    def positions(found):
        return [thing.centre for burst in found for thing in burst.things]

    assert positions(islice(bursts(4, SIZE), 20)) == positions(many[:20])
    assert positions(islice(bursts(5, SIZE), 20)) != positions(many[:20])
