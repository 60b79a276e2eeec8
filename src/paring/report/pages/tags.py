"""The page of a run that learnt masks from tags."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.tags.examples import FILE, LAYERS, Example, Shape
from paring.report.folder import read_facts
from paring.report.hiding import Names
from paring.report.sections.cut import images_section
from paring.report.sections.tags import TagFacts, tags_headline, tags_section
from paring.report.subject import Subject, Wishes

METHOD = "from-tags"


def tags_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of ``paring labels from-tags``; None where the folder is that of another run.

    Raises `InputError` where a file of the run cannot be read.
    """
    values = read_facts(path)
    if values.get("method") != METHOD:
        return None
    try:
        facts = msgspec.convert(values, TagFacts)
        examples = msgspec.json.decode((path / FILE).read_bytes(), type=list[Example])
        layers = {name: _layer(examples, name, facts, hidden=wishes.hash_names) for name in LAYERS}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: is not what a run wrote ({error})") from error
    data, root = layers["labels"], facts.dataset.image_root
    if wishes.images is not None:
        data = replace(data, image_root=Path(wishes.images))
    elif root is not None:
        data = replace(data, image_root=path / root)
    names = Names.of(data.images, facts.dataset.fingerprint, hide=wishes.hash_names)
    sections: dict[str, Any] = {
        "images": images_section(data, names),
        "tags": tags_section(facts, examples, layers, hidden=names.hidden),
    }
    return Subject(
        title="Masks from tags" if names.hidden else f"{path.resolve().name} · paring",
        headline=tags_headline(facts),
        data=data,
        names=names,
        sections=sections,
        worth=[list(range(len(examples)))],
    )


def _layer(examples: list[Example], name: str, facts: TagFacts, *, hidden: bool) -> Dataset:
    """The masks of one layer of the examples; those of no class are of the first."""
    tags = [row.tag for row in facts.tags]
    ids = {tag: number for number, tag in enumerate(tags, 1)}
    shapes: list[tuple[int, Shape]] = [
        (one.image_id, shape) for one in examples for shape in getattr(one, name)
    ]
    counts, offsets = rle.decode_text([shape.counts.encode() for _, shape in shapes])
    masks = MaskStore.from_runs(
        [counts[first:stop].astype(np.uint32) for first, stop in pairwise(offsets)],
        heights=[shape.size[0] for _, shape in shapes],
        widths=[shape.size[1] for _, shape in shapes],
    )
    instances = pl.DataFrame(
        {
            "instance_id": np.arange(1, len(shapes) + 1),
            "image_id": np.array([image_id for image_id, _ in shapes], np.int64),
            "category_id": np.array([ids.get(shape.tag, 1) for _, shape in shapes], np.int64),
            "iscrowd": np.zeros(len(shapes), bool),
            "bbox": pl.Series(masks.boxes(), dtype=pl.Array(pl.Float64, 4)),
            "area": masks.areas(),
        }
    )
    images = pl.DataFrame(
        {
            "image_id": [one.image_id for one in examples],
            "file_name": [one.file_name for one in examples],
            "width": [one.width for one in examples],
            "height": [one.height for one in examples],
        },
        schema={
            "image_id": pl.Int64,
            "file_name": pl.String,
            "width": pl.Int64,
            "height": pl.Int64,
        },
    )
    shown = [f"tag {number}" for number in ids.values()] if hidden else tags
    categories = pl.DataFrame({"category_id": np.arange(1, len(tags) + 1), "name": shown})
    return Dataset(images, instances, categories, masks)
