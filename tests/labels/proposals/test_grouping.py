"""Trees of segments, against a slow one that recounts everything."""

from __future__ import annotations

import numpy as np
import pytest

from paring.labels.proposals.grouping import grow, neighbours
from paring.labels.proposals.segments import Way


def picture(seed: int = 0, size: tuple[int, int] = (40, 50)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = np.full((*size, 3), rng.integers(0, 255, 3), np.uint8)
    for _ in range(6):
        y, x = rng.integers(0, size[0] - 8), rng.integers(0, size[1] - 8)
        out[y : y + rng.integers(6, 20), x : x + rng.integers(6, 20)] = rng.integers(0, 255, 3)
    return out


@pytest.mark.parametrize("way", [Way("lab", 25), Way("hsv", 30, colour=0), Way("rgi", 40, size=0)])
def test_the_tree_equals_one_that_recounts_everything(way: Way) -> None:
    tree = grow(picture(), way)
    n = tree.n_leaves
    assert n > 4
    image = tree.labels.size
    groups = {k: tree.labels == k for k in range(n)}
    colours = {k: tree.colours[k] for k in range(n)}
    textures = {k: tree.textures[k] for k in range(n)}

    def touch(a, b):
        sides = ((a[:, :-1] & b[:, 1:]), (a[:, 1:] & b[:, :-1]), (a[:-1] & b[1:]), (a[1:] & b[:-1]))
        return any(one.any() for one in sides)

    def likeness(i, j):
        both = groups[i] | groups[j]
        ys, xs = np.nonzero(both)
        box = (np.ptp(ys) + 1) * (np.ptp(xs) + 1)
        return (
            way.colour * np.minimum(colours[i], colours[j]).sum()
            + way.texture * np.minimum(textures[i], textures[j]).sum()
            + way.size * (1 - both.sum() / image)
            + way.fill * (1 - (box - both.sum()) / image)
        )

    for k in range(n, len(tree.parents)):
        alive = sorted(groups)
        pairs = [(i, j) for i in alive for j in alive if i < j and touch(groups[i], groups[j])]
        values = [likeness(i, j) for i, j in pairs]
        i, j = tree.children[k]
        assert likeness(i, j) == pytest.approx(max(values), abs=1e-9)
        assert tree.likeness[k] == pytest.approx(max(values), abs=1e-9)
        a, b = groups[i].sum(), groups[j].sum()
        groups[k] = groups.pop(i) | groups.pop(j)
        colours[k] = (a * colours.pop(i) + b * colours.pop(j)) / (a + b)
        textures[k] = (a * textures.pop(i) + b * textures.pop(j)) / (a + b)
        assert tree.sizes[k] == groups[k].sum()
        ys, xs = np.nonzero(groups[k])
        assert tree.boxes[k].tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        assert tree.parents[i] == tree.parents[j] == k
    assert tree.parents[-1] == -1


def test_borders_are_pairs_of_pixels_and_their_strength() -> None:
    labels = np.array([[0, 0, 1], [0, 2, 1]])
    strength = np.arange(6, dtype=np.float32).reshape(2, 3)
    first, second, borders = neighbours(labels, 3, strength)
    assert list(zip(first, second, strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert borders.tolist() == [[1, 2], [2, 8], [1, 5]]


def test_a_flat_image_is_one_node() -> None:
    tree = grow(np.full((20, 30, 3), 90, np.uint8), Way("lab", 25))
    assert len(tree.parents) == 1
    assert tree.boxes.tolist() == [[0, 0, 30, 20]]
