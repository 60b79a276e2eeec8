"""Which images stay by the rule at each threshold that was tried: the curve of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.network.community import share_up
from paring.images.network.search import ThresholdSearch

_CURVE_STEP, _CURVE_EDGES = 0.01, 5_000_000
CURVE_IMAGES = 1_000
"""Images up to which the whole range of thresholds is tried unless told otherwise: a second."""

CURVE_ROWS = 20_000_000
"""Rows up to which subsets of the curve are stored (16 bytes each in memory)."""


def try_whole_range(search: ThresholdSearch, wanted: int | None) -> None:
    """Try thresholds from 1 down, until hardly fewer images can stay.

    The end is where no more than a tenth above the fewest possible stay (and no more than
    `wanted`), at a threshold of 0, or where a network has more edges than is sensible or than
    memory holds.
    """
    n = len(search.nodes)
    fewest = 1.1 * int(share_up(np.array([n]), search.rule.keep)[0])
    for step in range(round(1 / _CURVE_STEP) + 1):
        try:
            part = search.at(round(1 - step * _CURVE_STEP, 4))
        except InputError:  # more pairs than memory holds: the curve ends above them
            break
        if search.progress is not None:
            search.progress("drawing the curve", step, round(1 / _CURVE_STEP))
        enough = part.n_kept <= min(fewest, n if wanted is None else wanted)
        if enough or part.network.nnz > 2 * _CURVE_EDGES:
            break


def subsets(
    search: ThresholdSearch, data: Dataset, own: float
) -> tuple[list[dict[str, Any]], pl.DataFrame | None]:
    """The points of a search, marked where stored, and the images that stay at these.

    `own` is the threshold of the run. There is no frame where no threshold was tried.
    """
    points = search.curve_points()
    thresholds = [point["threshold"] for point in points]
    counts = [point["kept"] for point in points]
    stored = _thinned(counts, [k for k, value in enumerate(thresholds) if value == own])
    points = [point | {"stored": k in stored} for k, point in enumerate(points)]
    if not points:
        return points, None
    ids = data.images["image_id"].to_numpy()[search.nodes]
    in_order = sorted(stored)
    frame = pl.DataFrame(
        {
            "threshold": np.repeat(
                np.array([thresholds[k] for k in in_order], np.float64),
                [counts[k] for k in in_order],
            ),
            "image_id": np.concatenate([ids[search.kept_at(thresholds[k])] for k in in_order]),
        },
        schema={"threshold": pl.Float64, "image_id": pl.Int64},
    )
    return points, frame


def _thinned(counts: list[int], always: list[int]) -> set[int]:
    """As many evenly spaced places as have no more than `CURVE_ROWS` rows, and those named."""
    for most in range(len(counts), 0, -1):
        spaced = np.linspace(0, len(counts) - 1, most).round().astype(int).tolist()
        places = {*spaced, *always}
        if sum(counts[k] for k in places) <= CURVE_ROWS:
            return places
    return set(always)
