"""In which order the units of all groups go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from paring.channels.clique import greedy_clique
from paring.channels.structure import Structure
from paring.channels.tracking import Tracker
from paring.errors import InputError

Score = Literal["sum", "mean", "count"]


@dataclass(frozen=True, eq=False)
class Ranking:
    """The units of a group in the order in which they go.

    Attributes
    ----------
    order : units, the first to go first (size,).
    scores : of each in that order, never falling (size,).
    """

    order: NDArray[np.intp]
    scores: NDArray[np.float64]

    def by_count(self) -> Ranking:
        """The same order, scored by minus the number of units left when one goes.

        So about as many units stay in all groups that have them, whatever the criterion.
        """
        left = np.arange(len(self.order) - 1, -1, -1)
        return Ranking(self.order, -left.astype(float))


def rank_by_redundancy(
    structure: Structure, tracker: Tracker, *, score: Score = "sum"
) -> list[Ranking | None]:
    """Each group eliminated by SIRFP's Algorithm 1; None where nothing was gathered of it.

    ``"sum"`` scores a unit by minus the sum of its edges to those left when it goes (appendix D:
    what has the largest sum goes first), and no higher than those after it; a unit without any
    edge, whose map is always zero, goes before all others. ``"mean"`` scores it by their mean, and
    no lower than those before it. So scores rise along the order; the last unit of a group has no
    edge and goes last.
    """
    if score not in get_args(Score):
        raise InputError(f"score {score!r} is not known; it is one of {', '.join(get_args(Score))}")
    out: list[Ranking | None] = []
    for group in structure.groups:
        weights = tracker.edge_weights(group)
        if weights is None:
            out.append(None)
            continue
        gone = greedy_clique(weights)
        left = np.arange(group.size - 1, -1, -1)
        scores = np.full(group.size, np.inf)
        if score == "mean":
            scores[:-1] = gone.sums[:-1] / left[:-1]
            scores = np.maximum.accumulate(scores)
        else:
            scores[:-1] = -gone.sums[:-1]
            scores = np.minimum.accumulate(scores[::-1])[::-1]
            edged = np.count_nonzero(weights, axis=1) > 0
            scores[:-1][~edged[gone.order[:-1]]] = -np.inf
        out.append(Ranking(gone.order, scores))
    return out


def rank_by_importance(structure: Structure, importance: Mapping[str, Any]) -> list[Ranking | None]:
    """Each group by numbers of its units, the smallest first; None for groups without any."""
    names = {group.name for group in structure.groups}
    unknown = next((name for name in importance if name not in names), None)
    if unknown is not None:
        raise InputError(f"there is no group {unknown!r} of channels to give importance to")
    out: list[Ranking | None] = []
    for group in structure.groups:
        if group.name not in importance:
            out.append(None)
            continue
        values = np.asarray(importance[group.name], float)
        if values.shape != (group.size,) or np.isnan(values).any():
            raise InputError(
                f"the importance of group {group.name!r} must be {group.size} numbers, one a unit"
            )
        order = np.argsort(values, kind="stable")
        out.append(Ranking(order, values[order]))
    return out


def sequence(
    structure: Structure,
    rankings: Sequence[Ranking | None],
    *,
    floor: float,
    apart: Sequence[str],
) -> NDArray[np.intp]:
    """Groups in the order in which they lose a unit (n,), the lowest score of all first.

    Parameters
    ----------
    floor : share of the units of a group that always stay, one at least.
    apart : paths of modules whose groups are ranked among themselves; of each such part, and of
        the rest, the same share is gone at each place of the sequence.
    """
    scores, owners = [np.empty(0)], [np.empty(0, np.intp)]
    for k, (group, ranking) in enumerate(zip(structure.groups, rankings, strict=True)):
        if ranking is not None:
            can_go = group.size - max(1, int(floor * group.size))
            scores.append(ranking.scores[:can_go])
            owners.append(np.full(can_go, k, np.intp))
    owner, value = np.concatenate(owners), np.concatenate(scores)
    part = np.array([_part(group.name, apart) for group in structure.groups], np.intp)[owner]
    when = np.empty(len(owner))
    for one in np.unique(part):
        mine = np.flatnonzero(part == one)
        mine = mine[np.argsort(value[mine], kind="stable")]
        when[mine] = (np.arange(len(mine)) + 1) / len(mine)
    return owner[np.argsort(when, kind="stable")]


def largest_network(
    sequence: NDArray[np.intp],
    sizes: Sequence[int],
    cost: Callable[[NDArray[np.intp]], float],
    budget: float,
    *,
    multiple: int = 1,
) -> NDArray[np.intp] | None:
    """How many units of each group go so that the cost is just not above a budget.

    The least number of places of the sequence for which it is so, by bisection; None where the
    whole of it is not enough. With `multiple` the units that stay of each group are rounded to the
    nearest multiple of it, or all stay. Where a single unit is worth so much that more than 1 % of
    the budget is left, units of other groups come back, those that went last first, while they fit.
    """
    sizes_ = np.asarray(sizes, np.intp)

    def gone(n: int) -> NDArray[np.intp]:
        return rounded(sizes_, np.bincount(sequence[:n], minlength=len(sizes_)), multiple)

    low, high = 0, len(sequence)
    if cost(gone(high)) > budget:
        return None
    while low < high:
        middle = (low + high) // 2
        if cost(gone(middle)) > budget:
            low = middle + 1
        else:
            high = middle
    found = gone(low)
    if multiple == 1 and cost(found) < 0.99 * budget:
        for owner in dict.fromkeys(sequence[:low][::-1].tolist()):
            while found[owner]:
                found[owner] -= 1
                if cost(found) > budget:
                    found[owner] += 1
                    break
    return found


def rounded(sizes: NDArray[np.intp], removed: NDArray[np.intp], multiple: int) -> NDArray[np.intp]:
    """Units that go, so that those which stay are a multiple; none where all would stay.

    >>> rounded(np.array([30, 30, 16, 4]), np.array([1, 11, 13, 3]), 8)
    array([ 0, 14,  8,  0])
    """
    if multiple == 1:
        return removed
    stay = (sizes - removed + multiple // 2) // multiple * multiple
    gone: NDArray[np.intp] = sizes - np.minimum(np.maximum(stay, multiple), sizes)
    return gone


def _part(name: str, apart: Sequence[str]) -> int:
    """Which of the parts a group belongs to: the place of its path, or after all for the rest."""
    inside = (k for k, top in enumerate(apart) if name == top or name.startswith(f"{top}."))
    return next(inside, len(apart))
