"""Losses of dense models: cross-entropy, the structure loss of polyp networks, and GSRL.

Each takes logits and a target in which `VOID` marks pixels of no class; those never count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from paring.dataset.labelmaps import VOID

DenseLoss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Logits (B, C, H, W) and target (B, H, W) to a number."""

Aggregate: TypeAlias = Literal["sum", "additive", "mutation"]


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy over the pixels that have a class; 0 where none has.

    Parameters
    ----------
    logits : (B, C, H, W).
    target : (B, H, W), class index or `VOID`.

    Example
    -------
    >>> logits = torch.zeros(1, 2, 1, 2)
    >>> round(float(cross_entropy(logits, torch.tensor([[[0, VOID]]]))), 4)
    0.6931
    """
    known = (target != VOID).sum().clamp(min=1)
    return F.cross_entropy(logits, target, ignore_index=VOID, reduction="sum") / known


def outline_weight(target: Tensor, *, window: int = 31, emphasis: float = 5.0) -> Tensor:
    """Weight (B, 1, H, W) of each pixel: large about the outline, 0 where void.

    With m the truth, w = 1 + emphasis · abs(mean of m over the window - m).

    Parameters
    ----------
    target : (B, H, W) of 0, 1 and `VOID`; void pixels weigh nothing, in the window too.
    window : side of the averaging window in pixels, odd.
    emphasis : how much more a pixel weighs that differs from all around it.

    Example
    -------
    >>> outline_weight(torch.tensor([[[1, 1, 0, VOID]]]), window=3).flatten().tolist()
    [1.0, 2.66..., 3.5, 0.0]
    """
    known = (target != VOID).unsqueeze(1).float()
    truth = (target == 1).unsqueeze(1).float()
    return known * (1 + emphasis * (_mean_around(truth, known, window) - truth).abs())


def structure_loss(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Weighted binary cross-entropy plus weighted IoU, the loss of PRIME's networks (its 4.2).

    With m the truth, p = sigmoid(logit) and w the weight of a pixel::

        wBCE = sum(w · BCE(p, m)) / sum(w)
        wIoU = 1 - (sum(w · p · m) + 1) / (sum(w · (p + m)) - sum(w · p · m) + 1)

    summed over the pixels of each image, then averaged over the images. The published code of the
    parent network averages the cross-entropy before it is weighted, so that the weights cancel;
    here they count.

    Parameters
    ----------
    logits : (B, 1, H, W).
    target : (B, H, W) of 0, 1 and `VOID`.
    weight : (B, 1, H, W), 0 where void; None for `outline_weight` of the target, which a network
        of several outputs need not compute for each.

    References
    ----------
    Wei et al., F3Net: Fusion, Feedback and Focus for Salient Object Detection, AAAI 2020.

    Example
    -------
    >>> truth = torch.tensor([[[1, 0]]])
    >>> sure = torch.tensor([[[[20.0, -20.0]]]])
    >>> round(float(structure_loss(sure, truth)), 4)
    0.0
    """
    truth = (target == 1).unsqueeze(1).to(logits.dtype)
    weight = (outline_weight(target) if weight is None else weight).to(logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    per_image = (1, 2, 3)
    total = weight.sum(per_image)
    cross = (weight * entropy).sum(per_image) / total.clamp(min=torch.finfo(total.dtype).tiny)
    probability = logits.sigmoid()
    both = (weight * probability * truth).sum(per_image)
    either = (weight * (probability + truth)).sum(per_image) - both
    overlap = 1 - (both + 1) / (either + 1)
    return (cross + overlap).mean()


def _mean_around(truth: Tensor, known: Tensor, window: int) -> Tensor:
    """Mean of the truth over the known pixels of a window about each pixel.

    Down, then across: 2 · window additions a pixel instead of its square.
    """
    pad = window // 2
    both = torch.cat([truth * known, known])
    down = F.avg_pool2d(both, (window, 1), 1, (pad, 0))
    inside, there = F.avg_pool2d(down, (1, window), 1, (0, pad)).chunk(2)
    return inside / there.clamp(min=1 / (2 * window**2))


def rebalanced_loss(
    logits: Tensor,
    target: Tensor,
    *,
    beta: float = 0.9999,
    pool: int = 9,
    hardness: float = 9.0,
) -> Tensor:
    """Geometric-semantic re-balanced loss (GSRL): more weight for rare classes and unsure pixels.

    A pixel of class c weighs v_c = (1 - beta^n_ref) / (1 - beta^n_c), at most 1, where n_c counts
    the pixels of c in the image and n_ref those of its rarest class. The map of these weights is
    max-pooled, so that a rare class lends its weight to its surroundings, and multiplied by
    1 + hardness · (1 - (p1 - p2)), with p1 and p2 the two largest probabilities of the pixel. The
    result is the mean of weight · cross-entropy over the known pixels.

    The published training draws a class for each crop and takes its count as n_ref; crops here are
    drawn without regard to classes, so the rarest one present takes that part.

    Parameters
    ----------
    logits : (B, C, H, W).
    target : (B, H, W), class index or `VOID`.
    beta : of the effective number of samples (Cui et al., CVPR 2019), 0 <= beta < 1.
    pool : side of the max-pooling window in pixels, odd (published: 9).
    hardness : weight of unsureness (published: 9).

    References
    ----------
    Wang et al., DCFP, 2024, as the published code of SIRFP uses it.

    Example
    -------
    >>> logits = torch.tensor([[[[8.0, -8.0]], [[-8.0, 8.0]]]])
    >>> right = rebalanced_loss(logits, torch.tensor([[[0, 1]]]))
    >>> wrong = rebalanced_loss(logits, torch.tensor([[[1, 0]]]))
    >>> bool(right < 1e-3 < 1 < wrong)
    True
    """
    known = target != VOID
    with torch.no_grad():
        rarity = torch.stack([_rarity(one, logits.shape[1], beta) for one in target])
        rarity = F.max_pool2d(rarity.unsqueeze(1), pool, 1, pool // 2).squeeze(1)
        first, second = _two_largest(logits.float().softmax(1))
        weight = rarity * (1 + hardness * (1 - (first - second))) * known
    entropy = F.cross_entropy(logits, target, ignore_index=VOID, reduction="none")
    return (weight * entropy).sum() / known.sum().clamp(min=1)


def _rarity(target: Tensor, n_classes: int, beta: float) -> Tensor:
    """Weight (H, W) of each pixel of one image by how rare its class is there; 0 where void."""
    known = target != VOID
    counts = torch.bincount(target[known], minlength=n_classes).double()
    weights = torch.zeros_like(counts)
    present = counts > 0
    if present.any():
        seen = 1 - beta ** counts[present]
        weights[present] = (seen.min() / seen).clamp(max=1.0)
    shown = torch.zeros(target.shape, device=target.device)
    shown[known] = weights[target[known]].float()
    return shown


def _two_largest(probability: Tensor) -> tuple[Tensor, Tensor]:
    if probability.shape[1] == 1:
        return probability[:, 0], torch.zeros_like(probability[:, 0])
    best = probability.topk(2, dim=1).values
    return best[:, 0], best[:, 1]


def supervise(
    stages: Sequence[Tensor], target: Tensor, loss: DenseLoss, how: Aggregate = "sum"
) -> Tensor:
    """Loss of a network with several outputs of equal right.

    Parameters
    ----------
    stages : logits (B, C, H, W) of each output.
    target : (B, H, W).
    loss : of one output.
    how : ``"sum"`` of the losses of the outputs; ``"additive"``, the same and the loss of the sum
        of their logits (CASCADE); ``"mutation"``, the losses of the summed logits of every
        non-empty subset of the outputs (EMCAD: 15 for four outputs).

    Example
    -------
    >>> count = lambda logits, target: torch.ones(())
    >>> four = [torch.zeros(1, 1, 2, 2)] * 4
    >>> [int(supervise(four, torch.zeros(1, 2, 2), count, how)) for how in ("sum", "mutation")]
    [4, 15]
    """
    losses = [loss(logits, target) for logits in _combined(stages, how)]
    return torch.stack(losses).sum()


def _combined(stages: Sequence[Tensor], how: Aggregate) -> Iterator[Tensor]:
    if how == "mutation":
        for size in range(1, len(stages) + 1):
            for chosen in combinations(stages, size):
                yield torch.stack(chosen).sum(0)
        return
    yield from stages
    if how == "additive" and len(stages) > 1:
        yield torch.stack(list(stages)).sum(0)


def supervise_aside(
    stages: Sequence[Tensor], target: Tensor, loss: DenseLoss, weight: float = 0.4
) -> Tensor:
    """Loss of the last output plus `weight` times that of each auxiliary output before it.

    Example
    -------
    >>> count = lambda logits, target: torch.ones(())
    >>> two = [torch.zeros(1, 1, 2, 2)] * 2
    >>> round(float(supervise_aside(two, torch.zeros(1, 2, 2), count)), 1)
    1.4
    """
    total = loss(stages[-1], target)
    for logits in stages[:-1]:
        total = total + weight * loss(logits, target)
    return total
