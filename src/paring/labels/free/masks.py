"""Free masks: things of an image found by asking its features for what is like each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor

from paring.models.matrix_nms import apart, best_first, matrix_nms
from paring.training.sections import NotNegative, Positive, Section, Share, Whole

_TINY = 1.0e-6


class Masking(Section, frozen=True):
    """How free masks are found in features, and which are kept.

    Attributes
    ----------
    scales : of the features at which each place asks, as shares of their size.
    threshold : of the soft value of a place that belongs to a mask.
    rank : ``"maskness"``, the mean soft value inside, is the published score; ``"contrast"`` is
        that less the mean outside.
    border : power of the share of the image's border that a mask leaves free, likewise; what
        touches much of it is ground more often than a thing. The published score has none.
    area : power of the share of the image that a mask takes, which its score is multiplied by.
    centred : whether the mean over the image is taken from its features first.
    least, most : shares of the image that a mask takes at least and at most.
    highest : masks whose middle lies in this upper share of the image are left out.
    widest : share of the image's width that a mask must stay below.
    candidates : masks of an image that are compared at most, the best ones.
    sigma : of matrix NMS.
    score : least score after it.
    overlap : masks that overlap a better one by more than that are left out, whatever their score.
    count : masks of an image at most.
    embedding : numbers that describe each mask.
    """

    scales: Annotated[tuple[Positive, ...], Meta(min_length=1)] = (1.0, 0.5, 0.25)
    threshold: Share = 0.5
    rank: Literal["maskness", "contrast"] = "contrast"
    border: NotNegative = 2.0
    area: NotNegative = 0.5
    centred: bool = True
    least: Share = 0.01
    most: Share = 1.0
    highest: Share = 0.0
    widest: Positive = 1.0
    candidates: Whole = 1000
    sigma: Positive = 2.0
    score: NotNegative = 0.0
    overlap: Share = 0.9
    count: Whole = 100
    embedding: Whole = 128


PUBLISHED = Masking(
    rank="maskness",
    border=0.0,
    area=0.0,
    centred=False,
    least=0.0,
    highest=0.2,
    widest=0.95,
    score=0.7,
    overlap=1.0,
    count=20,
)
"""The constants of FreeSOLO's code."""


@dataclass(frozen=True)
class FreeMasks:
    """Masks of one image, the best first.

    Attributes
    ----------
    solid : bool (n, H, W), of the size asked for.
    scores : float32 (n,), after suppression.
    maskness : float32 (n,), the mean soft value inside.
    embeddings : float32 (n, d), of unit length.
    """

    solid: Tensor
    scores: Tensor
    maskness: Tensor
    embeddings: Tensor


