"""Writing PASCAL VOC folders: copied where the data came from one, painted where it did not."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import polars as pl

from paring.dataset.formats.index_painting import paint, save_map
from paring.dataset.formats.losses import left_behind
from paring.dataset.formats.names import BACKGROUND, NAME_FILES, names_text
from paring.dataset.formats.voc.classes import numbering
from paring.dataset.labelmaps import VOID
from paring.dataset.origin import Origin, Records
from paring.dataset.table import Dataset
from paring.dataset.writing import Images, placed
from paring.errors import InputError

OBJECTS, CLASSES, PICTURES = "SegmentationObject", "SegmentationClass", "JPEGImages"
LISTS = Path("ImageSets", "Segmentation")


def origin_of(root: Path, split: str, stems: list[str]) -> Origin:
    """What is needed to copy the files of a VOC folder: where each image's maps lie."""
    records = Records.of([os.fsencode(root) + b"\0" + stem.encode() for stem in stems])
    return Origin("voc", root, images=records, header={"split": split.encode()})


def write(data: Dataset, target: Path, images: Images = "none") -> Counter[str]:
    """Write a VOC folder.

    Maps that came from a VOC folder are copied byte for byte. Other data is painted; ids of
    images and instances, boxes and areas are then what a reader counts, and polygons are pixels.
    Semantic label maps without instances become ``SegmentationClass`` alone.

    Raises `InputError` for more than 254 categories, and where two file names differ only in
    their folder or extension, because VOC has neither.
    """
    target.mkdir()
    data = placed(data, target / PICTURES, images)
    write_part(data, target)
    sources = _sources(data)
    if sources is not None:
        _copy(sources, target, CLASSES if data.label_maps is not None else OBJECTS)
        return Counter()
    if images != "none":
        _flatten(target / PICTURES, data.images["file_name"])
    if data.label_maps is not None and data.instances.is_empty():
        _write_label_maps(data, target)
        return left_behind(data, label_maps=False)
    return _write_instances(data, target) + left_behind(data)


def write_part(data: Dataset, folder: Path) -> list[str]:
    """The images of a part of a VOC data set, as a list in ``ImageSets/Segmentation``."""
    came = data.origin if data.origin is not None and data.origin.format == "voc" else None
    split = "train" if came is None else came.header["split"].decode()
    path = LISTS / f"{split}.txt"
    (folder / LISTS).mkdir(parents=True, exist_ok=True)
    text = "".join(f"{stem}\n" for stem in _stems(data))
    (folder / path).write_text(text, encoding="utf-8", newline="\n")
    return [path.as_posix()]


def _sources(data: Dataset) -> list[tuple[Path, str]] | None:
    """VOC folder and stem of each image, where the data came from VOC as it is."""
    if data.origin is None or data.origin.format != "voc" or data.origin.images is None:
        return None
    pairs = (record.split(b"\0") for record in data.origin.images)
    return [(Path(os.fsdecode(root)), stem.decode()) for root, stem in pairs]


def _stems(data: Dataset) -> list[str]:
    sources = _sources(data)
    if sources is not None:
        return [stem for _, stem in sources]
    owner: dict[str, str] = {}
    for name in data.images["file_name"]:
        stem = PurePosixPath(name).stem
        if not stem or stem != stem.strip() or "\n" in stem:
            raise InputError(f"image {name!r} cannot be named in a VOC list of images; rename it")
        if stem in owner:
            raise InputError(
                f"images {owner[stem]!r} and {name!r} would both be {stem!r} in VOC, which has "
                "one folder of images; rename one of them"
            )
        owner[stem] = name
    return list(owner)


def _flatten(folder: Path, names: pl.Series) -> None:
    """Move pictures out of subfolders."""
    for name in names:
        (folder / name).rename(folder / PurePosixPath(name).name)
    for inner in {PurePosixPath(name).parts[0] for name in names if "/" in name}:
        if (folder / inner).is_dir():
            shutil.rmtree(folder / inner)


def _copy(sources: list[tuple[Path, str]], target: Path, read_from: str) -> None:
    """Copy both maps of each image; label maps may have no map of objects beside them."""
    for root, stem in sources:
        for kind in (CLASSES, OBJECTS):
            source, copy = root / kind / f"{stem}.png", target / kind / f"{stem}.png"
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_file():
                shutil.copyfile(source, copy)
            elif kind in (CLASSES, read_from):
                raise InputError(f"{source}: does not exist any more, so it cannot be copied")
    for name in NAME_FILES:
        if sources and (sources[0][0] / name).is_file():
            shutil.copyfile(sources[0][0] / name, target / name)


def _write_instances(data: Dataset, target: Path) -> Counter[str]:
    values, names = numbering(data.categories)
    _write_names(target, names)
    losses: Counter[str] = Counter()
    for stem, painted in zip(_stems(data), paint(data, values), strict=True):
        save_map(target / OBJECTS / f"{stem}.png", painted.objects)
        save_map(target / CLASSES / f"{stem}.png", painted.classes)
        losses += painted.losses
    return losses


def _write_label_maps(data: Dataset, target: Path) -> None:
    assert data.label_maps is not None
    background = data.categories["name"] == BACKGROUND
    values, names = numbering(data.categories.filter(~background))
    _write_names(target, names)
    values |= dict.fromkeys(data.categories.filter(background)["category_id"], 0)
    lookup = np.full(max([VOID, *values]) + 1, VOID, np.uint8)
    lookup[list(values)] = list(values.values())
    for stem, image_id in zip(_stems(data), data.images["image_id"], strict=True):
        save_map(target / CLASSES / f"{stem}.png", lookup[data.label_maps.read(image_id)])


def _write_names(target: Path, names: list[str] | None) -> None:
    if names is not None:
        text = names_text(names)
        (target / NAME_FILES[0]).write_text(text, encoding="utf-8", newline="\n")
