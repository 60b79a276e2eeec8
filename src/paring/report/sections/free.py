"""What the page of masks from images alone shows: each stage, and what it found, by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paring.dataset.table import Dataset
from paring.labels.free.examples import FreeExample
from paring.report.drawn import drawn_layers
from paring.report.sections.made import Made
from paring.report.words import count


class FreeFacts(Made):
    """What ``run.json`` says of a run that found masks in images alone."""

    stage: str
    images: int
    free_masks: int
    updated: int | None
    exemplars: int | None
    active: float | None
    predictions: int
    pseudo_labels: int
    images_labelled: int
    seconds_of: dict[str, float]
    quality: dict[str, float]


def free_section(
    facts: FreeFacts, examples: Sequence[FreeExample], layers: Mapping[str, Dataset]
) -> dict[str, Any]:
    """Masks of each stage, and of each example its outlines by layer.

    Parameters
    ----------
    layers : the masks of each layer, of the examples' images in their order.
    """
    drawn = drawn_layers(layers)
    n = max(1, facts.images)
    stages: list[list[Any]] = [["free masks", facts.free_masks, facts.free_masks / n]]
    if facts.updated is not None:
        stages.append(["found by the first network", facts.updated, facts.updated / n])
    if facts.exemplars is not None:
        stages.append(["exemplars", facts.exemplars, None])
    if facts.stage != "masks":
        stages.append(["found by the second network", facts.predictions, facts.predictions / n])
    stages.append(["pseudo-labels", facts.pseudo_labels, facts.pseudo_labels / n])
    return {
        "stages": stages,
        "active": facts.active,
        "seconds": facts.seconds_of,
        "quality": facts.quality,
        "examples": [
            {
                "lines": [f"maskness {one.maskness:.2f}"],
                "layers": drawn[row],
            }
            for row, one in enumerate(examples)
        ],
    }


def free_headline(facts: FreeFacts) -> str:
    """What came out, in one sentence."""
    found = count(facts.pseudo_labels, "pseudo-label")
    return (
        f"{found} in {facts.images_labelled:,} of {count(facts.images, 'image')}, found without "
        "any label."
    )
