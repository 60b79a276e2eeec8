"""File names and other words that a page may have to keep to itself."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

import polars as pl

_GROUP = re.compile(r"""group (['"]).*\1""")


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
        if text.startswith("brought back"):
            return "brought back: the worst covered of those to go"
        if "cannot be read" in text:
            return "cannot be read"
        return _GROUP.sub("a group", text) if "similar" not in text else ""


def hashed(name: str, key: bytes) -> str:
    """A name that says nothing without the key.

    >>> hashed("patient-1.png", b"key")
    'd864097c5a41'
    """
    return hmac.new(key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:12]
