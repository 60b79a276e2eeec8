"""File names and other words that a page may have to keep to itself."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any

import polars as pl

_SAFE = (
    "brought back: the worst covered of those to go",
    "cannot be read",
    "gave way to a floor",
    "kept for its rank",
    "kept for the floor of category",
    "kept for the floor of size",
    "no kept image can be compared with it",
    "new, and not shown by what was kept before",
)
"""What reasons begin with that name no file and no group; only these words are shown."""

_KNOWN = frozenset(
    (
        *("scores", "contour", "scale_invariant", "class_balanced", "min_image_side", "unscored"),
        *("strata", "cutoff", "min_per_category", "min_per_size", "floor_unit", "min_per_group"),
        *("metric", "size", "window", "data_range", "threshold", "keep", "communities"),
        *("resolution", "rate", "count", "model", "epoch", "epochs", "last_epoch", "never"),
        *("cells", "instances", "passes", "p", "views", "how", "seed", "encoder", "radius"),
    )
)
"""Parameters that name nothing of the user's."""

_KIND = re.compile("[a-z][a-z ]{0,20}")


@dataclass(frozen=True)
class Names:
    """The names of the images of a data set, as they are or hashed.

    A hashed name is an HMAC-SHA256 under the fingerprint of the data set, cut to 12 hexadecimal
    digits: who has the data set can find the image, who has the page alone cannot try out names.

    Attributes
    ----------
    shown : a name for each image (N,).
    hidden : whether they are hashed.
    """

    shown: list[str]
    hidden: bool

    @classmethod
    def of(cls, images: pl.DataFrame, fingerprint: str, *, hide: bool) -> Names:
        """Of the images of a data set."""
        names = images["file_name"].to_list()
        if not hide:
            return cls(names, False)
        key = fingerprint.encode()
        return cls([hashed(name, key) for name in names], True)

    def reason(self, text: str) -> str:
        """The reason of a decision; with hidden names only what names no file and no group."""
        if not self.hidden:
            return text
        if text.startswith("kept for the floor of group"):
            return "kept for the floor of a group"
        found = next((words for words in _SAFE if text.startswith(words)), "")
        return text.partition(" (")[0] if found.startswith("kept for the floor") else found

    def parameters(self, given: dict[str, Any]) -> dict[str, Any]:
        """What a method was given; with hidden names only numbers and names of ways to do it."""
        if not self.hidden:
            return given
        return {
            name: value
            for name, value in given.items()
            if name in _KNOWN
            and (isinstance(value, int | float) or _KIND.fullmatch(str(value)) is not None)
        }


def hashed(name: str, key: bytes) -> str:
    """A name that says nothing without the key.

    >>> hashed("patient-1.png", b"key")
    'd864097c5a41'
    """
    return hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]
