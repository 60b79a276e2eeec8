"""The similarity network of Kvasir-SEG beside the figures that PRIME's appendix B gives.

    python benchmarks/kvasir_network.py DATA

DATA holds ``kvasir/{train,validation}/images``: 900 of the 1,000 images, as many as the paper has.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from machine import machine, save
from paring.images import keep_random, keep_representatives, similar_pairs
from paring.images.network.coverage import Coverage
from paring.images.network.result import NetworkCut
from paring.images.similarity.opening import Comparing, open_images
from paring.images.similarity.sources import as_dataset

PAPER = {
    "threshold": 0.80,
    "nodes": 900,
    "edges": 8922,
    "average_degree": 19.827,
    "density": 0.022,
    "components": 184,
    "communities": 189,
    "modularity": 0.512,
    "average_path_length": 3.348,
    "diameter": 10,
    "average_clustering": 0.597,
    "kept": 253,
}
PAPER_CURVE = {0.88: 19.1, 0.85: 41.8, 0.83: 56.2, 0.80: 71.9}
SEEDS = range(10)


def figures(cut: NetworkCut) -> dict[str, Any]:
    """What the paper tells of its network, of ours; Gephi's mean of clustering."""
    found = cut.statistics.to_dict()
    found["average_clustering"] = found["average_clustering_of_degree_2_up"]
    return {k: found.get(k) for k in PAPER} | {
        "threshold": cut.threshold,
        "kept": len(cut.subset.kept),
    }


def main() -> None:
    """Measure at the paper's threshold, number of edges and rate; the curve; chance beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    folder = parser.parse_args().data / "kvasir"
    paths = [
        p for part in ("train", "validation") for p in sorted((folder / part).glob("images/*"))
    ]
    data = as_dataset(paths)
    pairs = similar_pairs(data, threshold=0.5)
    by_edges = float(pairs["similarity"].sort(descending=True)[PAPER["edges"] - 1])
    cuts = {
        "threshold 0.80": keep_representatives(data, threshold=0.80),
        "8,922 edges": keep_representatives(data, threshold=by_edges),
        "rate 0.719": keep_representatives(data, rate=0.719, curve=True),
        "the same, PCC": keep_representatives(data, rate=0.719, how=Comparing(metric="pcc")),
        "the same, windowed": keep_representatives(
            data, rate=0.719, how=Comparing(window="gaussian")
        ),
        "the same, Leiden": keep_representatives(data, rate=0.719, communities="leiden"),
    }
    chosen = cuts["rate 0.719"]
    opened = open_images(data, Comparing())
    chance = []
    for seed in SEEDS:
        kept = data.images["image_id"].is_in(keep_random(data, rate=0.719, seed=seed).kept)
        rows = np.flatnonzero(kept.to_numpy()), np.flatnonzero(~kept.to_numpy())
        chance.append(Coverage.of(opened.measures, *rows).summary())
    worst, median = ([c[k] for c in chance] for k in ("min", "median"))
    result = {
        "machine": machine("numpy", "scikit-network"),
        "paper": PAPER,
        "ours": {name: figures(cut) for name, cut in cuts.items()},
        "coverage": chosen.coverage,
        "coverage_by_chance": {"seeds": len(chance), "min": worst, "median": median},
        "curve": [p for p in chosen.points if round(p["threshold"], 2) == p["threshold"]],
    }
    names = list(cuts)
    lines = [
        "| | paper, 0.80 | " + " | ".join(names) + " |",
        "|---" * (len(names) + 2) + "|",
    ]
    for key, value in PAPER.items():
        cells = [result["ours"][name][key] for name in names]
        shown = [f"{c:,.3f}" if isinstance(c, float) else f"{c:,}" for c in (value, *cells)]
        lines.append(f"| {key.replace('_', ' ')} | " + " | ".join(shown) + " |")
    curve = {p["threshold"]: p for p in result["curve"]}
    marks = [t for t in (0.9, 0.88, 0.85, 0.83, 0.8, 0.75, 0.7, 0.65, 0.6) if t in curve]
    lines += [
        "",
        "| threshold | " + " | ".join(f"{t:.2f}" for t in marks) + " |",
        "|---" * (len(marks) + 1) + "|",
        "| removed here, % | " + " | ".join(f"{100 * curve[t]['rate']:.1f}" for t in marks) + " |",
        "| removed in the paper, % | "
        + " | ".join(f"{PAPER_CURVE[t]:.1f}" if t in PAPER_CURVE else "" for t in marks)
        + " |",
        "",
        f"At a rate of 0.719 a dropped image is {chosen.coverage['median']:.3f} similar to a kept "
        f"one in the median and {chosen.coverage['min']:.3f} at worst; where the same number is "
        f"kept by chance, {np.mean(median):.3f} ± {np.std(median, ddof=1):.3f} and "
        f"{np.mean(worst):.3f} ± {np.std(worst, ddof=1):.3f} ({len(chance)} seeds).",
    ]
    save("kvasir_network", result, lines)


if __name__ == "__main__":
    main()
