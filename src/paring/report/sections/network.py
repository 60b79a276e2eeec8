"""The similarity network of a run: its figures, what covers what, and where it is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.scores import Scores
from paring.errors import InputError
from paring.images.network.extending import EDGES
from paring.report.layout import lay_out
from paring.report.words import similar

_NETWORK, _SCORES = "network.json", "scores.parquet"
_TABLES = {"degree": "degree_distribution", "community_size": "community_size_distribution"}
_ELSEWHERE = {
    *("threshold", "coverage", "search", "points", "groups", "community_purity"),
    *_TABLES.values(),
}
"""What network.json has and the section has under another name, or not."""

_NEEDED: dict[str, type | tuple[type, ...]] = {
    "threshold": (float, int, type(None)),
    "edges": int,
    "communities": int,
    "modularity": (float, int),
    "coverage": dict,
    "points": list,
    "groups": (list, type(None)),
    "community_purity": (float, int, type(None)),
    **dict.fromkeys(_TABLES.values(), list),
}


def network_section(
    folder: Path,
    row_of: Callable[[pl.Series], NDArray[np.int64]],
    kept: NDArray[np.bool_],
) -> dict[str, Any] | None:
    """What the page shows of a similarity network, ready for JSON; None where a run has none.

    Parameters
    ----------
    folder : of a run of ``paring images similarity``.
    row_of : gives the rows (m,) of the data set for image ids (m,).
    kept : which rows of the data set stay (n,).

    Returns
    -------
    dict
        ``threshold``, ``statistics``, ``coverage``, ``points``, ``groups`` and ``purity`` as in
        network.json; by row of the data set ``community``, ``degree``, ``degree_within``,
        ``covered_by`` (a row), each -1 where there is none, and ``similarity``, null where there
        is none; ``drawn``, the network as `paring.report.layout.lay_out` draws it; ``tables``,
        the distributions of degrees and of community sizes.

    Raises
    ------
    InputError
        Naming the file that is missing, broken, or not of this data set.
    """
    about = _read_network(folder / _NETWORK)
    if about is None:
        return None
    frame = _read_scores(folder / _SCORES)
    rows = _rows(folder / _SCORES, frame["image_id"], frame["image_id"], row_of, len(kept))
    community, degree, within = (
        _placed(frame[name], rows, len(kept)) for name in ("community", "degree", "degree_within")
    )
    similarity = np.full(len(kept), np.nan)
    similarity[rows] = frame["similarity"].fill_null(np.nan).to_numpy()
    covered = frame.filter(pl.col("covered_by").is_not_null())
    by = _rows(folder / _SCORES, frame["image_id"], covered["covered_by"], row_of, len(kept))
    covered_by = np.full(len(kept), -1)
    covered_by[row_of(covered["image_id"])] = by
    return {
        "threshold": about["threshold"],
        "statistics": {name: about[name] for name in about if name not in _ELSEWHERE},
        "coverage": about["coverage"],
        "points": about["points"],
        "groups": about["groups"],
        "purity": about["community_purity"],
        "community": community.tolist(),
        "degree": degree.tolist(),
        "degree_within": within.tolist(),
        "covered_by": covered_by.tolist(),
        "similarity": _rounded(similarity),
        "drawn": _drawn(
            *_read_edges(folder / EDGES, frame, row_of, len(kept)), community, similarity, kept
        ),
        "tables": {name: about[column] for name, column in _TABLES.items()},
    }


def _drawn(
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    values: NDArray[np.float64],
    community: NDArray[np.int64],
    similarity: NDArray[np.float64],
    kept: NDArray[np.bool_],
) -> dict[str, Any]:
    """The layout of the network of rows that have a community."""
    nodes = np.flatnonzero(community >= 0)
    layout = lay_out(
        community[nodes],
        np.searchsorted(nodes, source),
        np.searchsorted(nodes, target),
        values,
        important=kept[nodes],
        closeness=similarity[nodes],
    )
    places = layout.discs.round(4) + 0.0  # never -0.0
    return {
        "rows": nodes[layout.nodes].tolist(),
        "x": (layout.x.round(4) + 0.0).tolist(),
        "y": (layout.y.round(4) + 0.0).tolist(),
        "discs": [
            [*disc, label]
            for disc, label in zip(places.tolist(), layout.labels.tolist(), strict=True)
        ],
        "edges": [
            [*pair, value]
            for pair, value in zip(layout.edges.tolist(), _rounded(layout.values), strict=True)
        ],
        "left_out": {
            "images": layout.left_out_nodes,
            "communities": layout.left_out_communities,
            "edges": layout.left_out_edges,
        },
    }


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    """Similarities rounded down to 6 digits, more near 1; None where there is none."""
    return [float(similar(v, 6)) if np.isfinite(v) else None for v in values.tolist()]


def _placed(values: pl.Series, rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Values (m,) at their rows of all n, -1 where there is none."""
    whole = np.full(n, -1)
    whole[rows] = values.fill_null(-1).to_numpy()
    return whole


