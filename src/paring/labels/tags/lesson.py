"""Training of the network of CIM: samples, and the loss of an image (Eq. 8)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paring.dataset.pixels import read_pixels
from paring.dataset.table import Dataset
from paring.labels.tags.classifier import image_tensor
from paring.labels.tags.losses import (
    bag_loss,
    class_loss,
    cluster_loss,
    image_loss,
    integrity_loss,
)
from paring.labels.tags.mining import Rules, Targets, mine, sample_truth, spread_truth
from paring.labels.tags.network import Outputs, TagNetwork
from paring.labels.tags.regions import Regions
from paring.training.augment import rng_of
from paring.training.fitting import FittedLesson, Fitting
from paring.training.samples import Sample
from paring.training.sections import NotNegative, Section, Share

_SHORTEST = 32  # pixels of a side that the encoder still makes something of


class Mining(Section, frozen=True):
    """How the network learns from tags.

    Attributes
    ----------
    variant : ``"published"`` is the authors' code, with a bag loss, integrity three times and the
        first branch three times as heavy, and the rule for proposals that hold nearly all others;
        ``"paper"`` is the text alone.
    agpl : whether pre-computed pseudo-labels guide the anti-noise branch.
    complete : whether seeds grow into complete instances; see `Rules`.
    cls, iou, contains, seeds, cascade : thresholds; tau_nms is that of cls.
    sampling : whether pseudo ground truth is sampled (anti-noise sampling).
    alpha : weight of the loss of proposal clusters.
    """

    variant: Literal["published", "paper"] = "published"
    agpl: bool = True
    complete: bool = True
    cls: Share = 0.25
    iou: Share = 0.5
    contains: Share = 0.85
    seeds: Share = 0.1
    cascade: Share = 0.1
    sampling: bool = True
    alpha: NotNegative = 12.0

    def rules(self, branch: int) -> Rules:
        """The thresholds of a refinement branch, from 0 on."""
        first = Rules(
            cls=self.cls,
            iou=self.iou,
            nms=self.cls,
            contains=self.contains,
            seeds=self.seeds,
            complete=self.complete,
            sampling=self.sampling,
            refuse_whole=self.variant == "published",
        )
        return first.cascaded(branch, self.cascade)


class ProposalSamples(torch.utils.data.Dataset[Sample]):
    """Images with their proposals, at a size and mirrored by chance.

    A sample has `row`; `image` float32 (1, 3, H, W); `boxes` (n, 4) in its pixels; `masks`
    (n, 7, 7); `labels` and `clusters` (n,); `iou` and `contains`, NumPy (n, n); `present` bool
    NumPy (c,); `draw`, what decides the sampling.

    Parameters
    ----------
    data : the images.
    present : bool (n, c), their tags.
    folder : of the images' `Regions`, one file an image id.
    sizes : longest sides in pixels, one of which is drawn.
    flip : chance of mirroring.
    seed : decides all of it, with the epoch and the row.
    """

    def __init__(
        self,
        data: Dataset,
        present: NDArray[np.bool_],
        folder: Path,
        *,
        sizes: Sequence[int],
        flip: float = 0.5,
        seed: int = 0,
    ) -> None:
        assert data.image_root is not None
        self.paths = [data.image_root / name for name in data.images["file_name"]]
        self.files = [regions_file(folder, image_id) for image_id in data.images["image_id"]]
        self.present, self.sizes, self.flip, self.seed = present, tuple(sizes), flip, seed

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The sample of (epoch, row)."""
        epoch, row = key
        rng = rng_of(self.seed, epoch, row)
        side, flips = self.sizes[int(rng.integers(len(self.sizes)))], rng.random() < self.flip
        regions = Regions.load(self.files[row])
        iou, contains = regions.overlaps()
        image, boxes, masks = seen_at(read_pixels(self.paths[row]), regions, side, flips=flips)
        return {
            "row": row,
            "image": image,
            "boxes": boxes,
            "masks": masks,
            "labels": torch.from_numpy(regions.labels),
            "clusters": torch.from_numpy(regions.clusters),
            "iou": iou,
            "contains": contains,
            "present": self.present[row],
            "draw": (self.seed, epoch, row),
        }


