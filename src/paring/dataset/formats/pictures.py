"""Pictures of a data set that has no list of them: which there are, and how large they are.

Nothing is decoded here; sizes come from the headers of the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

import polars as pl

from paring.dataset.formats.indexed import Unusable, instance_frame, mask_store, usable
from paring.dataset.hush import undisturbed
from paring.dataset.labelmaps import LARGEST_IMAGE, LARGEST_SIDE
from paring.dataset.origin import Origin
from paring.dataset.reading import Reading
from paring.dataset.table import CATEGORIES, IMAGES, Dataset
from paring.dataset.video import BrokenVideo, frame_of, frame_size
from paring.errors import InputError

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib"),
        *(".tif", ".tiff", ".webp", ".avif", ".gif", ".jp2", ".j2k", ".j2c", ".jpc"),
        *(".pbm", ".pgm", ".ppm", ".pnm", ".tga", ".pcx", ".qoi", ".ras", ".sgi"),
    )
)
"""Endings of the files that count as images, in small letters."""

IMAGE_FOLDERS = ("images", "imgs", "image", "img", "img_dir", "JPEGImages")
"""Usual names of a folder that holds the images, beside one with what is said of them."""

SPLITS = ("train", "val", "test")
"""Usual names of the parts of a data set, the likeliest to be wanted first."""

_SPELLINGS = {"train": ("train", "training"), "val": ("val", "valid", "validation")}
_ORIENTATION, _ON_THEIR_SIDE = 274, (5, 6, 7, 8)  # EXIF tag, and its values that swap the sides


def spellings(split: str) -> tuple[str, ...]:
    """Names that the folder of a split may have.

    >>> spellings("validation"), spellings("train")
    (('val', 'valid', 'validation'), ('train', 'training'))
    """
    return _SPELLINGS.get(plain_split(split), (split,))


def plain_split(split: str) -> str:
    """The usual name of a split."""
    return next((name for name, ways in _SPELLINGS.items() if split in ways), split)


def files_below(
    folder: Path, suffixes: frozenset[str] = SUFFIXES, *, depth: int | None = None
) -> Iterator[str]:
    """Names of the files with the given endings below a folder, relative to it, with ``/``.

    Hidden files and folders are passed over. Links to folders are followed, but no folder is
    entered twice, so loops end. ``depth=1`` looks into the folder alone.
    """
    seen: set[tuple[int, int]] = set()

    def walk(here: str, before: str, left: int | None) -> Iterator[str]:
        state = os.stat(here)
        if (state.st_dev, state.st_ino) in seen:
            return
        seen.add((state.st_dev, state.st_ino))
        inner = []
        with os.scandir(here) as entries:
            for entry in sorted(entries, key=lambda e: e.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    inner.append(entry)
                elif os.path.splitext(entry.name)[1].lower() in suffixes and entry.is_file():
                    yield before + entry.name
        if left is None or left > 1:
            for entry in inner:
                yield from walk(
                    entry.path, f"{before}{entry.name}/", None if left is None else left - 1
                )

    return walk(os.fspath(folder), "", depth)


def has_file(folder: Path, suffixes: frozenset[str] = SUFFIXES, *, depth: int = 3) -> bool:
    """Whether a folder exists and has a file with one of the endings at most so deep in it."""
    return folder.is_dir() and next(files_below(folder, suffixes, depth=depth), None) is not None


def image_names(folder: Path) -> list[str]:
    """Names of all images below a folder, sorted; `InputError` where there are none."""
    if not folder.is_dir():
        raise InputError(f"{folder}: the images folder does not exist")
    names = sorted(files_below(folder))
    if not names:
        raise InputError(f"{folder}: holds no images ({', '.join(sorted(SUFFIXES))})")
    return names


def inside(name: str) -> PurePosixPath:
    """A file name as a path below the folder it will be written to.

    Raises `InputError` where it leads out of that folder.

    >>> inside("a/b.jpg").as_posix()
    'a/b.jpg'
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.name or "\0" in name:
        raise InputError(f"file name {name!r} leads out of the folder; rename the image")
    return path


def size_of(path: Path) -> tuple[int, int]:
    """Width and height in pixels of an image as it is shown, from its header.

    A photograph that its EXIF data calls turned is measured upright, as it is read later on.
    Raises `InputError` naming the file where it is no image or larger than is believed.
    """
    try:
        return measure(path, "")
    except Unusable as fault:
        raise InputError(f"{path}: {fault.message}") from fault


def measure(path: Path, record: str) -> tuple[int, int]:
    """The same as `size_of`; raises `Unusable` naming the record instead."""
    from PIL import Image

    try:
        with undisturbed(), Image.open(path) as picture:
            width, height = picture.size
            if "exif" in picture.info and picture.getexif().get(_ORIENTATION) in _ON_THEIR_SIDE:
                width, height = height, width
    except FileNotFoundError as error:
        raise Unusable(path, record, "the image does not exist") from error
    except (OSError, SyntaxError, ValueError) as error:
        message = str(error).replace(f" {str(path)!r}", "")
        raise Unusable(path, record, f"the image cannot be read ({message})") from error
    large = max(width, height) > LARGEST_SIDE or width * height > LARGEST_IMAGE
    if min(width, height) < 1 or large:
        raise Unusable(
            path,
            record,
            f"the image is {width} x {height} pixels, more than is believed "
            f"({LARGEST_SIDE:,} a side, {LARGEST_IMAGE:,} in all)",
        )
    return width, height


def image_frame(reading: Reading, root: Path, names: Sequence[str]) -> pl.DataFrame:
    """The `images` frame of pictures in a folder; ids are places in the list, from 1 on.

    A name may be that of a frame of a video there. Pictures that cannot be read are refused;
    `InputError` where none is left.
    """
    video_size = lru_cache(maxsize=1024)(frame_size)

    def measured(name: str) -> tuple[int, int]:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise Unusable(root, repr(name), "the file name is not valid text") from error
        frame = frame_of(name)
        if frame is None:
            return measure(root / name, "")
        try:
            return video_size(root / frame[0])
        except BrokenVideo as fault:
            raise Unusable(root, frame[0], f"the video {fault.message}") from fault

    found = list(usable(measured, names, reading, "images"))
    if not found:
        raise InputError(f"{reading.path}: holds no images that can be used")
    return pl.DataFrame(
        {
            "image_id": [place + 1 for place, _ in found],
            "file_name": [names[place] for place, _ in found],
            "width": [width for _, (width, _) in found],
            "height": [height for _, (_, height) in found],
        },
        schema=IMAGES,
    )


def images_alone(images: pl.DataFrame, root: Path, origin: Origin | None = None) -> Dataset:
    """A data set of images of which nothing is said."""
    masks = mask_store([])
    instances = instance_frame(masks, [], [], [])
    categories = pl.DataFrame(schema=CATEGORIES)
    bound = None if origin is None else origin.bind(images, instances, categories, masks)
    return Dataset(images, instances, categories, masks, image_root=root, origin=bound)
