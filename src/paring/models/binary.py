"""CASCADE and EMCAD: an encoder, one of the two decoders, and a 1x1 head at each of four stages."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from paring.models.cascade import CascadeDecoder
from paring.models.dense import DenseNet
from paring.models.emcad import EmcadDecoder
from paring.models.encoders import feature_net, feature_widths
from paring.models.model import ClassLayer

DECODERS: dict[str, type[CascadeDecoder] | type[EmcadDecoder]] = {
    "cascade": CascadeDecoder,
    "emcad": EmcadDecoder,
}


class BinaryNet(DenseNet):
    """Four outputs d4 (stride 32) to d1 (stride 4).

    Parameters
    ----------
    architecture : ``"cascade"`` or ``"emcad"``.
    encoder : name of the encoder.
    output : the answer is d1 (``"last"``), or the sum of the four (``"sum"``).
    """

    def __init__(self, architecture: str, encoder: str, output: Literal["last", "sum"]) -> None:
        super().__init__()
        self.output = output
        self.encoder = feature_net(encoder)
        widths = feature_widths(encoder)[::-1]
        self.decoder = DECODERS[architecture](widths)
        self.stage_heads = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in widths)

    def supervised(self, images: Tensor) -> list[Tensor]:
        """Logits d4, d3, d2, d1."""
        decoded = self._decoded(images)
        return [head(part) for head, part in zip(self.stage_heads, decoded, strict=True)]

    def final(self, images: Tensor) -> list[Tensor]:
        """Logits d1, or all four."""
        if self.output == "sum":
            return self.supervised(images)
        return [self.stage_heads[-1](self._decoded(images)[-1])]

    def heads(self) -> list[nn.Module]:
        """The head of d1, or all four."""
        return list(self.stage_heads) if self.output == "sum" else [self.stage_heads[-1]]

    def class_layers(self) -> list[ClassLayer]:
        """The four heads; each has the one row of the one class."""
        return [
            ClassLayer(f"net.stage_heads.{stage}", rows=1, background=False)
            for stage in range(len(self.stage_heads))
        ]

    def _decoded(self, images: Tensor) -> list[Tensor]:
        features: list[Tensor] = self.encoder(images)
        decoded: list[Tensor] = self.decoder(features[::-1])
        return decoded
