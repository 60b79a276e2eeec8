"""Frames of videos as images of a data set.

A frame is named by its video and its place in it, counted from 0: ``clip.mp4#000030``. Videos are
read from their start, one frame after the other: jumping lands beside the frame in many files, and
the number of frames that a header tells is often wrong.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from paring.dataset.hush import hushed

if TYPE_CHECKING:
    import cv2

VIDEO_SUFFIXES = frozenset(
    (
        *(".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
        *(".mts", ".ogv", ".webm", ".wmv"),
    )
)
"""Endings of the files that count as videos, in small letters."""

_FRAME = re.compile(r"(.+)#([0-9]{6,})")


class BrokenVideo(Exception):
    """A video that cannot be opened, or that lacks a frame; `message` is a phrase without path."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def frame_name(video: str, number: int) -> str:
    """The name of a frame.

    >>> frame_name("day/clip.mp4", 30)
    'day/clip.mp4#000030'
    """
    return f"{video}#{number:06d}"


def frame_of(name: str) -> tuple[str, int] | None:
    """The video and the number of a frame by its name; None where it names no frame.

    >>> frame_of("day/clip.mp4#000030"), frame_of("a.jpg"), frame_of("a#000030")
    (('day/clip.mp4', 30), None, None)
    """
    found = _FRAME.fullmatch(name) if "#" in name else None
    if found is None or os.path.splitext(found[1])[1].lower() not in VIDEO_SUFFIXES:
        return None
    return found[1], int(found[2])


def file_of(name: str) -> str:
    """The file that holds an image: its video for a frame, else the name itself."""
    frame = frame_of(name)
    return name if frame is None else frame[0]


def picture_names(names: Sequence[str]) -> dict[str, str]:
    """The file name that each image has when its pixels are written to a file of their own.

    A frame becomes a PNG in the folder of its video; the video's ending stays in the name where
    another image has that name already.

    >>> list(picture_names(["clip.mp4#000030", "clip.avi#000030"]).values())
    ['clip_000030.png', 'clip.avi_000030.png']
    """
    frames = {name: frame for name in names if (frame := frame_of(name)) is not None}
    given = {name: name for name in names if name not in frames}
    taken = set(given)
    for name, (video, number) in frames.items():
        places = (f"{before}_{number:06d}.png" for before in (os.path.splitext(video)[0], video))
        given[name] = next((place for place in places if place not in taken), f"{name}.png")
        taken.add(given[name])
    return given


def read_frames(path: Path, numbers: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Number and pixels (height, width, 3) as RGB of some frames, in rising order of the numbers.

    One pass from the start to the last of them. Raises `BrokenVideo` where the video cannot be
    opened, and when it ends before all were read.
    """
    import cv2

    wanted = sorted(set(numbers))
    with _opened(path) as video:
        at = -1
        for number in wanted:
            while at < number:
                with hushed():
                    there = video.grab()
                if not there:
                    raise BrokenVideo(f"has no frame {number}; it ends after {at + 1}")
                at += 1
            with hushed():
                decoded, pixels = video.retrieve()
            if not decoded or pixels is None or pixels.ndim != 3:
                raise BrokenVideo(f"frame {number} cannot be decoded")
            yield number, np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)


def frame_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels of the first frame of a video; `BrokenVideo` where none is."""
    _, pixels = next(read_frames(path, [0]))
    return pixels.shape[1], pixels.shape[0]


def frame_numbers(path: Path, step: int) -> tuple[list[int], int, int]:
    """Every step-th frame of a video that can be reached, and the width and height of its frames.

    The frames are counted by going through them. Raises `BrokenVideo` where there is none.
    """
    width, height = frame_size(path)
    count = 0
    with _opened(path) as video, hushed():
        while video.grab():
            count += 1
    return list(range(0, count, step)), width, height


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    """A video ready to be read from its first frame."""
    import cv2

    if not path.is_file():
        raise BrokenVideo("is a folder" if path.is_dir() else "does not exist")
    if not path.stat().st_size:
        raise BrokenVideo("is empty (0 bytes)")
    with hushed():  # FFMPEG alone: other readers take clip_001.mp4 for a series of pictures
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise BrokenVideo("cannot be opened as a video")
        yield video
    finally:
        video.release()
