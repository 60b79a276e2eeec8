"""Lists of class names, one per line, that lie beside index maps."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from paring.errors import InputError

BACKGROUND = "background"

NAME_FILES = ("labels.txt", "classes.txt")
"""Files that name the classes of a folder."""


def read_text(path: Path) -> str:
    """The text of a UTF-8 file; `InputError` where it is not one."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text file in UTF-8 ({error.reason})") from error


def names_text(names: Iterable[str]) -> str:
    r"""Text of a list of names, background first.

    >>> names_text(["cat"])
    'background\ncat\n'
    """
    return "".join(f"{name}\n" for name in (BACKGROUND, *names))
