"""Five features of one width from an encoder's four (FPN), and images in one batch."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from paring.models.dense import LEAST
from paring.models.encoders import feature_net, feature_widths

LEVELS = 5  # four of the encoder, and one pooled from the deepest


class Pyramid(nn.Module):
    """Five features of one width, at strides 4 to 64.

    Parameters
    ----------
    encoder : name of the encoder.
    channels : width of the features.
    """

    def __init__(self, encoder: str, channels: int) -> None:
        super().__init__()
        self.out_channels = channels
        self.body = feature_net(encoder)
        self.fpn = FeaturePyramidNetwork(
            list(feature_widths(encoder)), channels, extra_blocks=LastLevelMaxPool()
        )

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Features by the names "0" to "3" and "pool"."""
        features = OrderedDict((str(k), part) for k, part in enumerate(self.body(images)))
        levels: dict[str, Tensor] = self.fpn(features)
        return levels


class Unresized(GeneralizedRCNNTransform):  # type: ignore[misc]
    """Images go in batches as they are: neither resized nor normalised, padded with zeros."""

    def __init__(self) -> None:
        super().__init__(1, 1, [0.0] * 3, [1.0] * 3)

    def resize(
        self, image: Tensor, target: dict[str, Tensor] | None = None
    ) -> tuple[Tensor, dict[str, Tensor] | None]:
        """Leave image and target as they are."""
        return image, target

    def batch_images(self, images: list[Tensor], size_divisible: int = 32) -> Tensor:
        """Stack images (3, H, W) of several sizes, padded right and below, to 64 at least."""
        batch: Tensor = super().batch_images(images, size_divisible)
        height, width = batch.shape[-2:]
        return functional.pad(batch, (0, max(0, LEAST - width), 0, max(0, LEAST - height)))
