"""The loss of a batch, put together by hand from its parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.labels.free.contrast import Contrasting
from paring.labels.free.lesson import Coarse, Exemplars, FreeLesson, box_masks
from paring.labels.free.losses import (
    average_projection_loss,
    max_projection_loss,
    pairwise_terms,
    semantic_loss,
)
from paring.models import build
from paring.models.solov2 import category_loss, dice_loss
from paring.training.fitting import Fitting

OPTIONS: dict[str, Any] = {
    "grids": [6, 5, 4, 3, 2],
    "ranges": [[1, 32], [16, 64], [32, 128], [64, 256], [128, 999]],
    "fpn_channels": 16,
    "head_width": 16,
    "head_layers": 1,
    "mask_width": 8,
    "embedding": 4,
}


@pytest.fixture
def model() -> Any:
    return build("solov2_mobilenet_v2_fpn", ["object"], seed=0, **OPTIONS).eval()


def views(*boxes: tuple[int, int, int, int], first: int = 0, seed: int = 0) -> dict[str, Any]:
    chance = torch.Generator().manual_seed(seed)
    masks = torch.zeros(len(boxes), 64, 64, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = 1
    n = len(boxes)
    one = {
        "image": torch.rand(3, 64, 64, generator=chance),
        "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(n, 4),
        "labels": torch.ones(n, dtype=torch.int64),
        "masks": masks,
        "instance_rows": torch.arange(first, first + n),
        "likeness": torch.rand(8, 16, 16, generator=chance),
    }
    return {key: [value, value] for key, value in one.items()}


def batch_of(*samples: dict[str, Any]) -> dict[str, Any]:
    batch: dict[str, Any] = {key: [one[key] for one in samples] for key in samples[0]}
    batch["row"] = torch.arange(len(samples))
    return batch


def lesson_of(model: Any, coarse: Coarse, n: int, **more: Any) -> FreeLesson:
    given = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
    return FreeLesson(model, coarse, given, Fitting(), 0, ["a", "b"], **more)


TWO = ((8, 8, 40, 44), (20, 4, 60, 30))


def test_the_loss_is_that_of_eqs_8_to_10(model: Any) -> None:
    batch = batch_of(views(*TWO), views((4, 30, 30, 60), first=2, seed=1))
    coarse = Coarse(max_projection=0.7, average_projection=0.2, pairwise=0.5, semantic=0.3)
    lesson = lesson_of(model, coarse, 3)
    images = [view for sample in batch["image"] for view in sample]
    told = model.told(images)
    targets = [
        {key: batch[key][k][v] for key in ("boxes", "labels", "masks")}
        for k in range(2)
        for v in range(2)
    ]
    asked = model.ask(told, targets)
    chance = asked.logits.sigmoid()
    expected = category_loss(told.categories, asked.categories)
    expected = expected + 0.7 * max_projection_loss(chance, asked.masks)
    expected = expected + 0.2 * average_projection_loss(chance, asked.masks)
    total, number = 0.0, 0
    for image in range(4):
        rows = asked.images == image
        likeness = batch["likeness"][image // 2][image % 2]
        some, pairs = pairwise_terms(
            asked.logits[rows], likeness, box_masks(asked.masks[rows]), least=0.3
        )
        total, number = total + some, number + int(pairs)
    expected = expected + 0.5 * total / number
    firsts = torch.tensor([0, 0, 2, 2])
    rows = firsts[asked.images] + asked.instances
    expected = expected + 0.3 * semantic_loss(asked.embeddings, lesson.given[rows])
    assert lesson.loss_of(batch).item() == pytest.approx(expected.item(), rel=1e-4)


def test_masks_that_are_true_are_learnt_as_they_are(model: Any) -> None:
    batch = batch_of(views(*TWO))
    lesson = lesson_of(model, Coarse(semantic=0.0), 2, true=np.array([True, True]))
    told = model.told(batch["image"][0])
    targets = [{key: batch[key][0][v] for key in ("boxes", "labels", "masks")} for v in range(2)]
    asked = model.ask(told, targets)
    expected = category_loss(told.categories, asked.categories)
    expected = expected + 3 * dice_loss(asked.logits, asked.masks)
    assert lesson.loss_of(batch).item() == pytest.approx(expected.item(), rel=1e-4)
    mixed = lesson_of(model, Coarse(semantic=0.0), 2, true=np.array([True, False]))
    coarse = lesson_of(model, Coarse(semantic=0.0), 2)
    values = [one.loss_of(batch).item() for one in (lesson, mixed, coarse)]
    assert len(set(values)) == 3


def test_images_without_pseudo_labels_can_be_learnt_from(model: Any) -> None:
    lesson = lesson_of(model.train(), Coarse(), 0, exemplars=exemplars(), contrasting=Contrasting())
    loss = lesson.loss_of(batch_of(views()))
    loss.backward()
    assert torch.isfinite(loss)
    labels = Contrasting(guide="labels")
    lesson = lesson_of(model, Coarse(), 0, exemplars=exemplars(), contrasting=labels)
    assert torch.isfinite(lesson.loss_of(batch_of(views())))


def exemplars(k: int = 3) -> Exemplars:
    chance = torch.Generator().manual_seed(7)
    images = torch.rand(k, 3, 4, 4, generator=chance)
    images = torch.nn.functional.interpolate(images, (32, 32), mode="bilinear")
    return Exemplars(images, torch.ones(k, 32, 32))


@pytest.mark.parametrize(("guide", "n"), [("features", 2), ("labels", 4)])
def test_the_contrast_counts_what_it_says_something_about(model: Any, guide, n: int) -> None:
    wished = Contrasting(guide=guide, alpha=0.0, beta=0.0, weight=1.0, tau=1.0)
    lesson = lesson_of(model, Coarse(), 2, exemplars=exemplars(8), contrasting=wished)
    plain = lesson_of(model, Coarse(), 2)
    batch = batch_of(views(*TWO))
    with_it, without = lesson.loss_of(batch).item(), plain.loss_of(batch).item()
    assert lesson.embedded == n
    assert 0 < lesson.active <= n
    assert with_it > without
    never = Contrasting(guide=guide, alpha=1.0, beta=0.0)
    lesson = lesson_of(model, Coarse(), 2, exemplars=exemplars(), contrasting=never)
    assert lesson.loss_of(batch).item() == pytest.approx(without, rel=1e-5)
    assert lesson.active == 0


def test_one_exemplar_that_is_alike_and_unlike_at_once_there_is_none(model: Any) -> None:
    """A pool of one says nothing (facts of the method): it cannot be a positive and a negative."""
    lesson = lesson_of(model, Coarse(), 2, exemplars=exemplars(1), contrasting=Contrasting())
    lesson.loss_of(batch_of(views(*TWO)))
    assert (lesson.active, lesson.embedded) == (0, 2)


def test_exemplars_are_looked_at_anew_after_so_many_batches(model: Any) -> None:
    wished = Contrasting(refresh=2)
    lesson = lesson_of(model.train(), Coarse(), 2, exemplars=exemplars(), contrasting=wished)
    pools = []
    for _ in range(4):
        lesson.loss_of(batch_of(views(*TWO)))
        pools.append(lesson.pool)
        with torch.no_grad():
            for weight in model.backbone.fpn.parameters():
                weight.add_(0.01)
    assert pools[0] is pools[1]
    assert pools[2] is pools[3]
    assert not torch.equal(pools[1], pools[2])
    assert model.training
    assert not lesson.pool.requires_grad


def test_looking_at_exemplars_moves_no_statistics(model: Any) -> None:
    lesson = lesson_of(model.train(), Coarse(), 2, exemplars=exemplars())
    before = {key: one.clone() for key, one in model.named_buffers()}
    assert len(lesson._refreshed()) == 3
    assert all(torch.equal(before[key], one) for key, one in model.named_buffers())
    assert model.training


def test_without_a_weight_there_is_no_contrast(model: Any) -> None:
    none = Contrasting(weight=0.0)
    lesson = lesson_of(model, Coarse(), 2, exemplars=exemplars(), contrasting=none)
    assert lesson.embedding is None


def test_the_box_of_a_mask_is_filled() -> None:
    masks = torch.zeros(2, 5, 6)
    masks[0, 1, 2] = masks[0, 3, 4] = 1
    filled = box_masks(masks)
    assert torch.nonzero(filled[0]).tolist() == [[y, x] for y in (1, 2, 3) for x in (2, 3, 4)]
    assert filled[1].sum() == 0
