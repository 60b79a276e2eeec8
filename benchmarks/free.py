"""Learning from images alone: free masks, two trainings, exemplars, and what each part brings.

Run with the folder that holds ``coco160/``, ``dsb2018/``, ``kvasir/`` and ``weights/``, and one for
what is made on the way; a run that was stopped goes on where it was:

    python benchmarks/free.py train DATA WORK [--sets scenes nuclei ...] [--seeds 0 1 2]
    python benchmarks/free.py tables WORK
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import torch

import paring
from machine import RESULTS, machine, save
from paring.dataset.table import Dataset
from paring.evaluation import agnostic_metrics
from paring.labels.free.losses import HEARD, largest_contrast
from paring.labels.free.predicting import load_free, predict_free
from paring.labels.free.recipe import FreeRecipe, load_free_recipe
from paring.labels.free.running import labels_from_images

SETS = ("scenes", "nuclei", "kvasir", "coco160")
SEEDS = (0, 1, 2)
TRAIN, TEST = 120, 60
POOL = 5000
POOLS = (8, 24, 40, 72)
"""Exemplars: one, three, five and nine for each category of the scenes."""

MEASURES = ("AP50", "AP", "AR1", "AR10", "AR100", "CorLoc")
EPOCHS = {"scenes": 6, "nuclei": 4, "kvasir": 4, "coco160": 4}
LONG = 16
"""Epochs of each network in the one training that asks whether four are too few."""

LOOKING = {
    "scenes": (
        *("looking.size=640", "looking.longest=1024", "masks.centred=false"),
        *("masks.border=0", "masks.area=0"),
    ),
    "nuclei": (
        *("masks.least=0.001", "masks.border=0", "masks.area=0"),
        *("first.count=20", "second.count=20"),
    ),
}
"""How a set is looked at where the recipe's defaults do not suit it: its things are small."""


PUBLISHED = ("contrast.alpha=0.8", "contrast.beta=0.3", "contrast.tau=0.02")
"""Of the contrast."""


def cells(name: str) -> Iterator[tuple[str, str, tuple[str, ...], int]]:
    """Name, words, changes to the recipe, and number of true exemplars."""
    yield "plain", "without exemplars", ("exemplars.count=0",), 0
    if name != "scenes":
        yield "pool-24", "24 exemplars", ("exemplars.count=24",), 0
        yield "true-24", "24 true exemplars, as truth", (), 24
        if name == "kvasir":
            longer = ("exemplars.count=0", f"network.fitting.epochs={LONG}")
            yield "long", f"without exemplars, {LONG} epochs", longer, 0
        return
    strict = ("exemplars.count=0", "second.score=0.3", "second.count=20")
    yield "strict", "without exemplars, from scores above 0.3", strict, 0
    for k in POOLS:
        yield f"pool-{k}", f"{k} exemplars", (f"exemplars.count={k}",), 0
    for k in (8, 24, 72):
        change = (f"exemplars.count={k}", *PUBLISHED)
        yield f"published-{k}", f"{k} exemplars, published thresholds and tau", change, 0
    high = ("exemplars.count=24", *PUBLISHED[:2], "contrast.tau=0.4")
    yield "high-24", "24 exemplars, published thresholds, tau 0.4", high, 0
    words = "24 true exemplars, as truth, published thresholds and tau"
    yield "published-true-24", words, PUBLISHED, 24
    yield (
        "labels",
        "24 exemplars, an embedding for each pseudo-label",
        ("contrast.guide=labels",),
        0,
    )
    yield "not centred", "24 exemplars, not centred", ("contrast.centred=false",), 0
    yield "k-centre", "24 exemplars, spread over the features", ("exemplars.choice=k-centre",), 0
    yield "true-24", "24 true exemplars, as truth", (), 24
    yield "true-72", "72 true exemplars, as truth", (), 72
    for weight in (0.3, 5.0):
        change = (f"contrast.weight={weight}",)
        yield f"lambda-{weight:g}", f"24 exemplars, lambda {weight:g}", change, 0
    for weight in (0.0, 1.0):
        change = (f"network.coarse.semantic={weight}",)
        yield f"mu-{weight:g}", f"24 exemplars, mu {weight:g}", change, 0


FIRST = ("plain", "pool-24", "true-24", "pool-8", "pool-72")
"""Cells that are made first, for every seed."""


def scenes_of(folder: Path) -> tuple[Dataset, Dataset]:
    """Scenes of few things of some size, no two of one burst."""
    pool = paring.scenes(POOL, seed=0)
    share = pl.col("area") / (240 * 320)
    about = pool.instances.group_by("image_id").agg(
        pl.len().alias("n"),
        share.min().alias("least"),
        pl.col("iscrowd").any().alias("crowd"),
    )
    wanted = about.filter((pl.col("least") >= 0.01) & (pl.col("n") <= 5) & ~pl.col("crowd"))
    own = pool.images.filter(pl.col("image_id").is_in(wanted["image_id"].implode()))
    first = own.group_by("group", maintain_order=True).first()["image_id"].to_list()
    drawn = np.random.default_rng(0).permutation(first)[: TRAIN + TEST].tolist()
    if not folder.is_dir():
        paring.scenes(max(drawn), seed=0, folder=folder)
        kept = {f"{i:06d}.jpg" for i in drawn}
        for file in folder.iterdir():
            if file.name not in kept:
                file.unlink()
    rooted = replace(pool, image_root=folder)
    return rooted.subset(sorted(drawn[:TRAIN])), rooted.subset(sorted(drawn[TRAIN:]))


