"""Which nodes of the trees are proposals, and in what order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paring.labels.proposals.describing import TRAITS
from paring.labels.proposals.grouping import Tree
from paring.labels.proposals.kernel import choose

WEIGHTS: dict[str, float] = {
    "log_size": 2.95,
    "log_size_squared": 0.185,
    "border_gradient": 0.0924,
    "inner_gradient": -0.0995,
    "gradient_ratio": -1.13,
    "box_fill": 0.427,
    "raggedness": -0.281,
    "sides_touched": -0.886,
    "sides_covered": -0.871,
    "border_on_frame": 2.15,
    "colour_apart": 1.56,
    "texture_apart": 2.71,
    "unlike_frame": 0.297,
    "likeness_gap": -0.834,
    "growth": 0.0615,
    "off_centre_x": 0.718,
    "off_centre_y": -0.136,
    "elongation": 0.076,
    "leaf": 0.331,
    "likeness": -0.0486,
    "extent": -2.8,
}
"""What each trait adds to a score, for each unit of it: a ridge regression of how far a node's best
IoU with an object is above 0.3, on every second picture of 160 of COCO's."""

SAME = 0.9
"""IoU above which two proposals are one."""

_NEAR, _PRICE = 0.5, 2.0
_LOOKED_AT = 6  # nodes for each proposal that is wanted, of which many are the same
_FEWEST = 900  # nodes that are looked at in any case


def scores_of(traits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score of each node (m,): a weighted sum of its traits (m, len(TRAITS))."""
    weights = np.array([WEIGHTS[name] for name in TRAITS])
    scores: NDArray[np.float64] = traits @ weights
    return scores


def ranked(
    trees: Sequence[Tree], scores: Sequence[NDArray[np.float64]], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The proposals of an image: tree, node and score of each, the best first.

    Of two nodes that are the same but for a tenth, the better counts; one that is like a better
    one ranks lower for it.

    Parameters
    ----------
    trees : of one image, of one size.
    scores : of the nodes of each.
    count : proposals at most.
    """
    tree = np.repeat(np.arange(len(trees)), [len(one.parents) for one in trees])
    node = np.concatenate([np.arange(len(one.parents)) for one in trees])
    every = np.concatenate(scores)
    looked_at = np.argsort(-every, kind="stable")[: max(_LOOKED_AT * count, _FEWEST)]
    tree, node, every = tree[looked_at], node[looked_at], every[looked_at]
    bits = np.empty((len(node), -(-trees[0].labels.size // 64)), np.uint64)
    sizes, boxes = np.empty(len(node)), np.empty((len(node), 4))
    for number, one in enumerate(trees):
        mine = tree == number
        bits[mine] = _bits(one, node[mine])
        sizes[mine], boxes[mine] = one.sizes[node[mine]], one.boxes[node[mine]]
    chosen, values = choose(every, bits, sizes, boxes, count, SAME, _NEAR, _PRICE)
    return tree[chosen], node[chosen], values


def _bits(tree: Tree, nodes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Bits of the pixels of some nodes, uint64 (k, words)."""
    flat = tree.labels.reshape(-1)
    words = -(-len(flat) // 64)
    leaves = np.zeros((tree.n_leaves, words), np.uint64)
    place = np.arange(len(flat))
    np.bitwise_or.at(leaves, (flat, place // 64), np.uint64(1) << (place % 64).astype(np.uint64))
    whole = np.empty((len(tree.parents), words), np.uint64)
    whole[: tree.n_leaves] = leaves
    for node in range(tree.n_leaves, len(whole)):
        one, other = tree.children[node]
        np.bitwise_or(whole[one], whole[other], out=whole[node])
    return whole[nodes]
