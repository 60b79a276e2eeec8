"""Complete instances mining, step by step on hand-made cases, and against the text as a loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labels_masks import random_bitmaps, store_of
from paring.labels.atoms import atoms_of
from paring.labels.tags.mining import (
    Rules,
    Truth,
    grow_seeds,
    mine,
    sample_truth,
    select_seeds,
    spread_truth,
    whole_proposals,
)

# a head (0) in a dog (1), another dog (2), the head of that (3), the sofa that both are on (4)
IOU = np.array(
    [
        [1.0, 0.2, 0.0, 0.0, 0.05],
        [0.2, 1.0, 0.0, 0.0, 0.25],
        [0.0, 0.0, 1.0, 0.3, 0.25],
        [0.0, 0.0, 0.3, 1.0, 0.08],
        [0.05, 0.25, 0.25, 0.08, 1.0],
    ]
)
CONTAINS = np.array(
    [
        [1.0, 0.2, 0.0, 0.0, 0.05],
        [1.0, 1.0, 0.0, 0.0, 0.25],
        [0.0, 0.0, 1.0, 1.0, 0.25],
        [0.0, 0.0, 0.3, 1.0, 0.08],
        [1.0, 1.0, 1.0, 1.0, 1.0],
    ]
)
HEADS = np.array([0.9, 0.5, 0.4, 0.8, 0.1])  # parts are scored highest
WHOLE = np.array([0.2, 0.9, 0.8, 0.3, 0.4])  # and are the least complete


def columns(values: np.ndarray, at: int = 1, c: int = 1) -> np.ndarray:
    out = np.zeros((len(values), c + 1))
    out[:, at] = values
    return out


def test_seeds_are_the_best_that_do_not_overlap() -> None:
    assert select_seeds(HEADS, IOU, share=0.4, nms=0.25).tolist() == [0, 3]
    assert select_seeds(HEADS, IOU, share=1.0, nms=0.25).tolist() == [0, 3, 1]
    assert select_seeds(HEADS, IOU, share=1.0, nms=0.3001).tolist() == [0, 3, 1, 2, 4]
    # an IoU that equals the threshold drops, as kept means below it
    assert 2 not in select_seeds(HEADS, IOU, share=1.0, nms=0.3).tolist()


@pytest.mark.parametrize(("n", "expected"), [(10, 1), (11, 2), (100, 10), (1, 1), (70, 7)])
def test_the_number_of_candidates_is_rounded_up(n: int, expected: int) -> None:
    assert len(select_seeds(np.zeros(n), np.eye(n), share=0.1, nms=0.5)) == expected


def test_a_seed_grows_into_the_most_complete_that_contains_it() -> None:
    assert grow_seeds(np.array([0, 3]), WHOLE, CONTAINS, share=0.85).tolist() == [1, 2]
    # unless the seed itself is the most complete
    best = np.array([1.0, 0.9, 0.8, 0.3, 0.4])
    assert grow_seeds(np.array([0]), best, CONTAINS, share=0.85).tolist() == [0]
    allowed = np.array([True, False, True, True, True])
    assert grow_seeds(np.array([0]), WHOLE, CONTAINS, share=0.85, allowed=allowed).tolist() == [4]
    none = np.zeros(5, bool)
    assert grow_seeds(np.array([0]), WHOLE, CONTAINS, share=0.85, allowed=none).tolist() == [-1]
    assert grow_seeds(np.empty(0, int), WHOLE, CONTAINS, share=0.85).tolist() == []


def test_what_contains_nearly_all_is_no_instance() -> None:
    assert whole_proposals(CONTAINS).tolist() == [False, False, False, False, True]
    rules = Rules(seeds=0.4, refuse_whole=True)
    most_whole = np.array([0.2, 0.3, 0.3, 0.1, 0.9])
    args = columns(HEADS), columns(most_whole), np.array([True]), IOU, CONTAINS
    assert mine(*args, rules).rows.tolist() == [1, 2]
    loose = Rules(seeds=0.4, refuse_whole=False)
    assert mine(*args, loose).rows.tolist() == [4]
    truth = mine(*args, loose)
    assert spread_truth(truth, IOU, CONTAINS, rules).labels[4] == 0
    assert spread_truth(truth, IOU, CONTAINS, loose).labels[4] == 1


def test_both_dogs_are_mined_with_their_weights() -> None:
    truth = mine(columns(HEADS), columns(WHOLE), np.array([True]), IOU, CONTAINS, Rules(seeds=0.4))
    assert truth.rows.tolist() == [1, 2]
    assert truth.seeds.tolist() == [0, 3]
    np.testing.assert_allclose(truth.weights, [0.5 * 0.9, 0.4 * 0.8])


def test_without_completing_seeds_are_the_truth() -> None:
    rules = Rules(seeds=0.4, complete=False)
    truth = mine(columns(HEADS), columns(WHOLE), np.array([True]), IOU, CONTAINS, rules)
    assert truth.rows.tolist() == [0, 3]


def test_two_classes_that_claim_one_proposal() -> None:
    scores = np.stack((np.zeros(5), HEADS, HEADS * 0.9), axis=1)
    integrity = np.stack((np.zeros(5), WHOLE, WHOLE), axis=1)
    both = mine(scores, integrity, np.array([True, True]), IOU, CONTAINS, Rules(seeds=0.4))
    assert both.rows.tolist() == [1, 2]
    assert both.classes.tolist() == [1, 1]
    scores[:, 2] = HEADS * 1.1
    both = mine(scores, integrity, np.array([True, True]), IOU, CONTAINS, Rules(seeds=0.4))
    assert both.classes.tolist() == [2, 2]
    only = mine(scores, integrity, np.array([True, False]), IOU, CONTAINS, Rules(seeds=0.4))
    assert only.classes.tolist() == [1, 1]


def test_targets_of_all_proposals() -> None:
    truth = Truth(np.array([1]), np.array([1]), np.array([0.7]), np.array([0]))
    iou = np.array([[0.4, 0.2, 0.0, 0.6, 0.25], [0.0, 1.0, 0.0, 0.0, 0.0]])
    table = np.zeros((5, 5))
    table[:, 1] = iou[0]
    targets = spread_truth(truth, table, np.eye(5), Rules())
    assert targets.labels.tolist() == [1, 0, -1, 1, 0]  # .25 is not above the threshold
    assert targets.complete.tolist() == [0, 0, 0, 1, 0]
    np.testing.assert_allclose(targets.weights, 0.7)


def test_without_truth_all_is_ignored() -> None:
    nothing = mine(columns(HEADS), columns(WHOLE), np.array([False]), IOU, CONTAINS, Rules())
    assert len(nothing.rows) == 0
    targets = spread_truth(nothing, IOU, CONTAINS, Rules())
    assert (targets.labels == -1).all()


def test_thresholds_rise_from_branch_to_branch() -> None:
    deep = Rules().cascaded(1, 0.1)
    assert (deep.cls, deep.iou, deep.nms) == (0.35, 0.6, 0.35)
    assert deep.contains == 0.85


def test_sampling_draws_each_class_by_weight() -> None:
    truth = Truth(
        np.arange(6),
        np.array([1, 1, 1, 1, 2, 2]),
        np.array([0.9, 0.05, 0.04, 0.01, 0, 0]),
        np.arange(2),
    )
    counts = np.zeros(6)
    for seed in range(400):
        kept = sample_truth(truth, np.random.default_rng(seed))
        assert set(kept.rows.tolist()) >= {4, 5}  # without any weight all stay
        np.testing.assert_array_equal(kept.weights, truth.weights[kept.rows])
        counts[kept.rows] += 1
    expected = 400 * (1 - (1 - truth.weights[:4]) ** 4)  # one of four draws at least
    np.testing.assert_allclose(counts[:4], expected, atol=4 * math.sqrt(400 * 0.25))
    again = sample_truth(truth, np.random.default_rng(7))
    assert again.rows.tolist() == sample_truth(truth, np.random.default_rng(7)).rows.tolist()


def algorithm_1(scores, integrity, present, iou, contains, rules):
    """The paper's text as a loop over proposals, with the conflicts of the authors' code."""
    n = len(iou)
    whole = [sum(contains[i, j] > rules.contains for j in range(n)) >= 0.9 * n for i in range(n)]
    truth = {}
    for c in range(1, scores.shape[1]):
        if not present[c - 1]:
            continue
        ranked = sorted(range(n), key=lambda i: (-scores[i, c], i))
        seeds = []
        for i in ranked[: math.ceil(rules.seeds * n)]:
            if all(iou[i, j] < rules.nms for j in seeds):
                seeds.append(i)
        for seed in seeds:
            holding = [i for i in range(n) if contains[i, seed] > rules.contains and not whole[i]]
            if not holding:
                continue
            best = max(holding, key=lambda i: (integrity[i, c], -i))
            claim = scores[best, c] * integrity[best, c]
            if best not in truth or claim > truth[best][1]:
                truth[best] = (c, claim)
    labels, complete, weights = np.full(n, -1), np.zeros(n), np.zeros(n)
    rows = sorted(truth, key=lambda i: (truth[i][0], i))
    for i in range(n):
        if rows:
            best = max(rows, key=lambda j: iou[i, j])
            c, weight = truth[best]
            weights[i] = weight
            if iou[i, best] > rules.cls:
                labels[i], complete[i] = c, iou[i, best] > rules.iou
            elif iou[i, best] > 0:
                labels[i] = 0
            if whole[i]:
                labels[i], complete[i] = 0, 0
    return rows, labels, complete, weights


def test_equal_to_the_text_as_a_loop() -> None:
    for seed in range(40):
        bitmaps = random_bitmaps(seed, 25, 12, 12)
        bitmaps = bitmaps[bitmaps.any(axis=(1, 2))]
        iou, contains = atoms_of(store_of(bitmaps)).overlaps()
        rng = np.random.default_rng(seed)
        scores, integrity = rng.random((2, len(bitmaps), 4))
        present = rng.random(3) < 0.7
        rules = Rules(seeds=0.3).cascaded(seed % 3, 0.1)
        truth = mine(scores, integrity, present, iou, contains, rules)
        targets = spread_truth(truth, iou, contains, rules)
        rows, labels, complete, weights = algorithm_1(
            scores, integrity, present, iou, contains, rules
        )
        assert truth.rows.tolist() == rows
        np.testing.assert_array_equal(targets.labels, labels)
        np.testing.assert_array_equal(targets.complete, complete)
        np.testing.assert_allclose(targets.weights, weights)
