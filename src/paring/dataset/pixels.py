"""Pixels of one image or one frame of a video, in colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paring.dataset.hush import hushed
from paring.dataset.video import BrokenVideo, frame_of, read_frames
from paring.errors import InputError


def read_pixels(path: Path) -> NDArray[np.uint8]:
    """Pixels (height, width, 3) as RGB; `InputError` naming the file where there are none.

    The path of a frame is that of its video, ``#`` and its number: ``clip.mp4#000030``.
    """
    import cv2

    frame = frame_of(str(path))
    if frame is not None:
        return _frame(Path(frame[0]), frame[1])
    with hushed():
        pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if pixels is None and path.is_file():
        pixels = _by_pillow(path)
    if pixels is None:
        state = "cannot be decoded" if path.is_file() else "does not exist"
        raise InputError(f"{path}: the image {state}")
    return np.asarray(pixels, np.uint8)


def _frame(path: Path, number: int) -> NDArray[np.uint8]:
    try:
        return next(pixels for _, pixels in read_frames(path, [number]))
    except BrokenVideo as fault:
        raise InputError(f"{path}: the video {fault.message}") from fault


def _by_pillow(path: Path) -> NDArray[np.uint8] | None:
    """The same for kinds that OpenCV does not know; None where Pillow does not either."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
