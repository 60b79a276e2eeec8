"""Pre-computed pseudo-labels (AGPL), against a loop over pixels."""

from __future__ import annotations

import numpy as np

from labels_masks import random_bitmaps, store_of
from paring.labels.atoms import atoms_of
from paring.labels.tags.assignment import assign_proposals, support_masks
from paring.labels.tags.peaks import Peaks


def oracle(bitmaps, peaks, pixels):
    """Section 3.2 word by word, on bitmaps."""
    n = len(bitmaps)
    supports = []
    for y, x in pixels:
        holding = bitmaps[bitmaps[:, y, x]]
        supports.append(
            holding.mean(axis=0) > 0.7 if len(holding) else np.zeros(bitmaps.shape[1:], bool)
        )
    labels, touched = np.full(n, -1), np.zeros(n, bool)
    clusters = np.full(n, -1)
    for k in np.argsort(peaks.scores, kind="stable"):
        if not supports[k].any():
            continue
        for i in range(n):
            shared, either = (bitmaps[i] & supports[k]).sum(), (bitmaps[i] | supports[k]).sum()
            touched[i] |= shared > 0
            if shared / either > 0.5:
                labels[i], clusters[i] = peaks.classes[k] + 1, k
    labels[touched & (labels == -1)] = 0
    if not any(one.any() for one in supports):
        labels[:] = 0
    return supports, labels, clusters


def test_labels_equal_those_of_a_loop_over_pixels() -> None:
    for seed in range(30):
        bitmaps = random_bitmaps(seed, 12, 14, 18)
        bitmaps = bitmaps[bitmaps.any(axis=(1, 2))]
        rng = np.random.default_rng(seed)
        p = int(rng.integers(1, 5))
        peaks = Peaks(rng.random((p, 2)), rng.integers(0, 3, p), rng.random(p))
        pixels = peaks.pixels((14, 18))
        atoms = atoms_of(store_of(bitmaps))
        assigned = assign_proposals(atoms, peaks)
        supports, labels, clusters = oracle(bitmaps, peaks, pixels)
        for mine, theirs in zip(support_masks(atoms, pixels), supports, strict=True):
            inside = atoms.of_pixels >= 0
            drawn = np.zeros_like(inside)
            drawn[inside] = mine[atoms.of_pixels[inside]]
            np.testing.assert_array_equal(drawn, theirs)
        np.testing.assert_array_equal(assigned.labels, labels)
        # clusters of classes hold the same proposals; each background proposal is alone
        for k in range(p):
            same = np.flatnonzero(clusters == k)
            if len(same):
                assert len(set(assigned.clusters[same])) == 1
                assert (assigned.clusters == assigned.clusters[same[0]]).sum() == len(same)
        background = assigned.clusters[assigned.labels == 0]
        assert len(set(background)) == len(background)
        assert (assigned.clusters[assigned.labels == -1] == -1).all()


def test_the_stronger_peak_wins_a_proposal() -> None:
    square = np.zeros((1, 10, 10), bool)
    square[0, 2:8, 2:8] = True
    atoms = atoms_of(store_of(square))
    places = np.array([[0.3, 0.3], [0.6, 0.6]])
    for scores, expected in (([1.0, 2.0], 2), ([2.0, 1.0], 1)):
        peaks = Peaks(places, np.array([0, 1]), np.array(scores))
        assert assign_proposals(atoms, peaks).labels.tolist() == [expected]


def test_peaks_outside_all_proposals_make_all_background() -> None:
    square = np.zeros((2, 10, 10), bool)
    square[:, 2:5, 2:5] = True
    peaks = Peaks(np.array([[0.9, 0.9]]), np.array([0]), np.array([1.0]))
    assigned = assign_proposals(atoms_of(store_of(square)), peaks)
    assert assigned.labels.tolist() == [0, 0]
    assert len(set(assigned.clusters)) == 2
