"""What a model says on each cell of the truth: margin, entropy and EL2N."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Cells:
    """Numbers of each cell (cells,), float32.

    Attributes
    ----------
    margin : assigned logit minus the largest other logit; positive where the model is right.
    entropy : of the predicted distribution, in nats.
    el2n : length of the difference between the predicted and the one-hot distribution.
    """

    margin: Tensor
    entropy: Tensor
    el2n: Tensor


def sigmoid_cells(logits: Tensor, truth: Tensor) -> Cells:
    """Cells (n,) of a model with one logit z a cell, truth 0 or 1.

    The two classes have the logits 0 and z: the margin is z where the truth is 1 and -z where it
    is 0, and EL2N is sqrt(2) times the distance of the truth from p = sigmoid(z).

    Example
    -------
    >>> cells = sigmoid_cells(torch.tensor([0.0, 2.0]), torch.tensor([1, 0]))
    >>> [round(float(v), 4) for v in cells.margin + 0.0], round(float(cells.entropy[0]), 4)
    ([0.0, -2.0], 0.6931)
    """
    z = logits.float()
    sign = torch.where(truth.bool(), 1.0, -1.0)
    p = z.sigmoid()
    entropy = F.softplus(z) - z * p
    return Cells(z * sign, entropy, math.sqrt(2) * (p - truth.float()).abs())


def softmax_cells(logits: Tensor, truth: Tensor) -> Cells:
    """Cells (n,) of a model with logits (n, C), truth the class index (n,).

    Example
    -------
    >>> cells = softmax_cells(torch.tensor([[3.0, 1.0, 0.0]]), torch.tensor([1]))
    >>> float(cells.margin[0])
    -2.0
    """
    z = logits.float()
    assigned = z.gather(1, truth[:, None]).squeeze(1)
    others = z.scatter(1, truth[:, None], -torch.inf)
    log_p = z.log_softmax(1)
    p = log_p.exp()
    one_hot = F.one_hot(truth, z.shape[1]).float()
    return Cells(
        assigned - others.amax(1), -(p * log_p).sum(1), torch.linalg.vector_norm(p - one_hot, dim=1)
    )
