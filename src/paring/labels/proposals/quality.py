"""How good proposals are, against masks that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.atoms import atoms_of
from paring.labels.proposals.files import rows_by_image

IOUS = np.arange(0.5, 1.0, 0.05)
"""Thresholds over which recall is meant."""


@dataclass(frozen=True)
class Overlaps:
    """The best overlap of each known instance with the first proposals of its image.

    Attributes
    ----------
    image_ids : int64 (g,), of each instance.
    best : {count: float64 (g,)}, largest IoU with the first so many proposals.
    """

    image_ids: NDArray[np.int64]
    best: dict[int, NDArray[np.float64]]

    def recall(self, count: int) -> float:
        """Share of instances found, meant over IoU thresholds 0.5, 0.55, ..., 0.95."""
        return average_recall(self.best[count])


def average_recall(best: NDArray[np.float64]) -> float:
    """Share of best overlaps (g,) that reach a threshold, meant over `IOUS`.

    >>> average_recall(np.array([0.52, 1.0, 0.2]))
    0.36666666666666664
    """
    reached = best[None] >= IOUS[:, None] - 1e-9  # thresholds such as 0.6 are not exact
    return float(reached.mean()) if len(best) else float("nan")


def best_overlaps(
    proposals: Dataset, data: Dataset, counts: Sequence[int] = (100, 1000)
) -> Overlaps:
    """The best overlaps of all instances that are not crowds and have a pixel.

    Parameters
    ----------
    proposals : of the images of `data`, the best first in each.
    data : with known masks.
    counts : of proposals of an image that are looked at.

    Raises
    ------
    InputError
        Where proposals are of another size than the known masks of their image.
    """
    if (
        len(data.images)
        and not data.images["image_id"].is_in(proposals.images["image_id"].implode()).all()
    ):
        raise InputError("the proposals are not of all images of the data set")
    solid = np.flatnonzero(
        ~data.instances["iscrowd"].fill_null(False).to_numpy() & ~data.masks.is_empty
    )
    owner = data.image_rows[solid]
    known = data.instances["image_id"].to_numpy()
    at = rows_by_image(data, proposals)
    ids: list[NDArray[np.int64]] = []
    best: dict[int, list[NDArray[np.float64]]] = {count: [] for count in counts}
    for row in np.unique(owner).tolist():
        mine = solid[owner == row]
        truth = data.masks.take(mine).to_rle()
        truth = truth.take(np.flatnonzero(truth.areas() > 0))
        if not len(truth):
            continue
        ids.append(np.full(len(truth), known[mine[0]]))
        iou = _iou(truth, proposals.masks.take(at[row][: max(counts)]))
        for count in counts:
            part = iou[:, :count]
            best[count].append(part.max(axis=1) if part.shape[1] else np.zeros(len(truth)))
    none = np.empty(0)
    return Overlaps(
        np.concatenate(ids) if ids else np.empty(0, np.int64),
        {count: np.concatenate(parts) if parts else none for count, parts in best.items()},
    )


def proposal_quality(
    proposals: Dataset, data: Dataset, *, counts: Sequence[int] = (100, 1000)
) -> dict[str, float]:
    """Average recall and best overlap of proposals; categories do not matter.

    Recall is that of the best overlap of each instance: one proposal may find several. It is meant
    over IoU 0.5, 0.55, ..., 0.95.

    Returns
    -------
    dict
        ``AR100`` and so on by `counts`, and ``ABO``, the mean best overlap with as many as the
        largest of them; as shares, NaN where there is no instance.

    Example
    -------
    >>> import paring, polars as pl
    >>> from dataclasses import replace
    >>> data = paring.scenes(3, seed=0)
    >>> same = replace(data, instances=data.instances.with_columns(score=pl.lit(1.0)))
    >>> proposal_quality(same, data)
    {'AR100': 1.0, 'AR1000': 1.0, 'ABO': 1.0}
    """
    found = best_overlaps(proposals, data, counts)
    most = found.best[max(counts)]
    recalls = {f"AR{count}": found.recall(count) for count in counts}
    return recalls | {"ABO": float(most.mean()) if len(most) else float("nan")}


def _iou(truth: MaskStore, proposals: MaskStore) -> NDArray[np.float64]:
    """IoU of each known mask with each proposal (g, n)."""
    if not len(proposals):
        return np.zeros((len(truth), 0))
    try:
        atoms = atoms_of(MaskStore.concat([truth, proposals.to_rle()]))
    except ValueError as error:
        raise InputError(f"proposals and known masks do not fit: {error}") from error
    g = len(truth)
    shared = atoms.intersections(atoms.members[:g]).T
    areas = atoms.mask_areas()
    iou: NDArray[np.float64] = shared / np.maximum(areas[:g, None] + areas - shared, 1)
    return iou[:, g:]
