"""`InstanceModel`: what all models of instances share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from timm.layers import freeze_batch_norm_2d  # type: ignore[attr-defined]
from torch import Tensor

from paring.models.encoders import freeze_layers
from paring.models.model import Model
from paring.models.options import LearningOptions


class InstanceModel(Model):
    """A model of instances; images are never resized, that is left to who makes them.

    Parameters
    ----------
    encoder : name of the encoder.
    options : how much of it learns; all options are in `as_given`.
    mean, std : as in `Model`.

    Label 0 is background, label k + 1 is classes[k].
    """

    def __init__(
        self,
        encoder: str,
        name: str,
        classes: Sequence[str],
        options: LearningOptions,
        as_given: Mapping[str, Any],
        *,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
    ) -> None:
        super().__init__(name, "instance", classes, as_given, mean=mean, std=std)
        self._encoder_name = encoder
        self._trainable_layers = options.trainable_layers
        self._frozen_norm = options.frozen_norm

    def freeze(self) -> None:
        """Freeze what the options say; the weights are to be in place."""
        freeze_layers(self.encoder, self._encoder_name, self._trainable_layers)
        if self._frozen_norm:
            freeze_batch_norm_2d(self.encoder)  # type: ignore[no-untyped-call]

    @abstractmethod
    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        """Losses in training, else what is found.

        Parameters
        ----------
        images : each (3, H, W), sizes may differ.
        targets : in training: boxes (n, 4) in pixels as x0, y0, x1, y1, labels (n,) from 1 on,
            masks (n, H, W).

        Returns
        -------
        dict of losses in training; else per image a dict of boxes (n, 4), labels (n,),
        scores (n,) and masks (n, 1, H, W) in [0, 1].
        """

    @abstractmethod
    def mask_logits(
        self, images: list[Tensor], boxes: list[Tensor], labels: list[Tensor]
    ) -> list[Tensor]:
        """What the model says of the masks on given boxes for given labels, in evaluation mode.

        Parameters
        ----------
        images : each (3, H, W).
        boxes, labels : per image (n_i, 4) in pixels and (n_i,) from 1 on.

        Returns
        -------
        per image logits (n_i, 28, 28).
        """
