"""COCO instances JSON, in and out; every record is kept as it was written.

The file is walked once by msgspec, which hands over each record as bytes. The bytes are kept for
writing, and decoded chunk by chunk into columns and flat buffers, so that no more than a chunk of
annotations is ever a Python object.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import polars as pl

from paring.dataset import rle
from paring.dataset.formats.coco.annotations import read_annotations
from paring.dataset.formats.coco.records import UNREADABLE, Id, decoded, listed
from paring.dataset.origin import Origin, Records
from paring.dataset.reading import Reading, find_images
from paring.dataset.table import CATEGORIES, IMAGES, INSTANCES, Dataset
from paring.dataset.writing import Images, placed
from paring.errors import InputError

LARGEST_SIDE = 1_000_000
"""Pixels a side of the largest image that is believed."""

_OURS = ("run.json", "subset.json")  # what a run says of itself is no data set
_RECORDS = ("images", "annotations", "categories")


class _Image(msgspec.Struct, gc=False):
    id: Id
    file_name: str
    width: int
    height: int


class _Category(msgspec.Struct):
    id: Id
    name: str


# -- recognising -----------------------------------------------------------------------------


def recognise(path: Path) -> bool:
    """A JSON file, or a folder that holds a JSON object that speaks of images."""
    if path.is_dir():
        return bool(_candidates(path))
    return path.suffix.lower() == ".json" or _head(path).startswith(b"{")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()


def _candidates(folder: Path) -> list[Path]:
    words = (b'"images"', b'"annotations"', b'"categories"', b'"info"')
    files = [*sorted(folder.glob("*.json")), *sorted((folder / "annotations").glob("*.json"))]
    heads = ((f, _head(f)) for f in files if f.is_file() and f.name not in _OURS)
    return [f for f, head in heads if head[:1] == b"{" and any(word in head for word in words)]


def _choose(reading: Reading) -> Path:
    """The annotation file that a reading means; a folder may hold one, or one per split."""
    if not reading.path.is_dir():
        return reading.path
    found = _candidates(reading.path)
    if reading.split is not None:
        found = [f for f in found if reading.split in f.stem]
    if len(found) != 1:
        names = ", ".join(f.name for f in found) or "none"
        raise InputError(f"{reading.path}: name one annotation file in it (found: {names})")
    reading.say(f"annotations taken from {found[0]}")
    return found[0]


# -- reading ---------------------------------------------------------------------------------


def read(reading: Reading) -> Dataset:
    """Read a COCO instances file; unknown keys at every level are kept for writing."""
    if reading.task == "semantic":
        raise InputError(
            f"{reading.path}: COCO instances hold no label maps; read them as instances"
        )
    reading.path = _choose(reading)
    top = _top_level(reading)
    header = {key: b"" if key in _RECORDS else bytes(raw) for key, raw in top.items()}
    images, image_texts = _images(top["images"], reading)
    categories, category_texts = _categories(top["categories"], reading)
    annotations = top.pop("annotations")
    instances, masks, texts = read_annotations(annotations, images, categories, reading)
    origin = Origin("coco", reading.path, image_texts, texts, category_texts, header)
    return Dataset(
        images,
        instances,
        categories,
        masks,
        image_root=find_images(reading, reading.path.parent, images["file_name"].head(1).to_list()),
        origin=origin.bind(images, instances, categories, masks),
    )


def _top_level(reading: Reading) -> dict[str, msgspec.Raw]:
    text = reading.path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    kind = dict[str, msgspec.Raw]
    try:
        top = msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise InputError(
            f"{reading.path}: is not a COCO data set, which is an object with images, annotations "
            f"and categories ({error})"
        ) from error
    except UNREADABLE as error:
        top = msgspec.json.decode(_constants_as_text(text, reading.path, error), type=kind)
        reading.say(
            f"{reading.path} holds NaN or Infinity, which JSON has not; they are taken for text, "
            "and its records are kept in meaning but not byte for byte"
        )
    missing = [key for key in _RECORDS if key not in top]
    if missing:
        raise InputError(
            f"{reading.path}: has no {' and no '.join(map(repr, missing))}, so it is not a COCO "
            "data set"
        )
    return top


def _constants_as_text(text: bytes, path: Path, error: Exception) -> bytes:
    """The same JSON with NaN and Infinity, which JSON has not, as text that is refused later."""
    try:
        top = json.loads(text, parse_constant=str)
        if isinstance(top, dict):
            return msgspec.json.encode(top)
    except (ValueError, RecursionError):
        pass
    raise InputError(f"{path}: is not valid JSON ({error})") from error


def _images(raw: Any, reading: Reading) -> tuple[pl.DataFrame, Records]:
    raws = listed(raw, "images", reading)
    kept: dict[int, tuple[_Image, int]] = {}
    for record, row in zip(*decoded(raws, _Image, "image", reading), strict=True):
        name = f"image {row} (id {record.id})"
        if record.id in kept:
            reading.refuse("unusable image", name, "this id occurs twice")
        elif not (0 < record.width <= LARGEST_SIDE and 0 < record.height <= LARGEST_SIDE):
            size = f"{record.width} x {record.height} pixels"
            reading.refuse(
                "unusable image", name, f"cannot be {size} (1 to {LARGEST_SIDE:,} a side)"
            )
        elif "\0" in record.file_name or not record.file_name:
            reading.refuse("unusable image", name, "has no usable file name")
        else:
            kept[record.id] = record, row
    if not kept:
        raise InputError(f"{reading.path}: holds no images that can be used")
    records = [record for record, _ in kept.values()]
    frame = pl.DataFrame(
        {
            "image_id": list(kept),
            "file_name": [r.file_name for r in records],
            "width": [r.width for r in records],
            "height": [r.height for r in records],
        },
        schema=IMAGES,
    )
    return frame, Records.of([raws[row] for _, row in kept.values()])


def _categories(raw: Any, reading: Reading) -> tuple[pl.DataFrame, Records]:
    raws = listed(raw, "categories", reading)
    kept: dict[int, tuple[str, int]] = {}
    for record, row in zip(*decoded(raws, _Category, "category", reading), strict=True):
        if record.id in kept:
            name = f"category {row} (id {record.id})"
            reading.refuse("unusable category", name, "this id occurs twice")
        else:
            kept[record.id] = record.name, row
    names = [name for name, _ in kept.values()]
    frame = pl.DataFrame({"category_id": list(kept), "name": names}, schema=CATEGORIES)
    return frame, Records.of([raws[row] for _, row in kept.values()])


# -- writing ---------------------------------------------------------------------------------


def write(data: Dataset, target: Path, images: Images = "none") -> Counter[str]:
    """Write a COCO instances file; records that came from one are written as they came.

    With ``images="link"`` or ``"copy"`` the target is a folder with ``annotations.json`` and
    ``images/``.
    """
    if images != "none":
        target.mkdir()
        data = placed(data, target / "images", images)
        target /= "annotations.json"
    losses: Counter[str] = Counter()
    if data.tags is not None and len(data.tags):
        losses["image tags"] = len(data.tags)
    if data.label_maps is not None:
        losses["label maps"] = len(data.label_maps.paths)
    with target.open("wb") as file:
        _write_json(file, data)
    return losses


def write_part(data: Dataset, folder: Path) -> list[str]:
    """The annotations of a part of a COCO data set, as ``annotations.json``."""
    write(data, folder / "annotations.json")
    return ["annotations.json"]


def _write_json(file: BinaryIO, data: Dataset) -> None:
    came = data.origin if data.origin is not None and data.origin.format == "coco" else None
    if came is None or came.images is None or came.instances is None or came.categories is None:
        header = dict.fromkeys(_RECORDS, b"")
        texts = _image_texts(data), _instance_texts(data), _category_texts(data)
    else:
        header, texts = (
            came.header,
            (iter(came.images), iter(came.instances), iter(came.categories)),
        )
    records = dict(zip(_RECORDS, texts, strict=True))
    for number, (key, value) in enumerate(header.items()):
        file.write((b", " if number else b"{") + msgspec.json.encode(key) + b": ")
        if key in records:
            _write_list(file, records[key])
        else:
            file.write(value)
    file.write(b"}\n")


def _write_list(file: BinaryIO, records: Iterable[bytes]) -> None:
    file.write(b"[")
    for number, record in enumerate(records):
        if number:
            file.write(b",\n")
        file.write(record)
    file.write(b"]")


def _image_texts(data: Dataset) -> Iterator[bytes]:
    more = [c for c in data.images.columns if c not in IMAGES]
    for row in data.images.iter_rows(named=True):
        record = {"id": row["image_id"], "file_name": row["file_name"]}
        record |= {key: row[key] for key in ("width", "height", *more)}
        yield msgspec.json.encode(record)


def _category_texts(data: Dataset) -> Iterator[bytes]:
    more = [c for c in data.categories.columns if c not in CATEGORIES]
    for row in data.categories.iter_rows(named=True):
        record = {"id": row["category_id"], "name": row["name"]} | {key: row[key] for key in more}
        yield msgspec.json.encode(record)


def _instance_texts(data: Dataset) -> Iterator[bytes]:
    masks, more = data.masks, [c for c in data.instances.columns if c not in INSTANCES]
    coded = iter(rle.encode_text(masks.counts, masks.count_offsets))
    for k, row in enumerate(data.instances.iter_rows(named=True)):
        text = next(coded)
        segmentation: Any = [part.reshape(-1).tolist() for part in masks.polygon(k)]
        if text:
            size = [int(masks.heights[k]), int(masks.widths[k])]
            segmentation = {"size": size, "counts": text.decode()}
        record = {"id": row["instance_id"]}
        record |= {key: row[key] for key in ("image_id", "category_id", "bbox", "area")}
        record |= {"iscrowd": int(row["iscrowd"]), "segmentation": segmentation}
        record |= {key: row[key] for key in more if row[key] is not None}
        yield msgspec.json.encode(record)
