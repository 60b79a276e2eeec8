"""`paring channels prune`: take channels out of a network, to a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from paring.cli import console
from paring.cli.extras import LIBRARIES, need_torch
from paring.cli.layers import costs_table, layers_table
from paring.cli.networks import Model, Normal, Opset, Size, Threads, Weights, sides_of, three_given
from paring.cli.options import Place, Source, shares
from paring.cli.run import Run, add_page, new_run, read_source
from paring.dataset.table import Dataset
from paring.errors import InputError

if TYPE_CHECKING:
    from paring.channels.network import Network
    from paring.channels.plan import PrunePlan
    from paring.channels.running import Budget


class CriterionName(StrEnum):
    """By what channels go."""

    redundancy = "redundancy"
    random = "random"
    l1 = "l1"
    l2 = "l2"
    bn_scale = "bn_scale"
    taylor = "taylor"
    fpgm = "fpgm"
    group_norm = "group_norm"


class ScoreName(StrEnum):
    """How channels of different layers compare."""

    sum = "sum"
    mean = "mean"
    count_ = "count"  # a str has a count of its own


class DistributionName(StrEnum):
    """How a map becomes a distribution over space."""

    l1 = "l1"
    softmax = "softmax"


class MetricName(StrEnum):
    """How two maps are compared."""

    js = "js"
    hellinger = "hellinger"
    kl = "kl"
    dice = "dice"
    dot = "dot"


@dataclass
class Budgets:
    """What is not to be exceeded."""

    panel: ClassVar[str] = "Budget (one of these)"

    keep_macs: Annotated[
        float | None, typer.Option(help="Share of multiply-accumulates that stays.")
    ] = None
    max_params: Annotated[int | None, typer.Option(help="Parameters at most.")] = None
    max_latency_ms: Annotated[
        float | None, typer.Option(help="Milliseconds an image in ONNX Runtime at most.")
    ] = None
    latency: Annotated[
        Path | None,
        typer.Option(help="What `measure -o` wrote on the device that the milliseconds are of."),
    ] = None

    def read(self) -> Budget:
        """It, with the file of the latency read."""
        from paring.channels.latency import Latency
        from paring.channels.running import Budget

        latency = None if self.latency is None else Latency.load(self.latency)
        return Budget(
            keep_macs=self.keep_macs,
            max_params=self.max_params,
            max_latency_ms=self.max_latency_ms,
            latency=latency,
        )


@dataclass
class Choice:
    """By what channels go, and which may."""

    panel: ClassVar[str] = "Channels"

    criterion: Annotated[
        CriterionName | None, typer.Option(help="By what channels go. [default: redundancy]")
    ] = None
    score: Annotated[
        ScoreName | None,
        typer.Option(
            help="Of redundancy: sum or mean of edges; of any criterion: count, as many in every "
            "layer. [default: sum]"
        ),
    ] = None
    metric: Annotated[
        MetricName | None, typer.Option(help="Of redundancy: how maps compare. [default: js]")
    ] = None
    distribution: Annotated[
        DistributionName | None,
        typer.Option(help="Of redundancy: how a map becomes a distribution. [default: l1]"),
    ] = None
    multiple: Annotated[
        int | None, typer.Option(min=1, help="Round channels to a multiple of this.")
    ] = None
    ignore: Annotated[
        list[str] | None, typer.Option(help="Path of a module that stays as it is; repeatable.")
    ] = None
    apart: Annotated[
        list[str] | None,
        typer.Option(help="Path of a part (the encoder) whose channels are ranked by themselves."),
    ] = None

    def wished(self) -> dict[str, Any]:
        """What is given, as the section ``prune`` of a recipe names it."""
        named = {
            "criterion": self.criterion,
            "score": self.score,
            "metric": self.metric,
            "distribution": self.distribution,
        }
        out: dict[str, Any] = {key: one.value for key, one in named.items() if one is not None}
        others = {"multiple": self.multiple, "ignored": self.ignore, "apart": self.apart}
        return out | {key: value for key, value in others.items() if value}


@dataclass
class Tuning:
    """Pruning in stages, with fine-tuning between."""

    panel: ClassVar[str] = "Fine-tuning (models of ours)"

    epochs: Annotated[
        int | None, typer.Option(min=1, help="Fine-tune so long, and prune in stages on the way.")
    ] = None
    recipe: Annotated[
        str | None, typer.Option(help="Recipe of fine-tuning: YAML file, or a built-in name.")
    ] = None
    stages: Annotated[int | None, typer.Option(min=1, help="How many. [default: 3]")] = None


@dataclass
class Shown:
    """The images, and how the network sees them."""

    panel: ClassVar[str] = "Images"

    data: Annotated[
        Path | None,
        typer.Option(help="Images to look at, or to fine-tune on; those of the training."),
    ] = None
    images: Annotated[Path | None, typer.Option(help="Folder of the images of the data.")] = None
    size: Size = None
    batches: Annotated[int, typer.Option(min=1, help="Batches of 2 images to look at.")] = 32
    mean: Normal = None
    std: Normal = None


@shares
def prune(
    model: Model,
    place: Place,
    budgets: Budgets,
    shown: Shown,
    choice: Choice,
    tuning: Tuning,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="With fine-tuning: values of the recipe."),
    ] = None,
    weights: Weights = None,
    opset: Opset = 18,
    threads: Threads = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Decides what is by chance. [default: 0]")
    ] = None,
) -> None:
    """Take channels out of a network, to a budget.

    The run holds the plan (`plan.json`), the smaller network (`model.safetensors`, `model.onnx`)
    and what it costs (`cost.json`). With `--epochs` a trained model of ours is pruned in stages
    while it is fine-tuned; a run that was stopped goes on when the command is given again.

    Example: `paring channels prune trained --keep-macs 0.5 -o pruned`
    """
    need_torch("pruning")
    from paring.channels.network import open_network

    _one_budget(budgets, needed=tuning.recipe is None)
    network = open_network(model, weights=weights)
    if network.ours and (shown.mean or shown.std):
        raise InputError(f"{model}: normalises images itself; --mean and --std are for your own")
    made = _Made(opset, threads)
    if tuning.epochs is None and tuning.recipe is None:
        if overrides or tuning.stages is not None:
            what = overrides[0] if overrides else "--stages"
            raise InputError(f"{what} is for fine-tuning; give --epochs or --recipe")
        cost, about = _at_once(network, place, budgets.read(), shown, choice, made, seed)
    else:
        cost, about = _in_stages(
            network, place, budgets, shown, choice, tuning, _seeded(overrides, seed), made
        )
    if place.report:
        add_page(place)
    if place.json:
        console.show_json({"run": str(place.output), **about})
        return
    console.out.print(layers_table(cost["layers"]))
    console.out.print(costs_table(cost))
    if cost["onnx_refused"]:
        console.say(f"no model.onnx: {cost['onnx_refused']}")
    console.say(f"run written to {place.output} in {about['seconds']:.1f} s")
    if place.report:
        console.say(f"look at it: {place.output / 'report' / 'index.html'}")


@dataclass(frozen=True)
class _Made:
    """How the smaller network is exported and timed."""

    opset: int
    threads: int


def _at_once(
    network: Network,
    place: Place,
    budget: Budget,
    shown: Shown,
    choice: Choice,
    made: _Made,
    seed: int | None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Prune without training, into a new run."""
    from paring.channels.recipe import section_of
    from paring.channels.running import prune_at_once, structure_of, write_pruned

    how = section_of(choice.wished(), where="the command").pruning(seed or 0)
    size = sides_of(network, shown.size)
    structure = structure_of(network.model, size, how)
    seen = _images(network, shown) if how.criterion == "redundancy" else None
    with new_run(place.output, overwrite=place.overwrite) as run:
        run.libraries = LIBRARIES
        with console.bars() as bars:
            small, plan = prune_at_once(
                network,
                seen,
                budget,
                how,
                structure=structure,
                size=size,
                mean=three_given(shown.mean),
                std=three_given(shown.std),
                batches=shown.batches,
                threads=made.threads,
                progress=bars,
                say=console.say,
            )
        cost = write_pruned(
            run.folder, network, small, plan, structure=structure, size=size,
            opset=made.opset, threads=made.threads,
        )  # fmt: skip
        return cost, _finish(run, network, plan, cost)


