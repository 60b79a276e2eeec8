"""Training of a class-agnostic SOLOv2 on coarse masks (Eqs. 8 to 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import lightning.pytorch as pl
import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor

from paring.labels.free.contrast import Contrasting, Embedding, centred, exemplar_embeddings
from paring.labels.free.losses import (
    Contrast,
    average_projection_loss,
    exemplar_contrast,
    max_projection_loss,
    pairwise_terms,
    semantic_loss,
    warmed_up,
)
from paring.models.solo_cells import Asked
from paring.models.solov2 import SoloModel, boxes_about, category_loss, dice_loss
from paring.training.fitting import FittedLesson, Fitting
from paring.training.sections import NotNegative, Section, Share, Whole

ACTIVE = "contrast_active"
"""Column of the log: the share of embeddings whose contrast says something."""


class Coarse(Section, frozen=True):
    """Weights and constants of the losses of coarse masks.

    Attributes
    ----------
    max_projection, average_projection, pairwise, semantic : weights; gamma of Eq. 9 is that of the
        average projection, mu of Eq. 10 that of the semantic embedding.
    likeness : of colours from which neighbours belong together.
    dilation : distance of neighbours in pixels at stride 4.
    pairwise_steps : in which the weight of the pairwise loss grows from 0.
    """

    max_projection: NotNegative = 1.0
    average_projection: NotNegative = 0.1
    pairwise: NotNegative = 1.0
    semantic: NotNegative = 0.4
    likeness: Share = 0.3
    dilation: Whole = 2
    pairwise_steps: Annotated[int, Meta(ge=0)] = 1000


@dataclass(frozen=True)
class Exemplars:
    """Exemplar objects as the network looks at them.

    Attributes
    ----------
    images : float32 (k, 3, s, s), crops in [0, 1], what lies outside the object at the mean colour.
    masks : float32 (k, s, s), of the objects.
    """

    images: Tensor
    masks: Tensor

    def __len__(self) -> int:
        return len(self.images)


class FreeLesson(FittedLesson):
    """The loss over the views of a batch.

    Parameters
    ----------
    model : what learns; of one class, with an embedding.
    coarse : see `Coarse`.
    given : float32 (n, d), embeddings of the pseudo-labels.
    true : bool (n,), which of them are the truth: their masks are learnt by Dice, as they are, and
        their embeddings are not.
    exemplars, contrasting : what images contrast with, and how; without exemplars they do not.
    fitting, seed, file_names : see `FittedLesson`.
    """

    given: Tensor
    true: Tensor
    pool: Tensor

    def __init__(
        self,
        model: SoloModel,
        coarse: Coarse,
        given: NDArray[np.float32],
        fitting: Fitting,
        seed: int,
        file_names: Sequence[str],
        *,
        true: NDArray[np.bool_] | None = None,
        exemplars: Exemplars | None = None,
        contrasting: Contrasting | None = None,
    ) -> None:
        super().__init__(fitting, seed, file_names)
        self.model, self.coarse = model, coarse
        self.register_buffer("given", torch.from_numpy(given), persistent=False)
        sure = np.zeros(len(given), bool) if true is None else true
        self.register_buffer("true", torch.from_numpy(sure), persistent=False)
        self.exemplars = exemplars
        self.contrasting = contrasting or Contrasting()
        self.embedding: Embedding | None = None
        self.active, self.embedded = 0, 0  # in this epoch
        self._used = 0  # batches that have seen the exemplars as they are
        if exemplars is not None and len(exemplars) and self.contrasting.weight:
            with torch.random.fork_rng(devices=[]):  # whatever was drawn before
                torch.manual_seed(seed)
                self.embedding = Embedding(model.solo.fpn_channels)
            self.register_buffer("pool", torch.empty(0), persistent=False)

    def loss_of(self, batch: Mapping[str, Any]) -> Tensor:
        """Eq. 8 over all views of all images of the batch."""
        flat = {key: [view for views in batch[key] for view in views] for key in _FLAT}
        targets = [
            {"boxes": boxes, "labels": labels, "masks": masks}
            for boxes, labels, masks in zip(
                flat["boxes"], flat["labels"], flat["masks"], strict=True
            )
        ]
        levels, size = self.model.levels(flat["image"])
        told = self.model.tell(levels, size)
        asked = self.model.ask(told, targets)
        loss = category_loss(told.categories, asked.categories)
        rows = _rows(asked, flat["instance_rows"])
        sure = self.true[rows]
        loss = loss + self._of_masks(asked, flat["likeness"], ~sure)
        if bool(sure.any()):
            loss = loss + self.model.solo.dice * dice_loss(asked.logits[sure], asked.masks[sure])
        if self.coarse.semantic and asked.embeddings is not None:
            alike = semantic_loss(asked.embeddings[~sure], self.given[rows[~sure]])
            loss = loss + self.coarse.semantic * alike
        if self.embedding is not None:
            found = self._contrast(levels[self.contrasting.level], flat["masks"])
            loss = loss + self.contrasting.weight * found.loss
        return loss

    def _of_masks(self, asked: Asked, likeness: Sequence[Tensor], coarse: Tensor) -> Tensor:
        """Eq. 9 over the masks that are coarse (p,)."""
        wished = self.coarse
        logits, masks = asked.logits[coarse].float(), asked.masks[coarse]
        images = asked.images[coarse]
        chance = logits.sigmoid()
        loss = wished.max_projection * max_projection_loss(chance, masks)
        loss = loss + wished.average_projection * average_projection_loss(chance, masks)
        heavy = wished.pairwise * warmed_up(self._step(), wished.pairwise_steps)
        if not heavy or not len(logits):
            return loss
        inside = box_masks(masks)
        total, number = logits.new_zeros(()), logits.new_zeros(())
        for image, alike in enumerate(likeness):
            rows = images == image
            if bool(rows.any()):
                some, pairs = pairwise_terms(
                    logits[rows],
                    alike,
                    inside[rows],
                    least=wished.likeness,
                    dilation=wished.dilation,
                )
                total, number = total + some, number + pairs
        return loss + heavy * total / number.clamp(min=1)

    def _step(self) -> int:
        return self.global_step if self._trainer is not None else self.coarse.pairwise_steps

    def _contrast(self, features: Tensor, masks: Sequence[Tensor]) -> Contrast:
        """Eqs. 3 to 7, over the images or over their pseudo-labels; the mean over them.

        The paper sums over the images; the mean keeps the weight what it is for any batch.
        """
        assert self.embedding is not None
        if self.contrasting.guide == "features":
            embeddings = self.embedding.of_images(features)
        else:
            embeddings = torch.cat(
                [self.embedding.of_masks(features[k : k + 1], own) for k, own in enumerate(masks)]
            )
        pool = self._refreshed()
        if self.contrasting.centred:
            embeddings, pool = centred(embeddings, pool)
        wished = self.contrasting
        found = exemplar_contrast(
            embeddings.float(), pool.float(), alpha=wished.alpha, beta=wished.beta, tau=wished.tau
        )
        n = max(1, len(embeddings))
        self.active += found.active
        self.embedded += len(embeddings)
        return Contrast(found.loss / n, found.active)

    def on_train_epoch_start(self) -> None:
        """Each epoch looks at the exemplars anew, so that a resumed training sees the same."""
        super().on_train_epoch_start()
        self.active, self.embedded = 0, 0
        if self.embedding is not None:
            self.pool = self.pool[:0]

    @torch.no_grad()
    def _refreshed(self) -> Tensor:
        """Embeddings of the exemplars, looked at anew every so many batches."""
        assert self.exemplars is not None
        if len(self.pool):
            self._used += 1
        if not len(self.pool) or self._used >= self.contrasting.refresh:
            self._used = 0
            was = self.model.training
            self.model.eval()  # so that they do not move the statistics of the norms
            device = self.pool.device
            parts = []
            for first in range(0, len(self.exemplars), _AT_ONCE):
                images = self.exemplars.images[first : first + _AT_ONCE].to(device)
                masks = self.exemplars.masks[first : first + _AT_ONCE].to(device)
                levels, _ = self.model.levels(list(images))
                parts.append(exemplar_embeddings(levels[self.contrasting.level], masks))
            self.model.train(was)
            self.pool = torch.cat(parts)
        return self.pool


class ActiveShare(pl.Callback):
    """Logs of which share of the embeddings of an epoch the contrast said something."""

    def on_train_epoch_end(self, trainer: pl.Trainer, lesson: pl.LightningModule) -> None:
        """Log it, before the checkpoint of the epoch."""
        assert isinstance(lesson, FreeLesson)
        if lesson.embedded:
            share = {ACTIVE: lesson.active / lesson.embedded, "epoch": trainer.current_epoch}
            for log in trainer.loggers:
                log.log_metrics(share, step=trainer.global_step - 1)


def _rows(asked: Asked, instance_rows: Sequence[Tensor]) -> Tensor:
    """Which pseudo-label each cell tells (p,)."""
    return torch.cat(
        [own[asked.instances[asked.images == image]] for image, own in enumerate(instance_rows)]
    )


_FLAT = ("image", "boxes", "labels", "masks", "instance_rows", "likeness")
_AT_ONCE = 16


def box_masks(masks: Tensor) -> Tensor:
    """The filled boxes (n, h, w) about masks (n, h, w).

    >>> box_masks(torch.tensor([[[0.0, 1, 0], [1, 0, 0], [0, 0, 0]]]))[0].tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    boxes = boxes_about(masks > 0)
    rows = torch.arange(masks.shape[1], device=masks.device)
    columns = torch.arange(masks.shape[2], device=masks.device)
    down = (rows >= boxes[:, 1:2]) & (rows < boxes[:, 3:4])
    across = (columns >= boxes[:, :1]) & (columns < boxes[:, 2:3])
    return (down[:, :, None] & across[:, None]).float()
