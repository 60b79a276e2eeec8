"""What the pages of all runs that made masks need to know of them."""

from __future__ import annotations

import msgspec


class Source(msgspec.Struct):
    """The data set of a run."""

    image_root: str | None
    fingerprint: str


class Made(msgspec.Struct):
    """What ``run.json`` says of every run that made masks."""

    dataset: Source
