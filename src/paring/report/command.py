"""Command lines that make a run once more, or another one like it."""

from __future__ import annotations

from collections.abc import Sequence

AMOUNT = ("--rate", "--count", "--threshold")
"""Options that say how much goes."""

FLOORS = ("--min-per-category", "--min-per-size", "--floor-unit", "--min-per-group")
"""Options that keep some images whatever the rule says."""


def without(words: Sequence[str], valued: Sequence[str], flags: Sequence[str] = ()) -> list[str]:
    """A command line without some options, and without the values of those that have one.

    >>> without(["shape", "--rate=0.5", "-o", "run", "--json"], ["--rate", "-o"], ["--json"])
    ['shape']
    """
    left: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":  # behind it stand no options
            return [*left, word, *rest]
        name, equals, _ = word.partition("=")
        if name in valued:
            if not equals:
                next(rest, None)
        elif word not in flags and word[:2] not in [v for v in valued if len(v) == 2]:
            left.append(word)
    return left
