"""Writing folders of images and masks: copied where they came as such, painted elsewhere."""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from paring.dataset.formats.index_painting import MOST, paint, save_map
from paring.dataset.formats.losses import left_behind
from paring.dataset.formats.names import names_text
from paring.dataset.formats.pairs.values import BACKGROUNDS
from paring.dataset.formats.pictures import inside
from paring.dataset.labelmaps import VOID
from paring.dataset.origin import Origin, Records
from paring.dataset.table import Dataset
from paring.dataset.writing import Images, placed
from paring.errors import InputError

CLASSES, TABLE = "classes.txt", "pairs.csv"


def origin_of(path: Path, folder: Path, masks: list[str], names: tuple[str, ...]) -> Origin:
    """What is needed to copy masks: where each lies, and the class names that came with them."""
    records = Records.of([os.fsencode(folder) + b"\0" + os.fsencode(mask) for mask in masks])
    return Origin("pairs", path, images=records, header={"names": "\n".join(names).encode()})


def write(data: Dataset, target: Path, images: Images = "none") -> Counter[str]:
    """Write ``masks/`` with a label PNG per image, and ``classes.txt``.

    Masks that came as such are copied byte for byte. Others are painted: the value of a pixel is
    the place of its class among the categories, from 1 on; 0 is background, 255 void (crowd
    regions). Small instances are painted over large ones.

    Raises `InputError` for more than 254 categories, and where two images would share a mask.
    """
    target.mkdir()
    data = placed(data, target / "images", images)
    sources = _sources(data)
    if sources is not None:
        _copy(data, sources, target)
        return left_behind(data, label_maps=False)
    semantic = data.label_maps is not None and data.instances.is_empty()
    losses = left_behind(data, label_maps=not semantic)
    if semantic:
        _write_label_maps(data, target)
    else:
        losses += _write_instances(data, target)
    return losses


def write_part(data: Dataset, folder: Path) -> list[str]:
    """The images and masks of a part of such a data set by absolute path, as ``pairs.csv``.

    Data whose masks are not those of the files any more is written whole.
    """
    sources = _sources(data)
    if sources is None:
        write(data, folder / "part")
        return ["part"]
    root = data.image_root.absolute() if data.image_root is not None else None
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("image", "mask"))
        for name, (masks, mask) in zip(data.images["file_name"], sources, strict=True):
            rows.writerow((name if root is None else root / name, masks.absolute() / mask))
    return [TABLE]


def _sources(data: Dataset) -> list[tuple[Path, str]] | None:
    """Folder and name of each image's mask, where the data came from masks as it is."""
    if data.origin is None or data.origin.format != "pairs" or data.origin.images is None:
        return None
    pairs = (record.split(b"\0") for record in data.origin.images)
    return [(Path(os.fsdecode(folder)), os.fsdecode(mask)) for folder, mask in pairs]


def _copy(data: Dataset, sources: list[tuple[Path, str]], target: Path) -> None:
    assert data.origin is not None
    for folder, mask in sources:
        copy = target / "masks" / mask
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.exists():
            raise InputError(f"{folder / mask}: another mask of this name is there already")
        if not (folder / mask).is_file():
            raise InputError(f"{folder / mask}: does not exist any more, so it cannot be copied")
        shutil.copyfile(folder / mask, copy)
    if names := data.origin.header["names"]:
        (target / CLASSES).write_bytes(names + b"\n")


def _mask_paths(data: Dataset, target: Path) -> Iterator[Path]:
    owner: dict[Path, str] = {}
    for name in data.images["file_name"]:
        path = target / "masks" / inside(name).with_suffix(".png")
        if path in owner:
            raise InputError(
                f"images {owner[path]!r} and {name!r} would share one mask, which drops the "
                "extension; rename one of them"
            )
        owner[path] = name
        yield path


def _numbered(data: Dataset, target: Path) -> dict[int, int]:
    """Pixel value of each category id; the names are written.

    A category that is called background and has no instances is the background.
    """
    names = dict(data.categories.select("category_id", "name").iter_rows())
    used = set(data.instances["category_id"])
    values = {c: 0 for c, name in names.items() if name in BACKGROUNDS and c not in used}
    if len(values) > 1:
        raise InputError(f"categories {sorted(values)} are all called background; rename them")
    others = [c for c in names if c not in values]
    if len(others) > MOST:
        raise InputError(f"{len(others)} categories cannot be written as masks, which hold {MOST}")
    for category in others:
        if len(names[category].splitlines()) > 1:
            raise InputError(f"category {names[category]!r} has a name of several lines")
    target.mkdir(exist_ok=True)
    text = names_text([names[c] for c in others])
    (target / CLASSES).write_text(text, encoding="utf-8", newline="\n")
    return values | {c: value for value, c in enumerate(others, start=1)}


def _write_instances(data: Dataset, target: Path) -> Counter[str]:
    values = _numbered(data, target)
    losses: Counter[str] = Counter()
    for path, painted in zip(_mask_paths(data, target), paint(data, values), strict=True):
        save_map(path, painted.classes)
        losses += painted.losses
    del losses["instances past the 254th of an image"]  # their class is painted all the same
    regions = data.instances.filter(~pl.col("iscrowd") & ~pl.Series(data.masks.is_empty))
    joined = len(regions) - regions.select("image_id", "category_id").n_unique()
    return losses + Counter({"instances joined": joined})


def _write_label_maps(data: Dataset, target: Path) -> None:
    assert data.label_maps is not None
    values = _numbered(data, target)
    lookup = np.full(max([VOID, *values]) + 1, VOID, np.uint8)
    lookup[list(values)] = list(values.values())
    for path, image_id in zip(_mask_paths(data, target), data.images["image_id"], strict=True):
        save_map(path, lookup[data.label_maps.read(image_id)])
