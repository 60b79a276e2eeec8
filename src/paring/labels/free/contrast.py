"""Contrast of images with exemplars in the space of the network's features (section 3.4)."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from paring.training.sections import NotNegative, Positive, Section, Share, Whole

_TINY = 1.0e-6


class Contrasting(Section, frozen=True):
    """How exemplars contrast with images.

    Attributes
    ----------
    weight : of the loss, lambda.
    alpha, beta : cosine above which an exemplar is a positive, below which it is a negative. The
        published 0.8 and 0.3 are of embeddings that are not centred; of centred ones few are so
        alike.
    tau : temperature; the published 0.02 leaves nothing of the contrast, see `largest_contrast`.
    guide : what an image's embedding is gathered under. ``"features"`` is the paper's reading: the
        agreement of its features with a transform of themselves, one embedding an image;
        ``"labels"`` gives one for each pseudo-label, under its mask.
    centred : whether the mean of the exemplars is taken from all embeddings first; without it, most
        pairs of a network's features are alike and few are negatives.
    level : of the feature pyramid, 0 to 4 for strides 4 to 64.
    refresh : steps after which the exemplars are looked at anew.
    size : pixels of a side that an exemplar is looked at.
    """

    weight: NotNegative = 1.3
    alpha: Share = 0.5
    beta: Share = 0.2
    tau: Positive = 0.25
    guide: Literal["features", "labels"] = "features"
    centred: bool = True
    level: Literal[0, 1, 2, 3, 4] = 3
    refresh: Whole = 50
    size: Whole = 128


class Embedding(nn.Module):
    """Embeddings of images and of exemplars, from features of a network.

    The paper has no pooling over places; here an embedding is the mean over those of the mask, for
    vectors of different images to be comparable.

    Parameters
    ----------
    channels : of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.key = nn.Conv2d(channels, channels, 1)
        self.turned = nn.Conv2d(channels, channels, 1)
        nn.init.eye_(self.turned.weight.data.view(channels, channels))
        nn.init.zeros_(self.turned.bias)  # type: ignore[arg-type]

    def guide(self, features: Tensor) -> Tensor:
        """Soft masks (B, h, w) of features (B, C, h, w): where they agree with their own keys."""
        queries, keys = F.normalize(features, dim=1), F.normalize(self.key(features), dim=1)
        cosine = (queries * keys).sum(dim=1)
        low, top = cosine.amin(dim=(1, 2), keepdim=True), cosine.amax(dim=(1, 2), keepdim=True)
        return (cosine - low) / (top - low).clamp(min=_TINY)

    def of_images(self, features: Tensor) -> Tensor:
        """Embeddings (B, C) under the images' own soft masks."""
        return pooled(self.turned(features), self.guide(features))

    def of_masks(self, features: Tensor, masks: Tensor) -> Tensor:
        """Embeddings (n, C) of one image (1, C, h, w) under masks (n, H, W) of any size."""
        if not len(masks):
            return features.new_zeros((0, features.shape[1]))
        small = F.interpolate(masks[:, None].float(), features.shape[2:], mode="area")[:, 0]
        return pooled(self.turned(features).expand(len(masks), -1, -1, -1), small)


def pooled(features: Tensor, weights: Tensor) -> Tensor:
    """Means (B, C) of features (B, C, h, w) over places by weights (B, h, w).

    >>> import torch
    >>> features = torch.tensor([[[[1.0, 5.0]]]])
    >>> pooled(features, torch.tensor([[[0.5, 0.5]]])), pooled(features, torch.zeros(1, 1, 2))
    (tensor([[3.]]), tensor([[0.]]))
    """
    total = weights.sum(dim=(1, 2)).clamp(min=_TINY)
    return (features * weights[:, None]).sum(dim=(2, 3)) / total[:, None]


def centred(embeddings: Tensor, pool: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings (n, C) and pool (k, C), less the mean of the pool of unit vectors.

    The vectors are brought to unit length first, so that none counts for more.
    """
    if not len(pool):
        return embeddings, pool
    ones, others = F.normalize(embeddings, dim=1), F.normalize(pool, dim=1)
    mean = others.mean(dim=0)
    return ones - mean, others - mean


def exemplar_embeddings(features: Tensor, masks: Tensor) -> Tensor:
    """Embeddings (k, C) of exemplars from their features (k, C, h, w), under masks (k, H, W)."""
    if not len(features):
        return features.new_zeros((0, features.shape[1]))
    small = F.interpolate(masks[:, None].float(), features.shape[2:], mode="area")[:, 0]
    return pooled(features, small)
