"""From scores to a subset: the top, a stratified choice, or chance; with floors on request.

All selections take either a pruning rate p, which removes floor(p N) of N images, or the count of
images to keep. None of them changes a data set; they give a `Subset`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.floors import Floors, FloorUnit


def kept_count(n_images: int, *, rate: float | None = None, count: int | None = None) -> int:
    """How many of N images stay: N - floor(p N), or the count itself.

    The product is exact in the decimal digits of the rate, so that 0.29 of 100 is 29.

    Raises `InputError` where not exactly one of them is given, the rate is outside [0, 1) or the
    count outside [1, N].

    >>> kept_count(100, rate=0.29), kept_count(1463, rate=0.3), kept_count(10, count=4)
    (71, 1025, 4)
    """
    if (rate is None) == (count is None):
        raise InputError("give either the rate to prune or the count of images to keep")
    if n_images == 0:
        raise InputError("there are no images to select from")
    if rate is not None:
        if not 0 <= rate < 1:
            raise InputError(f"the pruning rate is the share removed, 0 <= rate < 1, not {rate:g}")
        return n_images - int(Fraction(str(float(rate))) * n_images)
    if type(count) is bool or count is None or count != int(count) or not 1 <= count <= n_images:
        raise InputError(f"the count to keep must lie between 1 and {n_images:,}, not {count}")
    return int(count)


def keep_top(
    scores: Scores,
    *,
    rate: float | None = None,
    count: int | None = None,
    unscored: Literal["last", "drop"] = "last",
    data: Dataset | None = None,
    min_per_category: int = 0,
    min_per_size: int = 0,
    floor_unit: FloorUnit = "instances",
) -> Subset:
    """Keep the hard end of a ranking; ties keep the order of the data set.

    Parameters
    ----------
    rate, count : the share to remove, or the number to keep.
    unscored : images of score 0 come last (default), or are dropped whatever the count, as the
        published code of TFDP does, which then keeps fewer than asked.
    data : the scored data set, needed for floors.
    min_per_category, min_per_size : keep at least so many of each category and of each COCO size
        bucket, where the data has them; see `paring.images.floors`.
    floor_unit : what the floors count, ``"instances"`` or ``"images"``.

    Raises
    ------
    InputError
        For a rate or count that cannot be, or floors that the count cannot hold; the message
        says the count they need.

    Example
    -------
    >>> import paring
    >>> data = paring.scenes(40, seed=0)
    >>> subset = keep_top(paring.images.shape_scores(data), rate=0.5)
    >>> len(subset.kept), len(subset.dropped)
    (20, 20)
    """
    chosen, order = top_rows(scores, rate=rate, count=count, unscored=unscored)
    parameters = {"scores": scores.method, **scores.parameters, "unscored": unscored}
    return _finish(
        scores.frame["image_id"].to_list(),
        chosen,
        order,
        method=f"top by {scores.method}",
        dataset=scores.dataset,
        parameters=parameters,
        floors=_floors(data, scores.dataset, min_per_category, min_per_size, floor_unit),
    )


def top_rows(
    scores: Scores,
    *,
    rate: float | None = None,
    count: int | None = None,
    unscored: Literal["last", "drop"] = "last",
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which rows `keep_top` chooses (N,) before any floor, and all rows from the best on (N,).

    >>> import polars as pl
    >>> scores = Scores(pl.DataFrame({"image_id": [4, 5], "score": [0, 1]}), "mine", "")
    >>> [part.tolist() for part in top_rows(scores, count=1)]
    [[False, True], [1, 0]]
    """
    order = scores.ranking()
    n_kept = kept_count(len(scores), rate=rate, count=count)
    if unscored not in ("last", "drop"):
        raise InputError(f"unscored {unscored!r} is not known; it is 'last' or 'drop'")
    if unscored == "drop":
        positive = scores.frame["score"].to_numpy()[order] > 0
        order = np.concatenate((order[positive], order[~positive]))
        n_kept = min(n_kept, int(positive.sum()))
        if not n_kept:
            raise InputError("no image has a score above 0, so none would be kept")
    chosen = np.zeros(len(scores), dtype=bool)
    chosen[order[:n_kept]] = True
    return chosen, order


def keep_random(
    data: Dataset,
    *,
    rate: float | None = None,
    count: int | None = None,
    seed: int = 0,
    min_per_category: int = 0,
    min_per_size: int = 0,
    floor_unit: FloorUnit = "instances",
) -> Subset:
    """Keep images by chance, the baseline of every comparison.

    Parameters as in `keep_top`; `seed` decides the choice.

    >>> import paring
    >>> data = paring.scenes(40, seed=0)
    >>> keep_random(data, count=10, seed=1) == keep_random(data, count=10, seed=1)
    True
    """
    n_kept = kept_count(len(data), rate=rate, count=count)
    order = np.random.default_rng(seed).permutation(len(data))
    chosen = np.zeros(len(data), dtype=bool)
    chosen[order[:n_kept]] = True
    return _finish(
        data.images["image_id"].to_list(),
        chosen,
        order,
        method="random",
        dataset=data.fingerprint,
        parameters={},
        seed=seed,
        floors=_floors(data, data.fingerprint, min_per_category, min_per_size, floor_unit),
    )


