"""SOLOv2: what it learns, and how it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import paring
from paring.evaluation.seen import Collected
from paring.models import build
from paring.models.solo_cells import Told
from paring.models.solov2 import boxes_about, category_loss, dice_loss
from paring.training.samples import Samples

NAME = "solov2_mobilenet_v2_fpn"
NARROW: dict[str, Any] = {
    "grids": [12, 10, 8, 6, 4],
    "ranges": [[1, 24], [12, 48], [24, 96], [48, 192], [96, 512]],
    "fpn_channels": 64,
    "head_width": 64,
    "head_layers": 2,
    "mask_width": 32,
    "least_area": 0.0,
}


def target(n: int, height: int = 64, width: int = 96) -> dict[str, Any]:
    masks = torch.zeros(n, height, width, dtype=torch.uint8)
    masks[:, 8:40, 10:44] = 1
    boxes = torch.tensor([[10.0, 8.0, 44.0, 40.0]]).repeat(n, 1)
    return {"boxes": boxes, "labels": torch.ones(n, dtype=torch.int64), "masks": masks}


def test_it_learns_a_few_scenes_by_heart(tmp_path: Path) -> None:
    data = paring.scenes(8, seed=0, size=(96, 128), folder=tmp_path)
    classes = data.categories["name"].to_list()
    samples = Samples(data, "instance", classes, size=(96, 128))
    model = build(NAME, classes, seed=0, **NARROW)
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=150)
    chance = torch.Generator().manual_seed(0)
    for _ in range(150):
        batch = [samples[row] for row in torch.randperm(8, generator=chance)[:4].tolist()]
        targets = [{key: one[key] for key in ("boxes", "labels", "masks")} for one in batch]
        loss = sum(model.train()([one["image"] for one in batch], targets).values())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimiser.step()
        rate.step()
    seen = Collected(data, classes)
    with torch.no_grad():
        for row in range(8):
            one = samples[row]
            seen.add(
                model.eval()([one["image"]])[0],
                int(one["image_id"]),
                content=one["geometry"].inner,
                size=one["geometry"].original,
            )
    assert seen.result()["AP50"] > 0.9


@pytest.fixture
def model() -> Any:
    return build(NAME, ["disc", "bean"], seed=0, score_threshold=0.3, **NARROW).eval()


def told_of(model: Any, places: dict[int, tuple[float, int, float]], size=(64, 96)) -> Told:
    """What a network would say that tells at some cells: a logit, a column of pixels, how sure."""
    n = sum(side**2 for side in model.solo.grids)
    high, wide = size[0] // 4, size[1] // 4
    categories = torch.full((1, n, 2), -9.0)
    kernels = torch.zeros(1, n, wide + 1)
    for cell, (logit, column, sure) in places.items():
        categories[0, cell, 1] = logit
        kernels[0, cell, column], kernels[0, cell, wide] = 2 * sure, -sure
    features = torch.zeros(1, wide + 1, high, wide)
    features[0, torch.arange(wide), :, torch.arange(wide)] = 1
    features[0, wide] = 1
    return Told(categories, kernels, None, features, size)


def test_a_score_is_the_category_times_how_sure_the_mask_is(model: Any) -> None:
    told = told_of(model, {40: (2.0, 3, 4.0), 100: (1.0, 9, 1.0)})
    found = model.detect(told, 0, (64, 96))
    expected = [
        float(torch.tensor(logit).sigmoid() * torch.tensor(sure).sigmoid())
        for logit, sure in ((2.0, 4.0), (1.0, 1.0))
    ]
    assert found["scores"].tolist() == pytest.approx(expected)
    assert found["labels"].tolist() == [2, 2]
    assert found["cells"].tolist() == [40, 100]
    assert (found["boxes"][:, 0] // 4).tolist() == [3, 9]
    assert found["masks"].shape == (2, 1, 64, 96)


def test_the_same_mask_from_a_second_cell_loses_its_score(model: Any) -> None:
    found = model.detect(told_of(model, {40: (2.0, 3, 4.0), 100: (1.9, 3, 4.0)}), 0, (64, 96))
    assert found["cells"].tolist() == [40, 100]
    alone = torch.tensor(1.9).sigmoid() * torch.tensor(4.0).sigmoid()
    assert float(found["scores"][1]) == pytest.approx(float(alone) * 2.718281828**-2)


def test_a_neighbour_of_a_better_cell_is_not_asked(model: Any) -> None:
    found = model.detect(told_of(model, {40: (2.0, 3, 4.0), 41: (1.9, 9, 4.0)}), 0, (64, 96))
    assert found["cells"].tolist() == [40]


def test_cells_that_are_not_sure_find_nothing(model: Any) -> None:
    found = model.detect(told_of(model, {40: (-2.0, 3, 4.0)}), 0, (64, 96))
    assert {key: len(one) for key, one in found.items()} == dict.fromkeys(found, 0)
    assert found["masks"].shape[1:] == (1, 64, 96)


def test_masks_must_exceed_what_the_level_asks(model: Any) -> None:
    told = told_of(model, {40: (2.0, 3, 4.0)})  # 16 pixels at stride 4, at the level of stride 8
    for least, found in ((1.9, 1), (2.1, 0)):
        other = build(NAME, ["a", "b"], seed=0, **NARROW | {"least_area": least}).eval()
        assert len(other.detect(told, 0, (64, 96))["scores"]) == found


def test_images_of_several_sizes_are_answered_each_in_its_own() -> None:
    model = build(NAME, ["disc"], seed=0, score_threshold=0, kept_score=0, **NARROW).eval()
    images = [torch.rand(3, 64, 80), torch.rand(3, 50, 33)]
    with torch.no_grad():
        found = model(images)
    for image, one in zip(images, found, strict=True):
        height, width = image.shape[1:]
        assert len(one["scores"])
        assert one["masks"].shape[-2:] == (height, width)
        assert (one["boxes"] <= torch.tensor([width, height, width, height])).all()


def test_the_masks_on_given_boxes_are_those_of_the_cells_at_their_centres(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = told_of(model, {})
    told.features[0, 0] = torch.arange(24.0) + 0.5  # the column, in pixels of stride 4
    wanted = {  # of boxes by their scale: level, row and column of the cell at the centre
        (40.0, 16.0, 48.0, 24.0): (0, int(20 / 64 * 12) * 12 + int(44 / 96 * 12)),
        (8.0, 4.0, 88.0, 60.0): (2, int(32 / 64 * 8) * 8 + int(48 / 96 * 8)),
    }
    firsts = [sum(side**2 for side in NARROW["grids"][:k]) for k in range(5)]
    for level, cell in wanted.values():
        told.kernels[0, firsts[level] + cell, 0] = level + 1
    monkeypatch.setattr(model, "told", lambda _: told)
    boxes, labels = torch.tensor(list(wanted)), torch.ones(2, dtype=torch.int64)
    image = torch.zeros(3, 64, 96)
    (said,) = model.mask_logits([image], [boxes], [labels])
    for one, (left, _, right, _), (level, _) in zip(said, boxes, wanted.values(), strict=True):
        columns = left + (torch.arange(28) + 0.5) * (right - left) / 28
        assert torch.allclose(one, (level + 1) * columns.expand(28, 28) / 4, atol=1e-4)
    none = model.mask_logits([image], [boxes[:0]], [labels[:0]])
    assert none[0].shape == (0, 28, 28)


@pytest.mark.parametrize("counts", [(2, 0), (0, 0)])
def test_images_without_instances_can_be_trained_on(counts: tuple[int, int]) -> None:
    model = build(NAME, ["disc", "bean"], seed=0, **NARROW).train()
    total = sum(model([torch.rand(3, 64, 96)] * 2, [target(n) for n in counts]).values())
    total.backward()
    assert torch.isfinite(total)


def test_the_loss_of_masks_is_dice_and_that_of_categories_focal() -> None:
    torch.manual_seed(0)
    logits, masks = torch.randn(3, 4, 5), (torch.rand(3, 4, 5) > 0.5).float()
    expected = []
    for one, true in zip(logits.sigmoid(), masks, strict=True):
        p, m = one.flatten().tolist(), true.flatten().tolist()
        shared = 2 * sum(a * b for a, b in zip(p, m, strict=True))
        expected.append(1 - shared / (sum(a * a for a in p) + sum(b * b for b in m) + 1e-4))
    assert float(dice_loss(logits, masks)) == pytest.approx(sum(expected) / 3, rel=1e-5)
    said, true = torch.randn(1, 6, 2), torch.zeros(1, 6, 2)
    true[0, 2, 1] = true[0, 4, 0] = 1
    total = 0.0
    for p, t in zip(said.sigmoid().flatten().tolist(), true.flatten().tolist(), strict=True):
        right = p if t else 1 - p
        total -= (0.25 if t else 0.75) * (1 - right) ** 2 * torch.tensor(right).log().item()
    assert float(category_loss(said, true)) == pytest.approx(total / 3, rel=1e-4)


def test_boxes_about_masks_are_tight_and_empty_ones_are_nothing() -> None:
    solid = torch.zeros(3, 5, 6, dtype=torch.bool)
    solid[0, 1:3, 2:6] = True
    solid[1, 4, 0] = solid[1, 2, 3] = True
    assert boxes_about(solid).tolist() == [[2, 1, 6, 3], [0, 2, 4, 5], [0, 0, 0, 0]]


def test_an_embedding_is_told_where_it_is_wished() -> None:
    told = build(NAME, ["a"], seed=0, embedding=16, **NARROW).told([torch.rand(3, 64, 64)])
    assert told.embeddings is not None
    assert told.embeddings.shape == (1, sum(side**2 for side in NARROW["grids"]), 16)
    assert build(NAME, ["a"], seed=0, **NARROW).told([torch.rand(3, 64, 64)]).embeddings is None
