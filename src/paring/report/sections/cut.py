"""What a cut kept, by what measure, and what it would have kept at another rate."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from paring.dataset.summary import SIZES, counted_instances
from paring.dataset.table import Dataset, rows_of_ids
from paring.errors import InputError
from paring.images.floors import Floors
from paring.images.network.result import METHOD
from paring.images.selection import top_rows
from paring.report.command import FLOORS, without
from paring.report.folder import RunFolder
from paring.report.hiding import Names
from paring.report.words import similar

_STEPS = 20  # rates at which a ranking with floors is cut for the slider

_MEASURE = {
    "shape": "Score by mask shape",
    "count": "Score by number of instances",
    "entropy": "Entropy of a training's predictions",
    "el2n": "Error early in a training (EL2N)",
    "aum": "Margin over a training (AUM)",
    "forgetting": "Forgetting over a training",
    "mc-dropout": "Uncertainty of a model under dropout",
    "consistency": "Disagreement of a model about views",
}
_HOW = {
    "top by shape": "by the shape of their masks",
    "top by count": "by their number of instances",
    "top by entropy": "by the entropy of a training's predictions",
    "top by el2n": "by their error early in a training",
    "top by aum": "by their margin over a training",
    "top by forgetting": "by what a training forgot of them",
    "top by mc-dropout": "by a model's uncertainty about them",
    "top by consistency": "by a model's disagreement about views of them",
    **{f"stratified by {name}": f"evenly over their {name} scores" for name in _MEASURE},
    "stratified by count": "evenly over their number of instances",
    "random": "by chance",
    "k-centre": "so that they cover the others in a network's features",
    METHOD: "as representatives of similar images",
}


def images_section(data: Dataset, names: Names) -> dict[str, Any]:
    """What the images of a data set hold; instances that count, in the order of the images."""
    counted = counted_instances(data)
    image = rows_of_ids(data.images["image_id"], counted["image_id"])
    order = np.argsort(image, kind="stable")
    # of a data set without instances they are tags, often the names of folders
    categories = data.categories if len(counted) else data.categories.clear()
    category = rows_of_ids(data.categories["category_id"], counted["category_id"])
    size = counted["size"].replace_strict(SIZES, range(len(SIZES)), return_dtype=pl.Int64)
    return {
        "names": names.shown,
        "hidden": names.hidden,
        "width": data.images["width"].to_list(),
        "height": data.images["height"].to_list(),
        "categories": categories["name"].to_list(),
        "order": categories["category_id"].arg_sort().to_list(),
        "sizes": list(SIZES),
        "instances": np.bincount(image, minlength=len(data)).tolist(),
        "category": category[order].tolist(),
        "size": size.to_numpy()[order].tolist(),
    }


def cut_facts(run: RunFolder, names: Names) -> dict[str, Any]:
    """What a run kept, and how it was told to."""
    return {
        "name": "this run" if names.hidden else run.path.resolve().name,
        "method": _method(run, names),
        "how": _HOW.get(run.subset.method, _method(run, names)),
        "rate": float((~run.kept).mean()),
        "seed": run.subset.seed,
        "kept": bits(run.kept),
        "parameters": _parameters(run, names),
    }


def cut_section(run: RunFolder, names: Names) -> dict[str, Any]:
    """What a run kept and why, and the slider that it can have."""
    known = set(run.data.images["image_id"])
    reasons = {row: text for row, text in run.subset.reasons.items() if row in known}
    rows = run.rows_of(pl.Series(list(reasons), dtype=pl.Int64)).tolist() if reasons else []
    plain = _plain_reasons(run)
    said = {
        str(row): words
        for row, text in zip(rows, reasons.values(), strict=True)
        if text != plain.get(row) and (words := names.reason(text))
    }
    return {
        **cut_facts(run, names),
        "measure": _measure(run),
        "reasons": said,
        "slider": _slider(run),
        "again": None if names.hidden else _again(run),
    }


def bits(flags: ArrayLike) -> str:
    """Flags (N,) as base64 text of bits, the first in the highest bit.

    >>> bits([True, False, False, False, False, False, False, True])
    'gQ=='
    """
    return base64.b64encode(np.packbits(np.asarray(flags, bool)).tobytes()).decode()


def _plain_reasons(run: RunFolder) -> dict[int, str]:
    """By row, the reasons that say no more than similarity and name of the image that covers it.

    The page has both as numbers, and words them as everywhere else on it.
    """
    if run.scores is None or run.subset.method != METHOD:
        return {}
    frame = run.scores.frame.drop_nulls(["covered_by", "similarity"])
    rows = run.rows_of(frame["image_id"]).tolist()
    by = run.data.images["file_name"].gather(run.rows_of(frame["covered_by"]))
    return {
        row: f"{name} is {value:.3f} similar"
        for row, name, value in zip(rows, by, frame["similarity"], strict=True)
    }


def _again(run: RunFolder) -> list[str] | None:
    """The command of the run without how much goes; the slider adds that.

    Points of the rate-threshold curve are those of the rule alone, without floors.
    """
    again: list[str] | None = run.facts.get("again")
    if again is not None and run.subset.method == METHOD:
        return without(again, FLOORS)
    return again


def _method(run: RunFolder, names: Names) -> str:
    """The name of the method; with hidden names only one of ours."""
    known = run.subset.method in _HOW or not names.hidden
    return run.subset.method if known else "by a method of its own"


def _parameters(run: RunFolder, names: Names) -> dict[str, Any]:
    about: dict[str, Any] = {"method": _method(run, names)}
    about |= names.parameters(run.subset.parameters)
    if run.subset.seed is not None:
        about["seed"] = run.subset.seed
    about["paring"] = run.subset.version
    if not names.hidden:
        about["data set"] = run.about.path
        about["fingerprint"] = run.about.fingerprint
    return about


def _measure(run: RunFolder) -> dict[str, Any] | None:
    """The number that the images are ordered by, its columns in the order of the images."""
    if run.scores is None:
        return None
    frame = run.data.images.select("image_id").join(
        run.scores.frame, on="image_id", how="left", maintain_order="left"
    )
    if run.subset.method == METHOD:
        return {
            "kind": "similarity",
            "name": "Similarity to the kept image most like it",
            "short": "similarity",
            "hard": "low",
            "values": [None if v is None else float(similar(v, 6)) for v in frame["similarity"]],
        }
    measure: dict[str, Any] = {
        "kind": "score",
        "name": _MEASURE.get(run.scores.method, f"Score by {run.scores.method}"),
        "short": "score",
        "hard": run.scores.hard,
        "values": frame["score"].cast(pl.Float64).to_list(),
        "ranked": run.ranking is not None,
        "unscored": run.subset.parameters.get("unscored", "last"),
    }
    if "strongest_instance" in frame.columns:
        measure["strongest"] = _categories_of(run.data, frame["strongest_instance"])
        measure["strongest_score"] = frame["strongest_score"].to_list()
        measure["counted"] = frame["instances"].to_list()
    return measure


def _categories_of(data: Dataset, instances: pl.Series) -> list[int | None]:
    """Row of the category of each instance by id; None where there is no such instance."""
    rows = pl.Series(
        "row", rows_of_ids(data.categories["category_id"], data.instances["category_id"])
    )
    known = data.instances.select("instance_id").with_columns(rows)
    wanted = pl.DataFrame({"instance_id": instances.cast(pl.Int64)})
    return wanted.join(known, on="instance_id", how="left", maintain_order="left")["row"].to_list()


def _slider(run: RunFolder) -> dict[str, Any] | None:
    """How the cut can be moved: along the ranking, between stored points, or not at all."""
    if run.ranking is not None:
        asked = run.subset.parameters
        if not (asked.get("min_per_category") or asked.get("min_per_size")):
            return {"kind": "ranking"}
        return _points_of_ranking(run, asked)
    curve = run.path / "curve.parquet"
    if run.subset.method == METHOD and curve.is_file():
        return _points_of_curve(run, curve)
    return None


def _points_of_ranking(run: RunFolder, asked: dict[str, Any]) -> dict[str, Any]:
    """Every twentieth of the rate that the floors allow, as `keep_top` cuts, and the run's own."""
    assert run.scores is not None
    points = [_point(run.kept, own=True)]
    floors = Floors.of(
        run.data,
        per_category=asked.get("min_per_category", 0),
        per_size=asked.get("min_per_size", 0),
        unit=asked.get("floor_unit", "instances"),
    )
    for step in range(_STEPS):
        rate = step / _STEPS
        chosen, order = top_rows(run.scores, rate=rate, unscored=asked.get("unscored", "last"))
        try:
            held, _ = floors.enforce(chosen, order)
        except InputError:  # more images would go than the floors allow
            continue
        points.append(_point(held, amount=["--rate", f"{rate:g}"]))
    return {"kind": "points", "by": "rate", "points": _in_order(points)}


