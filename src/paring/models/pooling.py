"""Pooled branches of semantic decoders, so that any batch trains and any size is exported."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class PooledNorm(nn.BatchNorm2d):
    """Batch norm of maps pooled to one pixel.

    A batch of one image has one value per channel, which has no variance: then, in training too,
    it normalises by the running statistics and leaves them as they are. Otherwise it is batch
    norm.

    >>> PooledNorm(2).train()(torch.ones(1, 2, 1, 1)).flatten().tolist()
    [0.99..., 0.99...]
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        if features.shape[0] * features.shape[2] * features.shape[3] > 1:
            return super().forward(features)
        return functional.batch_norm(
            features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class PyramidPool(nn.Module):
    """One level of pyramid pooling: average into bins x bins, 1x1 convolution, back to the size.

    The averages are two products of matrices, bins that share pixels included, so that the level
    can be exported at sizes which the bins do not divide.

    Parameters
    ----------
    bins : bins along each side.
    project : what follows the averages, from (B, C, bins, bins) to (B, C', bins, bins).
    """

    def __init__(self, bins: int, project: nn.Module) -> None:
        super().__init__()
        self.bins = bins
        self.project = project

    def forward(self, features: Tensor) -> Tensor:
        """From (B, C, H, W) to (B, C', H, W)."""
        size = [int(side) for side in features.shape[-2:]]
        rows = averages(size[0], self.bins).to(features)
        columns = averages(size[1], self.bins).to(features)
        pooled = self.project(rows @ features @ columns.T)
        return functional.interpolate(pooled, size=size, mode="bilinear", align_corners=True)


def averages(length: int, bins: int) -> Tensor:
    """Weights (bins, length) that average a line into bins, as adaptive pooling does.

    Bin k covers the places from floor(k length / bins) to ceil((k + 1) length / bins).

    >>> averages(5, 2)
    tensor([[0.3333, 0.3333, 0.3333, 0.0000, 0.0000],
            [0.0000, 0.0000, 0.3333, 0.3333, 0.3333]])
    """
    weights = torch.zeros(bins, length)
    for k in range(bins):
        first, end = k * length // bins, -(-(k + 1) * length // bins)
        weights[k, first:end] = 1 / (end - first)
    return weights
