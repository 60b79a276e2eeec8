"""Encoders: four features of an image, at strides 4, 8, 16 and 32. They are timm's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import timm
from torch import Tensor, nn

from paring.models.encoder_table import encoder_entry
from paring.models.model import Normalised
from paring.models.weights import load_encoder_weights

STRIDES = (4, 8, 16, 32)


def feature_net(name: str) -> nn.Module:
    """The bare network of an encoder, newly initialised; it gives a list of four features."""
    entry = encoder_entry(name)
    net: nn.Module = timm.create_model(
        entry.timm, pretrained=False, features_only=True, out_indices=entry.features
    )
    return net


def feature_widths(name: str) -> tuple[int, int, int, int]:
    """Channels of an encoder's four features.

    >>> feature_widths("pvt_v2_b2")
    (64, 128, 320, 512)
    """
    return encoder_entry(name).widths


def freeze_layers(net: nn.Module, name: str, trainable: int) -> None:
    """Let only the deepest of the encoder's five layers learn; the others keep their weights."""
    frozen = tuple(part for layer in encoder_entry(name).layers[: 5 - trainable] for part in layer)
    for key, parameter in net.named_parameters():
        if key.startswith(frozen):
            parameter.requires_grad_(False)


class Encoder(Normalised):
    """An encoder that normalises images itself.

    Attributes
    ----------
    name : its name in the table.
    widths, strides : channels and strides of the four features.
    mean, std : buffers (3,).
    """

    def __init__(
        self, name: str, *, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        super().__init__(mean, std)
        self.name = name
        self.widths = feature_widths(name)
        self.strides = STRIDES
        self.net = feature_net(name)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features (B, widths[k], ~H / strides[k], ~W / strides[k]) of images (B, 3, H, W)."""
        features: list[Tensor] = self.net(self.normalised(images))
        return features


def build_encoder(
    name: str,
    *,
    weights: str | Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> Encoder:
    """Build an encoder that gives four features of an image.

    Parameters
    ----------
    name : ``"resnet50"``, ``"resnet101"``, ``"resnext101_32x4d"``, ``"mobilenet_v2"`` or
        ``"pvt_v2_b2"``.
    weights : None leaves it as torch's generator makes it; a path, see
        `paring.models.weights`; or ``"hub"`` for those that timm downloads.
    mean, std : how images in [0, 1] are normalised; None is ImageNet's.

    Raises
    ------
    InputError
        For a name that is not known, and for weights that do not fit.

    Example
    -------
    >>> import torch
    >>> encoder = build_encoder("mobilenet_v2").eval()
    >>> encoder.widths, [tuple(f.shape[2:]) for f in encoder(torch.zeros(1, 3, 64, 96))]
    ((24, 32, 96, 320), [(16, 24), (8, 12), (4, 6), (2, 3)])
    """
    encoder = Encoder(name, mean=mean, std=std)
    if weights is not None:
        load_encoder_weights(encoder.net, name, weights)
    return encoder