def _points_of_curve(run: RunFolder, path: Any) -> dict[str, Any] | None:
    """The subsets that were stored of the curve of rates over thresholds."""
    try:
        curve = pl.read_parquet(path).select(
            pl.col("threshold").cast(pl.Float64), pl.col("image_id").cast(pl.Int64)
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    known = run.data.images["image_id"].implode()
    if curve.null_count().sum_horizontal()[0]:
        raise InputError(f"{path}: has rows without threshold or image")
    if not curve["image_id"].is_in(known).all():
        raise InputError(f"{path}: keeps an image that is not in the run")
    points = [_point(run.kept, own=True, threshold=run.subset.parameters.get("threshold"))]
    for (threshold,), part in curve.group_by("threshold", maintain_order=True):
        amount = ["--threshold", repr(threshold)]
        flags = _flags(run, part["image_id"])
        if not np.array_equal(flags, run.kept):
            points.append(_point(flags, threshold=threshold, amount=amount))
    if len(points) == 1:
        return None
    return {"kind": "points", "by": "threshold", "points": _in_order(points)}


def _flags(run: RunFolder, ids: pl.Series) -> NDArray[np.bool_]:
    flags = np.zeros(len(run.data), bool)
    flags[run.rows_of(ids)] = True
    return flags


def _point(
    flags: NDArray[np.bool_],
    *,
    own: bool = False,
    amount: list[str] | None = None,
    threshold: Any = None,
) -> dict[str, Any]:
    return {
        "dropped": int(len(flags) - flags.sum()),
        "threshold": threshold,
        "own": own,
        "amount": amount,
        "kept": bits(flags),
    }


def _in_order(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """From the fewest images dropped to the most; of equal numbers one, the run's own first."""
    found: dict[int, dict[str, Any]] = {}
    for point in points:
        found.setdefault(point["dropped"], point)
    return [found[dropped] for dropped in sorted(found)]
