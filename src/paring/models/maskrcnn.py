"""`MaskRCNNModel`: torchvision's Mask R-CNN upon an encoder with a feature pyramid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import AnchorGenerator

from paring.models.dense import LEAST
from paring.models.encoders import STRIDES
from paring.models.instance import InstanceModel
from paring.models.model import ClassLayer
from paring.models.options import MaskRCNNOptions
from paring.models.pyramid import Pyramid, Unresized


def _settle_scales(pool: nn.Module) -> None:
    """Let a pooling of regions take strides 4 to 32 for those of its features, once for all.

    It guesses them from the first batch it sees and keeps them; an odd size that is padded a lot
    makes it guess wrongly, and then all later answers would depend on that first image.
    """
    sides = [LEAST // stride for stride in STRIDES]
    exact = {str(k): torch.zeros(1, 1, side, side) for k, side in enumerate(sides)}
    pool(exact, [torch.zeros(0, 4)], [(LEAST, LEAST)])


def _heads(n_classes: int, options: MaskRCNNOptions) -> dict[str, nn.Module]:
    """The layers behind the two poolings, torchvision's own in the widths of the options."""
    pooled, box, mask = 7, options.box_width, options.mask_width
    return {
        "box_head": TwoMLPHead(options.fpn_channels * pooled**2, box),
        "box_predictor": FastRCNNPredictor(box, n_classes),
        "mask_head": MaskRCNNHeads(options.fpn_channels, (mask,) * 4, 1),
        "mask_predictor": MaskRCNNPredictor(mask, mask, n_classes),
    }


class MaskRCNNModel(InstanceModel):
    """Mask R-CNN; see `InstanceModel`, and `MaskRCNNOptions` for its options."""

    def __init__(
        self,
        encoder: str,
        name: str,
        classes: Sequence[str],
        options: MaskRCNNOptions,
        as_given: Mapping[str, Any],
        *,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
    ) -> None:
        super().__init__(encoder, name, classes, options, as_given, mean=mean, std=std)
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

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        """As torchvision's Mask R-CNN: losses in training, else what is found."""
        return self.rcnn([self.normalised(image) for image in images], targets)

    def mask_logits(
        self, images: list[Tensor], boxes: list[Tensor], labels: list[Tensor]
    ) -> list[Tensor]:
        """What the mask head says; see `InstanceModel`."""
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