def _in_stages(
    network: Network,
    place: Place,
    budgets: Budgets,
    shown: Shown,
    choice: Choice,
    tuning: Tuning,
    overrides: Sequence[str],
    made: _Made,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Prune while training, into a run that may have been begun before."""
    from paring.channels.recipe import pruning_recipe
    from paring.channels.running import prune_in_stages, structure_of, write_pruned
    from paring.training.lessons import TrainingFailed

    if budgets.keep_macs is None and tuning.recipe is None:
        raise InputError("with fine-tuning the budget is --keep-macs")
    for given, instead in (
        (shown.size, "--size is not for fine-tuning; give data.size=[H,W]"),
        (place.overwrite, "--overwrite is not for fine-tuning, which goes on in its folder"),
    ):
        if given:
            raise InputError(instead)
    if (place.output / "run.json").is_file():
        raise InputError(f"{place.output}: holds a finished run; choose another folder")
    more = [] if tuning.epochs is None else [f"trainer.epochs={tuning.epochs}"]
    wished = choice.wished() | ({} if tuning.stages is None else {"spread": tuning.stages})
    recipe, section = pruning_recipe(
        network, tuning.recipe, [*overrides, *more],
        data=shown.data, images=shown.images, wished=wished,
    )  # fmt: skip
    how = section.pruning(recipe.seed)
    run = Run(place.output, libraries=LIBRARIES)
    try:
        with console.bars() as bars:
            small, plan = prune_in_stages(
                network, recipe, place.output, section.when(budgets.keep_macs), how,
                progress=bars, say=console.say,
            )  # fmt: skip
    except TrainingFailed as error:
        raise InputError(str(error)) from error
    size = recipe.data.size
    structure = structure_of(network.model, size, how)
    cost = write_pruned(
        place.output, network, small, plan, structure=structure, size=size,
        opset=made.opset, threads=made.threads,
    )  # fmt: skip
    return cost, _finish(run, network, plan, cost)


def _seeded(overrides: Sequence[str] | None, seed: int | None) -> list[str]:
    """Values of a recipe, with the seed where one is given."""
    return [*(overrides or ()), *(() if seed is None else (f"seed={seed}",))]


def _one_budget(budgets: Budgets, *, needed: bool) -> None:
    """Raise `InputError` for more than one budget, or none where one is needed."""
    given = [budgets.keep_macs, budgets.max_params, budgets.max_latency_ms]
    number = sum(one is not None for one in given)
    if budgets.latency is not None and budgets.max_latency_ms is None:
        raise InputError("--latency is for --max-latency-ms; give that too")
    if number > 1 or (needed and not number):
        raise InputError(
            "how small? give one budget: --keep-macs, --max-params or --max-latency-ms"
        )


def _images(network: Network, shown: Shown) -> Dataset:
    """The images to look at: those named, or of the network's training."""
    if shown.data is not None:
        with console.bars() as bars:
            return read_source(Source(data=shown.data, images=shown.images), progress=bars)[0]
    if network.recipe is None or network.recipe.data.train is None:
        raise InputError("redundancy is measured on images; give --data")
    from paring.training.sources import prepare_data

    with console.bars() as bars:
        return prepare_data(network.recipe, progress=bars).train


def _finish(run: Run, network: Network, plan: PrunePlan, cost: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``run.json``; gives what it says."""
    run.facts |= {
        "method": "prune channels",
        "model": plan.model,
        "from": network.spec,
        "plan": {key: value for key, value in plan.about.items() if key != "kept_whole"},
        "cost": {key: value for key, value in cost.items() if key != "layers"},
    }
    return run.finish()
