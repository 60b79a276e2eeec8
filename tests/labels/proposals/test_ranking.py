"""The choice of different proposals, against a slow one on bitmaps."""

from __future__ import annotations

import numpy as np

from labels_masks import random_bitmaps
from paring.labels.proposals.grouping import grow
from paring.labels.proposals.kernel import choose
from paring.labels.proposals.ranking import _bits, ranked
from paring.labels.proposals.segments import WAYS


def packed(bitmaps: np.ndarray) -> np.ndarray:
    n, words = len(bitmaps), -(-bitmaps[0].size // 64)
    out = np.zeros((n, words), np.uint64)
    for k, one in enumerate(bitmaps.reshape(n, -1)):
        for place in np.flatnonzero(one):
            out[k, place // 64] |= np.uint64(1) << np.uint64(place % 64)
    return out


def boxes_of(bitmaps: np.ndarray) -> np.ndarray:
    out = []
    for one in bitmaps:
        ys, xs = np.nonzero(one)
        out.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
    return np.array(out, np.float64)


def slow_choice(scores, bitmaps, count, same, near, price):
    left, chosen = list(range(len(scores))), []
    while left and len(chosen) < count:

        def paid(k):
            ious = [
                (bitmaps[k] & bitmaps[c]).sum() / (bitmaps[k] | bitmaps[c]).sum() for c in chosen
            ]
            worst = max([v for v in ious if v > near], default=0.0)
            return scores[k] - price * worst

        best = max(left, key=lambda k: (paid(k), -k))
        chosen.append(best)
        left = [
            k
            for k in left
            if k != best
            and (bitmaps[k] & bitmaps[best]).sum() / (bitmaps[k] | bitmaps[best]).sum() <= same
        ]
    return chosen


def test_the_choice_equals_a_slow_one() -> None:
    for seed in range(25):
        bitmaps = random_bitmaps(seed, 30, 9, 15)
        bitmaps = bitmaps[bitmaps.any(axis=(1, 2))]
        scores = np.random.default_rng(seed).random(len(bitmaps))
        sizes = bitmaps.sum(axis=(1, 2)).astype(np.float64)
        found, paid = choose(scores, packed(bitmaps), sizes, boxes_of(bitmaps), 12, 0.8, 0.4, 0.5)
        assert found.tolist() == slow_choice(scores, bitmaps, 12, 0.8, 0.4, 0.5)
        assert (np.diff(paid) <= 0).all()
        assert (paid <= scores[found]).all()


def test_bits_are_those_of_the_nodes() -> None:
    rng = np.random.default_rng(0)
    pixels = np.repeat(np.repeat(rng.integers(0, 255, (4, 5, 3)), 8, 0), 8, 1).astype(np.uint8)
    tree = grow(pixels, WAYS[0])
    leaves = {k: {k} for k in range(tree.n_leaves)}
    for k in range(tree.n_leaves, len(tree.parents)):
        leaves[k] = leaves[tree.children[k, 0]] | leaves[tree.children[k, 1]]
    nodes = np.arange(len(tree.parents))
    bitmaps = np.stack([np.isin(tree.labels, list(leaves[k])) for k in nodes])
    np.testing.assert_array_equal(_bits(tree, nodes), packed(bitmaps))


def test_what_is_dropped_as_the_same_makes_room_for_others() -> None:
    rng = np.random.default_rng(4)
    pixels = np.repeat(np.repeat(rng.integers(0, 255, (4, 4, 3)), 9, 0), 9, 1).astype(np.uint8)
    one = grow(pixels, WAYS[0])
    scores = np.arange(len(one.parents), dtype=float)
    alone = ranked([one], [scores], 8)[1].tolist()
    assert len(alone) == 8
    assert ranked([one] * 4, [scores] * 4, 8)[1].tolist() == alone


def test_no_two_proposals_are_the_same_and_no_more_than_wanted() -> None:
    rng = np.random.default_rng(3)
    pixels = np.repeat(np.repeat(rng.integers(0, 255, (5, 6, 3)), 9, 0), 9, 1).astype(np.uint8)
    trees = [grow(pixels, way) for way in WAYS]
    scores = [np.zeros(len(tree.parents)) for tree in trees]
    tree, node, values = ranked(trees, scores, 15)
    assert len(tree) == len(node) == len(values) == 15
    bits = np.stack([_bits(trees[t], np.array([k]))[0] for t, k in zip(tree, node, strict=True)])
    assert len(np.unique(bits, axis=0)) == 15
