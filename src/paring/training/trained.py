"""What a training run leaves behind, and how to tell whether it is finished."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from paring.dataset.writing import beside
from paring.errors import InputError

RECIPE, MODEL, LOG, METRICS, FACTS, CHECKPOINTS, RECORD, LEARNED = (
    "recipe.yaml",
    "model.safetensors",
    "metrics.csv",
    "metrics.json",
    "trained.json",
    "checkpoints",
    "record",
    "learned.json",
)


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes
    ----------
    folder : of the run.
    model, classes : name of the model and of its classes.
    images, instances : what it learned from.
    epochs, steps : passes over the images that were begun, and optimiser steps.
    seconds : of training, in all sessions, without reading, validation data and the last measure.
    waited : seconds of them that went by waiting for images.
    recorded : seconds of them that went into the record.
    device : what it ran on.
    metrics : of the model that was kept, on the validation data; empty where there is none.
    notes : sentences on what was decided on the way.
    leads : whether this process is the first of several, the one that writes.
    """

    folder: Path
    model: str
    classes: list[str]
    images: int
    instances: int
    epochs: int
    steps: int
    seconds: float
    waited: float
    recorded: float
    device: str
    metrics: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    leads: bool = True

    def facts(self) -> dict[str, Any]:
        """What stands in ``trained.json``."""
        return {k: v for k, v in asdict(self).items() if k not in ("folder", "leads")}

    def save(self) -> None:
        """Write it, which says that the training is finished."""
        for name, facts in ((METRICS, self.metrics), (FACTS, self.facts())):
            with beside(self.folder / name, overwrite=True) as fresh:
                fresh.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Trained:
        """Read what `save` wrote; `InputError` where it is something else."""
        path = folder / FACTS
        try:
            return cls(folder=folder, **json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path}: is not what a training wrote ({error})") from error
