"""Fewer channels: redundancy of feature maps, and the cliques of channels that stay (SIRFP)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.channels.clique import exact_clique, greedy_clique, local_search_clique
    from paring.channels.redundancy import pairwise_redundancy
    from paring.channels.structure import find_structure
    from paring.channels.tracking import calibrate, track

__all__ = [
    "calibrate",
    "exact_clique",
    "find_structure",
    "greedy_clique",
    "local_search_clique",
    "pairwise_redundancy",
    "track",
]

_HOMES = {
    "calibrate": "paring.channels.tracking",
    "exact_clique": "paring.channels.clique",
    "find_structure": "paring.channels.structure",
    "greedy_clique": "paring.channels.clique",
    "local_search_clique": "paring.channels.clique",
    "pairwise_redundancy": "paring.channels.redundancy",
    "track": "paring.channels.tracking",
}

# cliques need no torch
__getattr__ = lazily(__name__, _HOMES)
