"""The table of encoders: what timm calls them, their widths, and their layers. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from paring.errors import InputError
from paring.models.table import suggestion


@dataclass(frozen=True)
class EncoderEntry:
    """One encoder of the table.

    Attributes
    ----------
    timm : its name in timm.
    features : which of timm's features have strides 4, 8, 16 and 32.
    widths : their channels.
    layers : the five parts of the encoder, from the image on, as beginnings of parameter names.
    """

    timm: str
    features: tuple[int, ...]
    widths: tuple[int, int, int, int]
    layers: tuple[tuple[str, ...], ...]


_RESNET_WIDTHS = (256, 512, 1024, 2048)
_RESNET_LAYERS = (("conv1.", "bn1."), ("layer1.",), ("layer2.",), ("layer3.",), ("layer4.",))

ENCODERS: dict[str, EncoderEntry] = {
    "resnet50": EncoderEntry("resnet50", (1, 2, 3, 4), _RESNET_WIDTHS, _RESNET_LAYERS),
    "resnet101": EncoderEntry("resnet101", (1, 2, 3, 4), _RESNET_WIDTHS, _RESNET_LAYERS),
    "resnext101_32x4d": EncoderEntry(
        "resnext101_32x4d", (1, 2, 3, 4), _RESNET_WIDTHS, _RESNET_LAYERS
    ),
    "mobilenet_v2": EncoderEntry(
        "mobilenetv2_100",
        (1, 2, 3, 4),
        (24, 32, 96, 320),
        (
            ("conv_stem.", "bn1.", "blocks.0."),
            ("blocks.1.",),
            ("blocks.2.",),
            ("blocks.3.", "blocks.4."),
            ("blocks.5.", "blocks.6."),
        ),
    ),
    "pvt_v2_b2": EncoderEntry(
        "pvt_v2_b2",
        (0, 1, 2, 3),
        (64, 128, 320, 512),
        (("patch_embed.",), ("stages_0.",), ("stages_1.",), ("stages_2.",), ("stages_3.",)),
    ),
}


def encoder_entry(name: str) -> EncoderEntry:
    """The table's entry of a name; `InputError` suggests the nearest of the names there are.

    >>> encoder_entry("pvt_v2_b2").widths
    (64, 128, 320, 512)
    """
    if name not in ENCODERS:
        raise InputError(f"encoder {name!r} is not known; {suggestion(name, list(ENCODERS))}")
    return ENCODERS[name]
