"""Pruning as a command does it: at once, or in stages of a training; and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from paring.channels.latency import Latency
from paring.channels.measuring import (
    example_of,
    latency_of,
    layer_table,
    run_on,
    whole_cost,
)
from paring.channels.network import Network
from paring.channels.plan import PrunePlan
from paring.channels.planning import make_plan
from paring.channels.schedule import ProgressivePruning
from paring.channels.stages import Pruning, Spread, Stage
from paring.channels.structure import Structure, find_structure
from paring.channels.tracing import Forward, trained
from paring.channels.tracking import calibrate
from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.dataset.writing import beside
from paring.errors import InputError
from paring.models import Model, load, save
from paring.training.evaluating import in_order
from paring.training.recipe import Recipe
from paring.training.run import train
from paring.training.samples import Samples
from paring.training.trained import FACTS, MODEL

PLAN, COST, ONNX = "plan.json", "cost.json", "model.onnx"
_ROUNDS = 8  # of planning anew where a network is slower than was predicted

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What is not to be exceeded; one of these, see `make_plan`.

    `latency` is a measurement of another device; without it milliseconds are those of this one.
    """

    keep_macs: float | None = None
    max_params: float | None = None
    max_latency_ms: float | None = None
    latency: Latency | None = None


def structure_of(model: nn.Module, size: tuple[int, int], how: Pruning) -> Structure:
    """What `find_structure` says of a network for images of a size."""
    return find_structure(model, example_of(size), ignored=how.ignored, forward=_forward(model))


def _forward(model: nn.Module) -> Forward:
    """How a network's structure is found: detectors take a list of images."""
    return run_on if getattr(model, "task", None) == "instance" else trained


def prune_at_once(
    network: Network,
    data: Dataset | None,
    budget: Budget,
    how: Pruning,
    *,
    structure: Structure,
    size: tuple[int, int],
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    batches: int = 32,
    batch_size: int = 2,
    threads: int = 1,
    progress: Progress | None = None,
    say: Say | None = None,
) -> tuple[nn.Module, PrunePlan]:
    """Prune a trained network without training; gives the smaller one and its plan.

    Parameters
    ----------
    network : see `open_network`.
    data : images to calibrate on; only the criterion ``"redundancy"`` needs them.
    budget, how : what to reach, and how.
    structure : what `structure_of` says of the network.
    size : (height, width) of the images.
    mean, std : of images in [0, 1], by which those of a network that is not ours are normalised.
    batches, batch_size : how many images are looked at, at most.
    threads : of ONNX Runtime, where milliseconds are the budget.
    """
    model, example = network.model, example_of(size)
    if how.criterion == "taylor":
        raise InputError("taylor needs gradients of a training; give --epochs")
    scores = None
    if how.criterion == "redundancy":
        if data is None:
            raise InputError("redundancy is measured on images; give --data")
        scores = calibrate(
            model,
            _batches(network, data, size, mean, std, batches, batch_size, progress),
            batches=batches,
            structure=structure,
            forward=run_on,
            metric=how.metric,
            distribution=how.distribution,
            resolution=how.resolution,
            decay=how.decay,
        )
    latency, own = budget.latency, False
    if budget.max_latency_ms is not None and latency is None:
        latency, own = _measured_here(model, size, threads), True
    aim = budget.max_latency_ms
    for _ in range(_ROUNDS):
        plan = make_plan(
            model, example, scores=scores, criterion=how.criterion, keep_macs=budget.keep_macs,
            max_params=budget.max_params, max_latency_ms=aim, latency=latency, score=how.score,
            multiple=how.multiple, floor=how.floor, ignored=how.ignored, apart=how.apart,
            forward=run_on, structure=structure, seed=how.seed,
        )  # fmt: skip
        small = plan.apply(model)
        if not own or budget.max_latency_ms is None or aim is None:
            break
        ms = latency_of(small, size=size, threads=threads)["ms"]
        plan = PrunePlan(plan.model, plan.layers, plan.groups, {**plan.about, "measured_ms": ms})
        if ms <= budget.max_latency_ms:
            break
        aim *= 0.98 * budget.max_latency_ms / ms
        if say is not None:
            say(f"measured {ms:.1f} ms, so more must go")
    else:
        raise InputError(
            f"{budget.max_latency_ms:g} ms are not reached: cut {_ROUNDS} times, the network still "
            f"takes {ms:.2f} ms here; give a smaller budget, or one of MACs"
        )
    return small, plan


