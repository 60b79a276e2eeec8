"""New images against an old selection: what was kept stays kept, only new pairs are computed."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.groups import Groups, groups_of
from paring.images.network.choice import Choice
from paring.images.network.community import find_communities, share_up
from paring.images.network.coverage import Coverage
from paring.images.network.graph import degrees, similarity_network
from paring.images.network.result import METHOD, NetworkCut, describe
from paring.images.network.search import Partition, Rule
from paring.images.similarity.decoding import bit_depth
from paring.images.similarity.measures import Progress
from paring.images.similarity.opening import Comparing, Images, Opened, open_images
from paring.images.similarity.sources import as_dataset, joined, pictures_of
from paring.images.similarity.tiles import Found

if TYPE_CHECKING:
    from scipy.sparse import csr_array

EDGES = "edges.parquet"
_RULES = ("metric", "size", "threshold", "keep", "communities", "resolution")
_RULES_OF_SSIM = ("window", "data_range")
_SAME = 1e-9  # share by which the mean of an image may differ that has not changed


@dataclass(frozen=True, eq=False)
class OldRun:
    """What an earlier run found: its subset, its scores, its edges, and where its images lie.

    Images that it could not read are not among the scores: to an extension they are new.
    """

    folder: Path
    subset: Subset
    scores: pl.DataFrame
    edges: pl.DataFrame
    root: Path

    @classmethod
    def load(cls, folder: str | Path) -> OldRun:
        """Read a run folder; `InputError` where it is not one of `paring images similarity`."""
        folder = Path(folder)
        if not (folder / "subset.json").is_file():
            raise InputError(f"{folder}: is not a run folder, it has no subset.json")
        subset = Subset.load(folder / "subset.json")
        if subset.method != METHOD:
            raise InputError(f"{folder}: is a run by {subset.method}, not by similarity")
        if subset.parameters.get("threshold") is None:
            raise InputError(f"{folder}: has no threshold, as nothing was pruned; run it anew")
        if not set(_RULES) <= subset.parameters.keys():
            raise InputError(f"{folder}: does not tell by which rules it was made; run it anew")
        try:
            edges = pl.read_parquet(folder / EDGES).select("source", "target", "similarity")
            root = Path(json.loads((folder / "run.json").read_bytes())["dataset"]["image_root"])
        except OSError as error:
            raise InputError(f"{folder}: is not a complete run ({error.strerror})") from error
        except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise InputError(f"{folder}: is not a complete run ({error})") from error
        scores = Scores.load(folder / "scores.parquet").frame
        if not {"file_name", "community", "mean", "variance"} <= set(scores.columns):
            raise InputError(f"{folder}: is not a complete run (its scores lack communities)")
        return cls(folder, subset, scores.filter(pl.col("community").is_not_null()), edges, root)

    def pictures(self) -> Dataset:
        """Its images as a data set without annotations."""
        names = self.scores["file_name"].to_list()
        return pictures_of(names, self.root, sources=(self.folder.resolve(),))


def extend(
    run: str | Path,
    images: Images,
    *,
    how: Comparing | None = None,
    groups: Groups | None = None,
    frame_step: int = 1,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> NetworkCut:
    """Extend the selection of an earlier run to new images; only pairs with a new one are computed.

    The edges are those that a run from scratch at the old threshold would have; one old edge of
    each image is computed again, to see that the image is the same. Images that were kept stay
    kept. A new image joins the community with which it has most edges (of equal ones
    the first), directly or over other new images; those that have none with old images form
    communities of their own. New images become representatives where a community has fewer than
    ceil(keep |C|) of them. No threshold is tried anew, so there is no curve.

    Parameters
    ----------
    run : folder of a run of ``paring images similarity``.
    images : either the data set of that run with images added, or new images alone; then the
        result is about both, without annotations.
    how : memory, workers and what to do with broken images; the way of comparing is the old run's.
    groups, frame_step, folder, progress : as in `keep_representatives`.

    Raises
    ------
    InputError
        Where the folder is no such run, its images are gone or have changed, or only some of them
        are given.
    """
    old = OldRun.load(run)
    asked = old.subset.parameters
    how = replace(
        how or Comparing(),
        metric=asked["metric"],
        size=asked["size"],
        window=asked.get("window", "global"),
        data_range=asked.get("data_range"),
    )
    rule = Rule(asked["keep"], asked["communities"], asked["resolution"], old.subset.seed or 0)
    data, old_rows = _together(
        old, as_dataset(images, frame_step=frame_step, on_error=how.on_error)
    )
    is_new = np.ones(len(data), bool)
    is_new[old_rows] = False
    rows = np.concatenate((old_rows, np.flatnonzero(is_new)))  # old ones first
    named = None if groups is None else groups_of(data, groups)
    names = data.images["file_name"].gather(pl.Series(rows)).to_list()
    pictures = pictures_of(names, data.image_root or Path(), sources=data.sources)
    _refuse_deeper(old, pictures, len(old_rows), how)
    opened = open_images(
        pictures, how, new_from=len(old_rows), which="new", folder=folder, progress=progress
    )
    known = _old_edges(old, opened)
    threshold = float(asked["threshold"])
    fresh = opened.measures.pairs(threshold, progress=progress)
    _refuse_changed(old, opened)
    found = _in_order((fresh, known), rows, threshold)
    opened = _reordered(opened, data, rows)
    part, kept = _extended(old, opened, found, old_rows, threshold, rule)
    nodes = np.flatnonzero(opened.readable)
    coverage = Coverage.of(opened.measures, nodes[kept], nodes[~kept])
    came = nodes[kept & is_new[nodes]]
    reasons = dict.fromkeys(came.tolist(), "new, and not shown by what was kept before")
    return describe(
        opened,
        part,
        Choice(kept, coverage, reasons),
        found,
        method=METHOD,
        parameters={k: asked[k] for k in (*_RULES, *_RULES_OF_SSIM) if k in asked}
        | {"extends": old.subset.dataset},
        seed=rule.seed,
        points=[part.point() | {"stored": False}],
        named=named,
    )


# -- old and new images together ---------------------------------------------------------------


def _together(old: OldRun, data: Dataset) -> tuple[Dataset, NDArray[np.int64]]:
    """A data set with all images, and the rows of the old ones in their old order."""
    if data.image_root is None:
        raise InputError("the folder of the new images is not known; give --images DIR")
    names = old.scores["file_name"].to_list()
    rows = _rows_of(_places(old.root, names), _places(data.image_root, data.images["file_name"]))
    if (rows < 0).all() and not old.root.is_dir():  # it was moved: go by the names in it
        rows = _rows_of(names, data.images["file_name"].to_list())
        if (rows < 0).any():
            raise InputError(
                f"{old.folder}: the folder of its images, {old.root}, does not exist any more; "
                "give a data set that has them all, under the names they had in it"
            )
    if (rows >= 0).all():
        return data, rows
    if (rows >= 0).any():
        lost = names[int(np.argmin(rows))]
        raise InputError(
            f"{old.folder}: its image {lost!r} is not among those given; give all images of the "
            "old run with the new ones, or new ones alone"
        )
    if len(data.instances):
        raise InputError(
            f"{old.folder}: none of its images is in the data set given; to keep annotations, give "
            "one that has old and new images"
        )
    pictures = old.pictures()
    return joined(pictures, data), np.arange(len(pictures))


def _places(root: Path, names: Sequence[str] | pl.Series) -> list[str]:
    base = os.path.realpath(root)
    return [os.path.normpath(os.path.join(base, name)) for name in names]


def _rows_of(wanted: Sequence[str], there: Sequence[str]) -> NDArray[np.int64]:
    """The row of each wanted image, -1 where there is none; of two records, each has its own."""
    places: dict[str, list[int]] = {}
    for row in range(len(there) - 1, -1, -1):
        places.setdefault(there[row], []).append(row)
    return np.array([rows.pop() if (rows := places.get(w)) else -1 for w in wanted], np.int64)


def _refuse_deeper(old: OldRun, pictures: Dataset, n_old: int, how: Comparing) -> None:
    """Among new images of 16 bits old ones of 8 would be other numbers than they were."""
    ids = pictures.images["image_id"]
    bits = [bit_depth(d, workers=how.threads) for d in (pictures.subset(ids[:n_old]), pictures)]
    if bits[0] != bits[1]:
        raise InputError(
            f"{old.folder}: its images have 8 bits, and some of the new ones 16; run it anew with "
            "all of them"
        )


def _old_edges(old: OldRun, opened: Opened) -> Found:
    """The edges of the old run whose images can be read; old images have the first rows."""
    ids = old.scores["image_id"].to_numpy()
    order = np.argsort(ids)
    first, second = (
        order[np.searchsorted(ids[order], old.edges[name].to_numpy())]
        for name in ("source", "target")
    )
    there = opened.readable[first] & opened.readable[second]
    return Found(
        float(old.subset.parameters["threshold"]),
        True,
        first[there].astype(np.int32),
        second[there].astype(np.int32),
        old.edges["similarity"].to_numpy()[there],
    )


def _refuse_changed(old: OldRun, opened: Opened) -> None:
    """The grey pixels of every old image have the mean and the variance that they had."""
    n_old = len(old.scores)
    for name in ("mean", "variance"):
        then, now = old.scores[name].to_numpy(), getattr(opened, name)[:n_old]
        changed = np.abs(now - then) > _SAME * np.maximum(1, np.abs(then))  # never where one is NaN
        if changed.any():
            image = opened.data.images["file_name"][int(np.argmax(changed))]
            raise InputError(
                f"{old.folder}: {image} is not the image any more that it was then; run it anew"
            )


def _in_order(parts: Sequence[Found], rows: NDArray[np.int64], threshold: float) -> Found:
    """New and old pairs by the rows of the data set, sorted."""
    one = np.concatenate([rows[part.first] for part in parts])
    other = np.concatenate([rows[part.second] for part in parts])
    value = np.concatenate([part.value for part in parts])
    first, second = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((second, first))
    order = order[value[order] >= threshold]
    return Found(
        threshold,
        True,
        first[order].astype(np.int32),
        second[order].astype(np.int32),
        value[order],
    )


class _Reordered:
    """Similarities whose rows are those of the data set, over some that have old images first."""

    def __init__(self, inner: Any, rows: NDArray[np.int64]) -> None:
        self._inner, self._rows = inner, rows
        self._place = np.empty_like(rows)
        self._place[rows] = np.arange(len(rows))

    def nearest(
        self, rows: NDArray[np.int64], among: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See `Similarities.nearest`."""
        # the first of equally similar ones is then the first of the old ones
        best, value = self._inner.nearest(self._place[rows], np.sort(self._place[among]))
        return np.where(best < 0, -1, self._rows[best]), value


