"""Which channels of a network's layers stay: as numbers, as text, and taken out of the network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from paring.errors import InputError
from paring.models.model import Model
from paring.models.narrowing import SLICEABLE, narrow, narrow_parameter, widths

_PART = re.compile(r"(0|[1-9][0-9]{0,8})(?:-([1-9][0-9]{0,8}))?")
_STAYS = re.compile(r"([-0-9 ]*) of ([1-9][0-9]{0,8})")


@dataclass(frozen=True, eq=False)
class Stays:
    """What stays of one side of a layer.

    Attributes
    ----------
    places : rising, one at least.
    of : how many there were.
    """

    places: NDArray[np.intp]
    of: int

    def __str__(self) -> str:
        return f"{to_ranges(self.places)} of {self.of}"

    @classmethod
    def read(cls, text: str) -> Stays:
        """From the text of it; `ValueError` says what is wrong.

        >>> str(Stays.read("0-3 7 of 9")), Stays.read("0-3 7 of 9").places
        ('0-3 7 of 9', array([0, 1, 2, 3, 7]))
        """
        found = _STAYS.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} does not read as in '0-3 7 of 9'")
        places, of = from_ranges(found[1]), int(found[2])
        if not places or places[-1] >= of:
            raise ValueError(f"{text!r} keeps {'nothing' if not places else 'more than there is'}")
        return cls(np.array(places, np.intp), of)


Cuts = dict[str, dict[str, Stays]]
"""What stays, by the path of a layer and its side: ``"out"``, ``"in"``, or ``"dim N"`` of a
parameter that belongs to no layer."""


def to_ranges(places: Iterable[int]) -> str:
    """Rising places as text.

    >>> to_ranges([0, 1, 2, 3, 7, 9, 10])
    '0-3 7 9-10'
    """
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][1] + 1:
            runs[-1][1] = int(place)
        else:
            runs.append([int(place)] * 2)
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def from_ranges(text: str) -> list[int]:
    """The places of a text that `to_ranges` made; `ValueError` says what is none.

    >>> from_ranges("0-3 7")
    [0, 1, 2, 3, 7]
    """
    places: list[int] = []
    for part in text.split():
        found = _PART.fullmatch(part)
        if found is None:
            raise ValueError(f"{part!r} is no range such as 4 or 2-5")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or (places and first <= places[-1]):
            raise ValueError(f"{part!r} does not rise")
        places.extend(range(first, last + 1))
    return places


def read_cuts(layers: Mapping[str, Mapping[str, str]]) -> Cuts:
    """Cuts from their text; `ValueError` names the layer with what is wrong."""
    out: Cuts = {}
    for path, sides in layers.items():
        for side, text in sides.items():
            try:
                if side not in ("out", "in") and not re.fullmatch("dim [0-9]", side):
                    raise ValueError(f"it has no side {side!r}")
                out.setdefault(path, {})[side] = Stays.read(text)
            except ValueError as error:
                raise ValueError(f"layer {path}: {error}") from error
    return out


def cuts_text(cuts: Cuts) -> dict[str, dict[str, str]]:
    """The text of cuts, as JSON can hold it."""
    return {path: {side: str(stays) for side, stays in kept.items()} for path, kept in cuts.items()}


def after(first: Cuts, then: Cuts) -> Cuts:
    """Two cuts as one: `then` is of the network that `first` leaves.

    >>> first, then = ({"0": {"out": Stays.read(t)}} for t in ("1-3 5 of 6", "0 3 of 4"))
    >>> str(after(first, then)["0"]["out"])
    '1 5 of 6'
    """
    out = {path: dict(sides) for path, sides in first.items()}
    for path, sides in then.items():
        for side, stays in sides.items():
            before = out.setdefault(path, {}).get(side)
            if before is not None:
                stays = Stays(before.places[stays.places], before.of)
            out[path][side] = stays
    return out


def apply_cuts(model: nn.Module, cuts: Cuts) -> None:
    """Take channels out of a network, in place; a model of the table remembers it.

    Raises
    ------
    InputError
        Where a layer is not there, has another width, or is of a kind that cannot be made narrower;
        the network is then as it was.
    """
    name = type(model).__name__
    modules = dict(model.named_modules())
    parameters = dict(model.named_parameters())
    for path, sides in cuts.items():
        for side, stays in sides.items():
            if side.startswith("dim "):
                there, dim = parameters.get(path), int(side[4:])
                width = None if there is None or dim >= there.ndim else there.shape[dim]
            else:
                layer = modules.get(path)
                width = widths(layer)[side == "in"] if isinstance(layer, SLICEABLE) else None
            if width is None:
                raise InputError(f"{name} has no layer {path} whose {side} channels could be cut")
            if width != stays.of:
                raise InputError(
                    f"layer {path} of {name} has {width} channels ({side}) where {stays.of} were "
                    "expected; it is another model, or is cut already"
                )
    for path, sides in cuts.items():
        for side, stays in sides.items():
            if side.startswith("dim "):
                owner, _, last = path.rpartition(".")
                kept = stays.places.tolist()
                fresh = narrow_parameter(parameters[path], int(side[4:]), kept)
                setattr(model.get_submodule(owner), last, fresh)
        out, into = (_places(sides.get(side)) for side in ("out", "in"))
        if out is not None or into is not None:
            narrow(modules[path], out, into)
    if isinstance(model, Model):
        model.cuts = cuts_text(after(read_cuts(model.cuts), cuts))


def _places(stays: Stays | None) -> list[int] | None:
    return None if stays is None else stays.places.tolist()
