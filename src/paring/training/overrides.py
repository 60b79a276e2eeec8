"""`key=value` beside a recipe: one value set anew, by its dotted key."""

from __future__ import annotations

from typing import Any

from paring.errors import InputError
from paring.training.notation import parse_yaml


def parse_override(text: str) -> tuple[tuple[str, ...], Any]:
    """The key and the value of one override; the value is read as YAML.

    Raises `InputError` where it is no ``key=value``.

    >>> parse_override("trainer.multi_scale=[0.75, 1]")
    (('trainer', 'multi_scale'), [0.75, 1])
    """
    dotted, sign, value = text.partition("=")
    key = tuple(part.strip() for part in dotted.split("."))
    if not sign or not all(key):
        raise InputError(f"{text!r} is no override; write key=value, such as trainer.epochs=3")
    return key, parse_yaml(value, text)


def put_value(tree: dict[str, Any], key: tuple[str, ...], value: Any) -> None:
    """Set one value of nested sections in place; missing sections are made on the way.

    Raises `InputError` where the way leads through something that is no section.

    >>> tree = {"trainer": {"epochs": 3}}
    >>> put_value(tree, ("trainer", "ema"), 0.99)
    >>> tree
    {'trainer': {'epochs': 3, 'ema': 0.99}}
    """
    for depth, name in enumerate(key[:-1], start=1):
        if tree.get(name) is None:
            tree[name] = {}
        if not isinstance(tree[name], dict):
            raise InputError(
                f"{'.'.join(key)}: {'.'.join(key[:depth])} is a value and has no keys of its own"
            )
        tree = tree[name]
    tree[key[-1]] = value
