"""Whether data loading feeds the trainer: samples a second without a model and with one.

Generated scenes of 640 x 480 pixels as JPEG, brought to the size of a recipe, with its target: by
no, one and two workers, with and without the cache. The first epoch decodes; the later ones find
what was kept. Then the same within trainings of small models on one thread, and the share of the
time that the trainer waited for its next batch.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

import paring
from machine import machine, save, spread, words
from paring.dataset.table import Dataset
from paring.training.loading import SegmentationData
from paring.training.recipe import load_recipe
from paring.training.run import train
from paring.training.samples import Samples
from paring.training.sections import Augment
from paring.training.targets import Task, choose_classes

TASKS: tuple[Task, ...] = ("instance", "binary")
WORKERS = (0, 1, 2)
BATCH = 8


def waited(batches: Iterable[Any], work: Callable[[Any], Any]) -> tuple[float, float]:
    """Seconds spent waiting for batches, and in all, when `work` is done on each."""
    waiting, started = 0.0, time.perf_counter()
    before = started
    for batch in batches:
        waiting += time.perf_counter() - before
        work(batch)
        before = time.perf_counter()
    return waiting, time.perf_counter() - started


def epochs(samples: Samples, workers: int, repeats: int) -> dict[str, Any]:
    """Samples a second of the first epoch and of the following ones."""
    module = SegmentationData(samples, batch_size=BATCH, workers=workers, drop_single=False)
    loader = module.train_dataloader()
    rates = []
    for epoch in range(repeats + 1):
        loader.batch_sampler.sampler.set_epoch(epoch)
        _, seconds = waited(loader, lambda _: None)
        rates.append(len(samples) / seconds)
    return {"first": round(rates[0], 1), "later": spread(rates[1:], 1)}


def measure(data: Dataset, task: Task, size: int, cache: int, repeats: int) -> dict[str, Any]:
    """Rates by number of workers."""
    found = {}
    for workers in WORKERS:
        samples = Samples(
            data,
            task,
            choose_classes(data, task),
            size=(size, size),
            augment=Augment(flip=0.5),
            cache=cache,
        )
        found[str(workers)] = epochs(samples, workers, repeats)
    return found


def train_once(file: Path, task: Task, size: int, workers: int) -> dict[str, float]:
    """A training of three epochs: images a second, and the share of the time it waited."""
    recipe = load_recipe(
        {"instance": "small-instances", "binary": "small-polyp"}[task],
        [
            f"data.train={{path: {file}, images: {file.with_name('images')}}}",
            f"data.size=[{size}, {size}]",
            f"data.batch_size={BATCH}",
            f"data.workers={workers}",
            "trainer.epochs=3",
            "trainer.accelerator=cpu",
            "trainer.threads=1",
            "log.tensorboard=false",
        ],
    )
    with tempfile.TemporaryDirectory() as folder:
        trained = train(recipe, Path(folder) / "run")
    return {
        "images_a_second": round(trained.epochs * trained.images / trained.seconds, 1),
        "waited": round(trained.waited / trained.seconds, 4),
    }


def with_a_model(folder: Path, images: int, size: int, repeats: int) -> dict[str, dict[str, Any]]:
    """The same for both kinds of targets and all numbers of workers, repeated."""
    file = folder / "trained" / "scenes.json"
    scenes = paring.scenes(images, seed=1, size=(480, 640), folder=file.with_name("images"))
    scenes.write(file, format="coco")
    found: dict[str, dict[str, Any]] = {}
    for task in TASKS:
        for workers in WORKERS:
            runs = [train_once(file, task, size, workers) for _ in range(repeats)]
            found.setdefault(task, {})[str(workers)] = {
                key: spread([run[key] for run in runs]) for key in runs[0]
            }
    return found


def main() -> None:
    """Measure all combinations, and write them down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--trained", type=int, default=160, help="images of each training")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="print only")
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        data = paring.scenes(given.images, seed=0, size=(480, 640), folder=Path(folder) / "images")
        rates = {
            task: {
                name: measure(data, task, given.size, cache, given.repeats)
                for name, cache in (("without", 0), ("with", 2**30))
            }
            for task in TASKS
        }
        trained = with_a_model(Path(folder), given.trained, given.size // 2, given.repeats)
    result = {
        "machine": machine("torch", "torchvision", "opencv-python-headless", "numpy"),
        "images": given.images,
        "size": given.size,
        "batch": BATCH,
        "samples_a_second": rates,
        "with_a_model": {
            "images": given.trained,
            "size": given.size // 2,
            "epochs": 3,
            "runs": trained,
        },
    }
    lines = [
        f"{given.images:,} scenes of 640 x 480 pixels (JPEG) at {given.size} x {given.size}, "
        f"mirrored by chance, in batches of {BATCH}; samples a second, "
        f"median (smallest to largest) of {given.repeats} epochs.",
        "",
        "| targets | workers | no cache | cache, first epoch | cache, later epochs |",
        "|---|---|---|---|---|",
    ]
    for task in TASKS:
        for workers in map(str, WORKERS):
            without, kept = rates[task]["without"][workers], rates[task]["with"][workers]
            lines.append(
                f"| {task} | {workers} | {words(without['later'], '')} | {kept['first']:.3g} | "
                f"{words(kept['later'], '')} |"
            )
    lines += [
        "",
        f"In trainings of three epochs over {given.trained} such scenes at "
        f"{given.size // 2} x {given.size // 2}, one thread for the model, with the "
        f"cache: Mask R-CNN (instance) and EMCAD (binary) on MobileNetV2, "
        f"{given.repeats} runs each.",
        "",
        "| targets | workers | images a second | share of the time that the trainer waited |",
        "|---|---|---|---|",
    ]
    for task in TASKS:
        for workers in map(str, WORKERS):
            run = trained[task][workers]
            share = {k: v if k == "repeats" else 100 * v for k, v in run["waited"].items()}
            lines.append(
                f"| {task} | {workers} | {words(run['images_a_second'], '')} | "
                f"{words(share, '%')} |"
            )
    if given.dry:
        print("\n".join(lines))
    else:
        save("loading", result, lines)


if __name__ == "__main__":
    main()
