"""Losses of learning masks from coarse masks alone: Eqs. 5 to 10 of Exemplar-FreeSOLO.

A coarse mask is right about the box of a thing and rough about its outline. So a predicted mask is
held to the coarse one's projections, and to colours: neighbours of like colour are alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST = 1.0e-5  # in the denominator of Dice, as FreeSOLO has it
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def max_projection_loss(masks: Tensor, coarse: Tensor) -> Tensor:
    """Dice loss of the largest value of each row and of each column, meant over the masks.

    It is 0 where the tight boxes agree and the mask reaches 1 in each row and column of its box.

    Parameters
    ----------
    masks : (n, H, W) probabilities.
    coarse : (n, H, W), 0 or 1.

    Example
    -------
    >>> cross = torch.tensor([[[0.0, 1, 0], [1, 1, 1], [0, 1, 0]]])
    >>> round(float(max_projection_loss(cross, torch.ones(1, 3, 3))), 4)
    0.0
    """
    pairs = [(masks.amax(dim=axis), coarse.amax(dim=axis)) for axis in (1, 2)]
    return _dice(*pairs[0]) + _dice(*pairs[1])


def average_projection_loss(masks: Tensor, coarse: Tensor) -> Tensor:
    """The same of the mean of each row and column: how full they are counts as well."""
    pairs = [(masks.mean(dim=axis), coarse.to(masks.dtype).mean(dim=axis)) for axis in (1, 2)]
    return _dice(*pairs[0]) + _dice(*pairs[1])


def _dice(one: Tensor, other: Tensor) -> Tensor:
    """1 - 2 sum(a b) / (sum(a^2) + sum(b^2)) of each row (n, k), meant over the rows."""
    if not len(one):
        return one.sum()
    other = other.to(one.dtype)
    shared = 2 * (one * other).sum(dim=1)
    both = (one**2).sum(dim=1) + (other**2).sum(dim=1) + _LEAST
    return (1 - shared / both).mean()


def colour_likeness(lab: Tensor, *, dilation: int = 2) -> Tensor:
    """How alike in colour each pixel is to its eight neighbours at a distance, (8, H, W).

    exp(-|difference| / 2) of CIE Lab; 0 where the neighbour lies outside (BoxInst, section 3.2).

    Parameters
    ----------
    lab : (3, H, W), in units in which 2 is a large difference.
    dilation : distance in pixels.
    """
    likeness = torch.exp(-(shifted(lab, dilation) - lab[None]).norm(dim=1) / 2)
    return likeness * shifted(torch.ones_like(lab[:1]), dilation)[:, 0]


def shifted(values: Tensor, distance: int) -> Tensor:
    """Values (c, H, W) of the eight neighbours at a distance (8, c, H, W); 0 outside.

    >>> shifted(torch.arange(4.0).reshape(1, 1, 4), 1)[4, 0, 0].tolist()
    [1.0, 2.0, 3.0, 0.0]
    """
    high, wide = values.shape[1:]
    padded = F.pad(values, (distance,) * 4)
    parts = [
        padded[
            :,
            distance * (1 + y) : distance * (1 + y) + high,
            distance * (1 + x) : distance * (1 + x) + wide,
        ]
        for y, x in _NEIGHBOURS
    ]
    return torch.stack(parts)


def pairwise_loss(
    logits: Tensor,
    likeness: Tensor,
    inside: Tensor,
    *,
    least: float = 0.3,
    dilation: int = 2,
) -> Tensor:
    """Neighbours of like colour belong together, to the thing or to what is around it.

    -log(p q + (1 - p)(1 - q)), meant over pairs whose likeness is at least `least` and whose pixel
    lies in the box of the coarse mask (BoxInst, Eq. 9 there).

    Parameters
    ----------
    logits : (n, H, W).
    likeness : (8, H, W), see `colour_likeness`, at the same dilation.
    inside : (n, H, W), 1 in the box of each mask.
    """
    total, number = pairwise_terms(logits, likeness, inside, least=least, dilation=dilation)
    return total / number.clamp(min=1)


def pairwise_terms(
    logits: Tensor, likeness: Tensor, inside: Tensor, *, least: float = 0.3, dilation: int = 2
) -> tuple[Tensor, Tensor]:
    """Sum of -log(p q + (1 - p)(1 - q)) over the pairs that count, and their number.

    So that the mean can be taken over several images; see `pairwise_loss`.
    """
    if not len(logits):
        return logits.sum(), inside.sum()
    on, off = F.logsigmoid(logits), F.logsigmoid(-logits)
    together = torch.logaddexp(
        on[None] + shifted(on, dilation), off[None] + shifted(off, dilation)
    )  # (8, n, H, W); what is outside has no likeness
    counted = (likeness >= least)[:, None] & (inside > 0)[None]
    return -(together * counted).sum(), counted.sum()


def warmed_up(step: int, steps: int) -> float:
    """Factor of the pairwise loss at a step: it grows from 0 to 1 in so many steps.

    >>> warmed_up(250, 1000), warmed_up(5000, 1000), warmed_up(0, 0)
    (0.25, 1.0, 1.0)
    """
    return min(step / steps, 1.0) if steps else 1.0


def semantic_loss(embeddings: Tensor, given: Tensor) -> Tensor:
    """Negative cosine of predicted embeddings (n, d) and those of the coarse masks, meant."""
    if not len(embeddings):
        return embeddings.sum()
    return -F.cosine_similarity(embeddings, given, dim=1).mean()


HEARD = 1.0e-6
"""Loss of an image under which its gradient is lost beside those of the other losses."""


@dataclass(frozen=True)
class Contrast:
    """The contrastive loss of some images, and how many of them it says something about.

    Attributes
    ----------
    loss : the sum over the images (Eq. 5).
    active : images whose loss is above `HEARD`; those without a positive or a negative exemplar
        have none.
    """

    loss: Tensor
    active: int


def exemplar_contrast(
    embeddings: Tensor,
    pool: Tensor,
    *,
    alpha: float = 0.5,
    beta: float = 0.2,
    tau: float = 0.25,
    generator: torch.Generator | None = None,
) -> Contrast:
    """Contrast of images with exemplars (Eqs. 3 to 7), on unit vectors.

    Of the exemplars whose cosine with an image is above `alpha`, one is drawn for its positive;
    all below `beta` are its negatives. Its loss is -log(p / (p + n)), p = exp(cosine / tau) of the
    positive and n the mean of the same over the negatives, by their logarithms: exp(1 / 0.02) is
    not a number of 32 bits. Without a positive or a negative it is 0; see `largest_contrast` for
    the most that it can be.

    Parameters
    ----------
    embeddings : (n, d) of images.
    pool : (k, d) of exemplars, which get no gradient.
    generator : decides the draws.

    Example
    -------
    >>> pool = torch.eye(2)
    >>> found = exemplar_contrast(torch.tensor([[1.0, 0.0], [1.0, 1.0]]), pool)
    >>> found.active, round(float(found.loss), 4)  # the second is far from neither
    (1, 0.0181)
    """
    ones = F.normalize(embeddings, dim=1)
    cosine = ones @ F.normalize(pool.detach(), dim=1).T if len(pool) else ones[:, :0]
    positive, negative = cosine > alpha, cosine < beta
    active = (
        positive.any(dim=1) & negative.any(dim=1)
        if len(pool)
        else torch.zeros(len(ones), dtype=torch.bool, device=ones.device)
    )
    if not bool(active.any()):
        return Contrast(embeddings.sum() * 0, 0)
    cosine, positive, negative = cosine[active], positive[active], negative[active]
    drawn = torch.multinomial(positive.float(), 1, generator=generator)
    log_p = cosine.gather(1, drawn)[:, 0] / tau
    log_n = (cosine / tau).masked_fill(~negative, -torch.inf).logsumexp(dim=1)
    log_n = log_n - negative.sum(dim=1).to(log_n.dtype).log()
    losses = F.softplus(log_n - log_p)
    return Contrast(losses.sum(), int((losses > HEARD).sum()))


def largest_contrast(*, alpha: float, beta: float, tau: float) -> float:
    """The most that the contrast of one image can be, log(1 + exp(-(alpha - beta) / tau)).

    It is reached where the positive is at `alpha` and all negatives are at `beta`. With unit
    vectors and the published constants it is nothing. The pull on such pairs is greatest where
    tau is (alpha - beta) / 1.28, about 0.4 for the published alpha and beta.

    >>> f"{largest_contrast(alpha=0.8, beta=0.3, tau=0.02):.1g}"
    '1e-11'
    >>> round(largest_contrast(alpha=0.8, beta=0.3, tau=0.4), 2)
    0.25
    """
    gap = (alpha - beta) / tau
    return math.log1p(math.exp(-gap)) if gap > 0 else math.log1p(math.exp(gap)) - gap
