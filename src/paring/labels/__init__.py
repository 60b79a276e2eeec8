"""Fewer labels: mask proposals, and instance masks from tags or from images alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.labels.free.finding import find_masks
    from paring.labels.free.masks import free_masks
    from paring.labels.free.predicting import load_free, predict_free
    from paring.labels.free.recipe import load_free_recipe
    from paring.labels.free.running import labels_from_images
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
    "find_masks",
    "free_masks",
    "labels_from_images",
    "labels_from_tags",
    "load_free",
    "load_free_recipe",
    "load_proposals",
    "load_tag_recipe",
    "predict_free",
    "proposal_quality",
    "propose",
    "propose_image",
    "read_proposals",
    "save_proposals",
    "tags_of",
    "with_tags",
]

_HOMES = {
    "find_masks": "paring.labels.free.finding",
    "free_masks": "paring.labels.free.masks",
    "labels_from_images": "paring.labels.free.running",
    "load_free": "paring.labels.free.predicting",
    "load_free_recipe": "paring.labels.free.recipe",
    "predict_free": "paring.labels.free.predicting",
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
