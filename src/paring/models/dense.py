"""`DenseModel`: one answer per pixel, for images of any size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from paring.models.model import ClassLayer, Model
from paring.models.table import Task

MULTIPLE = 32
LEAST = 64  # at 32 pixels the deepest map is one pixel, of which batch norm has no variance


class DenseNet(nn.Module, ABC):
    """What is inside a dense model: it takes normalised images whose sides are multiples of 32."""

    encoder: nn.Module

    @abstractmethod
    def supervised(self, images: Tensor) -> list[Tensor]:
        """Logits of every supervised output (B, C, h, w) in sizes of their own, main one last."""

    @abstractmethod
    def final(self, images: Tensor) -> list[Tensor]:
        """Logits whose sum, each upsampled to the image, is the answer."""

    @abstractmethod
    def heads(self) -> list[nn.Module]:
        """The layers that give the final logits."""

    @abstractmethod
    def class_layers(self) -> list[ClassLayer]:
        """Layers whose rows belong to classes."""


class DenseModel(Model):
    """A semantic or binary model.

    Inside, images are padded to the right and below to multiples of 32, of 64 pixels at least, by
    their mean colour; logits are upsampled bilinearly and cut to the image.
    """

    def __init__(
        self,
        net: DenseNet,
        name: str,
        task: Task,
        classes: Sequence[str],
        options: Mapping[str, Any],
        *,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
    ) -> None:
        super().__init__(name, task, classes, options, mean=mean, std=std)
        self.net = net

    @property
    def encoder(self) -> nn.Module:
        """The part that pretrained weights are for."""
        return self.net.encoder

    def forward(self, images: Tensor) -> Tensor:
        """Final logits (B, C, H, W) of images (B, 3, H, W)."""
        padded = self._padded(images)
        final = [self._at_image(logits, images, padded) for logits in self.net.final(padded)]
        return final[0] if len(final) == 1 else torch.stack(final).sum(dim=0)

    def stages(self, images: Tensor) -> list[Tensor]:
        """Logits (B, C, H, W) of every supervised output.

        Semantic: [auxiliary, main], or [main]. Binary: [d4, d3, d2, d1], the finest last; with
        the option output="sum" the final logits are the sum of the four.
        """
        padded = self._padded(images)
        return [self._at_image(logits, images, padded) for logits in self.net.supervised(padded)]

    def heads(self) -> list[nn.Module]:
        """The last convolutions, which give the final logits."""
        return self.net.heads()

    def class_layers(self) -> list[ClassLayer]:
        """The layers whose rows belong to classes."""
        return self.net.class_layers()

    def _padded(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        right, below = _padding(width), _padding(height)
        normal = self.normalised(images)
        return functional.pad(normal, (0, right, 0, below)) if right or below else normal

    @staticmethod
    def _at_image(logits: Tensor, images: Tensor, padded: Tensor) -> Tensor:
        """Logits in the size of the image."""
        height, width = images.shape[-2:]
        size = [int(side) for side in padded.shape[-2:]]
        return functional.interpolate(logits, size=size, mode="bilinear")[..., :height, :width]


def _padding(side: int) -> int:
    """How many pixels a side lacks to a multiple of 32 that is 64 at least.

    >>> [_padding(side) for side in (1, 32, 64, 65, 96)]
    [63, 32, 0, 31, 0]
    """
    return max(LEAST, -(-int(side) // MULTIPLE) * MULTIPLE) - int(side)
