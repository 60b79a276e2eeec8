"""`make_plan`: the channels that go so that a network just keeps within a budget."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from paring.channels.costs import CostModel, model_costs
from paring.channels.groups import cuts_of
from paring.channels.importance import Criterion, unit_importance
from paring.channels.latency import Latency
from paring.channels.plan import PrunePlan
from paring.channels.ranking import (
    Ranking,
    Score,
    largest_network,
    rank_by_importance,
    rank_by_redundancy,
    rounded,
    sequence,
)
from paring.channels.structure import Structure, find_structure, within
from paring.channels.tracing import Forward, call
from paring.channels.tracking import Tracker
from paring.errors import InputError
from paring.evaluation.cost import macs_of_run
from paring.models.cuts import Stays, apply_cuts

FLOOR = 0.02
_ROUNDS = 8


@dataclass(frozen=True)
class _Budget:
    """What is not to be exceeded.

    `of` is the cost of the network without so many units of each group; `whole` that of all of it.
    """

    name: str
    limit: float
    whole: float
    of: Callable[[CostModel], Callable[[NDArray[Any]], float]]
    unit: str


def make_plan(
    model: nn.Module,
    example: Any,
    *,
    scores: Tracker | Mapping[str, Any] | None = None,
    criterion: Criterion | str = "redundancy",
    keep_macs: float | None = None,
    max_macs: float | None = None,
    max_params: float | None = None,
    max_latency_ms: float | None = None,
    latency: Latency | None = None,
    score: Score = "sum",
    multiple: int = 1,
    floor: float = FLOOR,
    ignored: Sequence[str] = (),
    apart: Sequence[str] = (),
    forward: Forward | None = None,
    structure: Structure | None = None,
    seed: int = 0,
) -> PrunePlan:
    """Choose the channels that stay, so that the network is the largest within a budget.

    All units of all groups are put in one order by their scores, the lowest to go first, and as few
    of them go as the budget allows; a group never loses the last `floor` of its units. The network
    itself is not changed.

    Parameters
    ----------
    model, example, forward, ignored : as `find_structure` takes them; MACs are those of the
        example.
    scores : what `track` or `calibrate` gave, for the criterion ``"redundancy"``; or numbers of
        your own, by group (see `unit_importance`), with any other name as criterion.
    criterion : ``"redundancy"`` (SIRFP), or one of those of `unit_importance`.
    keep_macs, max_macs, max_params, max_latency_ms : the budget, one of them: the share of the
        MACs that stays, or how many MACs, parameters or milliseconds at most.
    latency : where the milliseconds go; needed with `max_latency_ms`. What is predicted from it
        takes the time of a layer to go with its MACs; measure the outcome.
    score : of a unit by the ``"sum"`` of its edges to those left when it goes, as in the paper's
        appendix D, or by their ``"mean"``. The sum leaves about as many units in every wide group
        and all in narrow ones; the mean looks at redundancy alone, and takes nearly all of narrow
        groups whose maps overlap, such as those between the blocks of MobileNetV2. ``"count"``, of
        any criterion, leaves about as many units in every group that has them, and lets the
        criterion choose which.
    multiple : the units that stay of a group are rounded to a multiple of this.
    floor : share of the units of a group that always stay, one at least; the published code has
        0.02.
    apart : paths of modules, such as that of the encoder, whose channels are ranked among
        themselves; of each part the same share of units goes, as in the published code.
    structure : what `find_structure` says of the model, where it is known.
    seed : of the criterion ``"random"``.

    Raises
    ------
    InputError
        Where the budget cannot be reached (it says the smallest that can), where no budget or more
        than one is given, and where scores are missing or of another network.

    References
    ----------
    Structural Pruning via Spatial-aware Information Redundancy for Semantic Segmentation,
    Algorithm 1 and appendix D.

    Example
    -------
    >>> import torch
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
    ...                     nn.Conv2d(8, 2, 1))
    >>> plan = make_plan(net, torch.rand(1, 3, 16, 16), criterion="l1", keep_macs=0.5)
    >>> plan.about["macs"] <= 0.5 * plan.about["macs_before"]
    True
    >>> small = plan.apply(net)
    """
    run = forward or call
    if structure is None and isinstance(scores, Tracker):
        structure = scores.structure
    if structure is None:
        structure = find_structure(model, example, forward=forward)
    _check(multiple, floor, model, (*ignored, *apart))
    rankings = _rankings(model, structure, scores, criterion, score, seed)
    if score == "count":
        rankings = [None if ranking is None else ranking.by_count() for ranking in rankings]
    kept_whole = _kept_whole(structure, rankings, ignored)
    rankings = [
        None if group.name in kept_whole else ranking
        for group, ranking in zip(structure.groups, rankings, strict=True)
    ]
    costs = model_costs(model, example, structure, forward=forward)
    budget = _budget(costs, keep_macs, max_macs, max_params, max_latency_ms, latency)
    order = sequence(structure, rankings, floor=floor, apart=apart)
    none = np.zeros(len(structure.groups), np.intp)
    before = (costs.macs(none), costs.parameters(none))
    aim, best = budget.limit, None
    for _ in range(_ROUNDS):
        gone = _solved(order, costs, budget, aim, multiple)
        removed = [
            np.sort(ranking.order[:n]) if ranking is not None else np.empty(0, np.intp)
            for ranking, n in zip(rankings, gone, strict=True)
        ]
        cuts = cuts_of(model, structure.groups, removed)
        small = copy.deepcopy(model).eval()
        apply_cuts(small, cuts)
        macs = macs_of_run(lambda: run(small, example))  # noqa: B023  # it is called here
        missed = macs - costs.macs(gone)
        # products that belong to no layer may change with its width; the next round knows
        costs = replace(costs, fixed_macs=costs.fixed_macs + missed)
        cost = budget.of(costs)(gone)
        if cost > budget.limit:
            aim -= cost - budget.limit
            continue
        if best is None or cost > best[0]:
            best = (cost, macs, gone, removed, cuts)
        if abs(missed) <= 1e-3 * macs:
            break
    if best is None:
        raise InputError(
            f"{type(model).__name__}: products that belong to no layer change so much with its "
            f"width that {budget.limit:,.0f} {budget.unit} cannot be aimed at; try another budget"
        )
    cost, macs, gone, removed, cuts = best
    groups = {
        group.name: Stays(np.setdiff1d(np.arange(group.size), units), group.size)
        for group, units in zip(structure.groups, removed, strict=True)
    }
    about = {
        "criterion": criterion,
        **_how(scores, criterion, score, seed),
        "budget": budget.name,
        "limit": budget.limit,
        "reached": cost,
        "below_budget": (budget.limit - cost) / budget.limit,
        "macs_before": before[0],
        "macs": macs,
        "parameters_before": before[1],
        "parameters": costs.parameters(gone),
        "multiple": multiple,
        "floor": floor,
        "apart": list(apart),
        "kept_whole": kept_whole | dict(structure.left_alone),
    }
    return PrunePlan(_name(model), cuts, groups, about)


def _name(model: nn.Module) -> str:
    """That of the table of models, or of the class."""
    name = getattr(model, "name", None)
    return name if isinstance(name, str) else type(model).__name__


def _check(multiple: int, floor: float, model: nn.Module, paths: Sequence[str]) -> None:
    if multiple < 1:
        raise InputError(f"multiple {multiple} cannot be; it is 1 or more")
    if not 0 <= floor <= 1:
        raise InputError(f"floor {floor:g} cannot be; it is a share from 0 to 1")
    modules = dict(model.named_modules())
    unknown = next((path for path in paths if path not in modules), None)
    if unknown is not None:
        raise InputError(f"{type(model).__name__} has no module {unknown!r}")


def _rankings(
    model: nn.Module,
    structure: Structure,
    scores: Tracker | Mapping[str, Any] | None,
    criterion: str,
    score: Score,
    seed: int,
) -> list[Ranking | None]:
    """The order of each group's units by the criterion."""
    if criterion == "redundancy":
        if not isinstance(scores, Tracker):
            raise InputError(
                "the criterion redundancy needs scores; give what calibrate(model, loader) or "
                "track(model, structure) gathered"
            )
        return rank_by_redundancy(structure, scores, score=score)
    if isinstance(scores, Mapping):
        return rank_by_importance(structure, scores)
    found = unit_importance(model, structure, criterion, seed=seed)  # type: ignore[arg-type]
    return rank_by_importance(structure, found)


