from pathlib import Path

import pytest

from paring.dataset.jobs import jobs_of, read_places
from videos import number_of, video


def test_jobs_come_by_the_first_place_that_each_serves() -> None:
    names = ["a.png", "y.mp4#000002", "x.mp4#000002", "b.png", "y.mp4#000001", "y.mp4#000002"]
    assert jobs_of(enumerate(names)) == [
        *(0, ("y.mp4", {2: [1, 5], 1: [4]}), ("x.mp4", {2: [2]}), 3),
    ]
    assert jobs_of([]) == []


def test_names_that_only_look_like_frames_are_images() -> None:
    names = ["a#000001.png", "a.png#000001", "a.mp4#1", "a.mp4"]
    assert jobs_of(enumerate(names)) == [0, 1, 2, 3]


def test_places_come_with_the_pixels_of_their_frames(tmp_path: Path) -> None:
    left = {7: [0], 2: [5, 1]}
    rest = []
    found = []
    for places, pixels in read_places(video(tmp_path / "x.avi", 9), left):
        assert not isinstance(pixels, str)
        found.append((places, number_of(pixels)))
        rest.append(dict(left))
    assert found == [([5, 1], 2), ([0], 7)]
    assert rest == [{7: [0]}, {}]


def test_frames_behind_the_end_of_a_video_are_told(tmp_path: Path) -> None:
    left = {9: [0, 3], 3: [2], 8: [4]}
    said = [x for x in read_places(video(tmp_path / "x.avi", 4), left) if isinstance(x[1], str)]
    why = "has no frame 8; it ends after 4"
    assert sorted(said) == [([0, 3], why), ([4], why)]
    assert left == {9: [0, 3], 8: [4]}


@pytest.mark.parametrize("content", [None, b"", b"text"])
def test_all_frames_of_a_broken_video_are_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.mp4").write_bytes(content)
    said = list(read_places(tmp_path / "x.mp4", {1: [0], 0: [1]}))
    assert sorted(places for places, _ in said) == [[0], [1]]
    assert all(isinstance(why, str) for _, why in said)
