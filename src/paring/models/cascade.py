"""CASCADE: a decoder of attention gates and convolutional attention, for dense binary models.

Rahman and Marculescu, Medical Image Segmentation via Cascaded Attention Decoding, WACV 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from paring.models.attention import ChannelAttention, SpatialAttention


def _conv_norm_relu(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )


class AttentionGate(nn.Module):
    """Let a skip pass where the decoder's feature asks for it.

    alpha = sigmoid(BN(1x1(ReLU(BN(1x1(gate)) + BN(1x1(skip)))))), (B, 1, H, W), times the skip.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2d(width, inner, 1), nn.BatchNorm2d(inner))
        self.skip = nn.Sequential(nn.Conv2d(width, inner, 1), nn.BatchNorm2d(inner))
        self.weigh = nn.Sequential(nn.Conv2d(inner, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, gate: Tensor, skip: Tensor) -> Tensor:
        """The gated skip, both of shape (B, C, H, W)."""
        weight: Tensor = self.weigh(torch.relu(self.gate(gate) + self.skip(skip)))
        return weight * skip


class ConvolutionalAttention(nn.Module):
    """CAM: attention over channels, then over space, then two 3x3 convolutions.

    The spatial attention is shared by all stages, so it is handed in, not owned.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.channels = ChannelAttention(channels)
        self.convs = nn.Sequential(_conv_norm_relu(channels, width), _conv_norm_relu(width, width))

    def forward(self, features: Tensor, spatial: SpatialAttention) -> Tensor:
        """From (B, channels, H, W) to (B, width, H, W)."""
        features = self.channels(features) * features
        convolved: Tensor = self.convs(spatial(features) * features)
        return convolved


class CascadeDecoder(nn.Module):
    """From four encoder features to four decoded ones, from the deepest on.

    Parameters
    ----------
    widths : channels of the features from the deepest (stride 32) to the finest (stride 4).

    Example
    -------
    >>> decoder = CascadeDecoder((64, 48, 32, 16)).eval()
    >>> deep_to_fine = [torch.zeros(1, w, 2**k, 2**k) for k, w in enumerate((64, 48, 32, 16))]
    >>> [tuple(feature.shape) for feature in decoder(deep_to_fine)]
    [(1, 64, 1, 1), (1, 48, 2, 2), (1, 32, 4, 4), (1, 16, 8, 8)]
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        inner = (*widths[2:], 32)
        self.spatial = SpatialAttention()
        self.deepest = nn.Conv2d(widths[0], widths[0], 1)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Upsample(scale_factor=2), _conv_norm_relu(deep, fine))
            for deep, fine in pairwise(widths)
        )
        self.gates = nn.ModuleList(
            AttentionGate(width, within) for width, within in zip(widths[1:], inner, strict=True)
        )
        self.attend = nn.ModuleList(
            ConvolutionalAttention(width if stage == 0 else 2 * width, width)
            for stage, width in enumerate(widths)
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Decoded features, as many and of the same shapes as those given, deepest first."""
        decoded = [self.attend[0](self.deepest(features[0]), self.spatial)]
        for up, gate, attend, skip in zip(
            self.up, self.gates, self.attend[1:], features[1:], strict=True
        ):
            upsampled = up(decoded[-1])
            joined = torch.cat((gate(upsampled, skip), upsampled), dim=1)
            decoded.append(attend(joined, self.spatial))
        return decoded
