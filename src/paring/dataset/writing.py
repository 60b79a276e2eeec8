"""Writing so that nothing is ever half there: write beside, then rename."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import polars as pl

from paring.dataset.table import Dataset
from paring.dataset.video import BrokenVideo, file_of, frame_of, picture_names, read_frames
from paring.errors import InputError

Images = Literal["none", "link", "copy"]
"""What a written data set does with the pictures: leave them, link to them, copy them."""

_STARTED = time.time()  # of this process, or a little after


@contextmanager
def beside(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A fresh path in the target's folder; it becomes the target if the block succeeds.

    The block makes a file or a folder at the path it is given. If it raises, nothing is left.
    Raises `InputError` where the target is there already (unless `overwrite`) or its folder
    cannot be written.
    """
    path = Path(path)
    if os.path.lexists(path) and not overwrite:
        raise InputError(
            f"{path}: exists already; choose another name or allow to overwrite it (--overwrite)"
        )
    fresh_folders = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=_prefix(path), dir=path.parent))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
    held = _hold(room)
    try:
        fresh = room / (path.name or "out")
        yield fresh
        _put(fresh, path, room / f"{path.name}.replaced" if overwrite else None)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(room, ignore_errors=True)
        if held is not None:
            os.close(held)
        for folder in fresh_folders:  # made for a target that did not come to be
            with suppress(OSError):
                folder.rmdir()


def clear_abandoned(path: Path, *, before: float | None = None) -> None:
    """Remove what `beside` left of a folder at a path when its process was killed.

    A room goes only if it has such a name, is a folder of ours that nobody else may enter, was last
    changed `before` (seconds since the epoch; by default the start of this process), holds one
    folder called as the target and nothing else, and is held by no process. Where the system cannot
    tell the last, nothing goes.
    """
    before = _STARTED if before is None else before
    name = re.compile(re.escape(_prefix(path)) + "[a-z0-9_]{8}")
    try:
        siblings = [entry for entry in os.scandir(path.parent) if name.fullmatch(entry.name)]
    except OSError:
        return
    for room in siblings:
        held = None
        try:
            state = room.stat(follow_symlinks=False)
            ours = stat.S_ISDIR(state.st_mode) and stat.S_IMODE(state.st_mode) == 0o700
            if not ours or state.st_uid != os.getuid() or state.st_mtime >= before:
                continue
            held = _hold(room.path)
            with os.scandir(room.path) as entries:
                alone = [(e.name, e.is_dir(follow_symlinks=False)) for e in entries]
            if held is not None and alone == [(path.name, True)]:
                shutil.rmtree(room.path, ignore_errors=True)
        except OSError:
            continue  # another process was faster
        finally:
            if held is not None:
                os.close(held)


def _prefix(path: Path) -> str:
    """How the hidden folders begin in which a target is made."""
    return f".{path.name[:40]}."


def _hold(room: str | Path) -> int | None:
    """Hold a folder until the number given is closed; None where another does, or none can."""
    try:
        import fcntl
    except ImportError:  # a system without such locks
        return None
    held = None
    try:
        held = os.open(room, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if held is not None:
            os.close(held)
        return None
    return held


def _put(fresh: Path, path: Path, aside: Path | None) -> None:
    """Rename into place; a folder that is there goes aside, and comes back if that fails."""
    if aside is None or not path.is_dir() or path.is_symlink():
        fresh.replace(path)
        return
    path.rename(aside)
    try:
        fresh.replace(path)
    except OSError:
        aside.rename(path)
        raise


def place_images(data: Dataset, folder: Path, how: Images) -> int:
    """Link or copy the images of a data set into a folder under their file names.

    Links are symbolic; where the file system has none, the images are copied. A frame of a video
    is written as a PNG (see `paring.dataset.video.picture_names`). Gives the number placed.
    Raises `InputError` naming the first image that does not exist, and where a file name would
    lie outside the folder.
    """
    if how == "none":
        return 0
    if data.image_root is None:
        raise InputError("the folder of the images is not known; give --images DIR")
    given = picture_names(data.images["file_name"].to_list())
    frames: dict[Path, dict[int, Path]] = {}
    for name in data.images["file_name"]:
        source, target = (data.image_root / file_of(name)).resolve(), folder / given[name]
        if not source.is_file():
            raise InputError(f"{source}: the image does not exist")
        if not os.path.abspath(target).startswith(os.path.abspath(folder) + os.sep):
            raise InputError(f"file name {name!r} leads out of the folder")
        if os.path.lexists(target):  # two records of one picture
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        frame = frame_of(name)
        if frame is not None:
            frames.setdefault(source, {})[frame[1]] = target
            continue
        if how == "link":
            try:
                target.symlink_to(source)
                continue
            except OSError:
                pass
        shutil.copyfile(source, target)
    for video, targets in frames.items():
        _write_frames(video, targets)
    return len(data)


def placed(data: Dataset, folder: Path, how: Images) -> Dataset:
    """Place the images of a data set, and give it with the file names that they have there.

    Only frames of videos are called otherwise than before; ``how="none"`` changes nothing.
    """
    place_images(data, folder, how)
    names = data.images["file_name"].to_list()
    if how == "none" or not any(map(frame_of, names)):
        return data
    given = picture_names(names)
    written = [given[name] for name in names]
    images = data.images.with_columns(pl.Series("file_name", written, dtype=pl.String))
    origin = data.origin
    if origin is not None:
        texts = origin.images
        if texts is not None and origin.format == "coco":
            texts = texts.with_fields({"file_name": written})
        origin = replace(origin, images=texts)
        origin = origin.bind(images, data.instances, data.categories, data.masks)
    return replace(data, images=images, image_root=folder, origin=origin)


def _write_frames(video: Path, targets: dict[int, Path]) -> None:
    """Write frames of a video, each to a PNG of its own, in one pass."""
    import cv2

    try:
        for number, pixels in read_frames(video, list(targets)):
            _, png = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
            targets[number].write_bytes(png.tobytes())
    except BrokenVideo as fault:
        raise InputError(f"{video}: the video {fault.message}") from fault
