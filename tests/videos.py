"""Small videos for tests; every frame has one grey value, told by its number."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from paring.dataset.hush import hushed

STEP = 9
"""Grey values between two frames that follow each other."""


def video(path: Path, frames: int, *, width: int = 48, height: int = 32) -> Path:
    """Write a video; the test is skipped where OpenCV cannot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    code = cv2.VideoWriter_fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
    with hushed():
        writer = cv2.VideoWriter(str(path), code, 10, (width, height))
        if not writer.isOpened():
            pytest.skip(f"OpenCV has no encoder for {path.suffix} here")
        for number in range(frames):
            writer.write(np.full((height, width, 3), STEP * number % 256, np.uint8))
        writer.release()
    return path


def number_of(pixels: np.ndarray) -> int:
    """The number of the frame that pixels show."""
    return round(float(pixels.mean()) / STEP)