@functools.cache
def sets_of(data: Path, work: Path, name: str) -> tuple[Dataset, Dataset]:
    """What is learnt from, and other images to measure on."""
    if name == "scenes":
        return scenes_of(work / "scenes")
    if name == "kvasir":
        whole = paring.read(data / "kvasir" / "train")
        test = paring.read(data / "kvasir" / "test")
        return some(whole, 120), some(test, 60)
    whole = paring.read(
        data / "coco160" / "instances.json" if name == "coco160" else data / "dsb2018"
    )
    ids = np.random.default_rng(0).permutation(whole.images["image_id"].to_list()).tolist()
    cut = 120
    return whole.subset(sorted(ids[:cut])), whole.subset(sorted(ids[cut : cut + 40]))


def some(data: Dataset, count: int) -> Dataset:
    """So many images, by chance."""
    ids = data.images["image_id"].to_list()
    return data.subset(sorted(np.random.default_rng(0).choice(ids, count, replace=False).tolist()))


def recipe_of(data: Path, name: str, seed: int, changes: Sequence[str]) -> FreeRecipe:
    """The small recipe with the ImageNet weights."""
    weights = data / "weights" / "mobilenet_v2_imagenet.safetensors"
    return load_free_recipe(
        "small",
        [
            *(f"weights={weights}", "mean=[0.5,0.5,0.5]", "std=[0.5,0.5,0.5]", f"seed={seed}"),
            *("network.fitting.workers=0", "network.fitting.threads=1"),
            f"network.fitting.epochs={EPOCHS[name]}",
            *LOOKING.get(name, ()),
            *changes,
        ],
    )


def true_exemplars(data: Dataset, count: int, seed: int) -> Dataset:
    """All true masks of images that hold about so many."""
    rng = np.random.default_rng(seed)
    ids = rng.permutation(data.images["image_id"].to_list()).tolist()
    counts = dict(data.instances.filter(~pl.col("iscrowd")).group_by("image_id").len().iter_rows())
    chosen, total = [], 0
    for image_id in ids:
        if total >= count:
            break
        if counts.get(image_id, 0):
            chosen.append(image_id)
            total += counts[image_id]
    return data.subset(sorted(chosen))


def shares(found: dict[str, float]) -> dict[str, float]:
    """In per cent."""
    return {name: round(100 * found[name], 2) for name in (*MEASURES, "APS", "APM", "APL")}


def measured(network: Path, images: Dataset, size: tuple[int, int]) -> dict[str, float]:
    """What a network finds in images."""
    return shares(agnostic_metrics(images, predict_free(load_free(network), images, size).data))


def make(
    data: Path, work: Path, name: str, seed: int, cell: tuple[str, str, tuple[str, ...], int]
) -> None:
    """One cell, unless it is there; what it shares with others of its seed is taken over."""
    label, _, changes, true = cell
    file = work / "cells" / f"{name}-{label}-{seed}.json"
    if file.is_file():
        return
    train, test = sets_of(data, work, name)
    wished = recipe_of(data, name, seed, changes)
    base, mine = work / "bases" / f"{name}-{seed}", work / "stages" / f"{name}-{label}-{seed}"
    shares_first = not true and not any(one.startswith("network.") for one in changes)
    bases = {"masks": work / "bases" / f"{name}-masks"}  # of every seed
    if shares_first:
        bases |= {stage: base / stage for stage in ("first", "update")}
    for stage, kept in bases.items():
        if kept.is_dir() and not (mine / stage).is_dir():
            shutil.copytree(kept, mine / stage)
    given = true_exemplars(train, true, seed) if true else None
    started = time.perf_counter()
    found = labels_from_images(
        train, wished, mine, exemplars=given, truth=bool(true), say=lambda text: print(text)
    )
    took = time.perf_counter() - started
    for stage, kept in bases.items():
        if not kept.is_dir():
            shutil.copytree(mine / stage, kept)
    size = wished.network.size
    result: dict[str, Any] = {
        "set": name,
        "cell": label,
        "seed": seed,
        "seconds": took,
        "active": found.active,
        "trained": msgspec.to_builtins(found.trained),
        "found": {},
    }
    assert found.network is not None
    result["found"]["second"] = {
        "train": shares(agnostic_metrics(train, found.predictions.data)),
        "test": measured(found.network, test, size),
    }
    shared = work / "bases" / f"{name}-{seed}.json"
    if shares_first and shared.is_file():
        result["found"].update(json.loads(shared.read_text()))
    else:
        first = mine / "first" / "network.safetensors"
        masks = labels_from_images(test, wished, mine / "test", until="masks").masks
        others = {
            "first": {
                "train": measured(first, train, size),
                "test": measured(first, test, size),
            },
            "masks": {
                "train": shares(agnostic_metrics(train, found.masks.data)),
                "test": shares(agnostic_metrics(test, masks.data)),
            },
        }
        result["found"].update(others)
        if shares_first:
            shared.write_text(json.dumps(others))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result))
    shutil.rmtree(mine)
    print(name, label, seed, json.dumps(result["found"]), f"{took:.0f} s", flush=True)


