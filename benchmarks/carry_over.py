"""Whether subsets chosen by shape, and by one detector's scores, train another kind of detector.

TFDP's Table 3 asks it of datasets that a Mask R-CNN has pruned; here SOLOv2 learns from them, on
generated scenes, as many optimiser steps from each subset as from all images.

    python benchmarks/carry_over.py DATA WORK [--minutes 60]

DATA holds ``weights/mobilenet_v2_imagenet.safetensors``. WORK keeps every finished cell.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import yaml

import paring
from machine import machine, save
from paring.dataset.table import Dataset
from paring.experiment.ranking import Ranker
from paring.training import evaluate_run, load_recipe, train
from pruned_training import MASK_RCNN, SHARED, TRAINER

SEEDS = (0, 1, 2)
METHODS = ("full", "random", "shape", "shape-si-cb", "el2n", "aum")
RATE = 0.5
EPOCHS = 10
METRICS = ("AP", "AP50", "box_AP")

SOLO = {
    "model": "solov2_mobilenet_v2_fpn",
    "options": {
        "grids": [12, 10, 8, 6, 4],
        "ranges": [[1, 24], [12, 48], [24, 96], [48, 192], [96, 512]],
        "fpn_channels": 64,
        "head_width": 64,
        "head_layers": 2,
        "mask_width": 32,
        "least_area": 0.0,
        "frozen_norm": True,
    },
}


def recipe(
    data: Path, file: Path, images: Path, model: dict[str, Any], epochs: int, seed: int, **more: Any
) -> Any:
    """A training on a file of scenes."""
    tree = SHARED | model | more
    tree |= {
        "data": {
            "train": {"path": str(file), "images": str(images)},
            "size": [96, 128],
            "batch_size": 4,
            "workers": 0,
        },
        "trainer": TRAINER | {"epochs": epochs},
        "weights": str(data / "weights" / "mobilenet_v2_imagenet.safetensors"),
        "seed": seed,
    }
    place = file.with_name(f"{file.stem}-{model['model'].split('_')[0]}-{seed}.yaml")
    place.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
    return load_recipe(place)


def scenes(work: Path, name: str, n: int, seed: int) -> tuple[Dataset, Path]:
    """Scenes and their file."""
    folder, file = work / name, work / f"{name}.json"
    if not file.exists():
        paring.scenes(n, seed=seed, size=(96, 128), folder=folder).write(file, format="coco")
    return paring.read(file, images=folder), file


def make(data: Path, work: Path, method: str, seed: int) -> dict[str, Any]:
    """One cell, unless it is there."""
    kept = work / "cells" / f"{method}-{seed}.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    whole, file = scenes(work, "train", 100, 0)
    _, test = scenes(work, "test", 60, 1)
    images = work / "train"
    chosen, epochs = file, EPOCHS
    if method != "full":
        run = work / f"ranking-{seed}"
        if not (run / "model.safetensors").exists():
            judge = recipe(data, file, images, MASK_RCNN, 5, seed, record={"keep": "signs"})
            train(judge, run)
        subset, _ = Ranker(whole, whole, work / f"rankings-{seed}").subset(
            method, RATE, seed, run=run
        )
        chosen = work / f"{method}-{seed}.json"
        if not chosen.exists():
            subset.apply(whole).write(chosen, format="coco")
        epochs = round(EPOCHS / (1 - RATE))
    run = work / "runs" / f"{method}-{seed}"
    if not (run / "trained.json").exists():
        train(recipe(data, chosen, images, SOLO, epochs, seed), run)
    took = json.loads((run / "trained.json").read_text())["seconds"]
    measured = evaluate_run(run, data=paring.read(test, images=work / "test")).metrics
    found = {
        "method": method,
        "seed": seed,
        "seconds": round(took, 1),
        "metrics": {name: round(100 * measured[name], 2) for name in METRICS},
    }
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(found))
    print(found, flush=True)
    return found


def main() -> None:
    """Make what is missing, then the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    given = parser.parse_args()
    data, work = given.data.resolve(), given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    began, rows = time.monotonic(), []
    for seed in SEEDS:
        for method in METHODS:
            there = (work / "cells" / f"{method}-{seed}.json").exists()
            if there or time.monotonic() - began < 60 * given.minutes:
                rows.append(make(data, work, method, seed))
    lines = [
        f"SOLOv2 on MobileNetV2, trained on half of 100 generated scenes, in as many steps as on "
        f"all, and measured on 60 others; mean ± standard deviation over seeds, in per cent. EL2N "
        f"and AUM are those of a Mask R-CNN. {len(rows)} of {len(SEEDS) * len(METHODS)} trainings "
        "are made:",
        "",
        "| chosen by | " + " | ".join(METRICS) + " | seeds |",
        "|---" * (len(METRICS) + 2) + "|",
    ]
    for method in METHODS:
        mine = [one["metrics"] for one in rows if one["method"] == method]
        if mine:
            cells = []
            for name in METRICS:
                values = [one[name] for one in mine]
                spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
                cells.append(f"{statistics.mean(values):.1f}{spread}")
            lines.append(f"| {method} | {' | '.join(cells)} | {len(mine)} |")
    save("carry_over", {"machine": machine("torch"), "cells": rows}, lines)


if __name__ == "__main__":
    main()
