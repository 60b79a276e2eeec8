"""`SoloModel`: SOLOv2, instances told by the cells of grids, masks by kernels of their own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align, sigmoid_focal_loss

from paring.models.instance import InstanceModel
from paring.models.matrix_nms import best_first, matrix_nms, point_nms
from paring.models.model import ClassLayer
from paring.models.options import SoloOptions
from paring.models.pyramid import Pyramid, Unresized
from paring.models.solo_cells import STRIDE, Asked, Told, ask

_PRIOR = 0.01  # what every cell says of every class before it has learnt
_LEAST = 1.0e-4  # in the denominator of Dice
_SIDE = 28  # of the masks on given boxes, as Mask R-CNN has them


def with_places(features: Tensor) -> Tensor:
    """Features (B, c, h, w) with two more channels: the column and the row, from -1 to 1.

    >>> with_places(torch.zeros(1, 1, 1, 3))[0, 1:, 0].tolist()
    [[-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    rows, columns = (
        torch.linspace(-1, 1, side, dtype=features.dtype, device=features.device)
        if side > 1
        else features.new_zeros(1)
        for side in features.shape[2:]
    )
    down, across = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack((across, down))[None].expand(len(features), -1, -1, -1)
    return torch.cat((features, places), dim=1)


def _layer(inner: int, outer: int, kernel: int = 3) -> nn.Sequential:
    """Convolution, group norm and ReLU."""
    groups = math.gcd(32, outer)
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, padding=kernel // 2, bias=False),
        nn.GroupNorm(groups, outer),
        nn.ReLU(inplace=True),
    )


class SoloHead(nn.Module):
    """Category, kernel and, if wished, an embedding of every cell of the grids.

    Parameters
    ----------
    options : of the model.
    n_classes : number of classes.
    """

    def __init__(self, options: SoloOptions, n_classes: int) -> None:
        super().__init__()
        width, inner = options.head_width, options.fpn_channels
        first = [inner, *[width] * (options.head_layers - 1)]
        self.grids = options.grids
        self.of_categories = nn.Sequential(*(_layer(one, width) for one in first))
        first[0] += 2
        self.of_kernels = nn.Sequential(*(_layer(one, width) for one in first))
        self.category = nn.Conv2d(width, n_classes, 3, padding=1)
        self.kernel = nn.Conv2d(width, options.mask_width, 3, padding=1)
        self.embedding = (
            nn.Conv2d(width, options.embedding, 3, padding=1) if options.embedding else None
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.01)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.constant_(self.category.bias, -math.log((1 - _PRIOR) / _PRIOR))  # type: ignore[arg-type]

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor | None]:
        """Logits (B, N, C), kernels (B, N, K) and embeddings (B, N, e) or None."""
        categories, kernels, embeddings = [], [], []
        for side, level in zip(self.grids, levels, strict=True):
            gridded = F.interpolate(
                with_places(level), (side, side), mode="bilinear", align_corners=False
            )
            of_category = self.of_categories(gridded[:, :-2])
            categories.append(_in_a_row(self.category(of_category)))
            kernels.append(_in_a_row(self.kernel(self.of_kernels(gridded))))
            if self.embedding is not None:
                embeddings.append(_in_a_row(self.embedding(of_category)))
        return (
            torch.cat(categories, dim=1),
            torch.cat(kernels, dim=1),
            torch.cat(embeddings, dim=1) if embeddings else None,
        )


def _in_a_row(maps: Tensor) -> Tensor:
    """Maps (B, c, S, S) as (B, S * S, c)."""
    return maps.flatten(2).transpose(1, 2)


