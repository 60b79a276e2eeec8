"""What a cut really costs: models trained on full and pruned sets, methods beside each other.

    python benchmarks/pruned_training.py kvasir DATA WORK
    python benchmarks/pruned_training.py nuclei DATA WORK
    python benchmarks/pruned_training.py scenes DATA WORK

DATA holds ``kvasir/``, ``dsb2018/`` and ``weights/mobilenet_v2_imagenet.safetensors``; scenes are
generated and take only the weights from there. WORK keeps every finished cell: a benchmark that
was stopped goes on from there. `--minutes` ends it after the cell that is being made by then (0
makes none), and the tables say how many cells of how many seeds they are of. Everything runs on
one thread of the processor, so that the results are the same on any number of cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import paring
from machine import machine, save
from paring.experiment import compare
from paring.experiment.cells import finished
from paring.experiment.plan import load_plan
from paring.experiment.table import results, summarise
from paring.experiment.wording import to_markdown

SEEDS = [0, 1, 2]
SHARED: dict[str, Any] = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "log": {"tensorboard": False, "every": 50},
    "schedule": {"name": "cosine", "warmup_steps": 20, "warmup_start": 0.01},
    "optimiser": {"name": "adamw", "lr": 1.0e-3, "weight_decay": 1.0e-4},
}
TRAINER = {"accelerator": "cpu", "threads": 1, "clip": 5.0}
MASK_RCNN = {
    "model": "maskrcnn_mobilenet_v2_fpn",
    "options": {
        "anchor_sizes": [[6], [12], [24], [48], [96]],
        "fpn_channels": 32,
        "box_width": 128,
        "mask_width": 32,
        "rois_per_image": 32,
        "proposals_in_training": 100,
        "proposals": 100,
        "frozen_norm": True,  # batches of two are too few to normalise by
    },
}
CROWDED = {"rois_per_image": 64, "proposals_in_training": 200, "proposals": 200}
TRAINED = ["el2n", "aum", "entropy", "forgetting", "ccs"]
METRICS = ["AP", "AP50", "box_AP"]


def kvasir(data: Path, _: Path) -> dict[str, Any]:
    """PRIME's Table 4 at 128 x 128 pixels with a small network: EMCAD on MobileNetV2."""
    train = SHARED | {
        "model": "emcad_mobilenet_v2",
        "data": {
            "train": str(data / "kvasir" / "train"),
            "size": [128, 128],
            "batch_size": 8,
            "workers": 0,
        },
        "augment": {"flip": 0.0},  # the paper trains without augmentation
        "trainer": TRAINER | {"epochs": 2, "channels_last": True},
    }
    return {
        "train": train,
        "test": str(data / "kvasir" / "test"),
        "methods": [
            "full", "random", "similarity-ssim", "similarity-pcc",
            "entropy", "mc-dropout", "consistency",
        ],
        "rates": [0.56, 0.4],
        "scores": {"consistency": {"views": 4}},
        "metrics": ["dice_per_image", "iou_per_image"],
    }  # fmt: skip


def nuclei(data: Path, work: Path) -> dict[str, Any]:
    """60 images of nuclei to cut and 24 to measure on; one class, so there is no CB to see."""
    whole = json.loads((data / "dsb2018" / "instances.json").read_bytes())
    images = [i for i in whole["images"] if max(i["width"], i["height"]) <= 360]
    random.Random(0).shuffle(images)
    files = {}
    for name, part in (("train", images[:60]), ("test", images[60:84])):
        ids = {image["id"] for image in part}
        kept = [a for a in whole["annotations"] if a["image_id"] in ids]
        files[name] = work / f"{name}.json"
        text = json.dumps(whole | {"images": part, "annotations": kept})
        files[name].write_text(text, encoding="utf-8")
    pictures = str(data / "dsb2018" / "images")
    train = (
        SHARED
        | MASK_RCNN
        | {
            "options": MASK_RCNN["options"] | CROWDED,
            "data": {
                "train": {"path": str(files["train"]), "images": pictures},
                "size": [128, 128],
                "batch_size": 2,
                "workers": 0,
            },
            "trainer": TRAINER | {"epochs": 5},
        }
    )
    return {
        "train": train,
        "test": {"path": str(files["test"]), "images": pictures},
        "methods": ["full", "random", "count", "shape", "shape-si", *TRAINED],
        "rates": [0.7, 0.5],
        "metrics": METRICS,
    }


