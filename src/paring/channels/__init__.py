"""Fewer channels: redundancy of feature maps, and the cliques of channels that stay (SIRFP)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paring.channels.clique import exact_clique, greedy_clique, local_search_clique
    from paring.channels.redundancy import pairwise_redundancy
    from paring.channels.structure import find_structure

__all__ = [
    "exact_clique",
    "find_structure",
    "greedy_clique",
    "local_search_clique",
    "pairwise_redundancy",
]

_HOMES = {
    "exact_clique": "paring.channels.clique",
    "find_structure": "paring.channels.structure",
    "greedy_clique": "paring.channels.clique",
    "local_search_clique": "paring.channels.clique",
    "pairwise_redundancy": "paring.channels.redundancy",
}


def __getattr__(name: str) -> Any:
    """Bring a name in when it is first used; cliques need no torch."""
    if name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'paring.channels' has no attribute {name!r}")
