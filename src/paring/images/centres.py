"""k-centre: keep the images that cover all others best in a space of features, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring.dataset.covering import k_centre
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.selection import kept_count

METHOD = "k-centre"


def keep_centres(
    features: NDArray[np.floating[Any]],
    data: Dataset,
    *,
    rate: float | None = None,
    count: int | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Subset:
    """Keep the images that `k_centre` chooses.

    Parameters
    ----------
    features : of each image of the data set, in its order (n, d).
    rate, count : the share to remove, or the number to keep.
    parameters : how the features were made, as the subset will say it; the covering radius is
        added to them.

    Raises
    ------
    InputError
        As `k_centre`; also for a rate or count that cannot be, or another number of features.

    Example
    -------
    >>> import paring
    >>> data = paring.scenes(6, seed=0)
    >>> features = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0]])
    >>> keep_centres(features, data, count=3).kept == data.images["image_id"][[0, 3, 5]].to_list()
    True
    """
    if len(features) != len(data):
        raise InputError(f"there are {len(features):,} features for {len(data):,} images")
    order, radius = k_centre(features, kept_count(len(data), rate=rate, count=count))
    chosen = np.zeros(len(data), dtype=bool)
    chosen[order] = True
    return Subset.of(
        data.images["image_id"].to_list(),
        chosen.tolist(),
        method=METHOD,
        dataset=data.fingerprint,
        parameters={**(parameters or {}), "radius": float(radius[-1])},
    )