def regions_file(folder: Path, image_id: int) -> Path:
    """Where the `Regions` of an image lie."""
    return folder / f"{image_id}.npz"


def seen_at(
    pixels: NDArray[np.uint8], regions: Regions, side: int, *, flips: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """An image (1, 3, H, W) whose longer side is so long, boxes and small masks in it.

    Of long and narrow images the shorter side has at least 32 pixels.
    """
    high, wide = pixels.shape[:2]
    scale = side / max(high, wide)
    size = max(_SHORTEST, round(high * scale)), max(_SHORTEST, round(wide * scale))
    image = image_tensor(pixels, size)[None]
    factor = np.array([size[1] / wide, size[0] / high] * 2, np.float32)
    boxes = torch.from_numpy(regions.boxes * factor)
    masks = torch.from_numpy(regions.masks.astype(np.float32))
    if not flips:
        return image, boxes, masks
    mirrored = boxes[:, [2, 1, 0, 3]] * torch.tensor([-1.0, 1.0, -1.0, 1.0])
    shift = torch.tensor([float(size[1]), 0.0, float(size[1]), 0.0])
    return image.flip(3), mirrored + shift, masks.flip(2)


class TagLesson(FittedLesson):
    """The loss of Eq. 8 over the images of a batch.

    Parameters
    ----------
    model : what learns.
    mining : how.
    fitting, seed, file_names : see `FittedLesson`.
    """

    def __init__(
        self,
        model: TagNetwork,
        mining: Mining,
        fitting: Fitting,
        seed: int,
        file_names: Sequence[str],
    ) -> None:
        super().__init__(fitting, seed, file_names)
        self.model = model
        self.mining = mining

    def loss_of(self, batch: Any) -> Tensor:
        """The mean over its images."""
        each = []
        for place in range(len(batch["image"])):
            one = {key: batch[key][place] for key in batch}
            outputs = self.model(one["image"], one["boxes"], one["masks"])
            each.append(image_losses(outputs, one, self.mining))
        return torch.stack(each).mean()


def image_losses(outputs: Outputs, sample: Sample, mining: Mining) -> Tensor:
    """The loss of one image: the anti-noise branch's and those of the refinement branches."""
    published = mining.variant == "published"
    present = torch.from_numpy(np.concatenate(([True], sample["present"])))
    present = present.to(outputs.classes.device)
    loss = image_loss(outputs.classes, outputs.detection, present)
    if mining.agpl:
        loss = loss + mining.alpha * cluster_loss(
            outputs.classes, sample["labels"], sample["clusters"], negatives=published
        )
    scores, integrity = outputs.classes, outputs.detection
    for branch, (refined, complete) in enumerate(
        zip(outputs.refined, outputs.integrity, strict=True)
    ):
        targets = branch_targets(scores, integrity, sample, mining, branch)
        device = refined.device
        labels = torch.from_numpy(targets.labels).to(device)
        weights = torch.from_numpy(targets.weights).to(refined)
        own = class_loss(refined, labels, weights)
        if outputs.judged:
            target = torch.from_numpy(targets.complete).to(refined)
            heavier = 3.0 if published else 1.0
            own = own + heavier * integrity_loss(complete, labels, target, weights)
        if published:
            own = own + bag_loss(refined * complete, labels, weights, present)
        loss = loss + own * (3.0 if published and branch == 0 else 1.0)
        scores, integrity = refined, complete
    return loss


def branch_targets(
    scores: Tensor, integrity: Tensor, sample: Sample, mining: Mining, branch: int
) -> Targets:
    """What a refinement branch is to learn, from the scores of the branch before it."""
    rules = mining.rules(branch)
    truth = mine(
        scores.detach().double().cpu().numpy(),
        integrity.detach().double().cpu().numpy(),
        sample["present"],
        sample["iou"],
        sample["contains"],
        rules,
    )
    if rules.sampling:
        truth = sample_truth(truth, np.random.default_rng([*sample["draw"], branch]))
    return spread_truth(truth, sample["iou"], sample["contains"], rules)