def _measured_here(model: nn.Module, size: tuple[int, int], threads: int) -> Latency:
    measured = latency_of(model, size=size, threads=threads)
    if "refused" in measured:
        raise InputError(
            f"milliseconds cannot be a budget, as the network cannot be timed: "
            f"{measured['refused']}"
        )
    return Latency(measured["ms"], measured["layers"])


def _batches(
    network: Network,
    data: Dataset,
    size: tuple[int, int],
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    batches: int,
    batch_size: int,
    progress: Progress | None,
) -> Iterator[Tensor]:
    """Images of a data set as the network takes them, spread evenly over it."""
    ids = data.images["image_id"].to_list()
    wanted = min(len(ids), batches * batch_size)
    chosen = data.subset([ids[k * len(ids) // wanted] for k in range(wanted)])
    resize = "stretch" if network.recipe is None else network.recipe.data.resize
    samples = Samples(chosen, "binary", ["foreground"], size=size, resize=resize, targets=False)
    shift, scale = (
        torch.tensor(numbers or (default,) * 3).view(3, 1, 1)
        for numbers, default in ((mean, 0.0), (std, 1.0))
    )
    done = 0
    for batch in in_order(samples, batch_size):
        images = batch["image"]
        yield images if network.ours else (images - shift) / scale
        done += len(images)
        if progress is not None:
            progress("looking at images", done, len(chosen))


def prune_in_stages(
    network: Network,
    recipe: Recipe,
    folder: Path,
    stages: list[Stage] | Spread,
    how: Pruning,
    *,
    progress: Progress | None = None,
    say: Say | None = None,
) -> tuple[nn.Module, PrunePlan]:
    """Prune a model of ours while it is fine-tuned; a run that was cut short goes on.

    Parameters
    ----------
    network : of ours, with the file of its weights.
    recipe : of the fine-tuning, with its data; it starts from the network.
    folder : of the run.
    stages, how : see `ProgressivePruning`.
    """
    if not network.ours or network.file is None:
        raise InputError(
            f"{network.spec}: only models of ours can be fine-tuned here; for your own take "
            "paring.channels.ProgressivePruning into your training"
        )
    if recipe.stop.patience is not None:
        raise InputError("stop.patience could end the training before its last stage; take it out")
    wished = msgspec.structs.replace(
        recipe, init=str(network.file.absolute()), weights=None, map={}
    )
    if not (folder / FACTS).is_file():
        callback = ProgressivePruning(
            stages,
            example_of(wished.data.size),
            how,
            forward=run_on,
            structure_forward=_forward(network.model),
            say=say,
            file=folder / PLAN,
        )
        train(wished, folder, progress=progress, say=say, along=[callback])
    return load(folder / MODEL), PrunePlan.load(folder / PLAN)


def write_pruned(
    folder: Path,
    network: Network,
    small: nn.Module,
    plan: PrunePlan,
    *,
    structure: Structure,
    size: tuple[int, int],
    opset: int,
    threads: int,
) -> dict[str, Any]:
    """Write what a pruning leaves behind into its folder, and give what ``cost.json`` says.

    `structure` is that of the network before; see `structure_of`.
    """
    plan.save(folder / PLAN, overwrite=True)
    if isinstance(small, Model):
        if not (folder / MODEL).is_file():
            save(small, folder / MODEL)
    else:
        from safetensors.torch import save_model

        save_model(small, str(folder / MODEL))
    before = whole_cost(network.model, size=size, threads=threads)
    after = whole_cost(small, size=size, threads=threads, file=folder / ONNX, opset=opset)
    rows = layer_table(network.model, size, structure, plan)
    for row in rows:
        row["ms_before"], row["ms"] = (one["layers"].get(row["layer"]) for one in (before, after))
    cost = {
        "height": size[0],
        "width": size[1],
        "threads": threads,
        "onnx_refused": after["refused"],
        **{
            name: {"before": before[name], "after": after[name]}
            for name in ("parameters", "macs", "ms", "ms_spread")
        },
        "layers": rows,
    }
    with beside(folder / COST, overwrite=True) as fresh:
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(cost), indent=1))
    return cost