def keep_stratified(
    scores: Scores,
    *,
    rate: float | None = None,
    count: int | None = None,
    strata: int = 50,
    cutoff: float = 0.1,
    seed: int = 0,
    data: Dataset | None = None,
    min_per_category: int = 0,
    min_per_size: int = 0,
    floor_unit: FloorUnit = "instances",
) -> Subset:
    """Coverage-centric selection (CCS): cut the hardest, then choose evenly over the scores.

    First the share `cutoff` of the images is dropped from the hard end. The range of the scores
    left is cut into `strata` of equal width; from the smallest stratum to the largest, each gives
    all it has or an equal share of what is still to be chosen, drawn by chance.

    Parameters
    ----------
    strata : number of strata (Zheng et al. 2023 and TFDP: 50).
    cutoff : share beta of all images cut from the hard end.
    seed : decides the draws.
    rate, count, data, min_per_category, min_per_size, floor_unit : as in `keep_top`; images that
        were cut off come back only for a floor.

    Raises
    ------
    InputError
        As `keep_top`; also where the cut-off leaves fewer images than are to be kept.

    References
    ----------
    Zheng et al., Coverage-centric Coreset Selection for High Pruning Rates, ICLR 2023.

    Example
    -------
    >>> import paring
    >>> scores = paring.images.shape_scores(paring.scenes(40, seed=0))
    >>> len(keep_stratified(scores, rate=0.5, seed=3))
    20
    """
    if strata < 1:
        raise InputError(f"there must be at least one stratum, not {strata}")
    if not 0 <= cutoff < 1:
        raise InputError(f"the cut-off is a share, 0 <= cutoff < 1, not {cutoff:g}")
    n_images = len(scores)
    n_kept = kept_count(n_images, rate=rate, count=count)
    n_cut = n_images - kept_count(n_images, rate=cutoff)
    if n_images - n_cut < n_kept:
        raise InputError(
            f"a cut-off of {cutoff:g} leaves {n_images - n_cut:,} images and {n_kept:,} are to be "
            f"kept; the cut-off can be at most {(n_images - n_kept) / n_images:.4g}"
        )
    order = scores.ranking()
    rows = np.sort(order[n_cut:])
    value = scores.frame["score"].to_numpy().astype(np.float64)[rows]
    low, high = value.min() / 2, value.max() / 2  # halved, so that no range overflows
    share = (value / 2 - low) / (high - low) if high > low else np.zeros(len(rows))
    stratum = np.minimum(np.floor(share * strata), strata - 1)  # the largest is in the last
    _, sizes = np.unique(stratum, return_counts=True)  # strata without images give nothing
    members = np.split(rows[np.argsort(stratum, kind="stable")], np.cumsum(sizes)[:-1])
    rng = np.random.default_rng(seed)
    chosen = np.zeros(n_images, dtype=bool)
    for images, take in zip(members, fill_evenly(sizes, n_kept).tolist(), strict=True):
        chosen[rng.permutation(images)[:take]] = True
    parameters = {"scores": scores.method, **scores.parameters, "strata": strata, "cutoff": cutoff}
    return _finish(
        scores.frame["image_id"].to_list(),
        chosen,
        order,
        method=f"stratified by {scores.method}",
        dataset=scores.dataset,
        parameters=parameters,
        seed=seed,
        floors=_floors(data, scores.dataset, min_per_category, min_per_size, floor_unit),
    )


def fill_evenly(sizes: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """How many to take of each stratum so that all give alike, as far as each can (n,).

    From the smallest on, each gives its size or an equal share of what is left to take.

    >>> fill_evenly(np.array([10, 2, 30]), 20)
    array([9, 2, 9])
    """
    shares, left = np.zeros(len(sizes), dtype=np.int64), total
    for done, k in enumerate(np.argsort(sizes, kind="stable").tolist()):
        shares[k] = min(int(sizes[k]), left // (len(sizes) - done))
        left -= int(shares[k])
    return shares


def _floors(
    data: Dataset | None,
    fingerprint: str,
    min_per_category: int,
    min_per_size: int,
    unit: FloorUnit,
) -> Floors | None:
    if not (min_per_category or min_per_size):
        return None
    if data is None:
        raise InputError("floors need the data set that was scored (data=...)")
    if data.fingerprint != fingerprint:
        raise InputError("the scores were made from another data set than the floors are for")
    return Floors.of(data, per_category=min_per_category, per_size=min_per_size, unit=unit)


def _finish(
    image_ids: list[int],
    chosen: NDArray[np.bool_],
    order: NDArray[np.int64],
    *,
    method: str,
    dataset: str,
    parameters: dict[str, Any],
    seed: int | None = None,
    floors: Floors | None,
) -> Subset:
    reasons: dict[int, str] = {}
    if floors is not None:
        chosen, changed = floors.enforce(chosen, order)
        reasons = {image_ids[row]: reason for row, reason in changed.items()}
        parameters = parameters | floors.parameters
    return Subset.of(
        image_ids,
        chosen.tolist(),
        method=method,
        dataset=dataset,
        parameters=parameters,
        seed=seed,
        reasons=reasons,
    )
