"""Masks from tags on generated scenes: what each part of CIM brings (its Tables 4, 5 and 6).

    python benchmarks/tags.py train DATA WORK [--seeds S ...] [--part K --of N]
    python benchmarks/tags.py tables WORK
    python benchmarks/tags.py real DATA WORK

DATA is the folder that holds ``weights/``. Scenes of eight categories, at most three of them and up
to fourteen instances an image, are learnt from by their tags alone; the masks are those of other
scenes. All trainings of a seed share proposals, classifier and pre-computed pseudo-labels, and have
the same number of steps. Cells that WORK or ``results/tags.json`` has already are not made again.
The last learns from the tags of ``coco160/``, with the small recipe as it is.
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
from paring.evaluation import map_at
from paring.labels import load_tag_recipe, proposal_quality, propose
from paring.labels.stages import Stages
from paring.labels.tags.classifier import activation_maps, image_tensor
from paring.labels.tags.given import Tags, tags_of
from paring.labels.tags.inference import Inference, select_instances
from paring.labels.tags.lesson import Mining, regions_file
from paring.labels.tags.mining import mine
from paring.labels.tags.network import TagNetwork
from paring.labels.tags.predicting import gathered, predict_image
from paring.labels.tags.recipe import TagRecipe
from paring.labels.tags.regions import Regions
from paring.labels.tags.way import Way

POOL, TRAIN, TEST, MOST_TAGS = 8000, 160, 80, 3
SEEDS = (0, 1, 2)
TABLE_4 = ("none", "agpl", "iou", "cim", "all", "one")
"""Cells that are made first, for every seed."""

MEASURES = ("mAP25", "mAP50", "mAP70", "mAP75")
EPOCHS = 6


def cells() -> Iterator[tuple[str, str, Mining, bool]]:
    """Name, words, rules, and whether there are integrity heads."""
    whole = Mining()
    seeds = {"complete": False, "cls": 0.5, "cascade": 0.0}
    yield "none", "no part", Mining(agpl=False, **seeds), False
    yield "agpl", "AGPL", Mining(**seeds), False
    yield "iou", "AGPL, MaskIoU", Mining(**seeds), True
    yield "cim", "AGPL, MaskIoU, CIM", Mining(cascade=0.0), True
    yield "all", "AGPL, MaskIoU, CIM, cascade", whole, True
    yield "no-agpl", "all but AGPL", Mining(agpl=False), True
    for step in (0.05, 0.15, 0.2):
        yield f"cascade-{step:g}", f"cascade {step:g}", Mining(cascade=step), True
    for share in (0.05, 0.15, 0.2):
        yield f"seeds-{share:g}", f"p_seed {share:g}", Mining(seeds=share), True
    for share in (0.05, 0.1, 0.15, 0.2):
        name = f"p_seed {share:g}, no sampling"
        yield f"plain-{share:g}", name, Mining(seeds=share, sampling=False), True
    yield "one", "one seed a tag", Mining(seeds=1e-6, sampling=False), True
    yield "paper", "all, losses as in the text", Mining(variant="paper"), True


@functools.cache
def chosen_scenes(folder: Path) -> tuple[Dataset, Dataset]:
    """Scenes to learn from and to measure on, no two of one burst, tags as even as can be."""
    pool = paring.scenes(POOL, seed=0)
    solid = pool.instances.filter(~pl.col("iscrowd"))
    crowded = set(pool.instances.filter(pl.col("iscrowd"))["image_id"])
    tags = dict(solid.group_by("image_id").agg(pl.col("category_id").unique().sort()).iter_rows())
    first = pool.images.group_by("group", maintain_order=True).first()["image_id"].to_list()
    first = [
        i for i in first if i not in crowded and len(tags.get(i, [])) in range(1, MOST_TAGS + 1)
    ]
    first = np.random.default_rng(0).permutation(first).tolist()
    cut = len(first) * TEST // (TEST + TRAIN)
    parts = []
    for candidates, number in ((first[cut:], TRAIN), (first[:cut], TEST)):
        counts: dict[int, int] = dict.fromkeys(range(1, 9), 0)
        left, chosen = list(candidates), []
        while len(chosen) < number:
            best = min(left, key=lambda i: sum(counts[c] for c in tags[i]) / len(tags[i]))
            left.remove(best)
            chosen.append(best)
            for c in tags[best]:
                counts[c] += 1
        parts.append(sorted(chosen))
    if not folder.is_dir():
        paring.scenes(max(map(max, parts)), seed=0, folder=folder)
        kept = {f"{i:06d}.jpg" for part in parts for i in part}
        for file in folder.iterdir():
            if file.name not in kept:
                file.unlink()
    rooted = replace(pool, image_root=folder)
    return rooted.subset(parts[0]), rooted.subset(parts[1])


def recipe(data: Path, seed: int, mining: Mining, judged: bool) -> TagRecipe:
    """The small recipe, for scenes."""
    weights = data / "weights" / "mobilenet_v2_imagenet.safetensors"
    made = load_tag_recipe(
        "small",
        [
            f"weights={weights}",
            *("mean=[0.5,0.5,0.5]", "std=[0.5,0.5,0.5]", f"seed={seed}"),
            *("proposals.count=150", "classifier.size=[240,320]"),
            *("classifier.fitting.epochs=10", "classifier.fitting.workers=0"),
            *("network.sizes=[288,352]", "network.fitting.workers=0"),
            *(f"network.fitting.epochs={EPOCHS}", f"network.integrity={str(judged).lower()}"),
            *("inference.sizes=[320]", "inference.flip=false"),
        ],
    )
    return msgspec.structs.replace(made, mining=mining)


def say(sentence: str) -> None:
    """A word on the way."""
    print(sentence, flush=True)


def known() -> dict[tuple[str, int], dict[str, Any]]:
    """Cells of the results that are kept."""
    file = RESULTS / "tags.json"
    made = json.loads(file.read_text())["cells"] if file.is_file() else []
    return {(one["cell"], one["seed"]): one for one in made}


def make(data: Path, work: Path, seed: int, cell: tuple[str, str, Mining, bool]) -> None:
    """Train and measure one cell."""
    name, _, mining, judged = cell
    file = work / "cells" / f"{name}-{seed}.json"
    if file.is_file() or (name, seed) in known():
        return
    train, test = chosen_scenes(work / "scenes")
    wished = recipe(data, seed, mining, judged)
    base = work / f"base{seed}"
    mine_at = work / "stages" / f"{name}-{seed}"
    way = Way(tags_of(train), wished, Stages(base), None, say)
    way.regions(way.proposals(None, 1), way.classifier())  # made anew where they are of other code
    for stage in ("proposals", "classifier", "regions"):
        if not (mine_at / stage).is_dir():
            shutil.copytree(base / stage, mine_at / stage)
    started = time.perf_counter()
    way = Way(tags_of(train), wished, Stages(mine_at), None, say)
    proposals = way.proposals(None, 1)
    classifier = way.classifier()
    tags = way.regions(proposals, classifier)
    network = way.network(tags)
    took = time.perf_counter() - started
    others = test_proposals(work, test, wished)
    cell_found = {
        "train": measured(network, train, tags, proposals, mine_at / "regions", wished),
        "test": measured_on(network, test, others, wished),
    }
    result = {
        "cell": name,
        "seed": seed,
        "mAP": cell_found,
        "truth": truth_quality(network, train, tags, proposals, mine_at / "regions", wished),
        "seconds": took,
        "fitted": msgspec.to_builtins(way.trained["network"]),
    }
    if name == "all":
        result["activation map"] = by_activation(classifier, test, others, tags, wished)
        result["proposals"] = {
            "train": proposal_quality(proposals, train, counts=(150,)),
            "test": proposal_quality(others, test, counts=(150,)),
        }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result))
    shutil.rmtree(mine_at)
    say(f"{name} {seed}: {cell_found['test']}, {took:.0f} s")


def test_proposals(work: Path, test: Dataset, wished: TagRecipe) -> Dataset:
    """Proposals of the scenes to measure on."""
    how = wished.proposals
    return propose(test, count=how.count, size=how.size, workers=1, folder=work / "test-proposals")


def bare_regions(data: Dataset, proposals: Dataset) -> Iterator[tuple[int, np.ndarray, Regions]]:
    """Image id, pixels and regions of images without pseudo-labels."""
    from paring.labels.tags.assignment import Assigned
    from paring.labels.tags.peaks import Peaks
    from paring.labels.tags.regions import cut_regions, regions_of

    owner = proposals.instances["image_id"].to_numpy()
    nothing = Peaks(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0))
    for image_id in data.images["image_id"].to_list():
        rows = np.flatnonzero(owner == image_id)
        atoms, boxes, small = cut_regions(proposals.masks.take(rows))
        n = len(rows)
        none = Assigned(np.zeros(n, np.int64), np.arange(n), np.zeros((0, 0), bool))
        regions = regions_of(atoms, boxes, small, rows, none, nothing)
        yield image_id, data.read_image(image_id), regions


def shares(found: dict[str, float]) -> dict[str, float]:
    """In per cent."""
    return {name: round(100 * found[name], 2) for name in MEASURES}


def measured(
    network: TagNetwork,
    data: Dataset,
    tags: Tags,
    proposals: Dataset,
    folder: Path,
    wished: TagRecipe,
) -> dict[str, float]:
    """MAP on the scenes that were learnt from."""
    found = {}
    for row, image_id in enumerate(tags.data.images["image_id"].to_list()):
        regions = Regions.load(regions_file(folder, image_id))
        found[image_id] = predict_image(
            network, data.read_image(image_id), regions, wished.inference, wished.mining,
            present=tags.present[row],
        )  # fmt: skip
    everything, _ = gathered(found, tags, proposals, wished.inference.keep)
    truth = data.subset(tags.data.images["image_id"].to_list())
    return shares(map_at(truth, replace(everything, categories=truth.categories)))


def measured_on(
    network: TagNetwork, test: Dataset, proposals: Dataset, wished: TagRecipe
) -> dict[str, float]:
    """MAP on other scenes, whose tags nobody knows."""
    tags = everything_of(test, network.shape.classes)
    found = {
        image_id: predict_image(
            network, pixels, regions, wished.inference, wished.mining,
            present=np.ones(len(tags.classes), bool),
        )
        for image_id, pixels, regions in bare_regions(test, proposals)
    }  # fmt: skip
    everything, _ = gathered(found, tags, proposals, 1.0)
    return shares(map_at(test, replace(everything, categories=test.categories)))


def everything_of(data: Dataset, classes: list[str]) -> Tags:
    """The classes of a network as tags of all images."""
    ids = dict(data.categories.select("name", "category_id").iter_rows())
    present = np.ones((len(data), len(classes)), bool)
    return Tags(data, present, list(classes), [ids[name] for name in classes])


def truth_quality(
    network: TagNetwork,
    data: Dataset,
    tags: Tags,
    proposals: Dataset,
    folder: Path,
    wished: TagRecipe,
) -> list[dict[str, float]]:
    """How good seeds and pseudo ground truth of each branch are (Figure 4): share of them right.

    Right is an IoU of at least 0.5 with an instance of the class.
    """
    from paring.labels.atoms import atoms_of
    from paring.labels.tags.lesson import seen_at

    right: list[dict[str, list[bool]]] = [
        {"seeds": [], "truth": []} for _ in range(network.shape.branches)
    ]
    network.eval()
    solid = ~data.instances["iscrowd"].to_numpy()
    owner = data.instances["image_id"].to_numpy()
    categories = data.instances["category_id"].to_numpy()
    for row, image_id in enumerate(tags.data.images["image_id"].to_list()[:80]):
        regions = Regions.load(regions_file(folder, image_id))
        mine_rows = np.flatnonzero((owner == image_id) & solid)
        known_masks = data.masks.take(mine_rows).to_rle()
        stores = paring.MaskStore.concat([proposals.masks.take(regions.rows).to_rle(), known_masks])
        iou = atoms_of(stores).overlaps()[0][: len(regions), len(regions) :]
        with torch.no_grad():
            out = network(*seen_at(data.read_image(image_id), regions, 320, flips=False))
        scores, integrity = out.classes, out.detection
        for branch in range(network.shape.branches):
            rules = wished.mining.rules(branch)
            for c in np.flatnonzero(tags.present[row]).tolist():
                alone = np.zeros(len(tags.classes), bool)
                alone[c] = True
                truth = mine(
                    scores.double().numpy(), integrity.double().numpy(), alone,
                    *regions.overlaps(), rules,
                )  # fmt: skip
                own = categories[mine_rows] == tags.category_ids[c]
                for kind, rows in (("seeds", truth.seeds), ("truth", truth.rows)):
                    good = iou[rows][:, own].max(axis=1) >= 0.5
                    right[branch][kind] += good.tolist()
            scores, integrity = out.refined[branch], out.integrity[branch]
    return [
        {kind: round(100 * float(np.mean(values)), 2) for kind, values in one.items()}
        for one in right
    ]


def by_activation(
    classifier: Any, test: Dataset, proposals: Dataset, tags: Tags, wished: TagRecipe
) -> dict[str, float]:
    """MAP of the proposals whose inside differs most from their outside in the activation map."""
    classes = everything_of(test, tags.classes)
    how = Inference(sizes=(320,), most=100)
    found = {}
    classifier.eval()
    for image_id, pixels, regions in bare_regions(test, proposals):
        image = image_tensor(pixels, wished.classifier.size)
        maps, logits = activation_maps(classifier, image, enlarge=wished.peaks.enlarge)
        import cv2

        large = np.stack([cv2.resize(one, pixels.shape[1::-1]) for one in maps])
        large = large.clip(0, None)
        large /= large.max(axis=(1, 2), keepdims=True) + 1e-9
        masks = proposals.masks.take(regions.rows)
        scores = np.zeros((len(regions), len(maps)))
        for place in range(len(regions)):
            top, left, crop = masks.crop(place)
            window = large[:, top : top + crop.shape[0], left : left + crop.shape[1]]
            inside = crop != 0
            within = window[:, inside].mean(axis=1)
            without = (large.sum(axis=(1, 2)) - window[:, inside].sum(axis=1)) / max(
                large[0].size - inside.sum(), 1
            )
            scores[place] = np.maximum(within - without, 0)
        scores *= 1 / (1 + np.exp(-logits))
        rows, cs, values = select_instances(scores, regions, how)
        from paring.labels.tags.predicting import Found

        none = np.empty(0, np.int64)
        found[image_id] = Found(regions.rows[rows], cs, values, none, none, none, np.empty((0, 4)))
    everything, _ = gathered(found, classes, proposals, 1.0)
    return shares(map_at(test, replace(everything, categories=test.categories)))


def shares_of_a_step(work: Path) -> dict[str, float]:
    """Shares of a training step's time that are spent outside of the network, over 24 steps."""
    from paring.labels.tags import lesson as lessons
    from paring.labels.tags.lesson import ProposalSamples, image_losses
    from paring.labels.tags.network import Shape, built

    train, _ = chosen_scenes(work / "scenes")
    tags = tags_of(train)
    torch.manual_seed(0)
    network = built(Shape("mobilenet_v2", tags.classes, width=64, hidden=256), learns=False)
    samples = ProposalSamples(
        tags.data, tags.present, work / "base0" / "regions", sizes=(288, 352), seed=0
    )
    took = {"samples": 0.0, "mining": 0.0, "all": 0.0}
    targets = lessons.branch_targets

    def timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        found = targets(*arguments)
        took["mining"] += time.perf_counter() - started
        return found

    lessons.branch_targets = timed
    try:
        for row in range(28):
            if row == 4:  # the first are for warming up
                took = dict.fromkeys(took, 0.0)
            started = time.perf_counter()
            one = samples[0, row]
            took["samples"] += time.perf_counter() - started
            out = network(one["image"], one["boxes"], one["masks"])
            image_losses(out, one, Mining()).backward()
            took["all"] += time.perf_counter() - started
    finally:
        lessons.branch_targets = targets
    return {name: took[name] / took["all"] for name in ("samples", "mining")}


