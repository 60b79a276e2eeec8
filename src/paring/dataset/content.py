"""All bytes of a file, or a phrase that says what is wrong with it."""

from __future__ import annotations

import stat
from pathlib import Path

LARGEST_FILE = 2**32
"""Bytes of the largest file that is believed."""


class Unreadable(Exception):
    """A file that cannot be read; `message` is a phrase without its path."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def read_content(path: Path) -> bytes:
    """All bytes of a file; `Unreadable` where there are none or too many."""
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            raise Unreadable("is a folder")
        if not stat.S_ISREG(state.st_mode):
            raise Unreadable("is not a file")
        if state.st_size > LARGEST_FILE:
            raise Unreadable(f"is {state.st_size:,} bytes large, more than is believed")
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise Unreadable("does not exist") from error
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else None
        raise Unreadable(f"cannot be read ({said or error})") from error
    if not raw:
        raise Unreadable("is empty (0 bytes)")
    return raw
