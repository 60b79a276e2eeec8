"""The loss of an image, and what the network sees of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from labels_masks import random_bitmaps, store_of
from paring.labels.tags.assignment import assign_proposals
from paring.labels.tags.lesson import (
    Mining,
    ProposalSamples,
    branch_targets,
    image_losses,
    regions_file,
    seen_at,
)
from paring.labels.tags.losses import (
    bag_loss,
    class_loss,
    cluster_loss,
    image_loss,
    integrity_loss,
)
from paring.labels.tags.network import Outputs
from paring.labels.tags.peaks import Peaks
from paring.labels.tags.regions import Regions, cut_regions, regions_of


def regions(seed: int = 0, size=(40, 50)) -> Regions:
    bitmaps = random_bitmaps(seed, 16, *size)
    bitmaps = bitmaps[bitmaps.any(axis=(1, 2))]
    atoms, boxes, small = cut_regions(store_of(bitmaps))
    peaks = Peaks(np.array([[0.3, 0.4], [0.7, 0.6]]), np.array([0, 1]), np.array([2.0, 1.0]))
    assigned = assign_proposals(atoms, peaks)
    return regions_of(atoms, boxes, small, np.arange(len(bitmaps)), assigned, peaks)


def outputs(n: int, c: int = 3, *, judged: bool = True, branches: int = 3) -> Outputs:
    torch.manual_seed(n)
    refined = [torch.rand(n, c, requires_grad=True).softmax(1) for _ in range(branches)]
    integrity = [torch.rand(n, c, requires_grad=True).sigmoid() for _ in range(branches)]
    return Outputs(
        torch.rand(n, c).softmax(1),
        torch.rand(n, c).softmax(0),
        refined,
        integrity if judged else [torch.ones(n, c)] * branches,
        judged=judged,
    )


def sample(mine: Regions):
    iou, contains = mine.overlaps()
    return {
        "labels": torch.from_numpy(mine.labels),
        "clusters": torch.from_numpy(mine.clusters),
        "iou": iou,
        "contains": contains,
        "present": np.array([True, True]),
        "draw": (0, 1, 2),
    }


def by_hand(found: Outputs, one, mining: Mining) -> float:
    """Eq. 8, with what the published system adds (facts of the published systems)."""
    published = mining.variant == "published"
    present = torch.tensor([True, *one["present"]])
    total = image_loss(found.classes, found.detection, present)
    if mining.agpl:
        total = total + mining.alpha * cluster_loss(
            found.classes, one["labels"], one["clusters"], negatives=published
        )
    before = (found.classes, found.detection)
    for k in range(len(found.refined)):
        targets = branch_targets(*before, one, mining, k)
        labels = torch.from_numpy(targets.labels)
        weights = torch.from_numpy(targets.weights).float()
        complete = torch.from_numpy(targets.complete).float()
        part = class_loss(found.refined[k], labels, weights)
        if found.judged:
            times = 3 if published else 1
            part = part + times * integrity_loss(found.integrity[k], labels, complete, weights)
        if published:
            scores = found.refined[k] * found.integrity[k]
            part = part + bag_loss(scores, labels, weights, present)
        total = total + part * (3 if published and k == 0 else 1)
        before = (found.refined[k], found.integrity[k])
    return float(total.detach())


@pytest.mark.parametrize("variant", ["published", "paper"])
@pytest.mark.parametrize("agpl", [True, False])
@pytest.mark.parametrize("judged", [True, False])
def test_the_loss_is_the_sum_of_eq_8(variant, agpl: bool, judged: bool) -> None:
    mine = regions()
    found, one = outputs(len(mine), judged=judged), sample(mine)
    mining = Mining(variant=variant, agpl=agpl, seeds=0.4)
    loss = image_losses(found, one, mining)
    assert float(loss.detach()) == pytest.approx(by_hand(found, one, mining), rel=1e-5)
    loss.backward()


def test_the_two_variants_differ() -> None:
    mine = regions()
    found, one = outputs(len(mine)), sample(mine)
    published, paper = (
        float(image_losses(found, one, Mining(variant=v, seeds=0.4)).detach())
        for v in ("published", "paper")
    )
    assert published > paper + 0.1


def test_sampling_is_decided_by_seed_epoch_row_and_branch() -> None:
    mine = regions(3)
    found, one = outputs(len(mine)), sample(mine)
    mining = Mining(seeds=0.8)
    again = [branch_targets(found.classes, found.detection, one, mining, 0) for _ in range(2)]
    np.testing.assert_array_equal(again[0].labels, again[1].labels)
    differ = [
        branch_targets(found.classes, found.detection, one | {"draw": (0, 1, row)}, mining, 0)
        for row in range(20)
    ]
    assert len({tuple(t.labels.tolist()) for t in differ}) > 1
    plain = Mining(seeds=0.8, sampling=False)
    fixed = [
        branch_targets(found.classes, found.detection, one | {"draw": (0, 1, row)}, plain, 0)
        for row in range(5)
    ]
    assert len({tuple(t.labels.tolist()) for t in fixed}) == 1


def test_boxes_and_masks_follow_a_mirrored_image() -> None:
    mine = regions()
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    image, boxes, masks = seen_at(pixels, mine, 100, flips=False)
    assert image.shape == (1, 3, 80, 100)
    np.testing.assert_allclose(boxes, mine.boxes * 2)
    mirrored, other, flipped = seen_at(pixels, mine, 100, flips=True)
    assert torch.equal(mirrored, image.flip(3))
    assert torch.equal(flipped, masks.flip(2))
    np.testing.assert_allclose(other[:, 0], 100 - boxes[:, 2])
    np.testing.assert_allclose(other[:, 2], 100 - boxes[:, 0])
    np.testing.assert_allclose(other[:, 1::2], boxes[:, 1::2])
    assert bool((other[:, 2] > other[:, 0]).all())


def test_narrow_images_keep_a_side_that_can_be_seen() -> None:
    mine = regions(size=(4, 60))
    image, boxes, _ = seen_at(np.zeros((4, 60, 3), np.uint8), mine, 120, flips=False)
    assert image.shape == (1, 3, 32, 120)
    assert float(boxes[:, 3].max()) <= 32


def test_samples_depend_on_epoch_and_row_alone(tmp_path: Path) -> None:
    import paring

    data = paring.scenes(2, seed=0, size=(40, 50), folder=tmp_path / "images")
    for image_id in data.images["image_id"]:
        regions(image_id).save(regions_file(tmp_path, image_id))
    present = np.array([[True, False], [True, True]])
    samples = ProposalSamples(data, present, tmp_path, sizes=(64, 96, 128), seed=4)
    assert len(samples) == 2
    seen = {tuple(samples[epoch, 0]["image"].shape) for epoch in range(12)}
    assert len(seen) == 3
    one, other = samples[3, 1], samples[3, 1]
    assert torch.equal(one["image"], other["image"])
    assert torch.equal(one["boxes"], other["boxes"])
    assert one["draw"] == (4, 3, 1)
    np.testing.assert_array_equal(one["present"], [True, True])
