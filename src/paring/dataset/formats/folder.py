"""A plain folder of images, with image-level tags where something gives them.

Tags come from ``tags.csv`` (columns file_name and tag), from ``tags.json`` (file name to list of
tags), or from sub-folders called after classes; there are no instances and no masks.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import polars as pl

from paring.dataset.formats.indexed import instance_frame, mask_store
from paring.dataset.formats.losses import left_behind
from paring.dataset.formats.pictures import (
    IMAGE_FOLDERS,
    SPLITS,
    has_file,
    image_frame,
    image_names,
    inside,
    plain_split,
    spellings,
)
from paring.dataset.origin import Origin
from paring.dataset.reading import Reading
from paring.dataset.table import CATEGORIES, TAGS, Dataset
from paring.dataset.writing import Images, placed
from paring.errors import InputError

TABLE, JSON = "tags.csv", "tags.json"
COLUMNS = ("file_name", "tag")
SEPARATOR = ";"
"""Stands between several tags in one row."""

Tags = dict[str, list[str]]


def recognise(path: Path) -> bool:
    """A ``tags.csv`` or ``tags.json``, a folder with one, or with an image at most 3 deep."""
    if path.is_file():
        return path.name in (TABLE, JSON)
    return any((path / name).is_file() for name in (TABLE, JSON)) or has_file(path)


def read(reading: Reading) -> Dataset:
    """Read the images of a folder and their tags.

    A list of tags names the images of the data set: others are left out, and said to be. Without
    a list, images that lie in sub-folders alone have the sub-folder's name as tag, unless the
    sub-folders are called like splits (one is read) or there is but one, called like ``images``.
    Category ids count the tags in the order of the alphabet, from 1 on. Without any tag, `tags`
    is None.
    """
    if reading.task == "semantic":
        raise InputError(f"{reading.path}: a folder of images holds no label maps")
    listed = _list_of(reading.path)
    if listed is not None:
        root = reading.images or listed.parent
        names, tags = _listed_images(reading, root, listed)
    else:
        root = _root(reading)
        names = image_names(root)
        tags = _tags_by_folder(reading, names)
    images = image_frame(reading, root, names)
    categories = _category_frame(tags)
    masks = mask_store([])
    instances = instance_frame(masks, [], [], [])
    origin = Origin("folder", reading.path)
    return Dataset(
        images,
        instances,
        categories,
        masks,
        tags=_tag_frame(images, categories, tags) if len(categories) else None,
        image_root=root,
        origin=origin.bind(images, instances, categories, masks),
    )


# -- finding ---------------------------------------------------------------------------------


def _list_of(path: Path) -> Path | None:
    places = (path,) if path.is_file() else (path / TABLE, path / JSON)
    return next((place for place in places if place.is_file()), None)


def _root(reading: Reading) -> Path:
    """The folder of the images: the split's where there are splits."""
    if reading.images is not None:
        return reading.images
    inner = {p.name: p for p in reading.path.iterdir() if p.is_dir() and has_file(p)}
    wanted = SPLITS if reading.split is None else (plain_split(reading.split),)
    found = [inner[n] for split in wanted for n in spellings(split) if n in inner]
    all_splits = {name for split in SPLITS for name in spellings(split)}
    if reading.split is not None:
        if not found:
            raise InputError(f"{reading.path}: has no folder of images for {reading.split!r}")
        return found[0]
    if found and inner.keys() <= all_splits and not has_file(reading.path, depth=1):
        reading.say(f"images taken from {found[0]}, one of {', '.join(sorted(inner))}")
        return found[0]
    return reading.path


# -- tags ------------------------------------------------------------------------------------


def _tags_by_folder(reading: Reading, names: list[str]) -> Tags:
    """The first folder of each name as its tag, if all lie in folders called after classes."""
    folders = {name.split("/")[0] for name in names if "/" in name}
    if any("/" not in name for name in names) or folders <= set(IMAGE_FOLDERS):
        return {name: [] for name in names}
    reading.say(f"tags taken from the names of {len(folders)} folders")
    return {name: [name.split("/")[0]] for name in names}


def _listed_images(reading: Reading, root: Path, path: Path) -> tuple[list[str], Tags]:
    """The images that a list of tags names, sorted, and their tags."""
    there = set(image_names(root))
    tags: Tags = {}
    strangers: set[str] = set()
    for record, name, given in _rows(reading, path):
        if name in there:
            tags.setdefault(name, []).extend(given)
        elif name not in strangers:
            strangers.add(name)
            message = f"names the image {name[:200]!r}, which is not in {root}"
            reading.refuse("unusable image", record, message, path=path)
    if len(there) > len(tags):
        reading.say(f"{len(there) - len(tags):,} images left out, as {path} does not list them")
    return sorted(tags), tags


