"""`PrunePlan`: which channels of which layers stay. Made to a budget, saved, and applied."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec
from torch import nn

from paring.dataset.writing import beside
from paring.errors import InputError
from paring.models.cuts import Cuts, Stays, after, apply_cuts, cuts_text, read_cuts

FORMAT = "paring prune plan 1"


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan as its file has it."""

    format: str
    model: str
    about: dict[str, Any]
    groups: dict[str, str]
    layers: dict[str, dict[str, str]]


@dataclass(frozen=True, eq=False)
class PrunePlan:
    """Which channels of a network stay.

    Attributes
    ----------
    model : name of the network's class, or of its entry in the table of models.
    layers : what stays, by the path of a layer and its side.
    groups : which units of each group of channels stay, by the group's name.
    about : how it was made: criterion, budget, and costs before and after.
    """

    model: str
    layers: Cuts
    groups: Mapping[str, Stays]
    about: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, model: nn.Module) -> nn.Module:
        """A copy of the network that has only the channels that stay; the network stays as it is.

        Parameters
        ----------
        model : of the same layers and widths as that which the plan was made for; its weights
            may be others.

        Raises
        ------
        InputError
            Naming the first layer that does not fit.
        """
        small = copy.deepcopy(model)
        apply_cuts(small, self.layers)
        return small

    def then(self, other: PrunePlan) -> PrunePlan:
        """One plan for this one and another of the network that it leaves.

        What is said about it is of the other, but for the costs before.
        """
        groups = dict(self.groups)
        for name, stays in other.groups.items():
            mine = groups.get(name)
            groups[name] = stays if mine is None else Stays(mine.places[stays.places], mine.of)
        first = {key: value for key, value in self.about.items() if key.endswith("_before")}
        return PrunePlan(
            self.model, after(self.layers, other.layers), groups, {**other.about, **first}
        )

    def to_json(self) -> str:
        """Its file: a line a layer, the same plan always the same text."""
        text = _Written(
            format=FORMAT,
            model=self.model,
            about=dict(self.about),
            groups={name: str(stays) for name, stays in self.groups.items()},
            layers=cuts_text(self.layers),
        )
        lines = []
        for key, value in msgspec.to_builtins(text).items():
            if isinstance(value, dict):
                inner = ",\n".join(f"    {_json(k)}: {_json(v)}" for k, v in value.items())
                lines.append(
                    f"  {_json(key)}: {{\n{inner}\n  }}" if inner else f"  {_json(key)}: {{}}"
                )
            else:
                lines.append(f"  {_json(key)}: {_json(value)}")
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, where: str = "the plan") -> Self:
        """From what `to_json` gave; `InputError` says what is wrong with it."""
        try:
            read = msgspec.json.decode(text, type=_Written)
            if read.format != FORMAT:
                raise ValueError(f"its format is {read.format!r} and not {FORMAT!r}")
            groups = {name: Stays.read(stays) for name, stays in read.groups.items()}
            return cls(read.model, read_cuts(read.layers), groups, read.about)
        except (msgspec.DecodeError, ValueError) as error:
            raise InputError(f"{where}: is no plan of pruning ({error})") from error

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write it as JSON, beside its place and then renamed."""
        with beside(Path(path), overwrite=overwrite) as fresh:
            fresh.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote."""
        try:
            return cls.from_json(Path(path).read_bytes(), where=str(path))
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error

    def __str__(self) -> str:
        lines = [
            f"{name}: {len(stays.places)} of {stays.of}" for name, stays in self.groups.items()
        ]
        about = ", ".join(
            f"{name} {self.about[f'{name}_before']:,} to {self.about[name]:,}"
            for name in ("macs", "parameters")
            if name in self.about
        )
        return "\n".join([f"{self.model}{': ' if about else ''}{about}", *lines])


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=-1).decode()
