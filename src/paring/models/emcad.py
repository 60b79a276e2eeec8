"""EMCAD: a light decoder of multi-scale depthwise convolutions, for dense binary models.

Rahman, Munir and Marculescu, EMCAD: Efficient Multi-scale Convolutional Attention Decoding for
Medical Image Segmentation, CVPR 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import gcd

import torch
from torch import Tensor, nn

from paring.models.attention import ChannelAttention, SpatialAttention

KERNELS = (1, 3, 5)


def shuffled(features: Tensor, groups: int) -> Tensor:
    """Deal channels out over groups, so that each group gets some of every other.

    >>> shuffled(torch.arange(6).view(1, 6, 1, 1), 2).flatten().tolist()
    [0, 3, 1, 4, 2, 5]
    """
    batch, channels, height, width = features.shape
    dealt = features.view(batch, groups, channels // groups, height, width).transpose(1, 2)
    return dealt.reshape(batch, channels, height, width)


def _conv_norm(channels: int, width: int, kernel: int, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(width)]


class MultiScaleBlock(nn.Module):
    """Widen, look at three scales, deal the channels out, narrow, and add to what came in."""

    def __init__(self, width: int, expansion: int = 2) -> None:
        super().__init__()
        inner = width * expansion
        self.groups = gcd(inner, width)
        self.widen = nn.Sequential(*_conv_norm(width, inner, 1), nn.ReLU6(inplace=True))
        self.scales = nn.ModuleList(
            nn.Sequential(*_conv_norm(inner, inner, kernel, inner), nn.ReLU6(inplace=True))
            for kernel in KERNELS
        )
        self.narrow = nn.Sequential(*_conv_norm(inner, width, 1))

    def forward(self, features: Tensor) -> Tensor:
        """From (B, C, H, W) to the same shape."""
        wide = self.widen(features)
        seen = self.scales[0](wide)
        for scale in self.scales[1:]:
            seen = seen + scale(wide)
        narrow: Tensor = self.narrow(shuffled(seen, self.groups))
        return features + narrow


class MultiScaleAttention(nn.Module):
    """MSCAM: attention over channels, then over space, then the multi-scale block.

    The spatial attention is shared by all stages, so it is handed in, not owned.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.channels = ChannelAttention(width)
        self.block = MultiScaleBlock(width)

    def forward(self, features: Tensor, spatial: SpatialAttention) -> Tensor:
        """From (B, C, H, W) to the same shape."""
        features = self.channels(features) * features
        attended: Tensor = self.block(spatial(features) * features)
        return attended


class UpConvolution(nn.Module):
    """Twice the size: nearest, a depthwise 3x3 convolution, 1x1.

    The paper shuffles the channels before the 1x1, in as many groups as there are channels; that
    leaves their order as it is, so nothing is done here.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.deepen = nn.Sequential(
            nn.Upsample(scale_factor=2),
            *_conv_norm(channels, channels, 3, channels),
            nn.ReLU(inplace=True),
        )
        self.project = nn.Conv2d(channels, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        """From (B, channels, H, W) to (B, width, 2 H, 2 W)."""
        projected: Tensor = self.project(self.deepen(features))
        return projected


class GroupedGate(nn.Module):
    """Large-kernel gate: 3x3 grouped convolutions weigh a skip by the decoder's feature."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 2
        self.gate = self._grouped(width, inner)
        self.skip = self._grouped(width, inner)
        self.weigh = nn.Sequential(nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    @staticmethod
    def _grouped(width: int, inner: int) -> nn.Sequential:
        conv = nn.Conv2d(width, inner, 3, padding=1, groups=inner)
        return nn.Sequential(conv, nn.BatchNorm2d(inner))

    def forward(self, gate: Tensor, skip: Tensor) -> Tensor:
        """The gated skip, both of shape (B, C, H, W)."""
        weight: Tensor = self.weigh(torch.relu(self.gate(gate) + self.skip(skip)))
        return weight * skip


class EmcadDecoder(nn.Module):
    """From four encoder features to four decoded ones, from the deepest on.

    Parameters
    ----------
    widths : channels of the features from the deepest (stride 32) to the finest (stride 4); even.

    Example
    -------
    >>> decoder = EmcadDecoder((64, 48, 32, 16)).eval()
    >>> deep_to_fine = [torch.zeros(1, w, 2**k, 2**k) for k, w in enumerate((64, 48, 32, 16))]
    >>> [tuple(feature.shape) for feature in decoder(deep_to_fine)]
    [(1, 64, 1, 1), (1, 48, 2, 2), (1, 32, 4, 4), (1, 16, 8, 8)]
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.spatial = SpatialAttention()
        self.up = nn.ModuleList(UpConvolution(deep, fine) for deep, fine in pairwise(widths))
        self.gates = nn.ModuleList(GroupedGate(width) for width in widths[1:])
        self.attend = nn.ModuleList(MultiScaleAttention(width) for width in widths)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Decoded features, as many and of the same shapes as those given, deepest first."""
        decoded = [self.attend[0](features[0], self.spatial)]
        for up, gate, attend, skip in zip(
            self.up, self.gates, self.attend[1:], features[1:], strict=True
        ):
            upsampled = up(decoded[-1])
            decoded.append(attend(upsampled + gate(upsampled, skip), self.spatial))
        return decoded