def read_tags(path: Path) -> list[tuple[str, str, list[str]]]:
    """What each record of a list of tags is called, the image that it names, and its tags.

    Raises `InputError` naming the file, and the record that is not as it should be.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of tags")
    return list(_rows(Reading(path=path), path))


def _rows(reading: Reading, path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """What each record of a list of tags is called, its image and its tags."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text file in UTF-8") from error
    rows = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    for record, name, given in rows(reading, path, text):
        yield record, PurePosixPath(name).as_posix(), [tag.strip() for tag in given if tag.strip()]


def _csv_rows(reading: Reading, path: Path, text: str) -> Iterator[tuple[str, str, list[str]]]:
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [word.strip() for word in next(rows, [])]
        if not set(COLUMNS) <= set(header):
            raise InputError(f"{path}: its first line must name the columns file_name and tag")
        name_at, tag_at = (header.index(column) for column in COLUMNS)
        for row in rows:
            record = f"line {rows.line_num}"
            if len(row) == len(header):
                yield record, row[name_at], row[tag_at].split(SEPARATOR)
            elif row:
                message = f"has {len(row)} columns, the first line has {len(header)}"
                reading.refuse("unusable tag", record, message, path=path)
    except csv.Error as error:
        raise InputError(f"{path}: line {rows.line_num}: is not valid CSV ({error})") from error


def _json_rows(reading: Reading, path: Path, text: str) -> Iterator[tuple[str, str, list[str]]]:
    try:
        top = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not valid JSON ({error})") from error
    if not isinstance(top, dict):
        raise InputError(f"{path}: must be an object of file names and lists of tags")
    for name, value in top.items():
        given = [value] if isinstance(value, str) else value
        if isinstance(given, list) and all(isinstance(tag, str) for tag in given):
            yield f"image {name}", name, given
        else:
            message = "needs a list of tags in text"
            reading.refuse("unusable tag", f"image {name}", message, path=path)


# -- frames ----------------------------------------------------------------------------------


def _category_frame(tags: Tags) -> pl.DataFrame:
    names = sorted({tag for given in tags.values() for tag in given})
    ids = range(1, len(names) + 1)
    return pl.DataFrame({"category_id": ids, "name": names}, schema=CATEGORIES)


def _tag_frame(images: pl.DataFrame, categories: pl.DataFrame, tags: Tags) -> pl.DataFrame:
    ids = dict(categories.select("name", "category_id").iter_rows())
    pairs = [
        (image_id, category_id)
        for image_id, name in images.select("image_id", "file_name").iter_rows()
        for category_id in sorted({ids[tag] for tag in tags[name]})
    ]
    return pl.DataFrame(pairs, schema=TAGS, orient="row")


# -- writing ---------------------------------------------------------------------------------


def write(data: Dataset, target: Path, images: Images = "none") -> Counter[str]:
    """Write ``tags.csv``, one row per image and tag, and an empty tag for an image without.

    Data without tags gets those of its instances: the categories that occur in each image, crowds
    aside. Raises `InputError` where a category name cannot be told from others in the table.
    """
    target.mkdir(exist_ok=True)
    data = placed(data, target, images)
    pairs = _tags_of(data)
    _write_table(data, target / TABLE, pairs)
    losses = left_behind(data, tags=False)
    losses["instances"] = len(data.instances)
    losses["categories without an image"] = len(data.categories) - pairs["category_id"].n_unique()
    return +losses


def write_part(data: Dataset, folder: Path) -> list[str]:
    """The images of a part of such a data set and their tags, as ``tags.csv``."""
    write(data, folder)
    return [TABLE]


def _tags_of(data: Dataset) -> pl.DataFrame:
    if data.tags is not None:
        return data.tags.unique()
    counted = data.instances.filter(~pl.col("iscrowd"))
    return counted.select("image_id", "category_id").unique()


def _write_table(data: Dataset, path: Path, pairs: pl.DataFrame) -> None:
    names = dict(data.categories.select("category_id", "name").iter_rows())
    for category_id in pairs["category_id"].unique().sort():
        name = names[category_id]
        if not name.strip() or SEPARATOR in name or len(name.splitlines()) > 1:
            raise InputError(f"category {name!r} cannot be a tag; rename it")
    given: dict[int, list[int]] = {}
    for image_id, category_id in pairs.sort("image_id", "category_id").iter_rows():
        given.setdefault(image_id, []).append(category_id)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for image_id, name in data.images.select("image_id", "file_name").iter_rows():
            tags = [names[category_id] for category_id in given.get(image_id, [])] or [""]
            table.writerows((inside(name).as_posix(), tag) for tag in tags)
