"""What users give as images, and what they get back as pairs."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from paring.dataset.masks import MaskStore
from paring.dataset.origin import Origin
from paring.dataset.reading import Reading
from paring.dataset.table import CATEGORIES, IMAGES, INSTANCES, Dataset
from paring.errors import InputError
from paring.images.similarity.opening import Images, OnError
from paring.images.similarity.tiles import Found


def as_dataset(images: Images, *, frame_step: int = 1, on_error: OnError = "refuse") -> Dataset:
    """A data set as it is, the one at a path, or one of a list of image files.

    Where images that cannot be read are to be skipped, those found here are left out, with a
    warning that says how many and names the first.
    """
    if isinstance(images, Dataset):
        return images
    strict = on_error == "refuse"
    if isinstance(images, str | Path):
        from paring.dataset.formats import carry_out

        reading = Reading(Path(images), frame_step=frame_step, strict=strict)
        data = carry_out(reading)
    else:
        from paring.dataset.formats.listing import of_files

        reading = Reading(Path("the list of files"), strict=strict)
        data = of_files(images, reading=reading)
    refused = [fault for fault in reading.faults if fault.refused]
    if refused:
        first = f"{refused[0].record}: {refused[0].message}".removeprefix(": ")
        warnings.warn(
            f"{images_count(len(refused))} cannot be read, so left out; the first: {first}",
            stacklevel=3,
        )
    return data


def joined(old: Dataset, new: Dataset) -> Dataset:
    """The pictures of two data sets as one, without instances; ids count from 1 on.

    File names start from the folder that both lie in. Raises `InputError` where the folder of one
    is not known.
    """
    for data in (old, new):
        if data.image_root is None:
            first = data.images["file_name"][0] if len(data) else ""
            raise InputError(f"the folder of image {first!r} is not known; give images=DIR")
    roots = [os.path.abspath(data.image_root or "") for data in (old, new)]
    try:
        common = Path(os.path.commonpath(roots))
    except ValueError as error:
        raise InputError(f"{roots[0]} and {roots[1]} lie on different drives") from error
    frames = [
        [(Path(root).relative_to(common) / name).as_posix() for name in data.images["file_name"]]
        for data, root in zip((old, new), roots, strict=True)
    ]
    names = [name for frame in frames for name in frame]
    sizes = pl.concat([d.images.select("width", "height") for d in (old, new)])
    return pictures_of(names, common, sources=(*old.sources, *new.sources), sizes=sizes)


def pictures_of(
    names: Sequence[str],
    root: Path,
    *,
    sources: tuple[Path, ...] = (),
    sizes: pl.DataFrame | None = None,
) -> Dataset:
    """A data set of image files alone; ids count from 1 on.

    Without `sizes` (width, height) they are 0, as nothing is read here.
    """
    side = pl.Series([0] * len(names), dtype=pl.Int64)
    images = pl.DataFrame(
        {
            "image_id": np.arange(1, len(names) + 1),
            "file_name": pl.Series(list(names), dtype=pl.String),
            "width": side if sizes is None else sizes["width"],
            "height": side if sizes is None else sizes["height"],
        },
        schema=IMAGES,
    )
    instances, categories = pl.DataFrame(schema=INSTANCES), pl.DataFrame(schema=CATEGORIES)
    masks = MaskStore.from_polygons([], heights=[], widths=[])
    origin = Origin("listing", root).bind(images, instances, categories, masks)
    return Dataset(
        images,
        instances,
        categories,
        masks,
        image_root=root,
        sources=sources,
        origin=origin,
    )


def pair_frame(data: Dataset, found: Found) -> pl.DataFrame:
    """Pairs of rows as a frame (source, target, similarity) of image ids."""
    ids = data.images["image_id"]
    return pl.DataFrame(
        {
            "source": ids.gather(pl.Series(found.first)),
            "target": ids.gather(pl.Series(found.second)),
            "similarity": found.value,
        }
    )


def refuse_threshold(threshold: float) -> None:
    """A threshold is a finite number."""
    if not math.isfinite(threshold):
        raise InputError(f"the threshold must be a number, not {threshold}")


def images_count(number: int) -> str:
    """A number of images in words.

    >>> images_count(1), images_count(1200)
    ('1 image', '1,200 images')
    """
    return "1 image" if number == 1 else f"{number:,} images"