def _kept_whole(
    structure: Structure, rankings: Sequence[Ranking | None], ignored: Sequence[str]
) -> dict[str, str]:
    """Groups of which nothing goes, with the reason; `InputError` where that is all of them."""
    out = {}
    for group, ranking in zip(structure.groups, rankings, strict=True):
        touched = next(
            (m.layer for m in group.members if any(within(m.layer, top) for top in ignored)), None
        )
        if touched is not None:
            out[group.name] = f"{touched} is to be ignored"
        elif ranking is None:
            out[group.name] = "the criterion has no numbers for it"
    if len(out) == len(structure.groups):
        raise InputError(
            f"nothing can go: of {next(iter(out))} {next(iter(out.values()))}, and so on for all"
        )
    return out


def _budget(
    costs: CostModel,
    keep_macs: float | None,
    max_macs: float | None,
    max_params: float | None,
    max_latency_ms: float | None,
    latency: Latency | None,
) -> _Budget:
    """The one budget that is given."""
    given = {
        "keep_macs": keep_macs,
        "max_macs": max_macs,
        "max_params": max_params,
        "max_latency_ms": max_latency_ms,
    }
    named = {name: number for name, number in given.items() if number is not None}
    if len(named) != 1:
        raise InputError(f"give one budget of {', '.join(given)}, not {len(named)}")
    (name, number), none = next(iter(named.items())), np.zeros(len(costs.sizes))
    if not number > 0 or (name == "keep_macs" and number > 1):
        kind = "a share above 0, at most 1" if name == "keep_macs" else "above 0"
        raise InputError(f"{name} {number:g} cannot be; it is {kind}")
    if name == "max_latency_ms":
        if latency is None:
            raise InputError(
                "max_latency_ms needs latency: what `paring channels measure` wrote, see "
                "Latency.load"
            )
        latency.fit(costs)
        return _Budget(name, number, latency.total, lambda c: latency.predicted(c), "ms")
    if name == "max_params":
        whole = costs.parameters(none)
        return _Budget(name, number, whole, lambda c: c.parameters, "parameters")
    whole = costs.macs(none)
    limit = number * whole if name == "keep_macs" else number
    return _Budget(name, limit, whole, lambda c: c.macs, "MACs")


