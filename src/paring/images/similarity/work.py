"""A working folder: what long work has done so far, so that it can go on after being stopped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np

from paring.dataset.table import Dataset
from paring.dataset.video import frame_of
from paring.errors import InputError
from paring.images.similarity.tiles import Found, Tile

_KEY, _LOCK = "work.json", "lock"
_BROKEN = (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile)
"""What a file of pairs raises that is not there, or that was cut off or damaged."""


class Work:
    """A working folder for one set of images of one size.

    What an earlier, stopped run left there is taken up if it was for the same images (names,
    bytes and times of change) and the same key, and cleared away if not.
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self.folder = folder
        text = json.dumps(key, sort_keys=True)
        mark = folder / _KEY
        _refuse_foreign(folder)
        if not mark.is_file() or mark.read_bytes() != text.encode():
            for old in list(folder.glob("*.npy")) + list(folder.glob("*.npz")):
                old.unlink()
            folder.mkdir(parents=True, exist_ok=True)
            mark.write_bytes(text.encode())

    def load(self, what: str, tile: Tile) -> Found | None:
        """Pairs of a tile that are done already."""
        path = self.folder / f"{what}-{tile.name}.npz"
        try:
            with path.open("rb") as file, np.load(file) as held:
                low, complete = float(held["low"]), bool(held["complete"])
                return Found(low, complete, held["first"], held["second"], held["value"])
        except _BROKEN:
            return None

    def save(self, what: str, tile: Tile, found: Found) -> None:
        """Keep the pairs of a tile; a reader sees all of them or none."""
        path = self.folder / f"{what}-{tile.name}.npz"
        fresh = path.with_suffix(".fresh")
        with fresh.open("wb") as file:
            np.savez(file, **vars(found))
        fresh.replace(path)

    def forget_pairs(self) -> None:
        """Clear away the pairs that are done: more images can be read than when they were found."""
        for old in list(self.folder.glob("*.npz")):
            old.unlink()

    def remove(self) -> None:
        """Clear everything away: the work is done."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    """A folder with files in it that no earlier run marked as its own is left alone."""
    if not folder.is_dir() or (folder / _KEY).is_file():
        return
    if any(path.name != _LOCK for path in folder.iterdir()):
        raise InputError(f"{folder}: holds something else; remove it or name another place")


def images_key(data: Dataset) -> str:
    """A hash of the names of all images, and of the size and time of change of their files."""
    root = data.image_root or Path()
    digest = hashlib.blake2b(digest_size=16)
    seen: dict[str, tuple[int, int]] = {}
    for name in data.images["file_name"]:
        frame = frame_of(name)
        file = name if frame is None else frame[0]
        if file not in seen:
            try:
                state = os.stat(root / file)
                seen[file] = state.st_size, state.st_mtime_ns
            except OSError:
                seen[file] = -1, 0
        digest.update(f"{name}\0{seen[file]}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


@contextmanager
def locked(folder: Path | None) -> Iterator[None]:
    """Hold a working folder, so that two runs do not write into one; None holds nothing."""
    if folder is None:
        yield
        return
    _refuse_foreign(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _LOCK).open("w")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
    with file:
        _hold(file, folder)
        yield


def _hold(file: IO[str], folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(f"{folder}: another run is at work there") from error


def together(parts: Sequence[Found], low: float) -> Found:
    """Pairs of all tiles with a similarity of at least `low`, sorted by rows."""
    kept = [part.value >= low for part in parts]
    first, second, value = (
        np.concatenate([getattr(part, name)[k] for part, k in zip(parts, kept, strict=True)])
        for name in ("first", "second", "value")
    )
    order = np.lexsort((second, first))
    return Found(low, True, first[order], second[order], value[order])
