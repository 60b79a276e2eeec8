"""What is read in one go: one image, or all frames of a video that are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from paring.dataset.video import BrokenVideo, frame_of, read_frames

Frames: TypeAlias = dict[int, list[int]]
"""The places that show a frame of a video, by its number."""

Job: TypeAlias = int | tuple[str, Frames]
"""The place of one image, or a video."""


def jobs_of(names: Iterable[tuple[int, str]]) -> list[Job]:
    """The jobs that serve some places, each with its name, by the first place that each serves.

    >>> jobs_of([(4, "x.avi#000007"), (0, "a.png"), (2, "x.avi#000001")])
    [('x.avi', {7: [4], 1: [2]}), 0]
    """
    jobs: list[Job] = []
    videos: dict[str, Frames] = {}
    for place, name in names:
        frame = frame_of(name)
        if frame is None:
            jobs.append(place)
            continue
        video, number = frame
        if video not in videos:
            videos[video] = {}
            jobs.append((video, videos[video]))
        videos[video].setdefault(number, []).append(place)
    return jobs


def read_places(path: Path, left: Frames) -> Iterator[tuple[list[int], NDArray[np.uint8] | str]]:
    """Places and RGB pixels of frames of one video, or what is wrong from some frame on.

    Frames are taken out of `left` as they are read, so that it holds the others at any time.
    """
    try:
        for number, pixels in read_frames(path, list(left)):
            yield left.pop(number), pixels
    except BrokenVideo as fault:
        yield from ((places, fault.message) for places in left.values())
