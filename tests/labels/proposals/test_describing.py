"""Traits of nodes, against what the bitmap of each says."""

from __future__ import annotations

import numpy as np

from paring.labels.proposals.describing import TRAITS, _gradient, describe
from paring.labels.proposals.grouping import grow
from paring.labels.proposals.segments import Way


def test_traits_of_shape_and_border_equal_those_of_the_bitmap() -> None:
    rng = np.random.default_rng(1)
    pixels = np.full((36, 44, 3), 60, np.uint8)
    for _ in range(5):
        y, x = rng.integers(0, 28), rng.integers(0, 34)
        pixels[y : y + 10, x : x + 9] = rng.integers(0, 255, 3)
    tree = grow(pixels, Way("lab", 25))
    traits = describe(tree, pixels)
    steep = _gradient(pixels).astype(np.float64)
    leaves = {k: {k} for k in range(tree.n_leaves)}
    for k in range(tree.n_leaves, len(tree.parents)):
        leaves[k] = leaves[tree.children[k, 0]] | leaves[tree.children[k, 1]]
    for node in range(len(tree.parents)):
        inside = np.isin(tree.labels, list(leaves[node]))
        trait = dict(zip(TRAITS, traits[node], strict=True))
        edges, strength = 0, 0.0
        for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
            differ = inside[one] != inside[other]
            edges += differ.sum()
            strength += np.maximum(steep[one], steep[other])[differ].sum()
        rims = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
        perimeter = edges + sum(rim.sum() for rim in rims)
        size = inside.sum()
        ys, xs = np.nonzero(inside)
        expected = {
            "log_size": np.log(size / inside.size),
            "border_gradient": strength / max(edges, 1),
            "inner_gradient": steep[inside].mean(),
            "box_fill": size / ((np.ptp(ys) + 1) * (np.ptp(xs) + 1)),
            "raggedness": np.log(max(perimeter, 4) ** 2 / (4 * np.pi * size)),
            "sides_touched": sum(rim.any() for rim in rims),
            "sides_covered": sum(rim.mean() > 0.5 for rim in rims),
            "border_on_frame": sum(rim.sum() for rim in rims) / max(perimeter, 4),
            "extent": max((np.ptp(ys) + 1) / 36, (np.ptp(xs) + 1) / 44),
            "leaf": node < tree.n_leaves,
        }
        for name, value in expected.items():
            np.testing.assert_allclose(trait[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    assert np.isfinite(traits).all()
