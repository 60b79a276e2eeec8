"""From the keys of a recipe to its values, whatever kind of recipe it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from paring.errors import InputError
from paring.training.nearest import in_words, refuse_endless, refuse_unknown
from paring.training.overrides import parse_override, put_value

Settle = Callable[[dict[str, Any], Path, str], None]
T = TypeVar("T", bound=msgspec.Struct)


def complete(
    tree: dict[str, Any],
    overrides: Sequence[str],
    kind: type[T],
    *,
    where: str,
    folder: Path,
    settle: Settle,
    defaults: T | None = None,
) -> T:
    """A recipe of a kind from its keys, some of them set anew; `tree` is changed.

    Parameters
    ----------
    tree : of keys and values.
    overrides : ``key=value`` each, in turn; their paths start from the working folder.
    kind : of the recipe.
    where, folder : how errors call it, and what its paths start from.
    settle : spells out in a tree, in place, what may be written shortly; is given the folder and
        what to call the tree as well.
    defaults : a recipe whose values stand where the keys say nothing, also in sections of which
        they say something; unset, the defaults of each section.

    Raises
    ------
    InputError
        One sentence naming the key, what is wrong with it, and the nearest key known.
    """
    refuse_unknown(tree, kind, where)
    settle(tree, folder, where)
    given: dict[str, str] = {}
    for override in overrides:
        key, value = parse_override(override)
        part: dict[str, Any] = {}
        put_value(part, key, value)
        refuse_unknown(part, kind, override)
        settle(part, Path.cwd(), override)
        put_value(tree, key, value_at(part, key))
        given[".".join(key)] = override
    refuse_endless(tree, where)
    if defaults is not None:
        _fill(tree, msgspec.to_builtins(defaults))
    try:
        return msgspec.convert(tree, kind)
    except msgspec.ValidationError as error:
        problem = in_words(error, tree, kind)
        blamed = next((text for key, text in given.items() if problem.startswith(key)), where)
        raise InputError(f"{blamed}: {problem}") from error


def _fill(tree: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Add what a tree lacks, in sections that it has as well."""
    for key, value in defaults.items():
        if key not in tree:
            tree[key] = value
        elif isinstance(value, dict) and isinstance(tree[key], dict):
            _fill(tree[key], value)


def settle_weights(tree: dict[str, Any], folder: Path, where: str) -> None:
    """Make the path of the weights absolute; null and ``"hub"`` stay."""
    named = tree.get("weights")
    if named == "":
        raise InputError(f"{where}: weights is an empty path; write null for none")
    if isinstance(named, str) and named != "hub":
        tree["weights"] = os.path.abspath(folder / Path(named).expanduser())


def value_at(tree: Any, key: Sequence[str]) -> Any:
    """The value at a key, or None where there is none.

    >>> value_at({"trainer": {"epochs": 3}}, ("trainer", "epochs"))
    3
    """
    for name in key:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree
