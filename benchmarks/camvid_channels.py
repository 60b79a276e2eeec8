"""What channels cost: networks pruned by each criterion and fine-tuned alike, on CamVid.

    python benchmarks/camvid_channels.py train DATA WORK [--seeds S ...] [--part K --of N]
    python benchmarks/camvid_channels.py tables DATA WORK

DATA holds ``camvid/`` and ``weights/mobilenet_v2_imagenet.safetensors``. A network is trained for
each seed; each cell then prunes it in three stages while it is fine-tuned, all with the same number
of steps, and is measured on the test images. WORK keeps every finished cell, so a run that was
stopped goes on from there and from the results that are kept, and several parts may run side by
side. Everything runs on one thread.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from machine import RESULTS, machine, save
from paring.channels.schedule import ProgressivePruning
from paring.channels.stages import Pruning, path_of_stages
from paring.evaluation.cost import measure_cost
from paring.models import load
from paring.training.evaluating import evaluate_model
from paring.training.recipe import complete_recipe
from paring.training.run import train
from paring.training.sources import read_data

SEEDS = [0, 1, 2]
SIZE = (192, 256)
CLASSES = [
    "sky", "building", "pole", "road", "pavement", "tree",
    "sign", "fence", "car", "pedestrian", "bicyclist",
]  # fmt: skip
BASE_EPOCHS, TUNED_EPOCHS, RATE = 12, 3, 5e-4
STAGES: dict[str, int] = {"stages": 3, "first": 40, "every": 40}
SLIMMING = 1e-4
CRITERIA = ["redundancy", "random", "l1", "bn_scale", "taylor", "fpgm", "group_norm"]


WORDS = {
    "redundancy": "redundancy (sum of edges, L1)",
    "mean": "redundancy, mean of edges",
    "softmax": "redundancy, softmax",
    "softmax-mean": "redundancy, softmax, mean of edges",
    "gsrl": "redundancy, tuned with GSRL",
    "base": "nothing, as trained",
    "unpruned": "nothing, tuned as long",
    "gsrl-unpruned": "nothing, tuned with GSRL",
    "redundancy-count": "redundancy, as many in every layer",
    "random-count": "chance, as many in every layer",
    "l1-count": "l1, as many in every layer",
    "taylor-count": "taylor, as many in every layer",
    "fpgm-count": "fpgm, as many in every layer",
    "random": "chance",
    **{name: f"redundancy by {name}" for name in ("hellinger", "kl", "dice", "dot")},
    **{name: f"redundancy at {name}" for name in ("twice", "half", "quarter", "vector")},
}


def cells() -> Iterator[tuple[str, float, Pruning, str]]:
    """Name, share of MACs that stays, how it is pruned and the loss; what matters most first."""
    kept: dict[str, Any] = {"every": 4}
    for keep in (0.4, 0.2):
        for criterion in CRITERIA:
            slim = SLIMMING if criterion == "bn_scale" else 0.0
            how = Pruning(criterion=criterion, slimming=slim, **kept)
            yield f"{criterion}-{keep}", keep, how, "cross_entropy"
        for criterion in ("redundancy", "random", "taylor", "l1", "fpgm"):  # as many in every layer
            how = Pruning(criterion=criterion, score="count", **kept)
            yield f"{criterion}-count-{keep}", keep, how, "cross_entropy"
        yield f"mean-{keep}", keep, Pruning(score="mean", **kept), "cross_entropy"
        yield f"softmax-{keep}", keep, Pruning(distribution="softmax", **kept), "cross_entropy"
        yield f"gsrl-{keep}", keep, Pruning(**kept), "gsrl"
    yield "unpruned-1.0", 1.0, Pruning(), "cross_entropy"
    yield "gsrl-unpruned-1.0", 1.0, Pruning(), "gsrl"
    both: dict[str, Any] = {"score": "mean", "distribution": "softmax"}
    yield "softmax-mean-0.4", 0.4, Pruning(**both, **kept), "cross_entropy"
    for metric in ("hellinger", "kl", "dice", "dot"):
        yield f"{metric}-0.4", 0.4, Pruning(metric=metric, **kept), "cross_entropy"
    for resolution in ("twice", "half", "quarter", "vector"):
        yield f"{resolution}-0.4", 0.4, Pruning(resolution=resolution, **kept), "cross_entropy"


def recipe(data: Path, seed: int, *, val: bool = False, **keys: Any) -> Any:
    """The recipe of a training on CamVid."""
    sections: dict[str, Any] = {
        "model": "deeplabv3plus_mobilenet_v2",
        "weights": str(data / "weights" / "mobilenet_v2_imagenet.safetensors"),
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "seed": seed,
        "options": {"aux": False},
        "data": {
            "train": source(data, "train"),
            "size": list(SIZE),
            "batch_size": 4,
            "workers": 0,
        },
        "augment": {"flip": 0.5},
        "loss": {"name": "cross_entropy"},
        "optimiser": {"name": "adamw", "lr": 1e-3, "weight_decay": 1e-4, "encoder_lr": 0.3},
        "schedule": {"name": "cosine", "warmup_steps": 30, "warmup_start": 0.01},
        "trainer": {
            "accelerator": "cpu", "clip": 5.0, "channels_last": True, "threads": 1,
            "epochs": BASE_EPOCHS,
        },
        "log": {"tensorboard": False},
    }  # fmt: skip
    for name, value in keys.items():
        if isinstance(value, dict):
            sections[name] |= value
        else:
            sections[name] = value
    if val:
        sections["data"]["val"] = source(data, "test")
    return complete_recipe(sections, where="the benchmark", folder=Path.cwd())


def source(data: Path, split: str) -> dict[str, Any]:
    """A part of CamVid."""
    return {"path": str(data / "camvid"), "split": split, "void": 11, "classes": CLASSES}


def base(data: Path, work: Path, seed: int) -> Path:
    """The trained network of a seed."""
    folder = work / f"base{seed}"
    if not (folder / "trained.json").is_file():
        train(recipe(data, seed), folder, say=say)
    return folder / "model.safetensors"


def make(data: Path, work: Path, seed: int, cell: tuple[str, float, Pruning, str]) -> None:
    """Prune and fine-tune one network, and measure it on the test images."""
    name, keep, how, loss = cell
    folder = work / "cells" / name / str(seed)
    if (folder / "cell.json").is_file() or (name, seed) in known():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    wished = recipe(
        data, seed, init=str(base(data, work, seed)), loss={"name": loss},
        optimiser={"lr": RATE}, trainer={"epochs": TUNED_EPOCHS}, weights=None,
    )  # fmt: skip
    along = []
    if keep < 1:
        stages = path_of_stages(keep_macs=keep, **STAGES)
        along.append(ProgressivePruning(stages, torch.zeros(1, 3, *SIZE), seeded(how, seed)))
    began = time.perf_counter()
    trained = train(wished, folder, along=along)
    took = time.perf_counter() - began
    test = read_data(recipe(data, seed, val=True).data.val, "semantic")
    model = load(folder / "model.safetensors")
    measured = evaluate_model(model, test, wished)
    cost = measure_cost(model, size=SIZE, repeats=1, warmup=0, onnx=False)
    out = {
        "cell": name,
        "seed": seed,
        "metrics": measured.metrics,
        "macs": cost["macs"],
        "parameters": cost["parameters"],
        "training_seconds": round(trained.seconds, 1),
        "seconds": round(took, 1),
        "widths": widths(along),
    }
    (folder / "cell.json").write_text(json.dumps(out), encoding="utf-8")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    say(f"{name} {seed}: mIoU {measured.metrics['miou_dataset']:.4f}, {took:.0f} s")


def known() -> dict[tuple[str, int], dict[str, Any]]:
    """Cells that were made before, from the results that are kept."""
    file = RESULTS / "camvid_channels.json"
    if not file.is_file():
        return {}
    made = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return {(one["cell"], one["seed"]): one for one in made}


def measured_base(data: Path, work: Path, seed: int) -> dict[str, Any] | None:
    """The network of a seed before it is pruned, on the test images; None where there is none."""
    file = work / f"base{seed}" / "cell.json"
    if not file.is_file():
        if not (work / f"base{seed}" / "trained.json").is_file():
            return known().get(("base-1.0", seed))
        model = load(work / f"base{seed}" / "model.safetensors")
        test = read_data(recipe(data, seed, val=True).data.val, "semantic")
        metrics = evaluate_model(model, test, recipe(data, seed)).metrics
        cost = measure_cost(model, size=SIZE, threads=1)
        kept = ("macs", "parameters", "onnx_ms", "onnx_ms_spread")
        out = {"cell": "base-1.0", "seed": seed, "metrics": metrics, "widths": {}}
        out |= {key: cost[key] for key in kept}
        file.write_text(json.dumps(out), encoding="utf-8")
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read


def seeded(how: Pruning, seed: int) -> Pruning:
    """The same, with the seed of the cell."""
    return Pruning(**{k: getattr(how, k) for k in how.__dataclass_fields__} | {"seed": seed})


def widths(along: list[Any]) -> dict[str, list[int]]:
    """How many channels stay of how many, by group."""
    if not along:
        return {}
    return {name: [len(s.places), s.of] for name, s in along[0].plan.groups.items()}


def say(sentence: str) -> None:
    """Print at once."""
    print(sentence, flush=True)


def main() -> None:
    """Make cells, or the tables of those that are made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["train", "tables"])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--of", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    given = parser.parse_args()
    data, work = given.data.resolve(), given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    if given.what == "tables":
        tables(data, work)
        return
    began = time.monotonic()
    todo = [(cell, seed) for cell in cells() for seed in given.seeds]
    for cell, seed in todo[given.part :: given.of]:
        if time.monotonic() - began > 60 * given.minutes:
            break
        make(data, work, seed, cell)


def tables(data: Path, work: Path) -> None:
    """Write the results of all finished cells, with the latency of each network, one by one."""
    bases = [measured_base(data, work, seed) for seed in SEEDS]
    made: list[dict[str, Any]] = [one for one in bases if one is not None]
    before = known()
    for cell in cells():
        for seed in SEEDS:
            file = work / "cells" / cell[0] / str(seed) / "cell.json"
            if file.is_file():
                read = json.loads(file.read_text(encoding="utf-8"))
            elif (cell[0], seed) in before:
                read = before[cell[0], seed]
            else:
                continue
            if "onnx_ms" not in read:
                model = load(file.with_name("model.safetensors"))
                read |= {
                    key: value
                    for key, value in measure_cost(model, size=SIZE, threads=1).items()
                    if key in ("onnx_ms", "onnx_ms_spread")
                }
                file.write_text(json.dumps(read), encoding="utf-8")
            made.append(read)
    lines = [
        "| pruned by | MACs | mIoU, mean of seeds | its sd | parameters | ms | seeds |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in dict.fromkeys(one["cell"] for one in made):
        mine = [one for one in made if one["cell"] == name]
        miou = [100 * one["metrics"]["miou_dataset"] for one in mine]
        spread = f"{statistics.stdev(miou):.1f}" if len(miou) > 1 else "-"
        what, _, keep = name.rpartition("-")
        lines.append(
            f"| {WORDS.get(what, what)} | {float(keep):.0%} | {statistics.mean(miou):.1f} "
            f"| {spread} "
            f"| {statistics.mean(one['parameters'] for one in mine) / 1e6:.2f} M "
            f"| {statistics.median(one['onnx_ms'] for one in mine):.1f} | {len(mine)} |"
        )
    planned = len(list(cells())) * len(SEEDS)
    cut = sum(one["cell"] != "base-1.0" for one in made)
    lines.append(f"\n{cut} of {planned} cells were made.")
    result = {
        "machine": machine("torch", "torchvision", "lightning", "onnxruntime"),
        "size": SIZE,
        "base_epochs": BASE_EPOCHS,
        "tuned_epochs": TUNED_EPOCHS,
        "stages": STAGES,
        "cells": made,
    }
    save("camvid_channels", result, lines)
    (RESULTS / "camvid_widths.md").write_text(widths_table(made), encoding="utf-8")


def widths_table(made: list[dict[str, Any]]) -> str:
    """How many channels of some groups stay at 40 % of the MACs, by the rule, of one seed."""
    rules = {
        "redundancy-0.4": "sum",
        "redundancy-count-0.4": "count",
        "mean-0.4": "mean",
        "softmax-mean-0.4": "mean, softmax",
    }
    found = {
        word: one["widths"]
        for name, word in rules.items()
        for one in made
        if (one["cell"], one["seed"]) == (name, 0)
    }
    lines = [
        "Channels that stay of some groups of DeepLabV3+ on MobileNetV2, at 40 % of its MACs:\n",
        f"| group | of | {' | '.join(found)} |",
        f"| --- | --- |{' --- |' * len(found)}",
    ]
    first = next(iter(found.values()), {})
    for group in list(first)[::3]:
        kept = " | ".join(str(widths[group][0]) for widths in found.values())
        lines.append(f"| `{group.removeprefix('net.')}` | {first[group][1]} | {kept} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
