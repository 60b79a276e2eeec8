"""What a cut takes from real data: shape beside its simplest rivals, images beside instances.

Run with the folder that holds ``voc2012/``, ``coco160/`` and ``dsb2018/``:

    python benchmarks/real_cuts.py DATA
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import paring
from machine import machine, save
from paring.dataset.scores import Scores
from paring.dataset.summary import compare
from paring.dataset.table import Dataset
from paring.images import count_scores, instance_shapes, keep_random, keep_top, shape_scores
from paring.images.shape import counted

RATES = (0.2, 0.3, 0.4, 0.5)
SEEDS = range(10)
SETS = {
    "VOC 2012 train": ("voc2012/instances_train.json", True),
    "160 images of COCO": ("coco160", False),
    "nuclei (DSB 2018)": ("dsb2018", False),
}


def spearman(a: Any, b: Any) -> float:
    """Rank correlation of two columns."""
    ranks = pl.DataFrame({"a": pl.Series(a).rank(), "b": pl.Series(b).rank()})
    return float(ranks.select(pl.corr("a", "b")).item())


def cost(data: Dataset, kept: Dataset) -> dict[str, float]:
    """Shares kept, in percent: of images, of instances, of the category that lost most."""
    before, after = data.summary(), kept.summary()
    losses = compare(before, after)
    worst = losses.filter((pl.col("group") == "category") & (pl.col("instances_before") > 0))
    return {
        "images": 100 * after.images / before.images,
        "instances": 100 * after.instances / before.instances,
        "worst_category": 100 * (1 - worst["lost"][0]),
    }


def rankings(data: Dataset) -> dict[str, Scores]:
    """The method, its ablations and its rival."""
    return {
        "CB-SCS": shape_scores(data),
        "SI-SCS": shape_scores(data, class_balanced=False),
        "SCS": shape_scores(data, scale_invariant=False, class_balanced=False),
        "SCS + CB": shape_scores(data, scale_invariant=False),
        "count": count_scores(data),
    }


def cuts(data: Dataset) -> list[dict[str, Any]]:
    """What each method keeps at each rate; chance with mean and spread over seeds."""
    rows = []
    for name, scores in rankings(data).items():
        for rate in RATES:
            kept = keep_top(scores, rate=rate).apply(data)
            rows.append({"method": name, "rate": rate, **cost(data, kept)})
    for rate in RATES:
        some = [cost(data, keep_random(data, rate=rate, seed=s).apply(data)) for s in SEEDS]
        row: dict[str, Any] = {"method": "random", "rate": rate}
        for key in some[0]:
            row[key] = statistics.mean(c[key] for c in some)
            row[f"{key}_std"] = statistics.stdev(c[key] for c in some)
        rows.append(row)
    return rows


def agreement(data: Dataset) -> dict[str, float]:
    """How far shape agrees with count, and raster with polygon."""
    shape, count = shape_scores(data), count_scores(data)
    found = {"shape_and_count": spearman(shape.frame["score"], count.frame["score"])}
    if data.masks.is_polygon.any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            vertices = shape_scores(data, contour="polygon")
            drawn = instance_shapes(data, class_balanced=False)["score"].to_numpy()
            given = instance_shapes(data, class_balanced=False, contour="polygon")["score"]
        use = counted(data) & data.masks.is_polygon
        one, other = (set(keep_top(s, rate=0.5).kept) for s in (shape, vertices))
        found |= {
            "raster_and_polygon_instances": spearman(drawn[use], given.to_numpy()[use]),
            "raster_and_polygon_images": spearman(shape.frame["score"], vertices.frame["score"]),
            "raster_and_polygon_top_half": len(one & other) / len(one),
        }
    return found


def table(rows: list[dict[str, Any]]) -> list[str]:
    """One data set as Markdown."""
    lines = [
        "| method | " + " | ".join(f"p = {rate:.0%}" for rate in RATES) + " |",
        "|---|" + "---|" * len(RATES),
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = []
        for row in (r for r in rows if r["method"] == method):
            spread = f" ± {row['instances_std']:.1f}" if "instances_std" in row else ""
            cells.append(f"{row['instances']:.1f}{spread} / {row['worst_category']:.0f}")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Measure every data set that is there."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    folder = parser.parse_args().data
    result: dict[str, Any] = {"machine": machine("numpy", "polars", "opencv-python-headless")}
    lines = [
        "Instances kept, in percent, and behind the stroke the share kept by the category that",
        "lost most. Images kept are 100 % - p in every column. Chance: mean ± deviation over",
        f"{len(SEEDS)} seeds.",
    ]
    for name, (path, recompute) in SETS.items():
        data = paring.read(folder / path)
        if recompute:  # the file's areas are those of first contours
            data = data.recomputed()
        rows, agree = cuts(data), agreement(data)
        result[name] = {"cuts": rows, "agreement": agree, "images": len(data)}
        n_counted = int(np.count_nonzero(counted(data)))
        lines += ["", f"**{name}** ({len(data):,} images, {n_counted:,} instances that count)", ""]
        lines += table(rows)
        lines += ["", f"Spearman of shape and count over images: {agree['shape_and_count']:.3f}."]
        if "raster_and_polygon_images" in agree:
            lines.append(
                "Spearman of raster and polygon: instances "
                f"{agree['raster_and_polygon_instances']:.4f}, images "
                f"{agree['raster_and_polygon_images']:.4f}; top half "
                f"{agree['raster_and_polygon_top_half']:.1%} the same."
            )
    save("real_cuts", result, lines)


if __name__ == "__main__":
    main()
