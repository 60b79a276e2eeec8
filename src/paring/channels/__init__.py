"""Fewer channels: redundancy of feature maps, and the cliques of channels that stay (SIRFP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.channels.clique import exact_clique, greedy_clique, local_search_clique
    from paring.channels.importance import unit_importance
    from paring.channels.latency import Latency
    from paring.channels.plan import PrunePlan
    from paring.channels.planning import make_plan
    from paring.channels.redundancy import pairwise_redundancy
    from paring.channels.schedule import ProgressivePruning
    from paring.channels.stages import Pruning, Spread, Stage, path_of_stages
    from paring.channels.structure import find_structure
    from paring.channels.tracking import calibrate, track

__all__ = [
    "Latency",
    "ProgressivePruning",
    "PrunePlan",
    "Pruning",
    "Spread",
    "Stage",
    "calibrate",
    "exact_clique",
    "find_structure",
    "greedy_clique",
    "local_search_clique",
    "make_plan",
    "pairwise_redundancy",
    "path_of_stages",
    "track",
    "unit_importance",
]

_HOMES = {
    "Latency": "paring.channels.latency",
    "ProgressivePruning": "paring.channels.schedule",
    "PrunePlan": "paring.channels.plan",
    "Pruning": "paring.channels.stages",
    "Spread": "paring.channels.stages",
    "Stage": "paring.channels.stages",
    "calibrate": "paring.channels.tracking",
    "exact_clique": "paring.channels.clique",
    "find_structure": "paring.channels.structure",
    "greedy_clique": "paring.channels.clique",
    "local_search_clique": "paring.channels.clique",
    "make_plan": "paring.channels.planning",
    "pairwise_redundancy": "paring.channels.redundancy",
    "path_of_stages": "paring.channels.stages",
    "track": "paring.channels.tracking",
    "unit_importance": "paring.channels.importance",
}

# cliques need no torch
__getattr__ = lazily(__name__, _HOMES)
