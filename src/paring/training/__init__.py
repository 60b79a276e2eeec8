"""Training of segmentation models by a recipe: a YAML file that says everything."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paring.training.loading import SegmentationData
    from paring.training.recipe import Recipe, load_recipe, recipes
    from paring.training.samples import Samples
    from paring.training.sources import prepare_data, read_data

__all__ = [
    "Recipe",
    "Samples",
    "SegmentationData",
    "load_recipe",
    "prepare_data",
    "read_data",
    "recipes",
]

_HOMES = {
    "Recipe": "paring.training.recipe",
    "Samples": "paring.training.samples",
    "SegmentationData": "paring.training.loading",
    "load_recipe": "paring.training.recipe",
    "prepare_data": "paring.training.sources",
    "read_data": "paring.training.sources",
    "recipes": "paring.training.recipe",
}


def __getattr__(name: str) -> Any:
    """Bring a name in when it is first used; a recipe can be read without torch."""
    if name in _HOMES:
        found = getattr(import_module(_HOMES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'paring.training' has no attribute {name!r}")
