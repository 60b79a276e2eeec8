"""Grey squares of images: any kind of file, one size, read by a few threads.

Every image is read whole, turned grey, and resized to a square in one step, by area where it
shrinks. Grey values stay as deep as they are stored, 8 or 16 bits. What cannot be read is told in
a phrase, never on stderr.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from paring.dataset.content import Unreadable, read_content
from paring.dataset.hush import hushed, undisturbed
from paring.dataset.jobs import Frames, Job, jobs_of, read_places
from paring.dataset.table import Dataset
from paring.dataset.threads import share_out
from paring.dataset.video import BrokenVideo, read_frames
from paring.errors import InputError
from paring.images.similarity.headers import (
    DEEP_SUFFIXES,
    Header,
    read_header,
    reason,
    stored_depth,
    without_extras,
)

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["bit_depth", "decode", "pillow_pixels", "read_grey", "stored_depth"]

Grey: TypeAlias = NDArray[Any]  # uint8 or uint16

_TRANSPOSED, _FLIPPED, _MIRRORED = (5, 6, 7, 8), (3, 4, 7, 8), (2, 3, 6, 7)  # EXIF orientations


def read_grey(path: Path, size: int, *, frame: int | None = None) -> Grey:
    """Grey values (size, size) of an image, uint8 or, where it holds 16 bits, uint16.

    A photograph that its EXIF data calls turned is turned upright; of an animation the first
    picture counts; transparency does not. With `frame`, that frame of a video.

    Raises
    ------
    Unreadable
        One phrase that says what is wrong with the file.
    """
    import cv2

    if frame is not None:
        try:
            (_, colours), *_ = read_frames(path, [frame])
        except BrokenVideo as fault:
            raise Unreadable(fault.message) from fault
        return _square(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), size)
    raw = without_extras(read_content(path))
    header = read_header(raw, deep=path.suffix.lower() in DEEP_SUFFIXES)
    pixels = _decoded(raw, header)
    return _upright(_square(pixels, size), header.orientation)


def decode(
    data: Dataset,
    size: int,
    put: Callable[[int, Grey], None],
    *,
    rows: NDArray[np.int64],
    workers: int,
    progress: Callable[[int], None] | None = None,
) -> dict[int, str]:
    """Read the images in some rows of a data set; row and what is wrong of those it cannot.

    Parameters
    ----------
    size : side of the grey squares in pixels.
    put : called with row and square, from several threads at a time, in no order.
    rows : rows of `data.images`.
    workers : threads; each has one image at a time, or one video from its start to its end.
    progress : called in the calling thread with the number of images done.

    Raises
    ------
    InputError
        Where the folder of the images is not known. What `put` raises stops all, and is raised.
    """
    root, names = data.image_root, data.images["file_name"]
    if not len(rows):
        return {}
    if root is None:
        first = names[int(rows[0])]
        raise InputError(f"the folder of image {first!r} is not known; give images=DIR")
    faults: dict[int, str] = {}
    stop, done = Event(), _Tally()

    def finish(row: int, outcome: Grey | str) -> None:
        if isinstance(outcome, str):
            faults[row] = outcome
        else:
            put(row, outcome)
        done.add()

    def work(job: Job) -> None:
        if isinstance(job, int):
            finish(job, _grey_or_fault(root / str(names[job]), size))
            return
        video, numbers = job
        for row, outcome in _frames(root / video, numbers, size):
            if stop.is_set():
                return
            finish(row, outcome)

    def watch() -> None:
        if progress is not None:
            progress(done.count)

    jobs = jobs_of(zip(map(int, rows), names[rows], strict=True))
    jobs.sort(key=lambda job: isinstance(job, int))  # videos first, as they take longest
    with hushed():
        share_out(iter(jobs), work, workers=workers, stop=stop, watch=watch)
    return dict(sorted(faults.items()))


def bit_depth(data: Dataset, *, workers: int) -> int:
    """16 where any image of a data set holds 16 bits, else 8; from headers alone.

    Images that cannot be read count as 8, as does everything where no folder is known.
    """
    root, stop, deep = data.image_root, Event(), Event()
    if root is None:
        return 8

    def look(name: str) -> None:
        try:
            if stored_depth(root / name) == 16:
                deep.set()
                stop.set()
        except (Unreadable, ValueError):
            return

    able = (n for n in data.images["file_name"] if os.path.splitext(n)[1].lower() in DEEP_SUFFIXES)
    share_out(able, look, workers=workers, stop=stop)
    return 16 if deep.is_set() else 8


# -- one image -------------------------------------------------------------------------------


def _decoded(raw: bytes, header: Header) -> Grey:
    """Grey values (height, width) as they lie in the file, as deep as its header says."""
    import cv2

    pixels: Grey | None = None
    if header.opencv:
        depth = cv2.IMREAD_ANYDEPTH if header.depth == 16 else 0
        how = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION | depth
        try:
            with hushed():
                pixels = cv2.imdecode(np.frombuffer(raw, np.uint8), how)
        except cv2.error:
            pixels = None
    if pixels is None or pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        if header.picture is None:
            raise Unreadable("cannot be decoded (it is no image of a known kind)")
        pixels = pillow_pixels(header.picture, "L", header.picture.size)
    if header.depth == 16:
        wide = pixels.astype(np.uint16)
        return wide * np.uint16(257) if pixels.dtype == np.uint8 else wide
    return pixels.astype(np.uint8, copy=False)


def pillow_pixels(picture: Image.Image, mode: str, size: tuple[int, int]) -> NDArray[Any]:
    """Pixels of an opened image in a mode (L or RGB) or, where it is deeper, as uint16.

    A JPEG is decoded at a half, a quarter or an eighth where that is no less than `size` (width,
    height); its grey values are those that it stores. Transparency has no part. Raises
    `Unreadable`.
    """
    try:
        picture.draft("L" if mode == "L" else None, size)
        with undisturbed() if picture.format == "TIFF" else nullcontext():
            picture.load()
        if picture.mode.startswith("I"):
            return np.asarray(picture).clip(0, 65535).astype(np.uint16)
        picture.info.pop("transparency", None)  # has no part in it, and makes Pillow warn
        return np.asarray(picture if picture.mode == mode else picture.convert(mode))
    except MemoryError:
        raise
    except Exception as error:  # a broken file makes Pillow raise anything
        raise Unreadable(reason(error)) from error


def _square(pixels: Grey, size: int) -> Grey:
    import cv2

    shrinks = min(pixels.shape) >= size
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=how))


def _upright(square: Grey, orientation: int) -> Grey:
    """Turned as the EXIF orientation asks for; a square costs less to turn than the image."""
    if orientation in _TRANSPOSED:
        square = square.T
    if orientation in _FLIPPED:
        square = square[::-1]
    if orientation in _MIRRORED:
        square = square[:, ::-1]
    return np.ascontiguousarray(square)


def _grey_or_fault(path: Path, size: int) -> Grey | str:
    try:
        return read_grey(path, size)
    except Unreadable as fault:
        return fault.message


# -- many images -----------------------------------------------------------------------------


class _Tally:
    """A count that threads share."""

    def __init__(self) -> None:
        self.count, self._lock = 0, Lock()

    def add(self) -> None:
        with self._lock:
            self.count += 1


def _frames(path: Path, rows: Frames, size: int) -> Iterator[tuple[int, Grey | str]]:
    """Row and grey square of frames of one video, or what is wrong from some frame on."""
    import cv2

    for same, found in read_places(path, rows):
        if not isinstance(found, str):
            found = _square(cv2.cvtColor(found, cv2.COLOR_RGB2GRAY), size)
        for row in same:
            yield row, found
