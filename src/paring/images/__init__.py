"""Fewer images: scores of images, and selections by them."""

from __future__ import annotations

from paring.dataset.covering import k_centre
from paring.images.centres import keep_centres
from paring.images.consistency import (
    consistency_scores,
    disagreement,
    dropout_scores,
    predictive_entropy,
)
from paring.images.dynamics import aum_scores, el2n_scores, entropy_scores, forgetting_scores
from paring.images.groups import groups_of
from paring.images.leaks import find_leaks
from paring.images.measures import area_under_margin, el2n, entropy, forgetting_counts
from paring.images.network.community import find_communities, representatives
from paring.images.network.cut import keep_representatives
from paring.images.network.extending import extend
from paring.images.network.graph import network_statistics, similarity_network
from paring.images.selection import keep_random, keep_stratified, keep_top
from paring.images.shape import (
    count_scores,
    instance_shapes,
    outlines,
    shape_complexity,
    shape_scores,
)
from paring.images.similarity import similar_pairs
from paring.images.similarity.opening import Comparing

__all__ = [
    "Comparing",
    "area_under_margin",
    "aum_scores",
    "consistency_scores",
    "count_scores",
    "disagreement",
    "dropout_scores",
    "el2n",
    "el2n_scores",
    "entropy",
    "entropy_scores",
    "extend",
    "find_communities",
    "find_leaks",
    "forgetting_counts",
    "forgetting_scores",
    "groups_of",
    "instance_shapes",
    "k_centre",
    "keep_centres",
    "keep_random",
    "keep_representatives",
    "keep_stratified",
    "keep_top",
    "network_statistics",
    "outlines",
    "predictive_entropy",
    "representatives",
    "shape_complexity",
    "shape_scores",
    "similar_pairs",
    "similarity_network",
]