def similarity_maps(
    features: Tensor, scales: Sequence[float], *, centred: bool = False
) -> tuple[Tensor, Tensor]:
    """How like each place of some images is to what each of their queries asks for.

    Queries are the features themselves at each scale; the cosine of each with every place is
    brought to [0, 1] by its own least and largest value (Eq. 1's Norm).

    Parameters
    ----------
    features : (B, C, h, w).
    scales : of the queries.
    centred : whether the mean over each image is taken from the features first.

    Returns
    -------
    maps : (B, q, h, w), in [0, 1]; zeros where all places are alike.
    queries : (B, q, C), of unit length.

    Example
    -------
    >>> features = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])  # two places that differ
    >>> maps, queries = similarity_maps(features, (1.0,))
    >>> maps[0, :, 0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    if centred:
        features = features - features.mean(dim=(2, 3), keepdim=True)
    high, wide = features.shape[2:]
    keys = F.normalize(features.flatten(2), dim=1)
    asked = []
    for scale in scales:
        size = max(1, int(high * scale)), max(1, int(wide * scale))
        small = (
            features
            if size == (high, wide)
            else F.interpolate(features, size, mode="bilinear", align_corners=False)
        )
        asked.append(F.normalize(small.flatten(2), dim=1))
    queries = torch.cat(asked, dim=2).transpose(1, 2)
    cosine = queries @ keys
    low, top = cosine.amin(dim=2, keepdim=True), cosine.amax(dim=2, keepdim=True)
    span = top - low
    maps = torch.where(span > _TINY, (cosine - low) / span.clamp(min=_TINY), 0.0)
    return maps.view(*maps.shape[:2], high, wide), queries


def free_masks(
    features: Tensor, sizes: Sequence[tuple[int, int]], how: Masking | None = None
) -> list[FreeMasks]:
    """Masks of things in images, from their features alone (Eq. 1).

    Parameters
    ----------
    features : (B, C, h, w), of any encoder.
    sizes : (height, width) in pixels of the masks of each image.
    how : constants; unset, the defaults of `Masking`.

    Example
    -------
    >>> features = torch.zeros(1, 2, 8, 8)
    >>> features[:, 0], features[:, 0, 2:6, 3:7], features[:, 1, 2:6, 3:7] = 1, 0, 1
    >>> found = free_masks(features, [(8, 8)])[0]
    >>> found.solid[0].sum(), len(found.scores)
    (tensor(16), 2)

    References
    ----------
    Wang et al., FreeSOLO, CVPR 2022, section 3.2; Exemplar-FreeSOLO, section 3.1.
    """
    how = how or Masking()
    maps, queries = similarity_maps(features.float(), how.scales, centred=how.centred)
    cells = maps.shape[2] * maps.shape[3]
    solid = maps >= how.threshold
    areas = solid.sum(dim=(2, 3))
    within = torch.where(solid, maps, 0.0).sum(dim=(2, 3))
    maskness = within / areas.clamp(min=1)
    scores = maskness
    if how.rank == "contrast":
        outside = (maps.sum(dim=(2, 3)) - within) / (cells - areas).clamp(min=1)
        scores = maskness - outside
    scores = scores * (areas / cells) ** how.area
    if how.border:
        scores = scores * (1 - at_the_border(solid)) ** how.border
    kept = (areas > 1) & (areas >= how.least * cells) & (areas <= how.most * cells)
    found = []
    for image, size in enumerate(sizes):
        rows = torch.nonzero(kept[image])[:, 0]
        rows = rows[best_first(scores[image, rows])[: how.candidates]]
        rows = rows[apart(solid[image, rows], how.overlap)]
        decayed = matrix_nms(solid[image, rows], scores[image, rows], sigma=how.sigma)
        order = best_first(decayed)
        order = order[decayed[order] >= how.score]
        # a mask may fail the filters at full size, so a few more than wished are looked at
        order = order[: 2 * how.count]
        chosen = rows[order]
        full = F.interpolate(
            maps[image, chosen][:, None], size, mode="bilinear", align_corners=False
        )[:, 0]
        drawn = full >= how.threshold
        sound = torch.nonzero(passing(drawn, highest=how.highest, widest=how.widest))[:, 0]
        sound = sound[: how.count]
        found.append(
            FreeMasks(
                solid=drawn[sound],
                scores=decayed[order][sound],
                maskness=maskness[image, chosen][sound],
                embeddings=shortened(queries[image, chosen[sound]], how.embedding),
            )
        )
    return found


def at_the_border(solid: Tensor) -> Tensor:
    """Share (...) of the outermost places of masks (..., h, w) that they take.

    >>> at_the_border(torch.tensor([[True, True, False], [False] * 3, [False] * 3]))
    tensor(0.2500)
    """
    inner = solid[..., 1:-1, 1:-1].sum(dim=(-2, -1))
    high, wide = solid.shape[-2:]
    number = high * wide - max(0, high - 2) * max(0, wide - 2)
    return (solid.sum(dim=(-2, -1)) - inner) / number


def passing(solid: Tensor, *, highest: float, widest: float) -> Tensor:
    """Which masks (n, H, W) have a pixel, a middle low enough, and are narrow enough (n,).

    The middle is that of the first and the last row of the mask.

    >>> passing(torch.ones(1, 4, 4) > 0, highest=0.0, widest=0.9)
    tensor([False])
    """
    if not len(solid):
        return torch.zeros(0, dtype=torch.bool, device=solid.device)
    high, wide = solid.shape[1:]
    rows, columns = solid.any(dim=2), solid.any(dim=1)
    down, across = _ends(rows), _ends(columns)
    middle = (down[0] + down[1]) / 2 / high
    width = (across[1] - across[0]) / wide
    narrow = width < widest if widest < 1 else torch.ones_like(width, dtype=torch.bool)
    low = middle > highest if highest > 0 else torch.ones_like(narrow)
    return rows.any(dim=1) & low & narrow


def _ends(line: Tensor) -> tuple[Tensor, Tensor]:
    """First place and one past the last of what is set in each row (n, k)."""
    at = torch.arange(line.shape[1], device=line.device)
    first = torch.where(line, at, line.shape[1]).amin(dim=1)
    last = torch.where(line, at + 1, 0).amax(dim=1)
    return first, last


def shortened(vectors: Tensor, length: int) -> Tensor:
    """Vectors (n, c) as others (n, length) of unit length, by interpolation along them.

    As FreeSOLO's code makes 128 numbers of 2,048.

    >>> shortened(torch.tensor([[3.0, 3.0, 4.0, 4.0]]), 2)
    tensor([[0.6000, 0.8000]])
    """
    if not len(vectors):
        return vectors.new_zeros((0, length))
    drawn = F.interpolate(vectors[:, None], length, mode="linear", align_corners=False)[:, 0]
    return F.normalize(drawn, dim=1)