def known() -> Iterator[dict[str, Any]]:
    """Cells that were made before."""
    if (RESULTS / "free.json").is_file():
        yield from json.loads((RESULTS / "free.json").read_text())["cells"]


def with_spread(values: list[float]) -> str:
    """Mean and standard deviation."""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def less_plain(cells: list[dict[str, Any]], plain: list[dict[str, Any]]) -> str:
    """AP50 less that of the training without exemplars of the same seed."""
    own = {one["seed"]: one["found"]["second"]["test"]["AP50"] for one in plain}
    gains = [
        one["found"]["second"]["test"]["AP50"] - own[one["seed"]]
        for one in cells
        if one["seed"] in own
    ]
    return with_spread(gains) if gains else ""


def tables(work: Path) -> None:
    """All cells that are there, as tables."""
    made = {(one["set"], one["cell"], one["seed"]): one for one in known()}
    for file in sorted((work / "cells").glob("*.json")):
        one = json.loads(file.read_text())
        made[one["set"], one["cell"], one["seed"]] = one
    rows = [made[key] for key in sorted(made)]

    def cells_of(found: list[dict[str, float]]) -> str:
        return " | ".join(with_spread([one[key] for one in found]) for key in MEASURES)

    lines = [
        "Measured on images that were not learnt from, all categories as one, in per cent, mean ± "
        "standard deviation over seeds. The encoder is MobileNetV2 with ImageNet's (supervised) "
        "weights. Moved: of how many embeddings the contrast is above a millionth. Two "
        "trainings ran beside each other:",
    ]
    for name in SETS:
        mine = [one for one in rows if one["set"] == name]
        plain = [one for one in mine if one["cell"] == "plain"]
        if not plain:
            continue
        lines += [
            "",
            f"{name}:",
            "",
            "| | " + " | ".join(MEASURES) + " | AP50 less that without | moved | seeds |",
            "|---" * (len(MEASURES) + 4) + "|",
            f"| free masks | {cells_of([one['found']['masks']['test'] for one in plain])} | | | "
            f"{len(plain)} |",
            f"| first network | {cells_of([one['found']['first']['test'] for one in plain])} | | | "
            f"{len(plain)} |",
        ]
        for label, words, changes, _ in cells(name):
            some_cells = [one for one in mine if one["cell"] == label]
            if some_cells:
                shares_ = [one["active"] for one in some_cells if one["active"] is not None]
                if set(PUBLISHED) <= set(changes):  # some were counted when pairs sufficed
                    shares_ = [0.0 for _ in shares_]
                    assert largest_contrast(alpha=0.8, beta=0.3, tau=0.02) < HEARD
                active = f"{100 * statistics.mean(shares_):.0f} %" if shares_ else ""
                found = [one["found"]["second"]["test"] for one in some_cells]
                gained = less_plain(some_cells, plain) if label != "plain" else ""
                if label == "long":
                    first = [one["found"]["first"]["test"] for one in some_cells]
                    lines.append(
                        f"| first network, {words} | {cells_of(first)} | | | {len(first)} |"
                    )
                lines.append(
                    f"| second network, {words} | {cells_of(found)} | {gained} | {active} | "
                    f"{len(found)} |"
                )
    speeds = [
        one["trained"]["second"]["steps"] / one["trained"]["second"]["seconds"] for one in rows
    ]
    total = sum(len(list(cells(name))) for name in SETS) * len(SEEDS)
    lines += [
        "",
        f"A training does {statistics.median(speeds):.2f} steps a second, of four images in two "
        f"views each. {len(rows)} of {total} trainings are made.",
    ]
    save("free", {"machine": machine("torch", "timm", "lightning"), "cells": rows}, lines)


def main() -> None:
    """Train what is missing, or write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("train", "tables"))
    parser.add_argument("places", type=Path, nargs="+")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--cells", nargs="+", help="only these, by name")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    given = parser.parse_args()
    if given.what == "tables":
        tables(given.places[0])
        return
    torch.set_num_threads(1)
    data, work = (place.resolve() for place in given.places)
    for first in (True, False):
        for seed in given.seeds:
            for name in given.sets:
                for cell in cells(name):
                    if (cell[0] in FIRST) == first and (not given.cells or cell[0] in given.cells):
                        make(data, work, name, seed, cell)


if __name__ == "__main__":
    main()
