"""Recall of proposals, against a loop over bitmaps and on real pictures."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import paring
from paring.labels import proposal_quality, propose
from paring.labels.proposals.quality import average_recall, best_overlaps


def test_quality_equals_that_of_a_loop_over_bitmaps(tmp_path: Path) -> None:
    data = paring.scenes(6, seed=4, size=(60, 80), folder=tmp_path / "images")
    made = propose(data, count=25, workers=1)

    def full(masks, row):
        top, left, crop = masks.crop(row)
        out = np.zeros((60, 80), bool)
        out[top : top + crop.shape[0], left : left + crop.shape[1]] = crop != 0
        return out

    counted = {10: [], 25: []}
    owner = made.instances["image_id"].to_numpy()
    crowd = data.instances["iscrowd"].to_numpy()
    for row, image_id in enumerate(data.instances["image_id"]):
        if crowd[row]:
            continue
        truth = full(data.masks, row)
        ious = [
            (full(made.masks, k) & truth).sum() / (full(made.masks, k) | truth).sum()
            for k in np.flatnonzero(owner == image_id)
        ]
        for count, best in counted.items():
            best.append(max(ious[:count]))
    found = proposal_quality(made, data, counts=(10, 25))
    for count, best in counted.items():
        steps = [sum(b >= 0.5 + 0.05 * k - 1e-9 for b in best) / len(best) for k in range(10)]
        assert found[f"AR{count}"] == pytest.approx(np.mean(steps))
    assert found["ABO"] == pytest.approx(np.mean(counted[25]))


def test_an_overlap_that_equals_a_threshold_reaches_it() -> None:
    assert average_recall(np.array([0.6])) == pytest.approx(0.3)
    assert average_recall(np.array([0.5999])) == pytest.approx(0.2)


def test_without_instances_there_is_no_number(tmp_path: Path) -> None:
    data = paring.scenes(2, seed=0, size=(60, 80), folder=tmp_path / "images")
    made = propose(data, count=5, workers=1)
    bare = data.subset([1])
    empty = paring.Dataset(
        bare.images, bare.instances.clear(), bare.categories, bare.masks.take(np.empty(0, int))
    )
    assert math.isnan(proposal_quality(made, empty)["AR100"])
    with pytest.raises(paring.InputError, match="not of all images"):
        best_overlaps(made.subset([2]), data)


def test_real_pictures_reach_the_bars(shared_data: Path) -> None:
    data = paring.read(shared_data / "coco160" / "instances.json")
    some = data.subset(data.images["image_id"].to_list()[1::8])  # none that the ranking has seen
    found = proposal_quality(propose(some, count=1000), some)
    assert found["AR1000"] >= 0.17
    assert found["AR100"] >= 0.09
    assert found["ABO"] >= 0.45
