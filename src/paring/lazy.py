"""Names of a package brought in when they are first used, so that importing it is cheap."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """What a package takes as its `__getattr__`.

    Parameters
    ----------
    package : its name, as `__name__` has it.
    homes : for each name that it offers, the module where that lives.

    Example
    -------
    >>> get = lazily("paring", {"InputError": "paring.errors"})
    >>> get("InputError").__name__
    'InputError'
    >>> get("Output")
    Traceback (most recent call last):
        ...
    AttributeError: module 'paring' has no attribute 'Output'
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, found)  # the next time it is there
        return found

    return get