def tables(work: Path) -> None:
    """All cells that are there, as tables."""
    made = dict(known())
    for file in sorted((work / "cells").glob("*.json")):
        one = json.loads(file.read_text())
        made[one["cell"], one["seed"]] = one
    order = [name for name, *_ in cells()]
    rows = sorted(made.values(), key=lambda one: (order.index(one["cell"]), one["seed"]))

    def line(name: str, label: str, part: str = "test") -> str:
        mine = [one["mAP"][part] for one in rows if one["cell"] == name]
        return f"| {label} | {cells_of(mine)} | {len(mine)} |"

    def cells_of(mine: list[dict[str, float]]) -> str:
        def cell(values: list[float]) -> str:
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            return f"{statistics.mean(values):.1f}{spread}"

        return " | ".join(cell([one[key] for one in mine]) for key in MEASURES)

    head = "| | " + " | ".join(MEASURES) + " | seeds |"
    rule = "|---|---|---|---|---|---|"
    there = {one["cell"] for one in rows}
    words = {name: label for name, label, *_ in cells()}
    whole = [one for one in rows if one["cell"] == "all"]
    lines = [
        f"{TRAIN} generated scenes to learn from and {TEST} others to measure on; eight "
        f"categories, at most {MOST_TAGS} an image; mean ± standard deviation over seeds, in "
        "per cent:",
        "",
        head,
        rule,
    ]
    if whole:
        maps = [one["activation map"] for one in whole]
        lines.append(f"| best proposals by activation map | {cells_of(maps)} | {len(maps)} |")
    lines += [
        line(name, words[name])
        for name in ("one", "none", "agpl", "iou", "cim", "all", "no-agpl", "paper")
        if name in there
    ]
    if whole:
        lines.append(line("all", "all of it, on the scenes that were learnt from", "train"))
    lines += ["", "Step of the cascade (Table 5):", "", head, rule]
    steps = (("cim", "0"), ("cascade-0.05", "0.05"), ("all", "0.1"))
    steps += (("cascade-0.15", "0.15"), ("cascade-0.2", "0.2"))
    lines += [line(name, label) for name, label in steps if name in there]
    lines += ["", "Share of seeds, with and without anti-noise sampling (Table 6):", "", head, rule]
    for share in ("0.05", "0.1", "0.15", "0.2"):
        with_sampling = "all" if share == "0.1" else f"seeds-{share}"
        for name, label in ((f"plain-{share}", "without"), (with_sampling, "with")):
            if name in there:
                lines.append(line(name, f"p_seed {share}, {label}"))
    if whole:
        lines += ["", "Seeds and pseudo ground truth that are right, in per cent (Figure 4):", ""]
        lines += ["| branch | seeds | pseudo ground truth |", "|---|---|---|"]
        for branch in range(len(whole[0]["truth"])):
            values = [
                statistics.mean(one["truth"][branch][kind] for one in whole)
                for kind in ("seeds", "truth")
            ]
            lines.append(f"| {branch + 1} | {values[0]:.1f} | {values[1]:.1f} |")
        recall = statistics.mean(one["proposals"]["test"]["AR150"] for one in whole)
        overlap = statistics.mean(one["proposals"]["test"]["ABO"] for one in whole)
        speed = statistics.median(one["fitted"]["steps"] / one["fitted"]["seconds"] for one in rows)
        outside = shares_of_a_step(work)
        lines += [
            "",
            f"The 150 proposals of an image have AR {recall:.3f} and best overlap {overlap:.3f}. A "
            f"training does {speed:.1f} steps a second (of one image each); of a step, "
            f"{outside['samples']:.0%} is for making the sample and {outside['mining']:.0%} for "
            "mining, the rest for the network.",
        ]
    total = len(SEEDS) * len(order)
    lines += ["", f"{len(rows)} of {total} trainings are made."]
    save("tags", {"machine": machine("torch", "numpy"), "cells": rows}, lines)


