"""Segmentation with fewer images, fewer labels, fewer channels.

>>> import paring
>>> data = paring.scenes(50, seed=0)
>>> scores = paring.images.shape_scores(data)
>>> subset = paring.images.keep_top(scores, rate=0.5)
>>> len(subset.apply(data))
25
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring import channels, evaluation, experiment, images, labels, models, report, training
    from paring.dataset.formats import read
    from paring.dataset.masks import MaskStore
    from paring.dataset.scenes import scenes
    from paring.dataset.scores import Scores
    from paring.dataset.subset import Subset
    from paring.dataset.table import Dataset
    from paring.errors import InputError

__version__ = "0.1.0"

__all__ = [
    "Dataset",
    "InputError",
    "MaskStore",
    "Scores",
    "Subset",
    "channels",
    "evaluation",
    "experiment",
    "images",
    "labels",
    "models",
    "read",
    "report",
    "scenes",
    "training",
]

_ROOMS = (
    *("channels", "evaluation", "experiment", "images", "labels", "models", "report"),
    "training",
)
_HOMES = {
    "Dataset": "paring.dataset.table",
    "InputError": "paring.errors",
    "MaskStore": "paring.dataset.masks",
    "Scores": "paring.dataset.scores",
    "Subset": "paring.dataset.subset",
    "read": "paring.dataset.formats",
    "scenes": "paring.dataset.scenes",
}

_from_home = lazily(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """Bring a name in when it is first used, so that importing paring costs next to nothing."""
    return import_module(f"paring.{name}") if name in _ROOMS else _from_home(name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
