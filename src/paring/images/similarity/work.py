"""A working folder: what long work has done so far, so that it can go on after being stopped."""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np

from paring import __version__
from paring.dataset.table import Dataset
from paring.dataset.video import file_of
from paring.errors import InputError
from paring.images.similarity.tiles import NO_PAIRS, Found, Tile

_KEY, _LOCK = "paring-work.json", "paring-lock"
_OURS = ("pixels.npy", "done.npy", "*-pairs-*.npz", "*-pairs-*.fresh")
_LAYOUT = 1  # of the files here; another number makes old folders be cleared
_HELD: set[Path] = set()  # folders that this process holds
_BROKEN = (OSError, ValueError, KeyError, EOFError, RuntimeError, BadZipFile)
"""What a file of pairs raises that is not there, or that was cut off or damaged."""


class Work:
    """A working folder for one set of images of one size, held by one process at a time.

    What an earlier, stopped run left there is taken up if it was for the same images (places,
    bytes and times of change), the same libraries and the same key, and cleared away if not.
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self.folder = folder
        self._held = ExitStack()
        if folder.resolve() not in _HELD:
            self._held.enter_context(locked(folder))
            weakref.finalize(self, self._held.close)
        about = {**key, "layout": _LAYOUT, "paring": __version__}
        about |= {name: version(name) for name in ("numpy", "opencv-python-headless", "pillow")}
        text = json.dumps(about, sort_keys=True)
        mark = folder / _KEY
        if not mark.is_file() or mark.read_bytes() != text.encode():
            for old in (path for pattern in _OURS for path in folder.glob(pattern)):
                old.unlink()
            mark.write_bytes(text.encode())

    def load(self, what: str, tile: Tile) -> Found | None:
        """Pairs of a tile that are done already."""
        path = self.folder / f"{what}-pairs-{tile.name}.npz"
        try:
            with path.open("rb") as file, np.load(file) as held:
                low, complete = float(held["low"]), bool(held["complete"])
                return Found(low, complete, held["first"], held["second"], held["value"])
        except _BROKEN:
            return None

    def save(self, what: str, tile: Tile, found: Found) -> None:
        """Keep the pairs of a tile; a reader sees all of them or none."""
        path = self.folder / f"{what}-pairs-{tile.name}.npz"
        fresh = path.with_suffix(".fresh")
        with fresh.open("wb") as file:
            np.savez(file, **vars(found))
        fresh.replace(path)


def _refuse_foreign(folder: Path) -> None:
    """A folder with files in it that no earlier run marked as its own, or held, is left alone."""
    if not folder.is_dir() or any((folder / mark).is_file() for mark in (_KEY, _LOCK)):
        return
    if any(folder.iterdir()):
        raise InputError(f"{folder}: holds something else; remove it or name another place")


def images_key(data: Dataset) -> str:
    """A hash of the places of all images, and of what tells that their files are the same."""
    root = os.path.realpath(data.image_root or Path())
    digest = hashlib.blake2b(root.encode("utf-8", "surrogatepass"), digest_size=16)
    seen: dict[str, tuple[int, ...]] = {}
    for name in data.images["file_name"]:
        file = file_of(name)
        if file not in seen:
            try:
                state = os.stat(os.path.join(root, file))
                times = state.st_mtime_ns, state.st_ctime_ns
                seen[file] = state.st_size, state.st_ino, *times
            except OSError:
                seen[file] = ()
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
        place = folder.resolve()
        _HELD.add(place)
        try:
            yield
        finally:
            _HELD.discard(place)


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
    if not parts:
        return replace(NO_PAIRS, low=low)
    kept = [part.value >= low for part in parts]
    first, second, value = (
        np.concatenate([getattr(part, name)[k] for part, k in zip(parts, kept, strict=True)])
        for name in ("first", "second", "value")
    )
    order = np.lexsort((second, first))
    return Found(low, True, first[order], second[order], value[order])