def scenes(_: Path, work: Path) -> dict[str, Any]:
    """Generated scenes with bursts and a long tail of categories: 100 to cut, 60 to measure on."""
    files = {}
    for name, n, seed in (("train", 100, 0), ("test", 60, 1)):
        made = work / name
        files[name] = work / f"{name}.json"
        if not files[name].exists():
            drawn = paring.scenes(n, seed=seed, size=(96, 128), folder=made)
            drawn.write(files[name], format="coco")
    train = (
        SHARED
        | MASK_RCNN
        | {
            "data": {
                "train": {"path": str(files["train"]), "images": str(work / "train")},
                "size": [96, 128],
                "batch_size": 2,
                "workers": 0,
            },
            "trainer": TRAINER | {"epochs": 5},
        }
    )
    return {
        "train": train,
        "test": {"path": str(files["test"]), "images": str(work / "test")},
        "methods": [
            "full", "random", "count-balanced", "shape", "shape-si", "shape-cb", "shape-si-cb",
            *TRAINED,
        ],
        "rates": [0.8, 0.5],
        "metrics": METRICS,
    }  # fmt: skip


SETS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "kvasir": kvasir,
    "nuclei": nuclei,
    "scenes": scenes,
}


class Enough(Exception):
    """The time is over."""


def main() -> None:
    """Make the cells that are missing, then the tables of all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    given = parser.parse_args()
    began = time.monotonic()
    work = given.work / given.set
    work.mkdir(parents=True, exist_ok=True)
    data = given.data.resolve()
    shown = SETS[given.set](data, work.resolve())
    shown["train"]["weights"] = str(data / "weights" / "mobilenet_v2_imagenet.safetensors")
    file = work / "plan.yaml"
    file.write_text(
        yaml.safe_dump(shown | {"seeds": SEEDS, "budget": "both"}, sort_keys=False),
        encoding="utf-8",
    )

    def say(sentence: str) -> None:
        print(sentence, flush=True)
        if time.monotonic() - began > 60 * given.minutes:
            raise Enough

    plan = load_plan(file)
    if given.minutes > 0:
        with contextlib.suppress(Enough):
            compare(plan, work / "cells", say=say)
    frame = results(finished(work / "cells", plan.places()))
    failed = (frame["status"] == "failed").sum()
    if failed:
        raise SystemExit(f"{failed} cells failed; nothing is written")
    seen = paring.read(plan.train.data.train.path, images=plan.train.data.train.images)
    trainer = shown["train"]["trainer"] | {"batch_size": shown["train"]["data"]["batch_size"]}
    result = {
        "machine": machine("torch", "torchvision", "lightning"),
        "images": len(seen),
        "instances": len(seen.instances),
        "cells_planned": len(plan.places()),
        "training": {"model": plan.train.model, "weights": "MobileNetV2, ImageNet"}
        | {"size": shown["train"]["data"]["size"], "options": shown["train"].get("options", {})}
        | {"trainer": trainer, "optimiser": shown["train"]["optimiser"]},
        "cells": frame.drop("error").to_dicts(),
    }
    lines = to_markdown(
        summarise(frame, plan.metrics), plan.metrics, seeds=len(plan.seeds)
    ).splitlines()
    lines = [f"##{line}" if line.startswith("## ") else line for line in lines]
    lines.append(f"{len(frame)} of {len(plan.places())} cells were made.")
    save(f"pruned_{given.set}", result, lines)


if __name__ == "__main__":
    main()