def real(data: Path, work: Path, seeds: Sequence[int]) -> None:
    """Masks from the tags of 160 pictures of COCO, by the small recipe."""
    from paring.evaluation import coco_metrics
    from paring.labels import labels_from_tags

    coco = paring.read(data / "coco160" / "instances.json")
    weights = data / "weights" / "mobilenet_v2_imagenet.safetensors"
    rows = []
    for seed in seeds:
        wished = load_tag_recipe(
            "small",
            [
                f"weights={weights}",
                *("mean=[0.5,0.5,0.5]", "std=[0.5,0.5,0.5]", f"seed={seed}"),
                *("classifier.fitting.workers=0", "network.fitting.workers=0"),
            ],
        )
        started = time.perf_counter()
        found = labels_from_tags(coco, wished, work / f"coco160-{seed}", workers=1, say=say)
        took = time.perf_counter() - started
        truth = coco.subset(found.tags.data.images["image_id"].to_list())
        row: dict[str, Any] = {"seed": seed, "seconds": took, "of stages": found.seconds}
        row["proposals"] = proposal_quality(found.proposals, truth, counts=(200,))
        for name in ("predictions", "pseudo_labels"):
            part = replace(getattr(found, name), categories=truth.categories)
            measured = coco_metrics(truth, part)
            row[name] = shares(map_at(truth, part)) | {
                "AP": round(100 * measured["AP"], 2),
                "agnostic AR100": round(
                    100 * coco_metrics(truth, part, class_agnostic=True)["AR100"], 2
                ),
                "number": len(part.instances),
            }
        row["images of a tag"] = round(float(found.tags.present.sum(axis=0).mean()), 1)
        row["trained"] = msgspec.to_builtins(found.trained)
        rows.append(row)
        say(str(row))

    def cell(part: str, key: str) -> str:
        values = [row[part][key] for row in rows]
        spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
        return f"{statistics.mean(values):.1f}{spread}"

    keys = (*MEASURES, "AP", "agnostic AR100")
    recall = statistics.mean(row["proposals"]["AR200"] for row in rows)
    overlap = statistics.mean(row["proposals"]["ABO"] for row in rows)
    stages = {
        name: statistics.median(row["of stages"][name] for row in rows)
        for name in rows[0]["of stages"]
    }
    lines = [
        "160 pictures of COCO by their tags, with the small recipe and ImageNet weights of "
        f"MobileNetV2; mean ± standard deviation of seeds ({len(rows)}), in per cent. They are "
        "learnt from and measured on, and a tag is in "
        f"{rows[0]['images of a tag']} of them in the mean:",
        "",
        "| | " + " | ".join(keys) + " |",
        "|---" * (len(keys) + 1) + "|",
        *(
            f"| {label} | " + " | ".join(cell(part, key) for key in keys) + " |"
            for part, label in (("predictions", "all"), ("pseudo_labels", "pseudo-labels"))
        ),
        "",
        f"The 200 proposals of a picture have AR {recall:.3f} and best overlap {overlap:.3f}, "
        "which is the bound. Seconds: "
        + ", ".join(f"{name} {value:.0f}" for name, value in stages.items())
        + ".",
    ]
    save("tags_coco160", {"machine": machine("torch", "numpy"), "runs": rows}, lines)


def main() -> None:
    """Train what is missing, or write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("train", "tables", "real"))
    parser.add_argument("places", type=Path, nargs="+")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--of", type=int, default=1)
    given = parser.parse_args()
    if given.what == "tables":
        tables(given.places[0])
        return
    data, work = (place.resolve() for place in given.places)
    if given.what == "real":
        real(data, work, given.seeds)
        return
    first = [cell for cell in cells() if cell[0] in TABLE_4]
    others = [cell for cell in cells() if cell[0] not in TABLE_4]
    todo = [(cell, seed) for part in (first, others) for seed in given.seeds for cell in part]
    for cell, seed in todo[given.part :: given.of]:
        make(data, work, seed, cell)


if __name__ == "__main__":
    main()
