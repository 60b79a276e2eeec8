"""What a data set held, without its masks: enough to say later what a cut took from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl

from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError

_FRAMES = ("images", "instances", "categories")


def save_frames(data: Dataset, folder: Path) -> None:
    """Write images, instances, categories and tags as Parquet files into a new folder.

    >>> import paring, tempfile
    >>> folder = Path(tempfile.mkdtemp()) / "before"
    >>> save_frames(paring.scenes(5, seed=0), folder)
    >>> sorted(path.name for path in folder.iterdir())
    ['categories.parquet', 'images.parquet', 'instances.parquet']
    """
    folder.mkdir(parents=True)
    for name in (*_FRAMES, "tags"):
        frame: pl.DataFrame | None = getattr(data, name)
        if frame is not None:
            frame.write_parquet(folder / f"{name}.parquet")


def load_frames(
    folder: Path, *, image_root: Path | None = None, fingerprint: str | None = None
) -> Dataset:
    """The data set of such a folder, every mask empty; `InputError` names what cannot be read.

    With `fingerprint` it answers to that of the data set it was taken from, masks and all.
    """
    frames = {name: _read(folder / f"{name}.parquet") for name in _FRAMES}
    tags = folder / "tags.parquet"
    n = len(frames["instances"])
    masks = MaskStore.from_polygons([[]] * n, heights=[0] * n, widths=[0] * n)
    try:
        data = Dataset(**frames, masks=masks, image_root=image_root)  # type: ignore[arg-type]
        data = replace(data, tags=_read(tags)) if tags.is_file() else data
    except (InputError, ValueError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{folder}: is not what a run wrote of its data set ({error})") from error
    if fingerprint is not None:
        vars(data)["fingerprint"] = fingerprint
    return data


def _read(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: is not a Parquet file ({error})") from error
