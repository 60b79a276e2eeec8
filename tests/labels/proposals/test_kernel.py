"""Grouping, common nodes and choosing, beside what they mean written as plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from paring.labels.proposals.kernel import choose, common_nodes, group


def likeness(a: dict, b: dict, weights: NDArray, image: float) -> float:
    both = a["size"] + b["size"]
    low = np.minimum(a["box"][:2], b["box"][:2])
    high = np.maximum(a["box"][2:], b["box"][2:])
    terms = (
        np.minimum(a["colour"], b["colour"]).sum(),
        np.minimum(a["texture"], b["texture"]).sum(),
        1 - both / image,
        1 - (np.prod(high - low) - both) / image,
    )
    return float(np.dot(weights, terms))


def grouped_slowly(nodes: list[dict], edges: set, weights: NDArray, image: float) -> list[set]:
    """The two children of each new node, by looking at all neighbours anew each time."""
    made = []
    while edges:
        i, j = max(
            edges, key=lambda e: (likeness(nodes[e[0]], nodes[e[1]], weights, image), -e[0], -e[1])
        )
        a, b, k = nodes[i], nodes[j], len(nodes)
        size = a["size"] + b["size"]
        mean = {
            name: (a["size"] * a[name] + b["size"] * b[name]) / size
            for name in ("colour", "texture")
        }
        box = np.r_[np.minimum(a["box"][:2], b["box"][:2]), np.maximum(a["box"][2:], b["box"][2:])]
        nodes.append({"size": size, "box": box, **mean})
        made.append({i, j})
        edges = {
            tuple(sorted(k if end in (i, j) else end for end in edge)) for edge in edges - {(i, j)}
        }
        edges = {edge for edge in edges if edge[0] != edge[1]}
    return made


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (1, 0, 0, 0), (0, 1, 1, 0), (0.5, 2, 1, 3)])
def test_grouping_is_that_of_a_plain_loop(weights: tuple) -> None:
    rng = np.random.default_rng(3)
    side = 5
    n = side * side
    sizes = rng.integers(20, 60, n).astype(float)
    row, column = np.divmod(np.arange(n), side)
    boxes = np.stack((column, row, column + 1, row + 1), axis=1).astype(float) * 6
    colours, textures = (rng.dirichlet(np.ones(k), n) for k in (7, 5))
    at = np.arange(n).reshape(side, side)
    across = zip(at[:, :-1].flat, at[:, 1:].flat, strict=True)
    down = zip(at[:-1].flat, at[1:].flat, strict=True)
    edges = sorted([*across, *down])
    first, second = np.array(edges).T
    found = group(first, second, sizes, boxes, colours, textures, np.array(weights, float))
    nodes = [
        {"size": sizes[k], "box": boxes[k], "colour": colours[k], "texture": textures[k]}
        for k in range(n)
    ]
    expected = grouped_slowly(
        nodes, {(int(a), int(b)) for a, b in edges}, np.array(weights, float), sizes.sum()
    )
    parents, children, _, all_sizes, _, all_colours, _ = found
    assert [set(pair) for pair in children[n:].tolist()] == expected
    assert parents[-1] == -1
    assert all(parents[child] == k for k in range(n, 2 * n - 1) for child in children[k])
    np.testing.assert_allclose(all_sizes, [node["size"] for node in nodes])
    np.testing.assert_allclose(all_colours, [node["colour"] for node in nodes])


def test_common_nodes_are_the_first_shared_ancestors() -> None:
    #        6
    #      4   5
    #     0 1 2 3
    parents = np.array([4, 4, 5, 5, 6, 6, -1])
    first, second = np.array([0, 0, 2, 4]), np.array([1, 3, 3, 5])
    assert common_nodes(first, second, parents).tolist() == [4, 6, 5, 6]


# -- choosing ------------------------------------------------------------------------------


def bits_of(masks: NDArray) -> NDArray:
    words = -(-masks.shape[1] // 64)
    padded = np.zeros((len(masks), words * 64), bool)
    padded[:, : masks.shape[1]] = masks
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def chosen_slowly(
    scores: NDArray, masks: NDArray, count: int, same: float, near: float, price: float
) -> list:
    shared = masks.astype(int) @ masks.T.astype(int)
    sizes = shared.diagonal()
    iou = shared / (sizes[:, None] + sizes - shared)
    left, chosen = set(range(len(scores))), []
    while left and len(chosen) < count:

        def paid(k: int) -> float:
            worst = max((iou[k, c] for c in chosen), default=0.0)
            return scores[k] - (price * worst if worst > near else 0.0)

        best = max(left, key=lambda k: (paid(k), -k))
        chosen.append(best)
        left = {k for k in left - {best} if iou[k, best] <= same}
    return chosen


def rectangles(n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    boxes = np.zeros((n, 4))
    masks = np.zeros((n, 20, 25), bool)
    for k in range(n):
        x, y = rng.integers(0, 15), rng.integers(0, 10)
        w, h = rng.integers(3, 10, 2)
        boxes[k] = x, y, x + w, y + h
        masks[k, y : y + h, x : x + w] = True
        masks[k, y, x] = False  # masks do not fill their boxes
    return masks.reshape(n, -1), boxes


@pytest.mark.parametrize(("same", "near", "price"), [(0.9, 0.5, 2.6), (0.5, 0.2, 0.4), (1, 1, 0)])
def test_choosing_is_that_of_a_plain_loop(same: float, near: float, price: float) -> None:
    rng = np.random.default_rng(1)
    masks, boxes = rectangles(120, rng)
    masks[60:70], boxes[60:70] = masks[:10], boxes[:10]  # some that are the same
    scores = rng.normal(size=120)
    found, _ = choose(
        scores, bits_of(masks), masks.sum(axis=1).astype(float), boxes, 50, same, near, price
    )
    assert found.tolist() == chosen_slowly(scores, masks, 50, same, near, price)


def test_of_two_that_are_one_the_better_stays() -> None:
    masks = np.ones((2, 70), bool)
    boxes = np.array([[0, 0, 10, 7]] * 2, float)
    found, _ = choose(
        np.array([0.1, 0.7]), bits_of(masks), np.full(2, 70.0), boxes, 5, 0.9, 0.5, 1.0
    )
    assert found.tolist() == [1]


def test_overlaps_count_every_bit() -> None:
    n = 130  # two words and a part of a third
    for a, b in itertools.product((1, 63, 64, 65, 128, 130), repeat=2):
        masks = np.stack((np.arange(n) < a, np.arange(n) < b))
        boxes = np.array([[0, 0, n, 1]] * 2, float)
        iou = min(a, b) / max(a, b)
        for same, kept in ((iou - 1e-9, 1), (iou + 1e-9, 2)):
            found, _ = choose(
                np.array([1.0, 0.5]),
                bits_of(masks),
                masks.sum(axis=1).astype(float),
                boxes,
                2,
                same,
                min(same, 0.005),
                0.0,
            )
            assert len(found) == kept
