"""What is wrong with the keys and values of a recipe, in one sentence."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from paring.errors import InputError

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "a section with keys",
    "null": "null",
}
_SIGNS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like this one, or None where none is near.

    The last part of a dotted key alone counts too, so that a forgotten section is found.

    >>> nearest("trainer.epoch", ["trainer.epochs", "seed"]), nearest("lr", ["optimiser.lr"])
    ('trainer.epochs', 'optimiser.lr')
    """
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.7)
    if close:
        return close[0]
    last = word.rpartition(".")[2]
    ends = {key.rpartition(".")[2]: key for key in reversed(known)}
    close = difflib.get_close_matches(last, list(ends), n=1, cutoff=0.7)
    return ends[close[0]] if close else None


def known_keys(kind: type[msgspec.Struct], above: str = "") -> Iterator[str]:
    """Every dotted key of a struct and of the structs in it, sections before their keys.

    >>> from paring.training.sections import Loss
    >>> list(known_keys(Loss))[2:5]
    ['aggregate', 'gsrl', 'gsrl.beta']
    """
    for name, hint in get_type_hints(kind).items():
        yield above + name
        inner = _struct_in(hint)
        if inner is not None:
            yield from known_keys(inner, f"{above}{name}.")


def refuse_unknown(
    tree: dict[Any, Any], kind: type[msgspec.Struct], where: str, *, what: str = "recipe"
) -> None:
    """Raise `InputError` at the first key that a struct does not have, with the nearest it has."""
    known = list(known_keys(kind))
    for key in _unknown(tree, kind):
        better = nearest(key, known)
        hint = f"; did you mean {better}?" if better else f"; its sections are {_sections(known)}"
        raise InputError(f"{where}: {key} is no key of a {what}{hint}")


def _unknown(tree: dict[Any, Any], kind: type[msgspec.Struct], above: str = "") -> Iterator[str]:
    hints = get_type_hints(kind)
    for name, value in tree.items():
        if name not in hints:
            yield f"{above}{name}"
            continue
        inner = _struct_in(hints[name])
        if inner is not None and isinstance(value, dict):
            yield from _unknown(value, inner, f"{above}{name}.")


def _sections(known: Sequence[str]) -> str:
    return ", ".join(key for key in known if "." not in key)


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    """The struct that a type is, or may be."""
    for part in (hint, *get_args(hint)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None


def refuse_endless(tree: Any, where: str, above: str = "") -> None:
    """Raise `InputError` at the first number that is infinite."""
    if isinstance(tree, float) and not math.isfinite(tree):
        raise InputError(f"{where}: {above} is too large for a number")
    pairs = tree.items() if isinstance(tree, dict) else ()
    for name, value in pairs or (enumerate(tree) if isinstance(tree, list) else ()):
        refuse_endless(value, where, f"{above}.{name}" if above else str(name))


def in_words(
    error: msgspec.ValidationError, tree: dict[str, Any], kind: type[msgspec.Struct]
) -> str:
    """What a failed conversion found wrong, with its key and the value that stands there.

    >>> from paring.training.sections import Trainer
    >>> try:
    ...     msgspec.convert({"epochs": 0}, Trainer)
    ... except msgspec.ValidationError as error:
    ...     in_words(error, {"epochs": 0}, Trainer)
    'epochs must be a whole number of at least 1, not 0'
    """
    problem, _, place = str(error).partition(" - at ")
    if place.startswith("`key`"):
        section = place.partition("`$.")[2].rstrip("`")
        return f"the keys of {section} must be texts; put them in quotes"
    key = place.strip("`").removeprefix("$").removeprefix(".")
    missing = re.fullmatch(r"Object missing required field `(.+)`", problem)
    if missing:
        return f"{'.'.join(filter(None, (key, missing[1])))} is missing"
    found = _shown(tree, key)
    if problem.startswith("Invalid enum value"):
        return f"{key} must be one of {', '.join(_choices(kind, key))}, not {found}"
    length = re.fullmatch(r"Expected `array` of length (\d+), got (\d+)", problem)
    if length:
        return f"{key} must have {length[1]} entries, not {length[2]}"
    ranged = re.fullmatch(r"Expected `(\w+)` (>=|>|<=|<) (\S+)", problem)
    if ranged:
        limit = f"{float(ranged[3]):.10g}"
        return f"{key} must be {_KINDS[ranged[1]]} of {_SIGNS[ranged[2]]} {limit}, not {found}"
    wanted = re.fullmatch(r"Expected `(.+)`, got `.+`", problem)
    if wanted:
        kinds = " or ".join(_KINDS.get(k, k) for k in wanted[1].split(" | "))
        return f"{key} must be {kinds}, not {found}"
    return f"{key}: {problem}"


def _shown(tree: Any, key: str) -> str:
    """The value at a key such as ``data.size[1]``, as it would be written."""
    for name, place in re.findall(r"([^.\[\]]+)|\[(\d+)\]", key):
        if name and isinstance(tree, dict) and name in tree:
            tree = tree[name]
        elif place and isinstance(tree, list):
            tree = tree[int(place)]
    if isinstance(tree, dict):
        return "a section"
    if isinstance(tree, bool):
        return "true" if tree else "false"
    return "null" if tree is None else repr(tree)


def _choices(kind: Any, key: str) -> list[str]:
    """The words that may stand at a key."""
    hint: Any = kind
    for name in key.split("."):
        hint = get_type_hints(_struct_in(hint))[name]
    words = [hint, *get_args(hint)]
    return [str(w) for part in words if get_origin(part) is Literal for w in get_args(part)]
