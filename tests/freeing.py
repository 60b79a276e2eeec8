"""A tiny run of learning from images alone, for the tests that look at what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paring.labels.free.running import Freed

OPTIONS = (
    "{grids: [6, 5, 4, 3, 2], ranges: [[1, 32], [16, 64], [32, 128], [64, 256], [128, 999]], "
    "fpn_channels: 16, head_width: 16, head_layers: 1, mask_width: 8, least_area: 0.0, "
    "score_threshold: 0.0, kept_score: 0.0, detections: 6}"
)

TINY = (
    *("encoder=mobilenet_v2", "looking.size=128", "looking.longest=256", "masks.count=10"),
    *("masks.embedding=12", "network.size=[64,96]", f"network.options={OPTIONS}"),
    *("network.fitting.epochs=2", "network.fitting.batch_size=3", "network.fitting.workers=0"),
    *("network.fitting.threads=1", "network.fitting.accelerator=cpu"),
    *("network.coarse.pairwise_steps=2", "network.cache=0"),
    *("network.fitting.warmup_steps=0", "network.fitting.lr=0.01"),
    *("second.score=0.0", "keep=0.0", "exemplars.count=3", "exemplars.size=64"),
    *("contrast.size=32", "contrast.alpha=0.1", "contrast.beta=0.1", "contrast.tau=1.0"),
)
"""What makes a recipe run in seconds, and its networks find something whatever they learnt."""


def tiny(*more: str) -> Sequence[str]:
    """The same with further values."""
    return (*TINY, *more)


def same(one: Freed, other: Freed) -> bool:
    """Whether two runs gave the same masks and embeddings."""
    return (
        one.predictions.data == other.predictions.data
        and (one.predictions.embeddings == other.predictions.embeddings).all()
        and one.masks.data == other.masks.data
    )