def _solved(
    order: NDArray[np.intp], costs: CostModel, budget: _Budget, aim: float, multiple: int
) -> NDArray[np.intp]:
    """Units that go of each group; `InputError` with the smallest that can be reached."""
    sizes, cost = [int(size) for size in costs.sizes], budget.of(costs)
    gone = largest_network(order, sizes, cost, aim, multiple=multiple)
    if gone is None:
        all_gone = np.bincount(order, minlength=len(sizes))
        smallest = cost(rounded(np.array(sizes), all_gone, multiple))
        raise InputError(
            f"the budget of {budget.limit:,.0f} {budget.unit} cannot be reached: with as few "
            f"channels as are allowed it is {smallest:,.0f}, {smallest / budget.whole:.1%} of "
            f"{budget.whole:,.0f}"
        )
    return gone


def _how(
    scores: Tracker | Mapping[str, Any] | None, criterion: str, score: Score, seed: int
) -> dict[str, Any]:
    """What the scores were made with."""
    if isinstance(scores, Tracker) and criterion == "redundancy":
        return {
            "score": score,
            "metric": scores.metric,
            "distribution": scores.distribution,
            "resolution": scores.resolution,
        }
    seeded = {"seed": seed} if criterion == "random" else {}
    return seeded | ({"score": score} if score == "count" else {})