def _rows(
    path: Path,
    known: pl.Series,
    ids: pl.Series,
    row_of: Callable[[pl.Series], NDArray[np.int64]],
    n: int,
) -> NDArray[np.int64]:
    """Rows of image ids (m,); refuses ids that are not known and rows that are not there."""
    lost = ids.filter(~ids.is_in(known.implode()))
    if len(lost):
        raise InputError(f"{path}: names image {lost[0]}, which has no scores; make the run anew")
    try:
        rows = row_of(ids)
    except IndexError:  # an id beyond all that are there
        rows = np.full(len(ids), -1)
    strange = len(np.unique(rows)) < ids.n_unique()  # one that took the row of another
    if strange or (len(rows) and (rows.min() < 0 or rows.max() >= n)):
        raise InputError(f"{path}: names images that are not in the data set of the run")
    return rows


def _read_network(path: Path) -> dict[str, Any] | None:
    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is no number")

    try:
        about = json.loads(path.read_bytes(), parse_constant=refuse)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InputError(f"{path}: is not JSON ({error})") from error
    if not isinstance(about, dict):
        raise InputError(f"{path}: does not describe a network")
    for name, kind in _NEEDED.items():
        if name not in about or not isinstance(about[name], kind):
            raise InputError(f"{path}: does not tell the {name} of a network; make the run anew")
    return about


def _read_scores(path: Path) -> pl.DataFrame:
    whole = ("image_id", "community", "degree", "degree_within", "covered_by")
    frame = _typed(path, Scores.load(path).frame, whole, "similarity")
    ids = frame["image_id"]
    if ids.null_count() or ids.is_duplicated().any():
        raise InputError(f"{path}: has scores of no image or of one twice; make the run anew")
    return frame


def _read_edges(
    path: Path, scores: pl.DataFrame, row_of: Callable[[pl.Series], NDArray[np.int64]], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows of the two images of each edge, and its similarity."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: is not a Parquet file of edges ({error})") from error
    frame = _typed(path, frame, ("source", "target"), "similarity").drop_nulls()
    nodes = scores.filter(pl.col("community") >= 0)["image_id"]
    source, target = (_rows(path, nodes, frame[name], row_of, n) for name in ("source", "target"))
    return source, target, frame["similarity"].to_numpy()


def _typed(path: Path, frame: pl.DataFrame, whole: Sequence[str], real: str) -> pl.DataFrame:
    """Some columns of a frame, as whole numbers, and one of real numbers."""
    types = dict.fromkeys(whole, pl.Int64) | {real: pl.Float64}
    lost = [name for name in types if name not in frame.columns]
    if lost:
        raise InputError(f"{path}: has no column {lost[0]!r}; make the run anew")
    try:
        return frame.select(pl.col(name).cast(kind) for name, kind in types.items())
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path}: has values that are no numbers ({error})") from error
