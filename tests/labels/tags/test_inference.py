"""From scores to instances."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from labels_masks import random_bitmaps, store_of
from paring.labels.tags.assignment import Assigned
from paring.labels.tags.inference import Inference, score_regions, select_instances
from paring.labels.tags.lesson import seen_at
from paring.labels.tags.network import Shape, TagNetwork
from paring.labels.tags.peaks import Peaks
from paring.labels.tags.regions import Regions, cut_regions, regions_of


def regions(seed: int = 0, n: int = 14) -> Regions:
    bitmaps = random_bitmaps(seed, n, 40, 50)
    bitmaps = bitmaps[bitmaps.any(axis=(1, 2))]
    atoms, boxes, small = cut_regions(store_of(bitmaps))
    k = len(bitmaps)
    nothing = Peaks(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0))
    assigned = Assigned(np.zeros(k, np.int64), np.arange(k), np.zeros((0, 0), bool))
    return regions_of(atoms, boxes, small, np.arange(k), assigned, nothing)


def box_iou(a, b) -> float:
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = wide * high
    areas = sum((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return shared / (areas - shared)


@pytest.mark.parametrize("nms", ["box", "mask"])
def test_the_choice_equals_a_slow_one(nms: str) -> None:
    for seed in range(8):
        mine = regions(seed)
        scores = np.random.default_rng(seed).random((len(mine), 3))
        how = Inference(nms=nms, overlap=0.3, least=0.2, most=9)
        iou = mine.overlaps()[0]
        pairs = sorted(
            ((r, c) for r in range(len(mine)) for c in range(3) if scores[r, c] > 0.2),
            key=lambda p: -scores[p],
        )
        expected = []
        for r, c in pairs:
            others = [q for q, d in expected if d == c]
            near = [
                iou[r, q] if nms == "mask" else box_iou(mine.boxes[r], mine.boxes[q])
                for q in others
            ]
            if all(v <= 0.3 for v in near):
                expected.append((r, c))
        rows, classes, values = select_instances(scores, mine, how)
        assert list(zip(rows, classes, strict=True)) == expected[:9]
        np.testing.assert_array_equal(values, scores[rows, classes])


def test_nothing_above_the_least_score_is_no_instance() -> None:
    mine = regions()
    for nms in ("box", "mask"):
        rows, classes, values = select_instances(np.zeros((len(mine), 2)), mine, Inference(nms=nms))
        assert len(rows) == len(classes) == len(values) == 0


def test_scores_are_the_mean_over_sizes_and_mirror_images() -> None:
    torch.manual_seed(0)
    network = TagNetwork(Shape("mobilenet_v2", ["a", "b"], width=4, hidden=8)).eval()
    mine, pixels = regions(), np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)
    both = score_regions(network, pixels, mine, sizes=(64, 96), flip=True)
    each = []
    with torch.no_grad():
        for side in (64, 96):
            for flips in (False, True):
                found = network(*seen_at(pixels, mine, side, flips=flips))
                each.append((found.scores()[:, 1:], found.refined[-1], found.integrity[-1]))
    for k, got in enumerate((both.scores, both.refined, both.integrity)):
        expected = torch.stack([one[k] for one in each]).double().mean(dim=0)
        np.testing.assert_allclose(got, expected, atol=1e-7)
