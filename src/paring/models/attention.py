"""Attention that both decoders use: over channels, and over space."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Weights in (0, 1) of the channels (B, C, 1, 1).

    The average and the maximum over space each pass one bottleneck of C / ratio channels without
    bias; their sum passes a sigmoid.

    >>> ChannelAttention(32)(torch.zeros(2, 32, 3, 5)).shape
    torch.Size([2, 32, 1, 1])
    """

    def __init__(self, channels: int, ratio: int = 16) -> None:
        super().__init__()
        inner = max(1, channels // ratio)
        self.bottleneck = nn.Sequential(
            nn.Conv2d(channels, inner, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Weights of (B, C, H, W)."""
        average = features.mean(dim=(2, 3), keepdim=True)
        largest = features.amax(dim=(2, 3), keepdim=True)
        return torch.sigmoid(self.bottleneck(average) + self.bottleneck(largest))


class SpatialAttention(nn.Module):
    """Weights in (0, 1) of the places (B, 1, H, W).

    Mean and maximum over the channels pass one convolution without bias and a sigmoid. It does
    not depend on the number of channels, so one module serves all stages.

    >>> SpatialAttention()(torch.zeros(2, 32, 3, 5)).shape
    torch.Size([2, 1, 3, 5])
    """

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Weights of (B, C, H, W)."""
        average = features.mean(dim=1, keepdim=True)
        largest = features.amax(dim=1, keepdim=True)
        return torch.sigmoid(self.conv(torch.cat((average, largest), dim=1)))
