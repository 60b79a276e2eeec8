"""What the page of masks from tags shows: what came of each tag, and how, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from paring.dataset.table import Dataset
from paring.labels.tags.examples import Example
from paring.report.drawn import drawn_layers
from paring.report.sections.made import Made
from paring.report.words import count


class Tag(msgspec.Struct):
    """A row of what came of the tags."""

    tag: str
    images: int
    pseudo_labels: int
    images_labelled: int


class TagFacts(Made):
    """What ``run.json`` says of a run that learnt masks from tags."""

    images: int
    proposals: int
    pseudo_labels: int
    predictions: int
    tags: list[Tag]
    seconds_of: dict[str, float]
    quality: dict[str, float]


def tags_section(
    facts: TagFacts,
    examples: Sequence[Example],
    layers: Mapping[str, Dataset],
    *,
    hidden: bool,
) -> dict[str, Any]:
    """Tags and their pseudo-labels; of each example its tags, peaks and outlines by layer.

    Parameters
    ----------
    layers : the masks of each layer, of the examples' images in their order.
    hidden : whether names are not to be shown; those of tags are then numbers.
    """
    shown = {
        row.tag: f"tag {number}" if hidden else row.tag for number, row in enumerate(facts.tags, 1)
    }
    drawn = drawn_layers(layers)
    return {
        "tags": [
            [shown[row.tag], row.images, row.images_labelled, row.pseudo_labels]
            for row in facts.tags
        ],
        "proposals": facts.proposals,
        "images": facts.images,
        "seconds": facts.seconds_of,
        "quality": facts.quality,
        "examples": [
            {
                "tags": [shown[tag] for tag in one.tags],
                "peaks": [[peak.row, peak.column] for peak in one.peaks],
                "scores": [round(shape.score or 0.0, 3) for shape in one.labels],
                "layers": drawn[row],
            }
            for row, one in enumerate(examples)
        ],
    }


def tags_headline(facts: TagFacts) -> str:
    """What came out, in one sentence."""
    labelled = sum(row.pseudo_labels > 0 for row in facts.tags)
    found, images = count(facts.pseudo_labels, "pseudo-label"), count(facts.images, "image")
    tags = count(len(facts.tags), "tag")
    return f"{found} from the tags of {images}; {labelled:,} of {tags} have some."
