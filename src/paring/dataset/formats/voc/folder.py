"""PASCAL VOC 2012 segmentation folders.

``SegmentationObject`` numbers the instances of an image, ``SegmentationClass`` gives the class of
each pixel, and lists in ``ImageSets/Segmentation`` say which images belong to a split. 0 is
background and 255 void: the pixels along a boundary, which belong to no mask here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import rle
from paring.dataset.formats.indexed import (
    IndexRuns,
    Unusable,
    index_runs,
    instance_frame,
    mask_store,
    open_map,
    usable,
)
from paring.dataset.formats.names import BACKGROUND, read_text
from paring.dataset.formats.pictures import SUFFIXES
from paring.dataset.formats.voc.classes import name_of, read_names
from paring.dataset.formats.voc.writing import (
    CLASSES,
    LISTS,
    OBJECTS,
    PICTURES,
    origin_of,
    write,
    write_part,
)
from paring.dataset.labelmaps import VOID, LabelMaps
from paring.dataset.reading import Reading, find_images
from paring.dataset.table import CATEGORIES, IMAGES, Dataset
from paring.errors import InputError

__all__ = ["read", "recognise", "write", "write_part"]

_PREFERRED = ("trainval", "train")
_EXTENSIONS = (".jpg", *sorted(SUFFIXES), *(suffix.upper() for suffix in sorted(SUFFIXES)))


@dataclass(frozen=True)
class _Picture:
    stem: str
    objects: Path
    classes: Path


# -- finding ---------------------------------------------------------------------------------


def recognise(path: Path) -> bool:
    """A folder with ``SegmentationClass`` and lists, one that holds such a folder, or a list."""
    return bool(_roots(path))


def _roots(path: Path) -> list[Path]:
    """The VOC folders that a path can mean."""
    if path.is_file():
        listed = path.suffix == ".txt" and path.absolute().parent.match(str(LISTS))
        return [r for r in (path.absolute().parents[2],) if _is_root(r)] if listed else []
    if _is_root(path):
        return [path]
    inside = [f for folder in (path, path / "VOCdevkit") for f in _folders(folder)]
    return sorted(f for f in inside if _is_root(f))


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    with os.scandir(path) as entries:  # tells folders from files without a look at each
        return [Path(entry) for entry in entries if entry.is_dir()]


def _is_root(folder: Path) -> bool:
    return (folder / CLASSES).is_dir() and (folder / LISTS).is_dir()


def _choose(reading: Reading) -> tuple[Path, Path]:
    """The VOC folder and the list of images that a reading means."""
    roots = _roots(reading.path)
    if len(roots) != 1:
        names = ", ".join(r.name for r in roots) or "none"
        raise InputError(
            f"{reading.path}: name one VOC folder, with {CLASSES} and {LISTS.as_posix()} in it "
            f"(found: {names})"
        )
    if reading.path.is_file():
        return roots[0], reading.path
    lists = {p.stem: p for p in sorted((roots[0] / LISTS).glob("*.txt"))}
    if reading.split is not None:
        wanted = [reading.split]
    else:
        wanted = [s for s in _PREFERRED if s in lists] or (list(lists) if len(lists) == 1 else [])
    if not wanted or wanted[0] not in lists:
        what = f"no list {reading.split!r}" if reading.split else "no list trainval or train"
        raise InputError(
            f"{roots[0] / LISTS}: has {what}; choose a split of: {', '.join(lists) or 'none'}"
        )
    if reading.split is None:
        reading.say(f"images listed in {lists[wanted[0]]}")
    return roots[0], lists[wanted[0]]


def _pictures(reading: Reading, root: Path, listed: Path) -> list[_Picture]:
    pictures: dict[str, _Picture] = {}
    for number, line in enumerate(read_text(listed).split("\n"), start=1):
        stem, record = line.strip(), f"line {number}"
        if not stem:
            continue
        if stem in pictures:
            reading.refuse("unusable image", record, f"{stem!r} occurs twice", path=listed)
        elif "\0" in stem or ".." in PurePosixPath(stem).parts or stem.startswith("/"):
            message = f"{stem!r} leads out of the folder"
            reading.refuse("unusable image", record, message, path=listed)
        else:
            objects, classes = (root / kind / f"{stem}.png" for kind in (OBJECTS, CLASSES))
            pictures[stem] = _Picture(stem, objects, classes)
    return list(pictures.values())


# -- reading ---------------------------------------------------------------------------------


def read(reading: Reading) -> Dataset:
    """Read a split of a VOC folder: its instances, or with ``task="semantic"`` its label maps.

    An instance's category is the class that most of its pixels have, the lower one on ties;
    background and void have no vote. Image ids are places in the list, instance ids count on.
    """
    root, listed = _choose(reading)
    pictures = _pictures(reading, root, listed)
    view = _semantic if reading.task == "semantic" else _instances
    return view(reading, root, listed, pictures)


def _instances(reading: Reading, root: Path, listed: Path, pictures: Sequence[_Picture]) -> Dataset:
    if not (root / OBJECTS).is_dir():
        raise InputError(f"{root}: has no {OBJECTS} folder; read its label maps (task semantic)")
    maps: list[IndexRuns] = []
    owners: list[int] = []
    classes: list[int] = []
    places: list[int] = []
    for place, (runs, found) in usable(_read_instances, pictures, reading, "masks"):
        classed = found > 0
        for number in runs.numbers[~classed]:
            reading.refuse(
                "instance without a class",
                f"object {number}",
                f"none of its pixels has a class in {CLASSES}",
                path=pictures[place].objects,
            )
        maps.append(runs.take(np.flatnonzero(classed)))
        owners += [place + 1] * len(maps[-1])
        classes += found[classed].tolist()
        places.append(place)
    masks = mask_store(maps)
    instances = instance_frame(masks, owners, classes, [False] * len(classes))
    images = _image_frame(reading, root, pictures, places, [m.size for m in maps])
    categories = _category_frame(root, classes, first=1)
    stems = [pictures[place].stem for place in places]
    return Dataset(
        images,
        instances,
        categories,
        masks,
        image_root=_image_root(reading, root, images),
        origin=origin_of(root, listed.stem, stems).bind(images, instances, categories, masks),
    )


def _semantic(reading: Reading, root: Path, listed: Path, pictures: Sequence[_Picture]) -> Dataset:
    found = list(usable(_read_classes, pictures, reading, "label maps"))
    places = [place for place, _ in found]
    images = _image_frame(reading, root, pictures, places, [size for _, (size, _) in found])
    categories = _category_frame(root, {v for _, (_, seen) in found for v in seen}, first=0)
    masks = mask_store([])
    instances = instance_frame(masks, [], [], [])
    paths = [str(pictures[place].classes) for place in places]
    stems = [pictures[place].stem for place in places]
    return Dataset(
        images,
        instances,
        categories,
        masks,
        label_maps=LabelMaps(
            pl.DataFrame({"image_id": images["image_id"], "path": paths}),
            np.arange(VOID + 1),  # void is 255 on both sides
        ),
        image_root=_image_root(reading, root, images),
        origin=origin_of(root, listed.stem, stems).bind(images, instances, categories, masks),
    )


def _open(path: Path, stem: str) -> NDArray[Any]:
    values = open_map(path, f"image {stem}")
    if values.size and values.max() > VOID:
        message = f"holds pixel value {values.max()}; VOC maps hold 0 to {VOID}"
        raise Unusable(path, f"image {stem}", message)
    return values.astype(np.uint8, copy=False)


def _read_instances(picture: _Picture) -> tuple[IndexRuns, NDArray[np.int64]]:
    """The masks of an image, and the class of each; 0 where no pixel of it has one."""
    objects = _open(picture.objects, picture.stem)
    classes = _open(picture.classes, picture.stem)
    if objects.shape != classes.shape:
        (h, w), (height, width) = objects.shape, classes.shape
        message = f"is {w} x {h} pixels, but {picture.classes} is {width} x {height}"
        raise Unusable(picture.objects, f"image {picture.stem}", message)
    runs = index_runs(objects, _is_instance)
    both = objects.astype(np.uint16) << 8 | classes
    pairs = index_runs(both, lambda values: _is_instance(values >> 8))
    votes = np.zeros((VOID + 1, VOID + 1), np.int64)  # by object and class
    votes.reshape(-1)[pairs.numbers] = rle.areas(pairs.counts, pairs.offsets)
    votes[:, [0, VOID]] = 0
    return runs, votes[runs.numbers].argmax(axis=1).astype(np.int64)


def _is_instance(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((values != 0) & (values != VOID))


def _read_classes(picture: _Picture) -> tuple[tuple[int, int], list[int]]:
    """Size of a label map, and the classes in it."""
    values = _open(picture.classes, picture.stem)
    seen = np.bincount(values.reshape(-1), minlength=VOID + 1)[:VOID]
    return (values.shape[0], values.shape[1]), np.flatnonzero(seen).tolist()


# -- frames ----------------------------------------------------------------------------------


def _image_frame(
    reading: Reading,
    root: Path,
    pictures: Sequence[_Picture],
    places: Sequence[int],
    sizes: Sequence[tuple[int, int]],
) -> pl.DataFrame:
    if not places:
        raise InputError(f"{reading.path}: holds no images that can be used")
    folder = reading.images or root / PICTURES
    return pl.DataFrame(
        {
            "image_id": [place + 1 for place in places],
            "file_name": [_file_name(folder, pictures[place].stem) for place in places],
            "width": [width for _, width in sizes],
            "height": [height for height, _ in sizes],
        },
        schema=IMAGES,
    )


def _file_name(folder: Path, stem: str) -> str:
    names = (f"{stem}{extension}" for extension in _EXTENSIONS)
    return next((name for name in names if (folder / name).is_file()), f"{stem}.jpg")


def _image_root(reading: Reading, root: Path, images: pl.DataFrame) -> Path | None:
    return find_images(reading, root / PICTURES, images["file_name"].head(1).to_list())


def _category_frame(root: Path, seen: Iterable[int], *, first: int) -> pl.DataFrame:
    """The classes that have names, and those that occur without one."""
    names = read_names(root)
    values = sorted({*range(first, len(names) + 1), *seen})
    words = [BACKGROUND if value == 0 else name_of(value, names) for value in values]
    return pl.DataFrame({"category_id": values, "name": words}, schema=CATEGORIES)
