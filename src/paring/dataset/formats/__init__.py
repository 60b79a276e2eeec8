"""Formats of segmentation data sets: `read` recognises one and reads it, `write` writes it.

A format is a module with four functions, listed in the table `FORMATS` below:

``recognise(path) -> bool``
    whether a path looks like this format, at the price of a glance;
``read(reading) -> Dataset``
    the data set at ``reading.path`` (`Reading` holds the options and collects the faults);
``write(data, target, images) -> Counter``
    the whole data set at a fresh path, giving how many of which kind of thing were lost;
``write_part(data, folder) -> list[str]``
    the annotations of a part of a data set that was read in this format, in the way its users
    cut it, inside a run folder; gives the names of what was written.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from paring.dataset.reading import Progress, Reading
from paring.dataset.table import Dataset
from paring.dataset.video import frame_of
from paring.dataset.writing import Images, beside
from paring.errors import InputError


@dataclass(frozen=True)
class Format:
    """A format by name; its module is imported when it is used."""

    name: str
    title: str

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb not in {"recognise", "read", "write", "write_part"}:
            raise AttributeError(verb)
        found: Callable[..., Any] = getattr(import_module(f"{__name__}.{self.name}"), verb)
        return found


FORMATS = {
    f.name: f
    for f in (
        Format("cityscapes", "Cityscapes folder"),  # first: one that we wrote holds a COCO JSON
        Format("coco", "COCO instances JSON"),
        Format("voc", "PASCAL VOC 2012 folder"),
        Format("yolo", "YOLO segmentation folder"),
        Format("pairs", "folders of images and masks"),
        Format("folder", "folder of images, tags by folder name or CSV"),
        Format("video", "video files, a frame at every step"),
        Format("listing", "text file with one image path per line"),
    )
}


_NAME_FRAMES = ("coco", "video", "listing")
"""Formats that may name a frame of a video where they name an image."""


def format_of(path: Path) -> Format:
    """The first format that recognises a path; `InputError` where none does."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    for candidate in FORMATS.values():
        if candidate.recognise(path):
            return candidate
    if path.is_dir() and all(entry.name.startswith(".") for entry in path.iterdir()):
        raise InputError(f"{path}: holds no images and no annotations")
    known = ", ".join(f"{f.name} ({f.title})" for f in FORMATS.values())
    raise InputError(f"{path}: not recognised as a data set; known formats are {known}")


def read(
    path: str | Path,
    *,
    format: str | None = None,
    images: str | Path | None = None,
    task: Literal["instances", "semantic"] = "instances",
    split: str | None = None,
    classes: Sequence[str] | None = None,
    void: int | None = None,
    reduce_zero_label: bool = False,
    components: bool = False,
    frame_step: int = 1,
    progress: Progress | None = None,
) -> Dataset:
    """Read a segmentation data set of any known format.

    Parameters
    ----------
    path : annotation file or data set folder.
    format : a name in `FORMATS`; unset, the path is recognised.
    images : folder of the images; unset, the annotation's folder, ``images/`` beside it and the
        folder of the split's name are tried.
    task : ``"instances"``, or ``"semantic"`` for label maps by path (Cityscapes, VOC, pairs).
    split : part of a data set that has several.
    classes, void, reduce_zero_label, components : see `paring.dataset.reading.Reading`.
    frame_step : of videos, every frame_step-th frame is an image.
    progress : called with a label, steps done and steps to do.

    Raises
    ------
    InputError
        One sentence naming the file and the record that cannot be used.

    Example
    -------
    >>> import paring, tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "scenes.json"
    >>> losses = paring.scenes(3, seed=0).write(file, format="coco")
    >>> paring.read(file)
    Dataset(3 images, ... instances, 8 categories)
    """
    reading = Reading(
        path=Path(path),
        images=None if images is None else Path(images),
        task=task,
        split=split,
        classes=classes,
        void=void,
        reduce_zero_label=reduce_zero_label,
        components=components,
        frame_step=frame_step,
        progress=progress,
    )
    return carry_out(reading, format=format)


def carry_out(reading: Reading, *, format: str | None = None) -> Dataset:
    """Read what a `Reading` describes; it holds the faults and words of the read afterwards."""
    if format is not None and format not in FORMATS:
        raise InputError(f"format {format!r} is not known; there are {', '.join(FORMATS)}")
    if reading.task not in ("instances", "semantic"):
        raise InputError(f"task {reading.task!r} is not known; it is 'instances' or 'semantic'")
    if reading.frame_step < 1:
        raise InputError(f"frame_step {reading.frame_step} is no step; it is 1 or more")
    if not reading.path.exists():
        raise InputError(f"{reading.path}: no such file or folder")
    if not (reading.path.is_file() or reading.path.is_dir()):
        raise InputError(f"{reading.path}: is neither a file nor a folder")
    if reading.path.suffix == ".gz":
        raise InputError(f"{reading.path}: is compressed; unpack it first")
    chosen = FORMATS[format] if format is not None else format_of(reading.path)
    try:
        data: Dataset = chosen.read(reading)
    except OSError as error:
        where = error.filename or reading.path
        raise InputError(f"{where}: cannot be read ({error.strerror or error})") from error
    return replace(data, sources=(reading.path.resolve(),))


def write(
    data: Dataset,
    path: str | Path,
    *,
    format: str | None = None,
    strict: bool = False,
    images: Images = "none",
    overwrite: bool = False,
) -> Counter[str]:
    """Write a data set; gives how many of which kind of thing the format could not hold.

    Parameters
    ----------
    format : a name in `FORMATS`; unset, the format the data set came in, else COCO.
    strict : refuse with `InputError` instead of losing anything.
    images : ``"link"`` or ``"copy"`` puts the pictures where the format wants them.
    overwrite : replace what is at the path; never what the data set was read from.
    """
    path = Path(path)
    name = format or (data.origin.format if data.origin is not None else "coco")
    if name not in FORMATS:
        raise InputError(f"format {name!r} is not known; there are {', '.join(FORMATS)}")
    guard_sources(data, path)
    if overwrite and path.is_dir():
        raise InputError(f"{path}: is a folder, and folders are never replaced; remove it first")
    with beside(path, overwrite=overwrite) as fresh:
        return put(data, fresh, name, images=images, strict=strict, shown=path)


def put(
    data: Dataset, fresh: Path, format: str, *, images: Images, strict: bool, shown: Path
) -> Counter[str]:
    """Write in a format at a fresh path, which a refusal calls `shown`; gives the losses.

    Formats that know an image by a file of its own hold frames of videos only with pictures.
    """
    if images == "none" and format not in _NAME_FRAMES:
        frame = next((n for n in data.images["file_name"] if frame_of(n) is not None), None)
        if frame is not None:
            raise InputError(
                f"{shown}: {format} needs a file for each image, and {frame} is a frame of a "
                "video; place the pictures (--pictures copy)"
            )
    losses: Counter[str] = FORMATS[format].write(data, fresh, images)
    if strict and losses:
        lost = ", ".join(f"{count:,} {kind}" for kind, count in sorted(losses.items()))
        raise InputError(f"{shown}: writing as {format} would lose {lost}")
    return losses


def guard_sources(data: Dataset, target: Path) -> None:
    """Refuse a target that is, or holds, what a data set was read from or its images."""
    place = target.resolve()
    kept = [*data.sources, *(() if data.image_root is None else (data.image_root.resolve(),))]
    for source in kept:
        if os.path.lexists(target) and (source == place or place in source.parents):
            raise InputError(
                f"{target}: is or holds what the data set was read from; it is never changed"
            )
