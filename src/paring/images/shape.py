"""Image importance from mask shape, without training (TFDP).

The score of an instance is the perimeter of its outline over its area (SCS), relative to that of
a circle of equal area (SI-SCS), as a share of its category's total (CB-SCS); an image has the sum
over its instances (TFDP, section 3.3).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.masks import LARGEST_BITMAP, MaskStore
from paring.dataset.scores import Scores
from paring.dataset.table import Dataset, rows_of_ids
from paring.errors import InputError
from paring.images.contours.measure import measure_contours

Contour = Literal["raster", "polygon"]


def shape_complexity(
    area: NDArray[np.float64], perimeter: NDArray[np.float64], *, scale_invariant: bool = True
) -> NDArray[np.float64]:
    """Complexity of outlines from their areas (n,), in square pixels, and perimeters (n,).

    ``P / A`` (SCS, TFDP Eq. 8), or ``P / (2 sqrt(pi A))`` (SI-SCS, Eq. 11), which is 1 for a
    circle and the same at every size. An outline without area has complexity 0.

    >>> square = shape_complexity(np.array([81.0]), np.array([36.0]))
    >>> bool(abs(square[0] - 2 / np.pi**0.5) < 1e-12)
    True
    """
    solid = area > 0
    safe = np.where(solid, area, 1.0)
    scale = 2.0 * np.sqrt(np.pi * safe) if scale_invariant else safe
    return np.where(solid, perimeter / scale, 0.0)


def outlines(
    masks: MaskStore,
    *,
    contour: Contour = "raster",
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Area (n,) in square pixels and perimeter (n,) in pixels of each mask's primary outline.

    ``"raster"`` draws the mask and takes the external contour of largest area through its pixel
    centres, exactly as the method's authors measure (Eqs. 4 to 7). ``"polygon"`` takes the
    annotated part of largest area as it is; run-length masks have no vertices and are measured
    as raster, with a warning.
    """
    if contour == "raster":
        return measure_contours(masks, workers=workers, progress=progress)
    if contour != "polygon":
        raise InputError(f"contour {contour!r} is not known; it is 'raster' or 'polygon'")
    part_area, part_perimeter = masks.part_geometry()
    largest = ragged.first_maximum(part_area, masks.instance_parts)
    drawn = largest >= 0
    area = np.where(drawn, part_area[largest] if len(part_area) else 0.0, 0.0)
    perimeter = np.where(drawn, part_perimeter[largest] if len(part_area) else 0.0, 0.0)
    coded = np.flatnonzero(masks.is_rle)
    if len(coded):
        warnings.warn(
            f"{len(coded):,} of {len(masks):,} masks are run lengths, which have no vertices; "
            "they are measured as raster",
            stacklevel=2,
        )
        area[coded], perimeter[coded] = measure_contours(masks.take(coded), workers=workers)
    return area, perimeter


def counted(data: Dataset, *, min_image_side: int = 0) -> NDArray[np.bool_]:
    """Which instances count (n,), by the filters of the method's authors.

    Out go crowds, instances marked `ignore`, boxes that miss the image or have a side under one
    pixel, annotated areas of zero or less, and instances of images with a side under
    `min_image_side` (the authors: 32; COCO, VOC and Cityscapes have none such).
    """
    frame = data.instances
    box = frame["bbox"].to_numpy().reshape(-1, 4)
    size = data.images.select("width", "height").to_numpy()[data.image_rows]
    overlap = np.minimum(box[:, :2] + box[:, 2:], size) - np.maximum(box[:, :2], 0.0)
    keep: NDArray[np.bool_] = (overlap > 0).all(axis=1) & (box[:, 2:] >= 1).all(axis=1)
    keep &= (frame["area"].to_numpy() > 0) & ~frame["iscrowd"].to_numpy()
    keep &= size.min(axis=1) >= min_image_side
    if "ignore" in frame.columns:
        keep &= ~frame["ignore"].to_numpy()
    return keep


