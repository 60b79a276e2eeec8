"""YOLO segmentation folders in the layout of Ultralytics.

``data.yaml`` names classes and splits; every image under ``images/`` has a text file under
``labels/`` with a line per instance: a class number and the vertices of one polygon, or the
centre and size of a box, in shares of the image's width and height.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from paring.dataset.formats.indexed import Unusable, usable
from paring.dataset.formats.pictures import image_frame
from paring.dataset.formats.yolo.labels import Labels
from paring.dataset.formats.yolo.layout import Layout, find, has_bare_split, yaml_of
from paring.dataset.formats.yolo.writing import origin_of, write, write_part
from paring.dataset.reading import Reading
from paring.dataset.table import CATEGORIES, INSTANCES, Dataset
from paring.errors import InputError

__all__ = ["read", "recognise", "write", "write_part"]

_MEANINGS = {
    "box without a mask": "gives a box and no polygon, so its mask is empty",
    "point outside the image": "has a point outside the image",
}
_BLANK = (b"", b"\xef\xbb\xbf")


def recognise(path: Path) -> bool:
    """A ``data.yaml``, a folder with one, or images beside a ``labels`` folder of text files."""
    try:
        return yaml_of(path) is not None or (path.is_dir() and has_bare_split(path))
    except InputError:
        return True  # several descriptions: reading says so


def read(reading: Reading) -> Dataset:
    """Read a split of a YOLO folder; every label line is kept for writing.

    Images are measured by their headers, as labels only give shares of their size. An image
    without a label file, or with an empty one, has no instances. A line of five numbers is a box:
    its instance has that box and area, and an empty mask.
    """
    if reading.task == "semantic":
        raise InputError(f"{reading.path}: YOLO holds no label maps; read it as instances")
    layout = find(reading)
    measured = image_frame(reading, layout.root, layout.names)
    labels, kept = _read_labels(reading, measured["image_id"].to_list(), layout)
    images = measured[kept]
    categories = _category_frame(reading, layout.classes, labels.classes)
    owners = pl.DataFrame({"image_id": labels.owners}, schema={"image_id": pl.Int64})
    sizes = owners.join(images, on="image_id", how="left", maintain_order="left")
    masks, boxes, areas = labels.geometry(sizes["width"].to_numpy(), sizes["height"].to_numpy())
    instances = pl.DataFrame(
        {
            "instance_id": range(1, len(masks) + 1),
            "image_id": labels.owners,
            "category_id": labels.classes,
            "iscrowd": [False] * len(masks),
            "bbox": boxes,
            "area": areas,
        },
        schema=INSTANCES,
    )
    origin = origin_of(reading.path, layout, labels.texts)
    return Dataset(
        images,
        instances,
        categories,
        masks,
        image_root=layout.root,
        origin=origin.bind(images, instances, categories, masks),
    )


def _read_labels(
    reading: Reading, image_ids: Sequence[int], layout: Layout
) -> tuple[Labels, list[int]]:
    """The lines of all label files, and the rows of the images whose file could be read."""
    labels, kept, missing = Labels(), [], 0
    odd: dict[str, list[str]] = {kind: [] for kind in _MEANINGS}
    files = [layout.labels[image_id - 1] for image_id in image_ids]
    for row, text in usable(_text, files, reading, "labels"):
        kept.append(row)
        missing += text is None
        for number, line in enumerate((text or b"").splitlines(keepends=True), start=1):
            record = f"{files[row].name} line {number}"
            if line.strip() in _BLANK:
                continue
            try:
                kind = labels.add(image_ids[row], line, layout.classes)
            except ValueError as error:
                folder = files[row].parent
                reading.refuse("unusable label line", record, str(error), path=folder)
                continue
            if kind is not None:
                odd[kind].append(record)
    if missing == len(files):
        reading.say(f"no label files found, so no image has instances (expected {files[0]})")
    for kind, records in odd.items():
        reading.note(kind, records, _MEANINGS[kind])
    return labels, kept


def _text(path: Path) -> bytes | None:
    """The text of a label file, None where it does not exist."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(path, "", f"the labels cannot be read ({error.strerror})") from error


def _category_frame(
    reading: Reading, classes: dict[int, str] | None, seen: Sequence[int]
) -> pl.DataFrame:
    if classes is None:
        classes = {number: f"class {number}" for number in range(max(seen, default=-1) + 1)}
        reading.say("classes called by their numbers, as no data.yaml names them")
    return pl.DataFrame(
        {"category_id": list(classes), "name": list(classes.values())}, schema=CATEGORIES
    )
