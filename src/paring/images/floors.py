"""Floors: no category and no size bucket falls below a minimum, at a fixed count of images.

Each group (a category, a COCO size bucket) has a floor: the minimum asked for, or all it has where
that is less. While a group is below its floor, the best-scored image that serves the group most in
need comes in, and the worst-scored image that breaks no floor goes out. Every step brings the
total shortage down, so this ends. Where no image can go, the selection starts anew from the images
that the floors need, as few as two greedy searches find, and is filled up by rank; where those are
more than the count, the error says how many they are. Fewest is a hard problem, so a smaller count
may exist; the count that the error names always holds.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.summary import SIZES, counted_instances
from paring.dataset.table import Dataset, rows_of_ids
from paring.errors import InputError

_LARGEST = 2**62  # floors beyond it are all there is in any case
_BLOCK = 1024  # images looked through at a time for one that can go

FloorUnit = Literal["instances", "images"]


@dataclass(frozen=True)
class Floors:
    """What each group must keep, and what each image has of it.

    Attributes
    ----------
    names : a word for each group (G,).
    floors : the number each group must keep (G,).
    members : for each image row, its groups and how much it has of them.
    parameters : what was asked for.
    """

    names: list[str]
    floors: NDArray[np.int64]
    members: list[list[tuple[int, int]]]
    parameters: dict[str, Any]

    @classmethod
    def of(
        cls,
        data: Dataset,
        *,
        per_category: int = 0,
        per_size: int = 0,
        unit: FloorUnit,
        groups: Sequence[str] | None = None,
        per_group: int = 0,
    ) -> Floors:
        """Floors for the categories and sizes of a data set; crowds count for nothing.

        With `groups`, a name for each image, also for the images of each group.
        """
        if unit not in ("instances", "images"):
            raise InputError(f"floors count 'instances' or 'images', not {unit!r}")
        if min(per_category, per_size, per_group) < 0:
            raise InputError("a floor cannot be below 0")
        instances = counted_instances(data)
        image = rows_of_ids(data.images["image_id"], instances["image_id"])
        category = rows_of_ids(data.categories["category_id"], instances["category_id"])
        size = instances["size"].replace_strict(SIZES, range(len(SIZES)), return_dtype=pl.Int64)
        names: list[str] = []
        tables, floors = [], []
        for asked, group, words in (
            (per_category, category, [f"category {n!r}" for n in data.categories["name"]]),
            (per_size, size.to_numpy(), [f"size {n!r}" for n in SIZES]),
        ):
            if not asked:
                continue
            table = pl.DataFrame({"image": image, "group": group + len(names)})
            table = table.group_by("image", "group").agg(pl.len().cast(pl.Int64).alias("n"))
            tables.append(table if unit == "instances" else table.with_columns(n=pl.lit(1)))
            floors += [min(asked, _LARGEST)] * len(words)
            names += words
        if groups is not None and per_group:
            known = sorted(set(groups))
            group = np.searchsorted(np.array(known), np.array(groups)) + len(names)
            rows = {"image": np.arange(len(data)), "group": group, "n": np.ones(len(data))}
            tables.append(pl.DataFrame(rows))
            floors += [min(per_group, _LARGEST)] * len(known)
            names += [f"group {name!r}" for name in known]
        table = pl.concat([t.cast(pl.Int64) for t in tables])
        members: list[list[tuple[int, int]]] = [[] for _ in range(len(data))]
        total = np.zeros(len(names), np.int64)
        for row, group, n in table.sort("image", "group").iter_rows():
            members[row].append((group, n))
            total[group] += n
        asked_for = {
            "min_per_category": per_category,
            "min_per_size": per_size,
            "floor_unit": unit,
        } | ({"min_per_group": per_group} if per_group else {})
        return cls(names, np.minimum(np.array(floors, np.int64), total), members, asked_for)

    def enforce(
        self, chosen: NDArray[np.bool_], order: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], dict[int, str]]:
        """A selection (N,) of equal count that holds every floor, and what changed and why.

        `order` (N,) has the rows of all images, best first. Raises `InputError` where so few
        images cannot hold the floors.
        """
        state = _State(self, chosen.copy(), order)
        if not state.swap_until_held():
            covers = []
            for add in (_State.add_until_held, _State.add_by_service):
                needed = _State(self, np.zeros_like(chosen), order)
                add(needed)
                needed.thin_out()
                covers.append(needed)
                if needed.chosen.sum() <= chosen.sum():
                    break
            needed = min(covers, key=lambda cover: int(cover.chosen.sum()))
            if needed.chosen.sum() > chosen.sum():
                raise InputError(
                    f"no way was found to hold the floors with a count of {int(chosen.sum()):,}; "
                    f"they hold with a count of {int(needed.chosen.sum()):,}"
                )
            spare = order[~needed.chosen[order]][: chosen.sum() - needed.chosen.sum()]
            needed.chosen[spare] = True
            state = needed
        came = np.flatnonzero(state.chosen & ~chosen).tolist()
        went = np.flatnonzero(~state.chosen & chosen).tolist()
        reasons = {row: f"kept for {state.served.get(row, 'its rank')}" for row in came}
        return state.chosen, reasons | dict.fromkeys(went, "gave way to a floor")


class _State:
    """A selection on its way to hold the floors."""

    def __init__(self, floors: Floors, chosen: NDArray[np.bool_], order: NDArray[np.int64]) -> None:
        self.floors = floors
        self.chosen = chosen
        self.worst = order[::-1]
        self.served: dict[int, str] = {}
        self.have = np.zeros(len(floors.names), np.int64)
        for row in np.flatnonzero(chosen):
            self._count(int(row), 1)
        # images of each group, best first, and how far each list has been used up
        self.queues: list[list[int]] = [[] for _ in floors.names]
        for row in order.tolist():
            for group, _ in floors.members[row]:
                self.queues[group].append(row)
        self.next = [0] * len(floors.names)

    def _count(self, row: int, sign: int) -> None:
        for group, n in self.floors.members[row]:
            self.have[group] += sign * n

    def _neediest(self) -> int | None:
        """The group with the largest share of its floor missing."""
        missing = (self.floors.floors - self.have) / np.maximum(self.floors.floors, 1)
        group = int(np.argmax(missing)) if len(missing) else 0
        return group if len(missing) and missing[group] > 0 else None

    def _bring_in(self, group: int) -> int:
        queue = self.queues[group]
        while self.chosen[queue[self.next[group]]]:
            self.next[group] += 1
        row = queue[self.next[group]]
        self.chosen[row] = True
        self.served[row] = f"the floor of {self.floors.names[group]}"
        self._count(row, 1)
        return row

    def _dispensable(self) -> int | None:
        """The worst-scored image whose loss breaks no floor."""
        for first in range(0, len(self.worst), _BLOCK):
            block = self.worst[first : first + _BLOCK]
            for row in block[self.chosen[block]].tolist():
                if all(
                    self.have[group] - n >= self.floors.floors[group]
                    for group, n in self.floors.members[row]
                ):
                    return int(row)
        return None

    def add_until_held(self) -> None:
        while (group := self._neediest()) is not None:
            self._bring_in(group)

    def add_by_service(self) -> None:
        """Add the image that takes most off the shortages, the better-scored on ties."""
        rank = np.empty(len(self.worst), np.int64)
        rank[self.worst] = np.arange(len(self.worst))[::-1]
        waiting = [(-self._service(row), int(rank[row]), row) for row in range(len(rank))]
        heapq.heapify(waiting)
        while self._neediest() is not None:
            _, place, row = heapq.heappop(waiting)
            service = self._service(row)  # it only falls, so an entry on top that holds is best
            if waiting and (-service, place) > waiting[0][:2]:
                heapq.heappush(waiting, (-service, place, row))
                continue
            self.chosen[row] = True
            self._count(row, 1)
            group = self.floors.members[row][0][0]
            self.served[row] = f"the floor of {self.floors.names[group]}"

    def _service(self, row: int) -> int:
        short = self.floors.floors - self.have
        return sum(min(n, max(int(short[group]), 0)) for group, n in self.floors.members[row])

    def thin_out(self) -> None:
        """Let go of images that no floor needs, the worst-scored first."""
        while (row := self._dispensable()) is not None:
            self.chosen[row] = False
            self._count(row, -1)

    def swap_until_held(self) -> bool:
        """Swap until all floors hold; False where no image can go."""
        while (group := self._neediest()) is not None:
            self._bring_in(group)
            row = self._dispensable()
            if row is None:
                return False
            self.chosen[row] = False
            self._count(row, -1)
        return True
