"""`InstanceModel`: torchvision's Mask R-CNN upon an encoder with a feature pyramid."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from timm.layers import freeze_batch_norm_2d  # type: ignore[attr-defined]
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import AnchorGenerator
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from paring.models.dense import LEAST
from paring.models.encoders import STRIDES, feature_net, feature_widths, freeze_layers
from paring.models.model import ClassLayer, Model
from paring.models.options import InstanceOptions

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


def _settle_scales(pool: nn.Module) -> None:
    """Let a pooling of regions take strides 4 to 32 for those of its features, once for all.

    It guesses them from the first batch it sees and keeps them; an odd size that is padded a lot
    makes it guess wrongly, and then all later answers would depend on that first image.
    """
    sides = [LEAST // stride for stride in STRIDES]
    exact = {str(k): torch.zeros(1, 1, side, side) for k, side in enumerate(sides)}
    pool(exact, [torch.zeros(0, 4)], [(LEAST, LEAST)])


def _heads(n_classes: int, options: InstanceOptions) -> dict[str, nn.Module]:
    """The layers behind the two poolings, torchvision's own in the widths of the options."""
    pooled, box, mask = 7, options.box_width, options.mask_width
    return {
        "box_head": TwoMLPHead(options.fpn_channels * pooled**2, box),
        "box_predictor": FastRCNNPredictor(box, n_classes),
        "mask_head": MaskRCNNHeads(options.fpn_channels, (mask,) * 4, 1),
        "mask_predictor": MaskRCNNPredictor(mask, mask, n_classes),
    }


class InstanceModel(Model):
    """Mask R-CNN; images are never resized, that is left to who makes them.

    Parameters
    ----------
    encoder : name of the encoder.
    options : see `InstanceOptions`.
    mean, std : as in `Model`.

    Label 0 is background, label k + 1 is classes[k].
    """

    def __init__(
        self,
        encoder: str,
        name: str,
        classes: Sequence[str],
        options: InstanceOptions,
        as_given: Mapping[str, Any],
        *,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
    ) -> None:
        super().__init__(name, "instance", classes, as_given, mean=mean, std=std)
        self._encoder_name = encoder
        self._trainable_layers = options.trainable_layers
        self._frozen_norm = options.frozen_norm
        sizes = tuple(tuple(level) for level in options.anchor_sizes)
        self.rcnn = MaskRCNN(
            Pyramid(encoder, options.fpn_channels),
            rpn_anchor_generator=AnchorGenerator(
                sizes, (tuple(options.aspect_ratios),) * len(sizes)
            ),
            rpn_batch_size_per_image=options.anchors_per_image,
            rpn_pre_nms_top_n_train=options.proposals_in_training,
            rpn_post_nms_top_n_train=options.proposals_in_training,
            rpn_pre_nms_top_n_test=options.proposals,
            rpn_post_nms_top_n_test=options.proposals,
            box_batch_size_per_image=options.rois_per_image,
            box_detections_per_img=options.detections,
            box_score_thresh=options.score_threshold,
            box_nms_thresh=options.nms,
            **_heads(len(classes) + 1, options),
        )
        self.rcnn.transform = Unresized()
        _settle_scales(self.rcnn.roi_heads.box_roi_pool)
        _settle_scales(self.rcnn.roi_heads.mask_roi_pool)

    @property
    def encoder(self) -> nn.Module:
        """The part that pretrained weights are for."""
        body: nn.Module = self.rcnn.backbone.body
        return body

    def freeze(self) -> None:
        """Freeze what the options say; the weights are to be in place."""
        freeze_layers(self.encoder, self._encoder_name, self._trainable_layers)
        if self._frozen_norm:
            freeze_batch_norm_2d(self.encoder)  # type: ignore[no-untyped-call]

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        """As torchvision's Mask R-CNN.

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
        return self.rcnn([self.normalised(image) for image in images], targets)

    def mask_logits(
        self, images: list[Tensor], boxes: list[Tensor], labels: list[Tensor]
    ) -> list[Tensor]:
        """What the mask head says on given boxes for given labels, in evaluation mode.

        Parameters
        ----------
        images : each (3, H, W).
        boxes, labels : per image (n_i, 4) in pixels and (n_i,) from 1 on.

        Returns
        -------
        per image logits (n_i, 28, 28).
        """
        batch, _ = self.rcnn.transform([self.normalised(image) for image in images])
        features = self.rcnn.backbone(batch.tensors)
        heads = self.rcnn.roi_heads
        pooled = heads.mask_roi_pool(features, boxes, batch.image_sizes)
        logits = heads.mask_predictor(heads.mask_head(pooled))
        every = torch.cat(labels).to(torch.int64)
        chosen = logits[torch.arange(len(every), device=logits.device), every]
        return list(chosen.split([len(part) for part in boxes]))

    def heads(self) -> list[nn.Module]:
        """The layers that give the logits of the classes and of the masks."""
        return [
            self.rcnn.roi_heads.box_predictor.cls_score,
            self.rcnn.roi_heads.mask_predictor.mask_fcn_logits,
        ]

    def class_layers(self) -> list[ClassLayer]:
        """Class scores, boxes by class, masks by class; the background is the first of each."""
        heads = "rcnn.roi_heads"
        return [
            ClassLayer(f"{heads}.box_predictor.cls_score", rows=1, background=True),
            ClassLayer(f"{heads}.box_predictor.bbox_pred", rows=4, background=True),
            ClassLayer(f"{heads}.mask_predictor.mask_fcn_logits", rows=1, background=True),
        ]