def _reordered(opened: Opened, data: Dataset, rows: NDArray[np.int64]) -> Opened:
    readable = np.zeros(len(rows), bool)
    readable[rows] = opened.readable
    faults = {int(rows[place]): message for place, message in opened.faults.items()}
    mean, variance = np.empty_like(opened.mean), np.empty_like(opened.variance)
    mean[rows], variance[rows] = opened.mean, opened.variance
    measures: Any = _Reordered(opened.measures, rows)
    return replace(
        opened,
        data=data,
        measures=measures,
        readable=readable,
        faults=faults,
        mean=mean,
        variance=variance,
    )


# -- communities and representatives -----------------------------------------------------------


def _extended(
    old: OldRun,
    opened: Opened,
    found: Found,
    old_rows: NDArray[np.int64],
    threshold: float,
    rule: Rule,
) -> tuple[Partition, NDArray[np.bool_]]:
    """The grown network with its communities (k,), and which nodes stay (k,)."""
    nodes = np.flatnonzero(opened.readable)
    node_of = np.full(len(opened.readable), -1)
    node_of[nodes] = np.arange(len(nodes))
    network = similarity_network(node_of[found.first], node_of[found.second], len(nodes))
    labels = np.full(len(nodes), -1)
    kept = np.zeros(len(nodes), bool)
    held = old.scores["image_id"].is_in(pl.Series(old.subset.kept).implode()).to_numpy()
    community = old.scores["community"].fill_null(-1).to_numpy()
    there = node_of[old_rows] >= 0
    labels[node_of[old_rows[there]]] = community[there]
    kept[node_of[old_rows[there & held]]] = True
    is_old = np.zeros(len(nodes), bool)
    is_old[node_of[old_rows[there]]] = True
    _join(network, labels)
    rest = np.flatnonzero(labels < 0)
    if len(rest):
        inner = network[rest][:, rest]
        own = find_communities(
            inner, method=rule.method, resolution=rule.resolution, seed=rule.seed
        )
        labels[rest] = own + labels.max() + 1
    _add_representatives(network, labels, kept, ~is_old, rule.keep)
    _, labels = np.unique(labels, return_inverse=True)
    return Partition(threshold, network, labels.astype(np.int64), kept), kept


