"""A tiny run of learning from tags, for the tests that look at what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paring.labels.tags.running import Mined

TINY = (
    *(
        "encoder=mobilenet_v2",
        "network.start=classifier",
        "proposals.count=25",
        "proposals.size=96",
    ),
    *("classifier.stride=16", "classifier.size=[64,96]", "classifier.fitting.epochs=1"),
    *("classifier.fitting.batch_size=3", "classifier.fitting.workers=0"),
    *("network.width=4", "network.hidden=8", "network.sizes=[64,96]", "network.limit=25"),
    *("network.fitting.epochs=2", "network.fitting.workers=0", "network.fitting.lr=0.001"),
    *("inference.sizes=[64]", "inference.keep=0.0", "inference.most=10"),
    *("classifier.fitting.threads=1", "network.fitting.threads=1"),
)
"""What makes a recipe run in seconds."""


def tiny(*more: str) -> Sequence[str]:
    """The same with further values."""
    return (*TINY, *more)


def same(one: Mined, other: Mined) -> bool:
    """Whether two runs gave the same masks."""
    return one.predictions == other.predictions and one.pseudo_labels == other.pseudo_labels