def instance_shapes(
    data: Dataset,
    *,
    contour: Contour = "raster",
    scale_invariant: bool = True,
    class_balanced: bool = True,
    min_image_side: int = 0,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> pl.DataFrame:
    """Shape score of every instance: instance_id, image_id, category_id, area, perimeter, score.

    Instances that do not count (see `counted`) score 0. With `class_balanced` a score is the
    share of its category's total (CB-SCS, TFDP Eq. 13), so each category sums to 1.

    >>> import paring
    >>> shapes = instance_shapes(paring.scenes(30, seed=0))
    >>> sums = shapes.group_by("category_id").agg(pl.col("score").sum())["score"]
    >>> bool((abs(sums - 1) < 1e-9).all())
    True
    """
    keep = counted(data, min_image_side=min_image_side)
    rows = np.flatnonzero(keep)
    if contour == "raster":
        _refuse_too_large(data, rows)
    area, perimeter = np.zeros(len(keep)), np.zeros(len(keep))
    area[rows], perimeter[rows] = outlines(
        data.masks if keep.all() else data.masks.take(rows),
        contour=contour,
        workers=workers,
        progress=progress,
    )
    score = shape_complexity(area, perimeter, scale_invariant=scale_invariant)
    if class_balanced:
        score = _share_of_category(data, score)
    return data.instances.select("instance_id", "image_id", "category_id").with_columns(
        area=area, perimeter=perimeter, score=score
    )


def shape_scores(
    data: Dataset,
    *,
    contour: Contour = "raster",
    scale_invariant: bool = True,
    class_balanced: bool = True,
    min_image_side: int = 0,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Score images by the shape of their masks, without training (TFDP).

    Parameters
    ----------
    contour : ``"raster"`` measures as the authors do, ``"polygon"`` on the annotated vertices.
    scale_invariant, class_balanced : the two parts of the method; off they give the ablations of
        TFDP Table 4 (SCS, SI-SCS, CB on SCS).
    min_image_side : instances of smaller images do not count; the authors' value is 32.
    workers : threads; the scores do not depend on it.
    progress : called with the number of instances measured so far.

    Returns
    -------
    Scores
        ``score`` is the sum over the image's instances (Eq. 14), high is hard. Explained by
        ``instances`` (how many count), ``strongest_instance``, ``strongest_category`` and
        ``strongest_score``.

    References
    ----------
    Training-Free Dataset Pruning for Instance Segmentation, sections 3.3.1 to 3.3.3.

    Example
    -------
    >>> import paring
    >>> scores = paring.images.shape_scores(paring.scenes(30, seed=0))
    >>> len(scores), scores.hard
    (30, 'high')
    """
    shapes = instance_shapes(
        data,
        contour=contour,
        scale_invariant=scale_invariant,
        class_balanced=class_balanced,
        min_image_side=min_image_side,
        workers=workers,
        progress=progress,
    )
    parameters = {
        "contour": contour,
        "scale_invariant": scale_invariant,
        "class_balanced": class_balanced,
        "min_image_side": min_image_side,
    }
    score = shapes["score"].to_numpy()
    return image_scores(data, score, method="shape", parameters=parameters)


def count_scores(data: Dataset, *, class_balanced: bool = True, min_image_side: int = 0) -> Scores:
    """Score images by their number of instances, the simplest rival of shape.

    With `class_balanced` each instance weighs one over the number of instances of its category,
    else one; an image has the sum. The same instances count as in `shape_scores`.

    >>> import paring
    >>> data = paring.scenes(30, seed=0)
    >>> round(count_scores(data).frame["score"].sum(), 9)  # one for each category
    8.0
    >>> plain = count_scores(data, class_balanced=False).frame["score"]
    >>> bool(plain.sum() == counted(data).sum())
    True
    """
    score = counted(data, min_image_side=min_image_side).astype(np.float64)
    if class_balanced:
        score = _share_of_category(data, score)
    parameters = {"class_balanced": class_balanced, "min_image_side": min_image_side}
    return image_scores(data, score, method="count", parameters=parameters)


def image_scores(
    data: Dataset, score: NDArray[np.float64], *, method: str, parameters: Mapping[str, Any]
) -> Scores:
    """Scores of images as the sum over their instances' scores (n,) (TFDP Eq. 14), explained.

    Raises `InputError` where no instance has a score.
    """
    if len(data) and not score.any():
        raise InputError(
            f"no instance counts, so the images cannot be ranked by {method}; has the data masks?"
        )
    total = _ordered_sums(data.image_rows, score, len(data.images))
    active = np.flatnonzero(score > 0)
    number = np.bincount(data.image_rows[active], minlength=len(data.images))
    # by image, then strongest first, then the order of the data set
    order = active[np.lexsort((active, -score[active], data.image_rows[active]))]
    image, first = np.unique(data.image_rows[order], return_index=True)
    strongest = np.full(len(data.images), -1)
    strongest[image] = order[first]
    names = data.categories["name"].gather(
        rows_of_ids(data.categories["category_id"], data.instances["category_id"])
    )
    where = pl.Series(strongest).replace(-1, None)
    frame = data.images.select("image_id").with_columns(
        score=total,
        instances=number,
        strongest_instance=data.instances["instance_id"].gather(where),
        strongest_category=names.gather(where),
        strongest_score=pl.Series(score).gather(where),
    )
    return Scores(frame, method, data.fingerprint, "high", dict(parameters))


def _refuse_too_large(data: Dataset, rows: NDArray[np.int64]) -> None:
    """Name the first instance whose bounding box is larger than a bitmap may be."""
    sizes = data.images["width"] * data.images["height"]
    if not len(sizes) or sizes.max() <= LARGEST_BITMAP:  # type: ignore[operator]
        return
    box = data.masks.boxes()[rows]
    size = np.stack((data.masks.widths, data.masks.heights), axis=1)[rows]
    sides = np.minimum(box[:, :2] + box[:, 2:], size) - np.maximum(box[:, :2], 0)
    large = np.flatnonzero(sides.prod(axis=1) > LARGEST_BITMAP)
    if len(large):
        width, height = sides[large[0]]
        raise InputError(
            f"instance {data.instances['instance_id'][int(rows[large[0]])]} spans "
            f"{width:.0f} x {height:.0f} pixels, too many to draw; measure with contour polygon"
        )


def _share_of_category(data: Dataset, score: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each score over the sum of its category (TFDP Eq. 13); 0 where that is 0."""
    category = rows_of_ids(data.categories["category_id"], data.instances["category_id"])
    sums = _ordered_sums(category, score, len(data.categories))
    return np.divide(score, sums[category], out=np.zeros_like(score), where=sums[category] > 0)


def _ordered_sums(
    group: NDArray[np.int64], values: NDArray[np.float64], n_groups: int
) -> NDArray[np.float64]:
    """Sum of each group, smallest values first, so that the order of records cannot change it."""
    order = np.lexsort((values, group))
    bounds = np.searchsorted(group[order], np.arange(n_groups + 1))
    return ragged.reduce(np.add, values[order], bounds.astype(np.int64))
