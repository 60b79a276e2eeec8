"""Which folders hold images and masks, and which mask belongs to which image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from paring.dataset.formats.pictures import (
    IMAGE_FOLDERS,
    SPLITS,
    files_below,
    has_file,
    image_names,
    spellings,
)
from paring.dataset.reading import Reading
from paring.errors import InputError

MASK_FOLDERS = (
    *("masks", "mask", "labels", "label", "annotations", "ann_dir", "SegmentationClass"),
)
MASK_SUFFIXES = ("annot", "_annot", "_labels", "_masks")
"""What is added to a folder of images to name the folder of its masks (CamVid: ``trainannot``)."""

MASK_ENDINGS = ("_mask", "_masks", "_label", "_labels", "_gt", "_seg", "_L")
"""What may be added to the name of an image to name its mask (CamVid: ``_L``)."""


@dataclass(frozen=True)
class Pair:
    """An image and its mask; names are relative to the folders of the `Layout`."""

    image: str
    mask: str


@dataclass(frozen=True)
class Layout:
    """The folders of a data set; `images` is None where there are only masks."""

    images: Path | None
    masks: Path


def looks_like_pairs(path: Path) -> bool:
    """Whether a folder holds images and masks in a known layout, or masks alone."""
    return path.is_dir() and _find(path, None, None) is not None


def find_folders(reading: Reading) -> Layout:
    """The folders that a reading means.

    Without a split, ``train`` is preferred where there are splits. ``InputError`` where no
    known layout fits.
    """
    found = _find(reading.path, reading.split, reading.images)
    if found is None:
        wanted = f" for split {reading.split!r}" if reading.split is not None else ""
        raise InputError(
            f"{reading.path}: has no folders of images and masks{wanted}; known are images/ with "
            "masks/, both with a folder per split, a folder with both per split, and train/ with "
            "trainannot/"
        )
    if reading.images is not None and not reading.images.is_dir():
        raise InputError(f"{reading.images}: the images folder does not exist")
    reading.say(f"masks taken from {found.masks}")
    return found


def _find(path: Path, split: str | None, images: Path | None) -> Layout | None:
    places = list(_places(path, split))
    for beside, masks in places:
        if images is None and beside.is_dir() and has_file(masks) and has_file(beside):
            return Layout(beside, masks)
    alone = places if images is not None else [p for p in places if p[1].name == MASK_FOLDERS[0]]
    if images is not None and split is None:
        alone.append((path, path))
    return next((Layout(images, masks) for _, masks in alone if has_file(masks)), None)


def _places(path: Path, split: str | None) -> Iterator[tuple[Path, Path]]:
    """Folders of images and masks that there may be, likeliest first."""
    both = [(i, m) for i in IMAGE_FOLDERS for m in MASK_FOLDERS]
    for wanted in SPLITS if split is None else (split,):
        for name in spellings(wanted):
            for i, m in both:
                yield path / name / i, path / name / m
                yield path / i / name, path / m / name
            for suffix in MASK_SUFFIXES:
                yield path / name, path / f"{name}{suffix}"
    if split is None:
        for i, m in both:
            yield path / i, path / m


def match(reading: Reading, layout: Layout) -> list[Pair]:
    """The pairs of a data set, in the order of the image names.

    A mask belongs to the image of the same name in the same folder but for its extension, and
    but for one of `MASK_ENDINGS`. Images without a mask and second masks are refused; masks
    without an image are noted. ``InputError`` where nothing fits.
    """
    masks = sorted(files_below(layout.masks))
    if layout.images is None:
        reading.say("no folder of images found; names and sizes are those of the masks")
        return [Pair(f"{_stem(mask)}.jpg", mask) for mask in masks]
    images: dict[str, str] = {}
    for name in image_names(layout.images):
        if _stem(name) in images:
            message = f"has the name of {images[_stem(name)]!r} but for the extension"
            reading.refuse("unusable image", f"image {name}", message, path=layout.images)
        else:
            images[_stem(name)] = name
    owned = _owned(reading, layout, masks, images)
    if not owned:
        raise InputError(
            f"{layout.masks}: none of its {len(masks)} masks has the name of an image in "
            f"{layout.images}"
        )
    for stem, name in images.items():
        if stem not in owned:
            message = f"has no mask in {layout.masks}"
            reading.refuse("image without a mask", f"image {name}", message, path=layout.images)
    return [Pair(name, owned[stem]) for stem, name in images.items() if stem in owned]


def _owned(
    reading: Reading, layout: Layout, masks: list[str], images: dict[str, str]
) -> dict[str, str]:
    """The mask of each image, both without extension."""
    owned: dict[str, str] = {}
    strays = []
    for mask in masks:
        stem = _owner(_stem(mask), images)
        if stem is None:
            strays.append(mask)
        elif stem in owned:
            message = f"belongs to the same image as {owned[stem]!r}"
            reading.refuse("second mask", f"mask {mask}", message, path=layout.masks)
        else:
            owned[stem] = mask
    reading.note("mask without an image", strays, f"no image of this name in {layout.images}")
    return owned


def _owner(stem: str, images: dict[str, str]) -> str | None:
    if stem in images:
        return stem
    shorter = (stem.removesuffix(ending) for ending in MASK_ENDINGS)
    return next((name for name in shorter if name in images), None)


def _stem(name: str) -> str:
    """A file name without its extension.

    >>> _stem("a.b/c.d.png")
    'a.b/c.d'
    """
    return name[: name.rindex(".")]
