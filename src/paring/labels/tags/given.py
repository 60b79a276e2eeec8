"""Which categories each image is tagged with, from wherever that is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.formats.folder import read_tags
from paring.dataset.table import CATEGORIES, TAGS, Dataset, rows_of_ids
from paring.errors import InputError
from paring.models.table import suggestion

Say = Callable[[str], None]

_SHOWN = 3


@dataclass(frozen=True)
class Tags:
    """The images that have tags, and which.

    Attributes
    ----------
    data : the images with at least one tag, without their instances.
    present : bool (n, c), whether each image shows each class.
    classes : names of the classes that occur, in order of `category_ids`.
    category_ids : ids of the classes in the data set.
    """

    data: Dataset
    present: NDArray[np.bool_]
    classes: list[str]
    category_ids: list[int]


def with_tags(data: Dataset, path: str | Path) -> Dataset:
    """A data set with the tags that a CSV or JSON gives, in place of its own.

    A CSV has the columns file_name and tag, an image on several lines or with several tags between
    semicolons; a JSON is an object of file names and lists of tags. Images that are not listed
    have no tags.

    Parameters
    ----------
    data : its categories are the tags that are allowed; without any, all are.
    path : of the list.

    Raises
    ------
    InputError
        Naming the file and the record: an image that is not in the data set, a tag that is none of
        its categories, a file that cannot be read.
    """
    given = read_tags(Path(path))
    ids = dict(data.images.select("file_name", "image_id").iter_rows())
    categories = data.categories
    if not len(categories):
        names = sorted({tag for _, _, tags in given for tag in tags})
        categories = pl.DataFrame(
            {"category_id": range(1, len(names) + 1), "name": names}, schema=CATEGORIES
        )
    known = dict(categories.select("name", "category_id").iter_rows())
    pairs: dict[tuple[int, int], None] = {}
    for record, name, tags in given:
        if name not in ids:
            raise InputError(f"{path}: {record}: names the image {name!r}, which is not there")
        for tag in tags:
            if tag not in known:
                raise InputError(
                    f"{path}: {record}: tag {tag!r} is no category of the data set; "
                    f"{suggestion(tag, list(known))}"
                )
            pairs[ids[name], known[tag]] = None
    tags_frame = pl.DataFrame(list(pairs), schema=TAGS, orient="row")
    return replace(data, categories=categories, tags=tags_frame)


def tags_of(data: Dataset, *, say: Say | None = None) -> Tags:
    """The tags of a data set: its own, or the categories of its instances, crowds aside.

    Images without a tag teach nothing and are left out, which is said; so are classes of no image.

    Raises `InputError` where no image has a tag.

    Example
    -------
    >>> import paring
    >>> tags = tags_of(paring.scenes(6, seed=0))
    >>> tags.present.shape == (len(tags.data), len(tags.classes))
    True
    """
    pairs = data.tags
    if pairs is None:
        counted = data.instances.filter(~pl.col("iscrowd"))
        pairs = counted.select("image_id", "category_id")
    pairs = pairs.unique()
    if not len(pairs):
        raise InputError(
            "no image has a tag; give --tags a CSV with the columns file_name and tag, put images "
            "in folders called after what they show, or use a data set with instances"
        )
    bare = replace(
        data.subset(pairs["image_id"].unique().to_list()),
        instances=data.instances.clear(),
        masks=data.masks.take(np.empty(0, np.int64)),
    )
    shown = data.categories.filter(pl.col("category_id").is_in(pairs["category_id"].implode()))
    present = np.zeros((len(bare), len(shown)), bool)
    present[
        rows_of_ids(bare.images["image_id"], pairs["image_id"]),
        rows_of_ids(shown["category_id"], pairs["category_id"]),
    ] = True
    tags = Tags(bare, present, shown["name"].to_list(), shown["category_id"].to_list())
    if say is not None:
        _tell(data, tags, say)
    return tags


def _tell(data: Dataset, tags: Tags, say: Say) -> None:
    without = len(data) - len(tags.data)
    if without:
        listed = set(tags.data.images["image_id"])
        first = next(
            name
            for image_id, name in data.images.select("image_id", "file_name").iter_rows()
            if image_id not in listed
        )
        say(f"{images_in_words(without)} without a tag left out, first {first}")
    counts = tags.present.sum(axis=0).tolist()
    rare = [name for name, n in zip(tags.classes, counts, strict=True) if n == 1]
    if rare:
        more = f" and {len(rare) - _SHOWN} more" if len(rare) > _SHOWN else ""
        say(
            f"tags of one image only, from which little can be learnt: "
            f"{', '.join(rare[:_SHOWN])}{more}"
        )


def images_in_words(number: int) -> str:
    """A number of images.

    >>> images_in_words(1), images_in_words(1200)
    ('1 image', '1,200 images')
    """
    return f"{number:,} image{'' if number == 1 else 's'}"
