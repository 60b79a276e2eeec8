"""The threshold of a similarity network that removes a given share of the images.

PRIME leaves the threshold to its users and names that as its limitation (appendix F). Here the
number of images is given and the threshold is found. How many images stay is not monotone in the
threshold, because communities are found anew for every network, so candidates are walked over the
sorted edges. Two facts keep the walk short:

* Communities lie within connected components, and ceil(p a) + ceil(p b) >= ceil(p (a + b)), so no
  network keeps fewer images than its components would as communities. That number only falls as
  edges are added. The first edge with which it is low enough is found by halving, and nothing
  above it can be an answer.
* From there thresholds are tried at growing distances until one removes enough, and those around
  it one by one. Where no more thresholds are left than such a walk tries, it tries them all.

Which thresholds are tried depends on the sorted edges alone, not on how many of them are at hand.
Where the walk comes to their end, more are found and it goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.network.community import (
    Method,
    fewest_kept,
    find_communities,
    representatives,
    share_up,
)
from paring.images.network.graph import modularity, similarity_network
from paring.images.similarity.measures import Progress, Similarities, TooManyPairs
from paring.images.similarity.tiles import NO_PAIRS, Found

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_SAMPLE = 256  # images from which the first floor is guessed
_LARGEST_WALK, _SHORTEST_WALK = 512, 24  # networks tried one by one
_WORK = 4_000_000  # nodes and edges that such a walk may go through
_GRID = 8  # thresholds tried at a time while the distance narrows
_FARTHEST = 8  # two thresholds tried in turn are no farther apart than this part of the edges
_LOWEST = -1.0
_LEAST_STEP = 1e-4  # by which the floor sinks
_HALVINGS = 8  # of a step that more pairs forbid than memory holds


@dataclass(frozen=True)
class Rule:
    """How communities are found, and what share of each stays (PRIME, sections 3.3.1, 3.3.2).

    Raises `InputError` for a value that cannot be.
    """

    keep: float = 0.1
    method: Method = "louvain"
    resolution: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        # what refuses them later refuses them here, before hours of work
        nothing = np.empty(0, np.int64)
        share_up(nothing, self.keep)
        find_communities(
            similarity_network(nothing, nothing, 0),
            method=self.method,
            resolution=self.resolution,
            seed=self.seed,
        )


@dataclass(frozen=True, eq=False)
class Partition:
    """A network at one threshold, its communities and who represents them.

    Attributes
    ----------
    threshold : edges are the pairs with at least this similarity.
    network : csr array (n, n).
    labels : community of each node (n,).
    kept : bool (n,), the representatives.
    """

    threshold: float
    network: csr_array
    labels: NDArray[np.int64]
    kept: NDArray[np.bool_]

    @property
    def n_kept(self) -> int:
        """How many nodes stay."""
        return int(self.kept.sum())

    def point(self) -> dict[str, Any]:
        """As a point of the curve of rates over thresholds."""
        return {
            "threshold": self.threshold,
            "kept": self.n_kept,
            "rate": 1 - self.n_kept / len(self.kept),
            "edges": self.network.nnz // 2,
            "communities": int(self.labels.max()) + 1,
            "modularity": modularity(self.network, self.labels),
        }


class Edges:
    """Pairs of nodes in falling order of similarity, and the ranks where the similarity changes.

    Attributes
    ----------
    first, second, value : the pairs (m,), the most similar first.
    ends : int64, how many pairs there are at or above each distinct similarity, rising.
    """

    def __init__(self, found: Found, node_of: NDArray[np.int64]) -> None:
        order = np.lexsort((found.second, found.first, -found.value))
        self.first = node_of[found.first[order]]
        self.second = node_of[found.second[order]]
        self.value = found.value[order]
        changes = np.flatnonzero(np.diff(self.value) != 0) + 1
        self.ends = np.append(changes, len(self.value)) if len(self.value) else changes

    def threshold(self, rank: int) -> float:
        """The similarity of the last pair of a rank."""
        return float(self.value[self.ends[rank] - 1])


def partition(edges: Edges, n_nodes: int, threshold: float, rule: Rule) -> Partition:
    """Network, communities and representatives at a threshold (Eq. 4 to 6)."""
    count = int(np.searchsorted(-edges.value, -threshold, side="right"))
    network = similarity_network(edges.first[:count], edges.second[:count], n_nodes)
    labels = find_communities(
        network, method=rule.method, resolution=rule.resolution, seed=rule.seed
    )
    return Partition(threshold, network, labels, representatives(network, labels, keep=rule.keep))


@dataclass
class ThresholdSearch:
    """One search; `partition` is the answer, `points` what was tried on the way.

    Parameters
    ----------
    measures : similarities of the images.
    nodes : rows of the images that are nodes of the network (n,).
    rule : communities and representatives.
    progress : called with a label, steps done and steps to do.
    """

    measures: Similarities
    nodes: NDArray[np.int64]
    rule: Rule
    progress: Progress | None = None
    points: dict[float, dict[str, Any]] = field(default_factory=dict)
    floor: float = 1.0
    pair_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._node_of = np.zeros(int(self.nodes.max()) + 1, np.int64)
        self._node_of[self.nodes] = np.arange(len(self.nodes))
        self._kept: dict[int, int] = {}  # by rank
        self._flags: dict[float, NDArray[np.uint8]] = {}  # a bit a node, by threshold
        self._edges = Edges(NO_PAIRS, self._node_of)

    # -- a given threshold -----------------------------------------------------------------

    def at(self, threshold: float) -> Partition:
        """The paper's rule at one threshold."""
        if threshold < self.floor or not len(self._edges.value):
            self._sink_to(threshold)
        found = partition(self._edges, len(self.nodes), threshold, self.rule)
        self.points[threshold] = found.point()
        self._flags[threshold] = np.packbits(found.kept)
        return found

    def kept_at(self, threshold: float) -> NDArray[np.bool_]:
        """Which nodes stay at a threshold that was tried (n,)."""
        return np.unpackbits(self._flags[threshold], count=len(self.nodes)).astype(bool)

    # -- a given number --------------------------------------------------------------------

    def keeping(self, n_kept: int) -> Partition:
        """The partition with the smallest pruning rate found that keeps no more than `n_kept`.

        Where a threshold keeps exactly as many, or few enough thresholds are left to try them
        all, no smaller rate exists. Of equal rates it is the one with the highest threshold. Raises
        `InputError` naming the largest rate that can be reached where the share of
        representatives forbids it.
        """
        n = len(self.nodes)
        fewest = int(share_up(np.array([n]), self.rule.keep)[0])
        if n_kept < fewest:
            raise InputError(
                f"{n_kept:,} of {n:,} images cannot be kept where {self.rule.keep:.4g} of each "
                f"community stay: at most a rate of {_rate(n - fewest, n)} can be reached "
                f"({fewest:,} kept); a smaller share of representatives (--keep) allows more"
            )
        if n_kept >= n:
            return partition(self._edges, n, np.inf, self.rule)
        self._kept.clear()
        self._sink(self._first_floor(n_kept))
        while True:
            found = self._walk(n_kept)
            if found is not None:
                return found
            if self.floor <= _LOWEST:
                self.at(_LOWEST)
                least = min(point["kept"] for point in self.points.values())
                raise InputError(
                    f"no threshold was found that keeps {n_kept:,} of {n:,} images or fewer: the "
                    f"largest rate found is {_rate(n - least, n)} ({least:,} kept); a smaller "
                    "share of representatives (--keep) or --resolution may allow more"
                )
            self._sink(self._next_floor())

    def _first_floor(self, n_kept: int) -> float:
        """Where enough images have a neighbour at all; from the nearest images of a sample."""
        n = len(self.nodes)
        sample = np.unique(np.linspace(0, n - 1, min(n, _SAMPLE)).astype(np.int64))
        self._sample = self.nodes[sample]
        _, nearest = self.measures.nearest(self._sample, self.nodes)
        nearest = np.sort(nearest)[::-1]
        place = min(len(nearest) - 1, int(len(nearest) * (1 - n_kept / n) * 1.05))
        return float(np.clip(nearest[place], _LOWEST, 1.0))

    def _next_floor(self) -> float:
        """Where there are about twice as many edges, by a guess from low frequencies.

        The guess is lower than the truth, so it only says how far to sink.
        """
        n = len(self.nodes)
        guess = np.sort(self.measures.estimates(self._sample)[:, self.nodes], axis=None)
        share = len(self._edges.value) / (n * (n - 1) / 2)
        itself = len(self._sample)  # each image of the sample is most like itself
        above = int(share * (len(guess) - itself))
        place = len(guess) - itself - 2 * above - itself
        if place <= 0:
            return _LOWEST
        step = float(guess[len(guess) - itself - above - 1] - guess[place])
        return max(_LOWEST, self.floor - max(step, _LEAST_STEP))

    def _sink(self, floor: float) -> None:
        """Sink to a floor, or as near to it as memory allows."""
        for left in reversed(range(_HALVINGS)):
            try:
                self._sink_to(floor)
            except TooManyPairs:
                if not left:
                    raise
                floor = (floor + self.floor) / 2
            else:
                return

    def _sink_to(self, floor: float) -> None:
        started = time.perf_counter()
        found = self.measures.pairs(floor, progress=self.progress)
        self.pair_seconds += time.perf_counter() - started
        self.floor = floor
        self._edges = Edges(found, self._node_of)  # the ranks above the floor stay what they were

    def _try(self, rank: int) -> int:
        """How many nodes stay with the edges of a rank and all above it."""
        if rank not in self._kept:
            self._kept[rank] = self.at(self._edges.threshold(rank)).n_kept
        return self._kept[rank]

    def _walk(self, n_kept: int) -> Partition | None:
        """The best partition found, or None where edges below the floor are needed, or none is."""
        n_ranks = len(self._edges.ends)
        start = _first(n_ranks, lambda rank: self._components_keep(rank) <= n_kept)
        if start == n_ranks:
            return None
        high = self._first_enough(start, n_kept)
        if high is None:
            return None
        length = int(
            np.clip(
                _WORK // (len(self.nodes) + int(self._edges.ends[high])),
                _SHORTEST_WALK,
                _LARGEST_WALK,
            )
        )
        high = self._narrowed(start, high, n_kept, length)
        first = max(start, high - length)
        ranks = [*range(first, high), *range(high + 1, first + length + 1)]
        for k, rank in enumerate(ranks):
            if n_kept in self._kept.values():
                break
            if rank >= n_ranks:
                if self.floor > _LOWEST:
                    return None
                break
            self._try(rank)
            if self.progress is not None:
                self.progress("trying thresholds", k + 1, length)
        enough = [rank for rank, kept in self._kept.items() if kept <= n_kept]
        if not enough:
            return None
        return self.at(self._edges.threshold(min(enough, key=lambda r: (-self._kept[r], r))))

    def _first_enough(self, start: int, n_kept: int) -> int | None:
        """A rank that keeps few enough, tried at growing distances from `start`.

        None where it lies below the floor; the last rank where there is nothing below.
        """
        last, rank, step = len(self._edges.ends) - 1, start, 1
        while rank <= last:
            if self._try(rank) <= n_kept:
                return rank
            rank += step
            step = min(2 * step, max(1, rank // _FARTHEST))
        if self.floor > _LOWEST:
            return None
        self._try(last)
        return last

    def _narrowed(self, low: int, high: int, n_kept: int, length: int) -> int:
        """A rank that keeps few enough, no more than `length` after one that does not."""
        while high - low > length:
            grid = np.unique(np.linspace(low, high, _GRID + 2).astype(int))[1:-1].tolist()
            enough = [rank for rank in grid if self._try(rank) <= n_kept]
            if n_kept in self._kept.values():
                break
            high = min([*enough, high])
            low = max([low, *(rank for rank in grid if rank < high)])
        return high

    def _components_keep(self, rank: int) -> int:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        n, end = len(self.nodes), int(self._edges.ends[rank])
        ones = np.ones(end, np.int8)
        network = coo_array((ones, (self._edges.first[:end], self._edges.second[:end])), (n, n))
        _, labels = connected_components(network, directed=False)
        return fewest_kept(np.bincount(labels), self.rule.keep)

    def curve_points(self) -> list[dict[str, Any]]:
        """What was learned of the curve, the highest threshold first."""
        return [self.points[threshold] for threshold in sorted(self.points, reverse=True)]


def _first(length: int, holds: Callable[[int], bool]) -> int:
    """The first of 0, ..., length - 1 where something holds that, once true, stays true."""
    low, high = 0, length
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _rate(dropped: int, n: int) -> str:
    """The shortest decimal rate of which floor(rate n) is the number dropped."""
    for digits in range(2, 12):
        rate = Fraction(-(-dropped * 10**digits // n), 10**digits)
        if int(rate * n) == dropped:
            break
    return f"{float(rate):.{digits}g}"
