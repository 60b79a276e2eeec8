"""From scores of cells to scores of images, by way of the instances (TFDP, section 3.2).

A unit, an instance or a whole image, has the mean over its cells; an image has the sum over its
units (Eq. 3). Appendix D.1 compares the sum over cells, which favours large instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.scores import Scores
from paring.dataset.table import Dataset, rows_of_ids
from paring.errors import InputError

Cells = Literal["mean", "sum"]
Instances = Literal["sum", "mean", "max"]
Hard = Literal["high", "low"]


def ordered_sums(
    group: NDArray[np.int64], values: NDArray[np.float64], n_groups: int
) -> NDArray[np.float64]:
    """Sum of each group, smallest values first, so that the order of records cannot change it.

    >>> ordered_sums(np.array([1, 1, 0]), np.array([2.0, 3.0, 4.0]), 3)
    array([4., 5., 0.])
    """
    order = np.lexsort((values, group))
    bounds = np.searchsorted(group[order], np.arange(n_groups + 1))
    return ragged.reduce(np.add, values[order], bounds.astype(np.int64))


def image_values(
    image: NDArray[np.int64],
    value: NDArray[np.float64],
    n_images: int,
    *,
    instances: Instances = "sum",
    hard: Hard = "high",
) -> NDArray[np.float64]:
    """Value of each image (N,) from those of its units (n,), whose image rows are given (n,).

    ``"sum"`` and ``"mean"`` are that of its units, ``"max"`` is the value of its hardest one: the
    largest, or the smallest where low is hard. An image without units has NaN.

    >>> image, value = np.array([0, 0, 2]), np.array([1.0, 3.0, 5.0])
    >>> image_values(image, value, 3, instances="mean")
    array([ 2., nan,  5.])
    >>> image_values(image, value, 3, instances="max", hard="low")
    array([ 1., nan,  5.])
    """
    if instances not in ("sum", "mean", "max"):
        raise InputError(f"instances {instances!r} is not known; it is 'sum', 'mean' or 'max'")
    number = np.bincount(image, minlength=n_images)
    if instances == "max":
        found = np.full(n_images, -np.inf if hard == "high" else np.inf)
        (np.maximum if hard == "high" else np.minimum).at(found, image, value)
    else:
        found = ordered_sums(image, value, n_images)
        if instances == "mean":
            found = found / np.maximum(number, 1)
    return np.where(number > 0, found, np.nan)


def scores_of_units(
    data: Dataset,
    units: pl.DataFrame,
    *,
    method: str,
    parameters: Mapping[str, Any],
    hard: Hard = "high",
    cells: Cells = "mean",
    instances: Instances = "sum",
) -> Scores:
    """Scores of images from the means of their units over cells.

    Parameters
    ----------
    units : frame (image_id, instance_id, mean); instance_id is null where a unit is an image, mean
        where the model has not seen the unit, which then does not count.
    cells : ``"mean"``, or ``"sum"``, the mean times the unit's number of pixels: the area of the
        instance's mask, or width times height of the image.
    instances : how an image's units are joined; see `image_values`.
    hard : which end is hard.

    Returns
    -------
    Scores
        Explained by ``instances`` (units that count), ``unseen`` (units that do not), ``mean`` (of
        the units that count) and, where high is hard and units are instances that are not averaged,
        ``strongest_instance``, ``strongest_category`` and ``strongest_score``. An image without
        units that count has nothing to teach and comes last: it scores 0 where high is hard, and
        where low is hard the next number above all other scores.

    Raises `InputError` where no unit counts.
    """
    if cells not in ("mean", "sum"):
        raise InputError(f"cells {cells!r} is not known; it is 'mean' or 'sum'")
    n_images = len(data)
    seen = units.filter(pl.col("mean").is_not_null())
    if not len(seen):
        raise InputError(f"the model has seen no instance, so {method} cannot rank the images")
    image = rows_of_ids(data.images["image_id"], seen["image_id"])
    value = seen["mean"].to_numpy().astype(np.float64)
    if cells == "sum":
        value = value * unit_pixels(data, seen)
    score = image_values(image, value, n_images, instances=instances, hard=hard)
    lacking = np.isnan(score)
    last = 0.0 if hard == "high" else np.nextafter(np.nanmax(score), np.inf)
    all_units = rows_of_ids(data.images["image_id"], units["image_id"])
    counted = np.bincount(image, minlength=n_images)
    mean = image_values(image, value, n_images, instances="mean")
    frame = data.images.select("image_id").with_columns(
        score=np.where(lacking, last, score),
        instances=counted,
        unseen=np.bincount(all_units, minlength=n_images) - counted,
        mean=pl.Series(mean, nan_to_null=True),
    )
    if hard == "high" and instances != "mean" and not seen["instance_id"].null_count():
        frame = frame.hstack(_strongest(data, image, seen["instance_id"], value))
    options = {"cells": cells, "instances": instances}
    return Scores(frame, method, data.fingerprint, hard, {**parameters, **options})


def unit_pixels(data: Dataset, units: pl.DataFrame) -> NDArray[np.float64]:
    """Number of pixels of each unit (n,): the area of its mask, or of the whole image."""
    if not units["instance_id"].null_count():
        rows = rows_of_ids(data.instances["instance_id"], units["instance_id"])
        return data.masks.take(rows).areas()
    rows = rows_of_ids(data.images["image_id"], units["image_id"])
    size = data.images.select("width", "height").to_numpy()[rows]
    return np.asarray(size.prod(axis=1), np.float64)


def refuse_unknown(data: Dataset, units: pl.DataFrame, where: str) -> None:
    """Refuse units whose image or instance the data set has not."""
    for column, frame in (("image_id", data.images), ("instance_id", data.instances)):
        named = units[column].drop_nulls()
        lost = named.filter(~named.is_in(frame[column].implode()))
        if len(lost):
            raise InputError(f"{where}: names {column} {lost[0]}, which the data set has not")


def _strongest(
    data: Dataset, image: NDArray[np.int64], instance_ids: pl.Series, value: NDArray[np.float64]
) -> pl.DataFrame:
    """The instance of highest value of each image; the first by id where several have it."""
    order = np.lexsort((instance_ids.to_numpy(), -value, image))
    rows, first = np.unique(image[order], return_index=True)
    best = np.full(len(data), -1)
    best[rows] = order[first]
    where = pl.Series(best).replace(-1, None)
    found = instance_ids.gather(where)
    names = data.instances.select("instance_id", "category_id").join(
        data.categories, on="category_id", how="left"
    )
    wanted = pl.DataFrame({"instance_id": found})
    named = wanted.join(names, on="instance_id", how="left", maintain_order="left")
    return pl.DataFrame(
        {
            "strongest_instance": found,
            "strongest_category": named["name"],
            "strongest_score": pl.Series(value).gather(where),
        }
    )
