"""Silence: what OpenCV prints about broken files is said by us instead, once and by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_inside = 0
_before: int | None = None


@contextmanager
def hushed() -> Iterator[None]:
    """OpenCV logs nothing inside; nests, and many threads may be inside at a time.

    The level of logging is one for the whole process: the first to enter lowers it, and the last
    to leave puts it back. FFMPEG reads its own from the environment when it is first used.
    """
    global _inside, _before
    from cv2.utils import logging

    with _lock:
        if not _inside:
            _before = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
            os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside and _before is not None:
                logging.setLogLevel(_before)