def _join(network: csr_array, labels: NDArray[np.int64]) -> None:
    """Give nodes without a label (-1) that of most of their neighbours, round by round."""
    rows = np.repeat(np.arange(len(labels)), degrees(network))
    while True:
        open_ends = (labels[rows] < 0) & (labels[network.indices] >= 0)
        if not open_ends.any():
            return
        votes = (
            pl.DataFrame({"node": rows[open_ends], "label": labels[network.indices[open_ends]]})
            .group_by("node", "label")
            .len()
            .sort("node", "len", "label", descending=[False, True, False])
            .unique("node", keep="first", maintain_order=True)
        )
        labels[votes["node"].to_numpy()] = votes["label"].to_numpy()


def _add_representatives(
    network: csr_array,
    labels: NDArray[np.int64],
    kept: NDArray[np.bool_],
    is_new: NDArray[np.bool_],
    keep: float,
) -> None:
    """Keep new nodes where a community has too few representatives, the best connected first."""
    rows = np.repeat(np.arange(len(labels)), degrees(network))
    same = labels[rows] == labels[network.indices]
    within = np.bincount(rows[same], minlength=len(labels))
    short = share_up(np.bincount(labels), keep)
    short = short - np.bincount(labels, weights=kept).astype(np.int64)
    for node in np.lexsort((np.arange(len(labels)), -degrees(network), -within)).tolist():
        if is_new[node] and not kept[node] and short[labels[node]] > 0:
            kept[node] = True
            short[labels[node]] -= 1