class MaskFeatures(nn.Module):
    """One feature at stride 4 from those at 4 to 32; the deepest knows the places.

    Parameters
    ----------
    inner : channels of the features.
    between, outer : channels of each level's layers, and of the outcome.
    """

    def __init__(self, inner: int, between: int, outer: int) -> None:
        super().__init__()
        chains = []
        for level in range(4):
            first = inner + (2 if level == 3 else 0)
            chain: list[nn.Module] = []
            for step in range(max(level, 1)):
                chain.append(_layer(first if step == 0 else between, between))
                if level:
                    chain.append(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False))
            chains.append(nn.Sequential(*chain))
        self.chains = nn.ModuleList(chains)
        self.last = _layer(between, outer, kernel=1)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Features (B, outer, H / 4, W / 4)."""
        deepest = with_places(levels[3])
        parts = [chain(one) for chain, one in zip(self.chains, [*levels[:3], deepest], strict=True)]
        return self.last(torch.stack(parts).sum(dim=0))  # type: ignore[no-any-return]


class SoloModel(InstanceModel):
    """SOLOv2; see `InstanceModel`, and `SoloOptions` for its options.

    Training in one stage, without anchors or boxes: each cell about the centre of an instance
    tells its class and a kernel that draws its mask.

    References
    ----------
    Wang et al., SOLOv2: Dynamic and Fast Instance Segmentation, NeurIPS 2020.
    """

    def __init__(
        self,
        encoder: str,
        name: str,
        classes: Sequence[str],
        options: SoloOptions,
        as_given: Mapping[str, Any],
        *,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
    ) -> None:
        super().__init__(encoder, name, classes, options, as_given, mean=mean, std=std)
        self.solo = options
        self.backbone = Pyramid(encoder, options.fpn_channels)
        self.head = SoloHead(options, len(classes))
        self.mask_features = MaskFeatures(
            options.fpn_channels, max(1, options.mask_width // 2), options.mask_width
        )
        self._batched = Unresized()

    @property
    def encoder(self) -> nn.Module:
        """The part that pretrained weights are for."""
        body: nn.Module = self.backbone.body
        return body

    def levels(self, images: list[Tensor]) -> tuple[list[Tensor], tuple[int, int]]:
        """The five features of images (3, H, W) in one batch, and its (height, width)."""
        batch = self._batched.batch_images([self.normalised(image) for image in images])
        return list(self.backbone(batch).values()), (int(batch.shape[2]), int(batch.shape[3]))

    def tell(self, levels: Sequence[Tensor], size: tuple[int, int]) -> Told:
        """What the network says, from the five features."""
        features = self.mask_features(levels[:4])
        finest = F.interpolate(
            levels[0], scale_factor=0.5, mode="bilinear", align_corners=False
        )  # at strides 8, 8, 16, 32, 32
        deepest = F.interpolate(
            levels[4], levels[3].shape[2:], mode="bilinear", align_corners=False
        )
        categories, kernels, embeddings = self.head([finest, *levels[1:4], deepest])
        return Told(categories, kernels, embeddings, features, size)

    def told(self, images: list[Tensor]) -> Told:
        """What the network says of images (3, H, W) in one batch."""
        return self.tell(*self.levels(images))

    def ask(self, told: Told, targets: Sequence[Mapping[str, Tensor]]) -> Asked:
        """What is said of targets, by the cells that tell them."""
        wished = self.solo
        return ask(told, targets, grids=wished.grids, ranges=wished.ranges, centre=wished.centre)

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        """Losses of categories (focal) and of masks (Dice) in training, else what is found."""
        told = self.told(images)
        if not self.training:
            return [self.detect(told, k, image.shape[1:]) for k, image in enumerate(images)]
        assert targets is not None
        asked = self.ask(told, targets)
        return {
            "category": category_loss(told.categories, asked.categories),
            "mask": self.solo.dice * dice_loss(asked.logits, asked.masks),
        }

    def detect(self, told: Told, image: int, size: Sequence[int]) -> dict[str, Tensor]:
        """What is found in one image (height, width) of a batch.

        The cells of the best categories, at most `candidates`, are asked for their masks. A score
        is that of the category times the mean of the mask's pixels above a half; then masks that
        overlap better ones lose some of theirs (matrix NMS).
        """
        wished = self.solo
        scores, places = self._heat(told, image).flatten().topk(
            min(wished.candidates, told.categories[image].numel())
        )  # fmt: skip
        n = told.categories.shape[2]
        # the best one always stays, so that there is something to count with
        rank = torch.arange(len(scores), device=scores.device)
        asked = (scores > wished.score_threshold) | (rank == 0)
        scores, cells = scores[asked], places[asked] // n
        labels = places[asked] % n
        soft = told.masks(image, cells).float().sigmoid()
        solid = (soft > 0.5).float()
        areas = solid.sum(dim=(1, 2))
        clear = (soft * solid).sum(dim=(1, 2)) / areas.clamp(min=1)
        sure = (scores > wished.score_threshold) & (areas > self._least_areas(cells))
        scores = matrix_nms(solid, scores * clear * sure, labels)
        order = best_first(scores)[: wished.detections]
        order = order[scores[order] > wished.kept_score]
        scores = scores[order]
        masks = F.interpolate(
            soft[order][:, None], scale_factor=STRIDE, mode="bilinear", align_corners=False
        )[:, :, : size[0], : size[1]]
        boxes = boxes_about(masks[:, 0] >= 0.5)
        there = boxes[:, 2] > boxes[:, 0]
        return {
            "boxes": boxes[there],
            "labels": labels[order][there] + 1,
            "scores": scores[there],
            "masks": masks[there],
            "cells": cells[order][there],
        }

    def _heat(self, told: Told, image: int) -> Tensor:
        """Scores (N, C) of the cells that are the largest of their neighbourhood, others 0."""
        heat = told.categories[image].float().sigmoid()
        parts = torch.split(heat, [side**2 for side in self.solo.grids])
        maps = [
            point_nms(part.T.reshape(1, -1, side, side))
            for part, side in zip(parts, self.solo.grids, strict=True)
        ]
        return torch.cat([one[0].flatten(1).T for one in maps])

    def _least_areas(self, cells: Tensor) -> Tensor:
        """Pixels that a mask must exceed."""
        strides = torch.cat(
            [
                torch.full((side**2,), self.solo.least_area * stride)
                for side, stride in zip(self.solo.grids, (8, 8, 16, 32, 32), strict=True)
            ]
        )
        return strides.to(cells.device)[cells]

    def mask_logits(
        self,
        images: list[Tensor],
        boxes: list[Tensor],
        labels: list[Tensor],  # noqa: ARG002 - of all models of instances
    ) -> list[Tensor]:
        """What the cell at the centre of each box tells, within the box; see `InstanceModel`.

        The level is that whose range the scale of the box is nearest to the middle of. Masks are
        of no class, so `labels` do not matter.
        """
        told = self.told(images)
        return [
            self._on_boxes(told, image, own.to(told.features.dtype))
            for image, own in enumerate(boxes)
        ]

    def _on_boxes(self, told: Told, image: int, boxes: Tensor) -> Tensor:
        if not len(boxes):
            return told.features.new_zeros((0, _SIDE, _SIDE))
        wished = self.solo
        sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
        middles = torch.tensor([low * high for low, high in wished.ranges]).log().to(boxes) / 2
        level = (sides.prod(dim=1).log()[:, None] / 2 - middles).abs().argmin(dim=1)
        grids = torch.tensor(wished.grids, device=boxes.device)
        first = F.pad(grids**2, (1, 0)).cumsum(0)[level]
        side = grids[level]
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        high, wide = told.size
        row = (centres[:, 1] / high * side).long().clamp(min=0).minimum(side - 1)
        column = (centres[:, 0] / wide * side).long().clamp(min=0).minimum(side - 1)
        logits = told.masks(image, first + row * side + column)
        inside: Tensor = roi_align(
            logits[:, None], list(boxes[:, None]), _SIDE, 1 / STRIDE, aligned=True
        )  # each box of a mask of its own
        return inside[:, 0]

    def heads(self) -> list[nn.Module]:
        """The layers that give the logits of the classes and the kernels of the masks."""
        return [self.head.category, self.head.kernel]

    def class_layers(self) -> list[ClassLayer]:
        """Class scores; there is no background."""
        return [ClassLayer("head.category", rows=1, background=False)]


def category_loss(logits: Tensor, categories: Tensor) -> Tensor:
    """Focal loss (alpha 0.25, gamma 2) of all cells, by the number of telling ones and one more.

    Parameters
    ----------
    logits, categories : (B, N, C); a category is 0 or 1.
    """
    total = sigmoid_focal_loss(logits.float(), categories.float(), reduction="sum")
    return total / (categories.sum() + 1)  # type: ignore[no-any-return]


def dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """1 - 2 sum(p m) / (sum(p^2) + sum(m^2)) of masks (p, h, w), meant over them; 0 of none.

    >>> round(float(dice_loss(torch.full((1, 2, 2), 99.0), torch.ones(1, 2, 2))), 4)
    0.0
    """
    if not len(logits):
        return logits.sum()
    chance = logits.float().sigmoid().flatten(1)
    true = masks.float().flatten(1)
    both = (chance**2).sum(dim=1) + (true**2).sum(dim=1) + _LEAST
    return (1 - 2 * (chance * true).sum(dim=1) / both).mean()


def boxes_about(solid: Tensor) -> Tensor:
    """Tight boxes (n, 4), x0, y0, x1, y1 in pixels, about masks (n, H, W); zeros of empty ones.

    >>> boxes_about(torch.tensor([[[False, True], [False, False]]])).tolist()
    [[1.0, 0.0, 2.0, 1.0]]
    """
    ends = []
    for axis in (1, 2):  # columns, then rows
        line = solid.float().amax(dim=axis)
        at = torch.arange(line.shape[1], device=solid.device, dtype=torch.float32)
        last = (line * (at + 1)).amax(dim=1)
        first = line.shape[1] - (line * (line.shape[1] - at)).amax(dim=1)
        ends.append((torch.minimum(first, last), last))
    (left, right), (top, bottom) = ends
    return torch.stack((left, top, right, bottom), dim=1)
