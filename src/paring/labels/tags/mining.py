"""Complete instances mining (CIM, Algorithm 1): from scores of proposals to refined pseudo-labels.

Everything here is a pure function over scores and overlaps of the proposals of one image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paring.labels.tags.assignment import BACKGROUND, IGNORED

_MOST = 0.9  # of all proposals: what contains so many is no instance


@dataclass(frozen=True)
class Rules:
    """The thresholds of one refinement branch.

    Attributes
    ----------
    cls : IoU with pseudo ground truth above which a proposal is of its class (tau_cls).
    iou : IoU above which it counts as a complete instance (tau_iou).
    nms : IoU at and above which a seed is dropped for a better one (tau_nms).
    contains : share of a seed that a proposal must contain to stand for it (tau_con).
    seeds : share of the proposals that may become seeds of a class (p_seed).
    complete : whether seeds grow into the proposals that contain them (CIM); else they are
        themselves the pseudo ground truth (MIST).
    sampling : whether pseudo ground truth is sampled by its weight (anti-noise sampling).
    refuse_whole : whether proposals that contain nearly all others are never instances, as in the
        authors' code.
    """

    cls: float = 0.25
    iou: float = 0.5
    nms: float = 0.25
    contains: float = 0.85
    seeds: float = 0.1
    complete: bool = True
    sampling: bool = True
    refuse_whole: bool = True

    def cascaded(self, branch: int, step: float) -> Rules:
        """The thresholds of a branch, from 0 on: cls, iou and nms rise by `step` each.

        >>> deep = Rules().cascaded(2, 0.1)
        >>> round(deep.cls, 2), round(deep.iou, 2), round(deep.nms, 2)
        (0.45, 0.7, 0.45)
        """
        rise = branch * step
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Rules(**values | {name: values[name] + rise for name in ("cls", "iou", "nms")})


@dataclass(frozen=True)
class Truth:
    """Pseudo ground truth: proposals taken for instances.

    Attributes
    ----------
    rows : int64 (g,), which proposals.
    classes : int64 (g,), their classes from 1 on.
    weights : float64 (g,), how far they are trusted.
    seeds : int64 (s,), the seeds that led there.
    """

    rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    weights: NDArray[np.float64]
    seeds: NDArray[np.int64]


@dataclass(frozen=True)
class Targets:
    """What a refinement branch is to learn of each proposal.

    Attributes
    ----------
    labels : int64 (n,), class from 1 on, background (0) or ignored (-1).
    complete : float64 (n,), 1 for a complete instance, 0 for a part; of classes only.
    weights : float64 (n,), of the proposal in the loss (Eq. 6).
    """

    labels: NDArray[np.int64]
    complete: NDArray[np.float64]
    weights: NDArray[np.float64]


def whole_proposals(contains: NDArray[np.float64], share: float = 0.85) -> NDArray[np.bool_]:
    """Proposals that contain (more than `share` of) nine tenths of all proposals, (n,).

    The paper does not know them; the authors' code takes them for background.
    """
    whole: NDArray[np.bool_] = (contains > share).mean(axis=1) >= _MOST
    return whole


def select_seeds(
    scores: NDArray[np.float64], iou: NDArray[np.float64], *, share: float, nms: float
) -> NDArray[np.int64]:
    """Seeds of a class: of its best proposals, those that no better seed overlaps.

    Parameters
    ----------
    scores : (n,) of the class.
    iou : (n, n) of the proposals.
    share : how much of them are looked at; the number is rounded up.
    nms : IoU at and above which a proposal falls to a better seed.

    Returns
    -------
    int64 (s,), the best first; ties go to the proposal that comes first.

    >>> iou = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> select_seeds(np.array([0.5, 0.9, 0.3]), iou, share=1.0, nms=0.5)
    array([1, 2])
    """
    n = len(scores)
    number = min(n, math.ceil(share * n - 1e-9))
    best = np.argsort(-scores, kind="stable")[:number]
    near = iou[np.ix_(best, best)] >= nms
    dropped = np.zeros(number, bool)
    for place in range(number):
        if not dropped[place]:
            dropped[place + 1 :] |= near[place, place + 1 :]
    return best[~dropped]


def grow_seeds(
    seeds: NDArray[np.int64],
    integrity: NDArray[np.float64],
    contains: NDArray[np.float64],
    *,
    share: float,
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """For each seed, the proposal that contains it and is most complete (Algorithm 1, step 2).

    Parameters
    ----------
    seeds : int64 (s,).
    integrity : (n,) of the class.
    contains : (n, n), the share of j that i contains.
    share : of the seed that must be contained, to be exceeded.
    allowed : bool (n,), which proposals may be instances; all by default.

    Returns
    -------
    int64 (s,), -1 for a seed that no allowed proposal contains. A seed contains itself, so it is
    its own answer where it is the most complete.

    >>> contains = np.array([[1.0, 1.0], [0.4, 1.0]])  # 0 contains 1
    >>> grow_seeds(np.array([1]), np.array([0.9, 0.2]), contains, share=0.85)
    array([0])
    """
    candidates = contains[:, seeds] > share
    if allowed is not None:
        candidates &= allowed[:, None]
    ranked = np.where(candidates, integrity[:, None], -np.inf)
    grown = ranked.argmax(axis=0) if len(seeds) else np.empty(0, np.int64)
    return np.where(candidates.any(axis=0), grown, -1).astype(np.int64)


def mine(
    scores: NDArray[np.float64],
    integrity: NDArray[np.float64],
    present: NDArray[np.bool_],
    iou: NDArray[np.float64],
    contains: NDArray[np.float64],
    rules: Rules,
) -> Truth:
    """Pseudo ground truth of an image from the scores of the branch before.

    Of each class that the image is tagged with, seeds are selected and grown; a proposal that two
    classes claim goes to the one with the larger product of score and integrity. The weight is
    that product (Eq. 6).

    Parameters
    ----------
    scores, integrity : (n, c + 1), column 0 the background's.
    present : bool (c,), the tags.
    iou, contains : (n, n).
    """
    product = scores * integrity
    allowed = ~whole_proposals(contains, rules.contains) if rules.refuse_whole else None
    claims: dict[int, int] = {}
    seeds: list[NDArray[np.int64]] = []
    for c in (np.flatnonzero(present) + 1).tolist():
        found = select_seeds(scores[:, c], iou, share=rules.seeds, nms=rules.nms)
        seeds.append(found)
        if rules.complete:
            found = grow_seeds(
                found, integrity[:, c], contains, share=rules.contains, allowed=allowed
            )
        elif allowed is not None:
            found = np.where(allowed[found], found, -1)
        for row in dict.fromkeys(found[found >= 0].tolist()):
            if row not in claims or product[row, c] > product[row, claims[row]]:
                claims[row] = c
    rows = np.array(list(claims), np.int64)
    classes = np.array(list(claims.values()), np.int64)
    order = np.lexsort((rows, classes))
    rows, classes = rows[order], classes[order]
    together = np.concatenate(seeds) if seeds else np.empty(0, np.int64)
    return Truth(rows, classes, product[rows, classes], together)


def sample_truth(truth: Truth, rng: np.random.Generator) -> Truth:
    """Anti-noise sampling (section 3.6): of each class, as many draws as it has instances.

    Draws are with replacement and by weight, and an instance counts once, so that those of little
    weight are the first to go.
    """
    kept: list[int] = []
    for c in np.unique(truth.classes).tolist():
        places = np.flatnonzero(truth.classes == c)
        weights = truth.weights[places]
        if weights.sum() <= 0:
            kept += places.tolist()
            continue
        drawn = rng.choice(places, size=len(places), p=weights / weights.sum())
        kept += np.unique(drawn).tolist()
    chosen = np.array(sorted(kept), np.int64)
    return Truth(truth.rows[chosen], truth.classes[chosen], truth.weights[chosen], truth.seeds)


def spread_truth(
    truth: Truth,
    iou: NDArray[np.float64],
    contains: NDArray[np.float64],
    rules: Rules,
) -> Targets:
    """Targets of all proposals from pseudo ground truth (Eqs. 4 to 6).

    A proposal whose largest IoU with the truth is above `rules.cls` takes its class, and is
    complete where that is above `rules.iou`; one that overlaps less is background; one that
    overlaps nothing is ignored. Its weight is that of the instance it overlaps most.
    """
    n = len(iou)
    if not len(truth.rows):
        return Targets(np.full(n, IGNORED), np.zeros(n), np.zeros(n))
    with_truth = iou[:, truth.rows]
    nearest = with_truth.argmax(axis=1)
    largest = with_truth[np.arange(n), nearest]
    labels = np.where(largest > rules.cls, truth.classes[nearest], BACKGROUND)
    labels[largest == 0] = IGNORED
    if rules.refuse_whole:
        labels[whole_proposals(contains, rules.contains)] = BACKGROUND
    complete = ((largest > rules.iou) & (labels > BACKGROUND)).astype(np.float64)
    return Targets(labels.astype(np.int64), complete, truth.weights[nearest])
