"""Silence: what libraries print about broken files is said by us instead, once and by name."""

from __future__ import annotations

import logging as logs
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock, _pillow = Lock(), Lock()
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


@contextmanager
def undisturbed() -> Iterator[None]:
    """Pillow without its warnings, its log and its own limit of size; the caller has our limit.

    All are settings of the whole process: one thread at a time, and for a header's time alone.
    """
    from PIL import Image

    log = logs.getLogger("PIL")
    with _pillow, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        level, limit = log.level, Image.MAX_IMAGE_PIXELS
        log.setLevel(logs.CRITICAL + 1)
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
            log.setLevel(level)
