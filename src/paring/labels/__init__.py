"""Fewer labels: mask proposals, and instance masks from image-level tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.labels.proposals import (
        load_proposals,
        proposal_quality,
        propose,
        propose_image,
        read_proposals,
        save_proposals,
    )
    from paring.labels.tags.given import tags_of, with_tags
    from paring.labels.tags.recipe import load_tag_recipe
    from paring.labels.tags.running import labels_from_tags

__all__ = [
    "labels_from_tags",
    "load_proposals",
    "load_tag_recipe",
    "proposal_quality",
    "propose",
    "propose_image",
    "read_proposals",
    "save_proposals",
    "tags_of",
    "with_tags",
]

_HOMES = {
    "labels_from_tags": "paring.labels.tags.running",
    "load_proposals": "paring.labels.proposals",
    "load_tag_recipe": "paring.labels.tags.recipe",
    "proposal_quality": "paring.labels.proposals",
    "propose": "paring.labels.proposals",
    "propose_image": "paring.labels.proposals",
    "read_proposals": "paring.labels.proposals",
    "save_proposals": "paring.labels.proposals",
    "tags_of": "paring.labels.tags.given",
    "with_tags": "paring.labels.tags.given",
}

# proposals need no torch
__getattr__ = lazily(__name__, _HOMES)
