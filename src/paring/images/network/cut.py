"""Fewer images before annotation: keep the representatives of communities of similar images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from paring.errors import InputError
from paring.images.floors import FloorUnit
from paring.images.groups import Groups, groups_of
from paring.images.network.choice import Amount, choose
from paring.images.network.community import Method
from paring.images.network.curve import CURVE_IMAGES, subsets, try_whole_range
from paring.images.network.result import METHOD, NetworkCut, describe
from paring.images.network.search import Partition, Rule, ThresholdSearch
from paring.images.selection import kept_count
from paring.images.similarity.measures import Progress
from paring.images.similarity.opening import Comparing, Images, Opened, open_images
from paring.images.similarity.sources import as_dataset
from paring.images.similarity.tiles import NO_PAIRS


def keep_representatives(
    images: Images,
    *,
    rate: float | None = None,
    count: int | None = None,
    threshold: float | None = None,
    keep: float = 0.1,
    communities: Method = "louvain",
    resolution: float = 1.0,
    seed: int = 0,
    how: Comparing | None = None,
    groups: Groups | None = None,
    min_per_group: int = 0,
    min_per_category: int = 0,
    min_per_size: int = 0,
    floor_unit: FloorUnit = "instances",
    curve: bool | None = None,
    frame_step: int = 1,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> NetworkCut:
    """Keep the best connected images of each community of similar images (PRIME); no labels used.

    Images with a similarity at or above the threshold are neighbours (Eq. 4). Louvain's or
    Leiden's communities of that network stand for what repeats itself: an image alone stays, and
    of a larger community C the ceil(keep |C|) images with most neighbours within it (Eq. 6).

    With a rate or count the threshold is searched: the one with the smallest pruning rate not
    below what is asked for; dropped images then come back, the worst covered first, until exactly
    N - floor(rate N) stay. With a threshold alone, the paper's rule is untouched.

    Parameters
    ----------
    images : a `Dataset`, the path of one (annotation file, folder, video, list), or files.
    rate, count, threshold : one of them.
    keep : share of each community that stays (the paper's 10 %).
    communities, resolution, seed : see `paring.images.network.community.find_communities`.
    how : how images are compared, by default global SSIM at 352 x 352.
    groups, min_per_group : a group for each image (see `paring.images.groups.groups_of`) and how
        many images of each must stay.
    min_per_category, min_per_size, floor_unit : floors for annotated data, see `keep_top`.
    curve : also try thresholds over the whole range, 0.01 apart; unset, for up to
        `CURVE_IMAGES` images. The subsets at the thresholds that the search tried are in
        `NetworkCut.curve` either way.
    frame_step : of a video, every so many frames.
    folder : where to keep what is done, so that stopped work goes on.
    progress : called with a label, steps done and steps to do.

    Raises
    ------
    InputError
        For images that cannot be read, values that cannot be, and a rate that no threshold
        reaches; then the message says the largest that can be.

    References
    ----------
    Rahman and Marculescu, Training-Free Dataset Pruning for Polyp Segmentation via Community
    Detection in Similarity Networks, MIDL 2025.

    Example
    -------
    >>> import paring, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> data = paring.scenes(40, seed=0, folder=folder)
    >>> cut = keep_representatives(data, rate=0.5)
    >>> len(cut.subset.kept), len(cut.subset.dropped)
    (20, 20)
    """
    amount = Amount(
        rate, count, threshold, min_per_group, min_per_category, min_per_size, floor_unit
    )
    rule = Rule(keep, communities, resolution, seed)
    how = how or Comparing()
    data = as_dataset(images, frame_step=frame_step, on_error=how.on_error)
    named = None if groups is None else groups_of(data, groups)
    if named is None and min_per_group:
        raise InputError("a floor for groups needs groups")
    opened = open_images(data, how, folder=folder, progress=progress)
    nodes = np.flatnonzero(opened.readable)
    started = time.perf_counter()
    search = ThresholdSearch(opened.measures, nodes, rule, progress)
    wanted = None
    if amount.threshold is not None:
        part = search.at(amount.threshold)
    else:
        wanted = kept_count(len(nodes), rate=rate, count=count)
        part = search.keeping(wanted)
    opened.seconds["pairs"] = search.pair_seconds
    opened.seconds["network"] = time.perf_counter() - started - search.pair_seconds
    tried = len(search.points)
    if curve or (curve is None and len(nodes) <= CURVE_IMAGES):
        started = time.perf_counter()
        try_whole_range(search, wanted)
        opened.seconds["curve"] = time.perf_counter() - started
    points, stored = subsets(search, data, part.threshold)
    choice = choose(opened, nodes, part, wanted, amount, named)
    found = opened.measures.pairs(part.threshold) if np.isfinite(part.threshold) else NO_PAIRS
    return describe(
        opened,
        part,
        choice,
        found,
        method=METHOD,
        parameters=_parameters(opened, how, rule, amount, part),
        seed=seed,
        points=points,
        search={
            "thresholds_tried": tried,
            "kept_by_the_rule": part.n_kept,
            "brought_back": 0 if wanted is None else wanted - part.n_kept,
        },
        curve=stored,
        named=named,
    )


def _parameters(
    opened: Opened, how: Comparing, rule: Rule, amount: Amount, part: Partition
) -> dict[str, Any]:
    """What decides the result; the threshold is the one found, None where nothing was to go."""
    asked = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in vars(amount).items()
        if (value or (name in ("rate", "count") and value is not None))
        and name not in ("threshold", "floor_unit")
    }
    if amount.min_per_category or amount.min_per_size:
        asked["floor_unit"] = amount.floor_unit
    return {
        **how.parameters(opened.data_range),
        "threshold": part.threshold if np.isfinite(part.threshold) else None,
        "keep": rule.keep,
        "communities": rule.method,
        "resolution": rule.resolution,
        **asked,
    }
