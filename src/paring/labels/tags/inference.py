"""From a trained network to instances: scores over sizes and mirror images, then selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torchvision.ops import batched_nms

from paring.labels.tags.lesson import seen_at
from paring.labels.tags.network import TagNetwork
from paring.labels.tags.regions import Regions
from paring.training.sections import NotNegative, Section, Share, Side, Whole


class Inference(Section, frozen=True):
    """How instances are taken from scores.

    Attributes
    ----------
    sizes : longest sides of the image in pixels, over which scores are meant.
    flip : whether mirror images count as well.
    nms : what overlaps where a proposal falls to a better one of its class, ``"box"`` (as the
        authors have it) or ``"mask"``.
    overlap : IoU above which it does.
    least : score that an instance must exceed.
    most : instances of an image.
    keep : score that an instance of a tag needs to become a pseudo-label.
    """

    sizes: Annotated[tuple[Side, ...], Meta(min_length=1)] = (480, 576, 688, 864, 1200)
    flip: bool = True
    nms: Literal["box", "mask"] = "box"
    overlap: Share = 0.3
    least: NotNegative = 1.0e-5
    most: Whole = 100
    keep: Share = 0.3


@dataclass(frozen=True)
class Scored:
    """Scores of the proposals of an image, each the mean over sizes and mirror images.

    Attributes
    ----------
    scores : (n, c), score times integrity over all branches.
    refined, integrity : (n, c + 1) of the last branch.
    """

    scores: NDArray[np.float64]
    refined: NDArray[np.float64]
    integrity: NDArray[np.float64]


@torch.no_grad()
def score_regions(
    network: TagNetwork,
    pixels: NDArray[np.uint8],
    regions: Regions,
    *,
    sizes: Sequence[int],
    flip: bool,
) -> Scored:
    """Scores of the proposals of an image (h, w, 3) at several longest sides.

    Parameters
    ----------
    network : in evaluation mode.
    sizes : longest sides in pixels.
    flip : whether the mirror image counts as well.
    """
    device = next(network.parameters()).device
    passes = [(side, flips) for side in sizes for flips in ((False, True) if flip else (False,))]
    sums: list[NDArray[np.float64]] = []
    for side, flips in passes:
        seen = (one.to(device) for one in seen_at(pixels, regions, side, flips=flips))
        found = network(*seen)
        parts = (found.scores()[:, 1:], found.refined[-1], found.integrity[-1])
        values = [part.double().cpu().numpy() for part in parts]
        sums = [one + more for one, more in zip(sums, values, strict=True)] if sums else values
    return Scored(*(one / len(passes) for one in sums))


def select_instances(
    scores: NDArray[np.float64], regions: Regions, how: Inference
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Proposals, classes (from 0) and scores of the instances of an image, the best first.

    Of each class, a proposal that overlaps a better one by more than `how.overlap` is dropped.

    Parameters
    ----------
    scores : (n, c).
    """
    rows, classes = np.nonzero(scores > how.least)
    values = scores[rows, classes]
    order = np.lexsort((rows, classes, -values))
    rows, classes, values = rows[order], classes[order], values[order]
    if how.nms == "box":
        kept = batched_nms(
            torch.from_numpy(regions.boxes[rows]).double(),
            torch.from_numpy(values),
            torch.from_numpy(classes),
            how.overlap,
        ).numpy()
        kept = np.sort(kept)
    else:
        kept = _by_mask(rows, classes, regions.overlaps()[0], how.overlap)
    kept = kept[: how.most]
    return rows[kept], classes[kept], values[kept]


def _by_mask(
    rows: NDArray[np.int64], classes: NDArray[np.int64], iou: NDArray[np.float64], overlap: float
) -> NDArray[np.int64]:
    """Places of what no better proposal of its class overlaps, in order."""
    kept = []
    for c in np.unique(classes).tolist():
        places = np.flatnonzero(classes == c)
        near = iou[np.ix_(rows[places], rows[places])] > overlap
        dropped = np.zeros(len(places), bool)
        for k in range(len(places)):
            if not dropped[k]:
                kept.append(int(places[k]))
                dropped |= near[k]
    return np.array(sorted(kept), np.int64)
