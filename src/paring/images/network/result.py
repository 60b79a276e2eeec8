"""`NetworkCut`: a selection by a similarity network, in frames and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.images.groups import group_table, purity
from paring.images.network.choice import Choice
from paring.images.network.graph import NetworkStatistics, degrees, network_statistics
from paring.images.network.search import Partition
from paring.images.similarity.opening import Opened
from paring.images.similarity.sources import pair_frame
from paring.images.similarity.tiles import Found

if TYPE_CHECKING:
    from scipy.sparse import csr_array


METHOD = "representatives"
"""How a `Subset` names a selection of this kind."""

_ALONE = "no kept image can be compared with it"


@dataclass(frozen=True, eq=False)
class NetworkCut:
    """A selection by a similarity network, and everything that explains it.

    Attributes
    ----------
    data : the data set.
    subset : what stays and what goes, with the reason of each image that goes.
    scores : frame (image_id, score, file_name, community, degree, degree_within, covered_by,
        similarity, mean, variance): degrees in the network and within the community; mean and
        variance of the grey pixels; of a dropped image, the kept
        one most like it and their similarity. The score is 1 for images that stay and
        1 - similarity, at most 1, for those that go: how much of it no kept image shows. Where
        no similarity is defined (PCC of a constant image) it is 1, and covered_by and
        similarity are null.
    pairs : frame (source, target, similarity), the edges of the network.
    threshold : the similarity from which two images have an edge; None where nothing was to go.
    nodes : rows of the images that could be read; network and labels are over them.
    network, labels : the network (k, k) and the community of each node (k,).
    statistics : what PRIME's appendix B says of a network.
    coverage : quantiles of the similarity of dropped images to the kept one most like them.
    search : how many thresholds were tried, how many images the rule keeps at the one chosen, and
        how many of those to go were brought back to meet the count.
    points : what was learned of the curve of rates over thresholds, the highest first; `stored`
        says whether the curve has the images.
    curve : frame (threshold, image_id), which images stay by the rule alone at each stored point,
        the highest threshold first; nothing is brought back and no floor holds. None where no
        threshold was tried (nothing was to go, or an earlier run was extended).
    groups : frame (group, images, kept, communities, purity), or None.
    purity : share of images that are of their community's most frequent group, or None.
    faults : what is wrong with images that were skipped, by file name.
    seconds : of each part of the work.
    """

    data: Dataset
    subset: Subset
    scores: Scores
    pairs: pl.DataFrame
    threshold: float | None
    nodes: NDArray[np.int64]
    network: csr_array
    labels: NDArray[np.int64]
    statistics: NetworkStatistics
    coverage: dict[str, Any]
    search: dict[str, int]
    points: list[dict[str, Any]]
    curve: pl.DataFrame | None
    groups: pl.DataFrame | None
    purity: float | None
    faults: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)


def describe(
    opened: Opened,
    part: Partition,
    choice: Choice,
    found: Found,
    *,
    method: str,
    parameters: dict[str, Any],
    seed: int,
    points: list[dict[str, Any]],
    search: dict[str, int] | None = None,
    curve: pl.DataFrame | None = None,
    named: Sequence[str] | None = None,
) -> NetworkCut:
    """Put a choice into words and frames."""
    data, nodes = opened.data, np.flatnonzero(opened.readable)
    names = data.images["file_name"]
    kept = np.zeros(len(data), bool)
    kept[nodes[choice.kept]] = True
    covered = choice.coverage
    reasons = {
        row: f"{names[by]} is {value:.3f} similar" if np.isfinite(value) else _ALONE
        for row, by, value in zip(
            covered.rows.tolist(), covered.by.tolist(), covered.similarity.tolist(), strict=True
        )
    }
    reasons |= {row: f"cannot be read: {message}" for row, message in opened.faults.items()}
    for row, reason in choice.reasons.items():
        reasons[row] = f"{reason} ({reasons[row]})" if not kept[row] and row in reasons else reason
    ids = data.images["image_id"]
    subset = Subset.of(
        ids.to_list(),
        kept.tolist(),
        method=method,
        dataset=data.fingerprint,
        parameters=parameters,
        seed=seed,
        reasons={int(ids[row]): reasons[row] for row in sorted(reasons)},
    )
    of_nodes = None if named is None else [named[row] for row in nodes.tolist()]
    table = None
    if of_nodes is not None:
        table = group_table(of_nodes, choice.kept, part.labels)
    return NetworkCut(
        data=data,
        subset=subset,
        scores=_scores(opened, part, choice, subset),
        pairs=pair_frame(data, found),
        threshold=part.threshold if np.isfinite(part.threshold) else None,
        nodes=nodes,
        network=part.network,
        labels=part.labels,
        statistics=network_statistics(part.network, part.labels),
        coverage=covered.summary(),
        search=search or {},
        points=points,
        curve=curve,
        groups=table,
        purity=None if of_nodes is None else purity(of_nodes, part.labels),
        faults={str(names[row]): message for row, message in opened.faults.items()},
        seconds=opened.seconds,
    )


def _scores(opened: Opened, part: Partition, choice: Choice, subset: Subset) -> Scores:
    data, nodes = opened.data, np.flatnonzero(opened.readable)
    ids, n = data.images["image_id"], len(data)
    same = part.labels[part.network.indices] == np.repeat(part.labels, degrees(part.network))
    row_of = np.repeat(np.arange(len(nodes)), degrees(part.network))
    within = np.bincount(row_of[same], minlength=len(nodes))
    score = np.zeros(n)
    score[nodes[choice.kept]] = 1.0
    covered = choice.coverage
    shown = np.isfinite(covered.similarity)
    rows, by, similarity = covered.rows[shown], covered.by[shown], covered.similarity[shown]
    score[covered.rows] = 1.0
    score[rows] = 1 - np.maximum(similarity, 0)

    def placed(values: NDArray[Any], at: NDArray[np.int64], dtype: Any) -> pl.Series:
        """Values at some rows, null at the others."""
        whole = np.zeros(n, values.dtype)
        whole[at] = values
        there = np.zeros(n, bool)
        there[at] = True
        frame = pl.DataFrame({"value": whole, "there": there})
        column = frame.select(pl.when("there").then("value"))["value"]
        return column.cast(dtype)

    frame = pl.DataFrame(
        {
            "image_id": ids,
            "score": score,
            "file_name": data.images["file_name"],
            "community": placed(part.labels, nodes, pl.Int64),
            "degree": placed(degrees(part.network), nodes, pl.Int64),
            "degree_within": placed(within, nodes, pl.Int64),
            "covered_by": placed(ids.to_numpy()[by], rows, pl.Int64),
            "similarity": placed(similarity, rows, pl.Float64),
            "mean": placed(opened.mean[nodes], nodes, pl.Float64),
            "variance": placed(opened.variance[nodes], nodes, pl.Float64),
        }
    )
    return Scores(frame, method=subset.method, dataset=subset.dataset, parameters=subset.parameters)
