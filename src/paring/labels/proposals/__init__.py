"""Training-free mask proposals: made here, or taken from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.labels.proposals.files import load_proposals, save_proposals
    from paring.labels.proposals.image import propose_image
    from paring.labels.proposals.making import propose
    from paring.labels.proposals.outside import read_proposals
    from paring.labels.proposals.quality import proposal_quality

__all__ = [
    "load_proposals",
    "proposal_quality",
    "propose",
    "propose_image",
    "read_proposals",
    "save_proposals",
]

_HOMES = {
    "load_proposals": "paring.labels.proposals.files",
    "proposal_quality": "paring.labels.proposals.quality",
    "propose": "paring.labels.proposals.making",
    "propose_image": "paring.labels.proposals.image",
    "read_proposals": "paring.labels.proposals.outside",
    "save_proposals": "paring.labels.proposals.files",
}

__getattr__ = lazily(__name__, _HOMES)
