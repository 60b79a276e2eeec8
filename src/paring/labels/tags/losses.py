"""Losses of the network of CIM: Eqs. 3, 7 and 8, and what the authors' code adds to them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST = 1e-6  # probabilities stay that far from 0 and 1, as in the authors' code


def _clamped(values: Tensor) -> Tensor:
    return values.clamp(_LEAST, 1 - _LEAST)


def image_loss(classes: Tensor, detection: Tensor, present: Tensor) -> Tensor:
    """Binary cross-entropy of the tags (first term of Eq. 7).

    Parameters
    ----------
    classes, detection : (n, c + 1) of the anti-noise branch; their product, summed over the
        proposals, is the image's score of each class.
    present : (c + 1,), 1 for the background and the classes of the tags.
    """
    score = _clamped((classes * detection).sum(dim=0))
    return -torch.where(present > 0, score.log(), (1 - score).log()).mean()


def cluster_loss(classes: Tensor, labels: Tensor, clusters: Tensor, *, negatives: bool) -> Tensor:
    """Loss of proposal clusters (second term of Eq. 7, without alpha).

    -1 / (N_fg + N_bg) sum over clusters of M log(mean probability of the cluster's class in it),
    M its number of proposals. With `negatives` the probabilities of all other classes are held
    down too, as in the authors' code.

    Parameters
    ----------
    classes : (n, c + 1) probabilities.
    labels, clusters : int64 (n,), -1 for proposals that are left out.
    """
    kept = clusters >= 0
    if not bool(kept.any()):
        return classes.sum() * 0
    names, place = torch.unique(clusters[kept], return_inverse=True)
    sizes = torch.bincount(place, minlength=len(names)).to(classes.dtype)
    total = classes.new_zeros((len(names), classes.shape[1])).index_add(0, place, classes[kept])
    mean = _clamped(total / sizes[:, None])
    label = labels.new_zeros(len(names)).scatter(0, place, labels[kept])
    own = mean.gather(1, label[:, None])[:, 0]
    loss = -(sizes * own.log()).sum()
    if negatives:
        others = (1 - mean).log().scatter(1, label[:, None], 0.0)
        loss = loss - (sizes[:, None] * others).sum()
    return loss / kept.sum()


def class_loss(refined: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropy of the labelled proposals (first term of Eq. 3).

    Parameters
    ----------
    refined : (n, c + 1) probabilities.
    labels : int64 (n,), -1 for ignored proposals.
    weights : (n,).
    """
    kept = labels >= 0
    if not bool(kept.any()):
        return refined.sum() * 0
    own = _clamped(refined[kept].gather(1, labels[kept, None])[:, 0])
    return -(weights[kept] * own.log()).sum() / kept.sum()


def integrity_loss(integrity: Tensor, labels: Tensor, complete: Tensor, weights: Tensor) -> Tensor:
    """Weighted smooth L1 of the integrity of foreground proposals (second term of Eq. 3).

    Parameters
    ----------
    integrity : (n, c + 1), of which the column of the proposal's class counts.
    labels : int64 (n,), from 1 on for the foreground.
    complete : (n,), 1 for complete instances, 0 for parts.
    weights : (n,).
    """
    kept = labels > 0
    if not bool(kept.any()):
        return integrity.sum() * 0
    own = integrity[kept].gather(1, labels[kept, None])[:, 0]
    each = F.smooth_l1_loss(own, complete[kept].to(own.dtype), reduction="none")
    return (weights[kept] * each).sum() / kept.sum()


def bag_loss(scores: Tensor, labels: Tensor, weights: Tensor, present: Tensor) -> Tensor:
    """Binary cross-entropy of the best proposal of each class; the authors' code alone has it.

    A class that proposals are labelled with has the largest score among those for its
    probability, and that proposal's weight for its weight; a class that the image does not show
    has the largest of all. A class of the tags that no proposal is labelled with does not count.

    Parameters
    ----------
    scores : (n, c + 1), score times integrity.
    labels : int64 (n,).
    weights : (n,).
    present : (c + 1,), 1 for the background and the classes of the tags.
    """
    terms = scores.new_zeros(scores.shape[1])
    mine = labels[:, None] == torch.arange(scores.shape[1], device=scores.device)
    held = mine.any(dim=0)
    best, place = scores.masked_fill(~mine, -1.0).max(dim=0)
    terms = torch.where(held, -_clamped(best).log() * weights[place].to(scores.dtype), terms)
    absent = (present == 0) & ~held
    worst = _clamped(scores.max(dim=0).values)
    return torch.where(absent, -(1 - worst).log(), terms).mean()
