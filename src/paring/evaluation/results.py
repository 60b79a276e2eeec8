"""COCO result files: what a model found, one record each, to and from a `Dataset` with scores."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.formats.coco.geometry import FARTHEST, parse
from paring.dataset.formats.coco.records import UNREADABLE, Id, decoded, listed
from paring.dataset.masks import MaskStore
from paring.dataset.reading import Progress, Reading
from paring.dataset.table import INSTANCES, Dataset, rows_of_ids
from paring.dataset.writing import beside
from paring.errors import InputError
from paring.evaluation.matching import encoded, refuse_unscored

_CHUNK = 20_000
_WHAT = "record"


class _Result(msgspec.Struct, gc=False, kw_only=True):
    image_id: Id
    category_id: Id
    score: float
    segmentation: msgspec.Raw = msgspec.Raw(b"null")
    bbox: list[float] | None = None


class _Anything(_Result, gc=False, kw_only=True):
    """A record whose category does not matter."""

    category_id: Any = None


class _Category(msgspec.Struct):
    id: Id
    name: str


# -- reading -----------------------------------------------------------------------------------


def read_results(
    path: str | Path,
    truth: Dataset,
    *,
    class_agnostic: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """Read predictions for the images of a data set.

    Parameters
    ----------
    path : a COCO result file, which is a JSON list of records (image_id, category_id, score, and
        segmentation as run lengths or polygons, or bbox, or both), or a COCO annotations file whose
        annotations have scores.
    truth : gives the images, their sizes and the categories.
    class_agnostic : categories of the file, if it has any, are not looked at, and all that is found
        is of the first category of the truth.
    progress : called with a label, steps done and steps to do.

    Returns
    -------
    Dataset
        The truth's images and categories; instances numbered from 1 on in the order of the file,
        with a `score`. The area is the mask's, and the box too where the record has none; results
        without segmentation have the box's area and empty masks, and serve measures of boxes alone.

    Raises
    ------
    InputError
        Naming the file and the record (counted from 0) that cannot be used: an unknown image or
        category, no score, run lengths of another size, neither mask nor box.

    Example
    -------
    >>> import paring, tempfile, pathlib
    >>> truth = paring.scenes(2, seed=0)
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "results.json"
    >>> record = '{"image_id": 1, "category_id": 2, "score": 0.5, "bbox": [1, 2, 3, 4]}'
    >>> _ = file.write_text(f"[{record}]")
    >>> read_results(file, truth).instances.select("category_id", "score", "area").rows()
    [(2, 0.5, 12.0)]
    """
    reading = Reading(path=Path(path), progress=progress)
    raws = _records(reading, truth, named=not class_agnostic)
    kind = _Anything if class_agnostic else _Result
    frames, stores = [pl.DataFrame(schema=INSTANCES | {"score": pl.Float64})], []
    for first in range(0, len(raws), _CHUNK):
        part = raws[first : first + _CHUNK]
        found, _ = decoded(part, kind, _WHAT, reading, first)
        if class_agnostic:
            for record in found:
                record.category_id = truth.categories["category_id"][0]
        frame, masks = _table(found, truth, reading, first)
        frames.append(frame)
        stores.append(masks)
        reading.step("reading results", first + len(part), len(raws))
    return Dataset(
        images=truth.images,
        instances=pl.concat(frames, rechunk=True),
        categories=truth.categories,
        masks=MaskStore.concat(stores),
        image_root=truth.image_root,
        sources=(reading.path.resolve(),),
    )


def _records(reading: Reading, truth: Dataset, *, named: bool) -> list[msgspec.Raw]:
    """The texts of all records, of a result file or of an annotations file."""
    path = reading.path
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    text = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    try:
        if text.lstrip()[:1] != b"{":
            return msgspec.json.decode(text, type=list[msgspec.Raw])
        top = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: is not a COCO result file, which is a JSON list") from error
    except UNREADABLE as error:
        raise InputError(f"{path}: is not valid JSON ({error})") from error
    if "annotations" not in top:
        raise InputError(
            f"{path}: is not a COCO result file, which is a JSON list, nor has it 'annotations'"
        )
    if named and "categories" in top:
        _refuse_other_names(top["categories"], truth, reading)
    return listed(top["annotations"], "annotations", reading)


def _refuse_other_names(raw: Any, truth: Dataset, reading: Reading) -> None:
    """Categories of one id must have one name, or the file belongs to other annotations."""
    known = dict(truth.categories.select("category_id", "name").iter_rows())
    for record in decoded(listed(raw, "categories", reading), _Category, "category", reading)[0]:
        if known.get(record.id, record.name) != record.name:
            raise InputError(
                f"{reading.path}: category {record.id} is {record.name!r} there and "
                f"{known[record.id]!r} in the annotations; take those it was made for"
            )


def _table(
    found: Sequence[_Result], truth: Dataset, reading: Reading, first: int
) -> tuple[pl.DataFrame, MaskStore]:
    """Frame and masks of one chunk of records; refuses the first that cannot be used."""
    image_id = np.array([r.image_id for r in found], np.int64)
    category_id = np.array([r.category_id for r in found], np.int64)
    faults: dict[int, str] = {}
    for ids, name in ((category_id, "category"), (image_id, "image")):
        known = (truth.images if name == "image" else truth.categories)[f"{name}_id"].to_numpy()
        for k in np.flatnonzero(~np.isin(ids, known)).tolist():
            faults[k] = (
                f"names {name} {ids[k]}, which the annotations have not; take the annotations "
                "that the predictions were made for"
            )
    _refuse(faults, reading, first)

    rows = rows_of_ids(truth.images["image_id"], pl.Series(image_id))
    height = truth.images["height"].to_numpy()[rows]
    width = truth.images["width"].to_numpy()[rows]
    geometry = parse([r.segmentation for r in found], height, width)
    masks, boxes = geometry.masks, _boxes(found, geometry.faults)
    score = np.array([r.score for r in found], np.float64)
    for k in np.flatnonzero(~np.isfinite(score)).tolist():
        geometry.faults[k] = f"score {score[k]} is not a finite number"
    for k in np.flatnonzero(masks.is_empty & np.isnan(boxes[:, 0])).tolist():
        geometry.faults.setdefault(k, "has neither a segmentation nor a bbox")
    _refuse(geometry.faults, reading, first)

    boxes = np.where(np.isnan(boxes), masks.boxes(), boxes)
    area = np.where(masks.is_empty, boxes[:, 2] * boxes[:, 3], masks.areas())
    frame = pl.DataFrame(
        {
            "instance_id": np.arange(first + 1, first + len(found) + 1),
            "image_id": image_id,
            "category_id": category_id,
            "iscrowd": np.zeros(len(found), bool),
            "bbox": pl.Series(boxes, dtype=pl.Array(pl.Float64, 4)),
            "area": area,
            "score": score,
        }
    )
    return frame, masks


def _boxes(found: Sequence[_Result], faults: dict[int, str]) -> NDArray[np.float64]:
    """Boxes of the records (n, 4), NaN where there is none."""
    boxes = np.full((len(found), 4), np.nan)
    for k, record in enumerate(found):
        if not record.bbox:
            continue
        if len(record.bbox) != 4:
            faults.setdefault(k, f"`bbox` has {len(record.bbox)} numbers instead of 4")
        elif not all(math.isfinite(v) and abs(v) <= FARTHEST for v in record.bbox):
            faults.setdefault(k, f"`bbox` {record.bbox} cannot be in an image")
        elif min(record.bbox[2:]) < 0:
            faults.setdefault(k, f"`bbox` {record.bbox} has a side below 0")
        else:
            boxes[k] = record.bbox
    return boxes


def _refuse(faults: dict[int, str], reading: Reading, first: int) -> None:
    for k in sorted(faults):
        reading.refuse("unusable record", f"{_WHAT} {first + k}", faults[k])


# -- writing -----------------------------------------------------------------------------------


def write_results(predictions: Dataset, path: str | Path, *, overwrite: bool = False) -> None:
    """Write predictions as a COCO result file, one record a line.

    Each has image_id, category_id, bbox, score and, unless its mask is empty, segmentation:
    polygons as they are, run lengths in COCO's compressed text. `read_results` reads it back.

    Raises `InputError` where a prediction has no finite score, or the file is there already
    (unless `overwrite`).

    >>> import paring, tempfile, pathlib, polars as pl
    >>> from dataclasses import replace
    >>> truth = paring.scenes(2, seed=0)
    >>> found = replace(truth, instances=truth.instances.with_columns(score=pl.lit(0.5)))
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "results.json"
    >>> write_results(found, file)
    >>> read_results(file, truth).masks == found.masks
    True
    """
    refuse_unscored(predictions)
    with beside(Path(path), overwrite=overwrite) as fresh, fresh.open("wb") as file:
        file.write(b"[")
        for number, text in enumerate(_texts(predictions)):
            file.write((b",\n" if number else b"") + text)
        file.write(b"]\n")


def _texts(predictions: Dataset) -> Iterator[bytes]:
    masks = predictions.masks
    columns = predictions.instances.select("image_id", "category_id", "bbox", "score")
    rows = zip(columns.iter_rows(named=True), encoded(masks), strict=True)
    for k, (record, text) in enumerate(rows):
        if text:
            size = [int(masks.heights[k]), int(masks.widths[k])]
            record["segmentation"] = {"size": size, "counts": text.decode()}
        elif parts := masks.polygon(k):
            record["segmentation"] = [part.reshape(-1).tolist() for part in parts]
        yield msgspec.json.encode(record)
