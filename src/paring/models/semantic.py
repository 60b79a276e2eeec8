"""Semantic models: encoders and decoders of segmentation_models_pytorch, with an auxiliary head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import segmentation_models_pytorch as smp
from torch import Tensor, nn

from paring.models.dense import DenseNet
from paring.models.model import ClassLayer
from paring.models.options import (
    DeepLabV3Options,
    DeepLabV3PlusOptions,
    PSPNetOptions,
    SemanticOptions,
)
from paring.models.pooling import PooledNorm, PyramidPool

_FOURTH = 4  # of the features image, stride 2, 4, 8, 16, 32: that of stride 16 unless dilated


class SemanticNet(DenseNet):
    """A model of segmentation_models_pytorch, and a head on the encoder's fourth feature.

    Parameters
    ----------
    parts : the library's model, of which encoder, decoder and last convolution are taken.
    n_classes : channels of the logits.
    aux : whether there is an auxiliary head.
    """

    def __init__(self, parts: Any, n_classes: int, *, aux: bool) -> None:
        super().__init__()
        self.encoder = parts.encoder
        self.decoder: nn.Module = parts.decoder
        self.head: nn.Module = parts.segmentation_head[0]
        self.aux = _small_head(parts.encoder.out_channels[_FOURTH], n_classes) if aux else None

    def supervised(self, images: Tensor) -> list[Tensor]:
        """Logits of the auxiliary head, if there is one, and of the main one."""
        features = self.encoder(images)
        main = [self.head(self.decoder(features))]
        return main if self.aux is None else [self.aux(features[_FOURTH]), *main]

    def final(self, images: Tensor) -> list[Tensor]:
        """Logits of the main head."""
        return [self.head(self.decoder(self.encoder(images)))]

    def heads(self) -> list[nn.Module]:
        """The main head."""
        return [self.head]

    def class_layers(self) -> list[ClassLayer]:
        """The last convolutions of both heads."""
        main = ClassLayer("net.head", rows=1, background=False)
        if self.aux is None:
            return [main]
        last = len(self.aux) - 1
        return [ClassLayer(f"net.aux.{last}", rows=1, background=False), main]


def semantic_net(
    architecture: str, encoder: str, n_classes: int, options: SemanticOptions
) -> SemanticNet:
    """A newly initialised network of the table."""
    parts = _ARCHITECTURES[architecture](encoder, n_classes, options)
    return SemanticNet(parts, n_classes, aux=options.aux)


def _deeplabv3(encoder: str, n_classes: int, options: SemanticOptions) -> Any:
    assert isinstance(options, DeepLabV3Options)
    parts = smp.DeepLabV3(
        encoder,
        encoder_weights=None,
        classes=n_classes,
        encoder_output_stride=options.output_stride,
        decoder_aspp_dropout=options.dropout,
    )
    _train_on_one_image(parts.decoder.aspp)
    return parts


def _deeplabv3plus(encoder: str, n_classes: int, options: SemanticOptions) -> Any:
    assert isinstance(options, DeepLabV3PlusOptions)
    parts = smp.DeepLabV3Plus(
        encoder,
        encoder_weights=None,
        classes=n_classes,
        encoder_output_stride=options.output_stride,
        decoder_aspp_dropout=options.dropout,
    )
    _train_on_one_image(parts.decoder.aspp[0])
    return parts


def _pspnet(encoder: str, n_classes: int, options: SemanticOptions) -> Any:
    assert isinstance(options, PSPNetOptions)
    # the library stops at stride 8 by default; the published network has all layers, dilated
    parts = smp.PSPNet(
        encoder,
        encoder_weights=None,
        encoder_depth=5,
        classes=n_classes,
        psp_dropout=options.dropout,
    )
    parts.encoder.make_dilated(options.output_stride)
    levels = parts.decoder.psp.blocks
    for place, level in enumerate(levels):
        levels[place] = PyramidPool(level.pool_size, level.pool[1])
    return parts


def _unet(encoder: str, n_classes: int, _: SemanticOptions) -> Any:
    return smp.Unet(encoder, encoder_weights=None, classes=n_classes)


def _segformer(encoder: str, n_classes: int, _: SemanticOptions) -> Any:
    return smp.Segformer(encoder, encoder_weights=None, classes=n_classes)


_ARCHITECTURES: dict[str, Callable[[str, int, SemanticOptions], Any]] = {
    "deeplabv3": _deeplabv3,
    "deeplabv3plus": _deeplabv3plus,
    "pspnet": _pspnet,
    "unet": _unet,
    "segformer": _segformer,
}


def _train_on_one_image(aspp: Any) -> None:
    """Give the branch that pools the whole image a norm that can train on a batch of one."""
    branch = aspp.convs[-1]
    places = [place for place, part in enumerate(branch) if isinstance(part, nn.BatchNorm2d)]
    for place in places:
        branch[place] = PooledNorm(branch[place].num_features)


def _small_head(channels: int, n_classes: int) -> nn.Sequential:
    """A 3x3 convolution to a quarter of the channels, and the logits."""
    inner = max(1, channels // 4)
    return nn.Sequential(
        nn.Conv2d(channels, inner, 3, padding=1, bias=False),
        nn.BatchNorm2d(inner),
        nn.ReLU(inplace=True),
        nn.Dropout(0.1),
        nn.Conv2d(inner, n_classes, 1),
    )
