"""Training of segmentation models by a recipe: a YAML file that says everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.training.evaluating import Measured, evaluate_model, evaluate_run, load_run
    from paring.training.lessons import TrainingFailed
    from paring.training.loading import SegmentationData
    from paring.training.passes import augmented_passes, dropout_passes, image_features
    from paring.training.recipe import Recipe, load_recipe, recipes
    from paring.training.run import train
    from paring.training.samples import Samples
    from paring.training.sources import prepare_data, read_data
    from paring.training.trained import Trained

__all__ = [
    "Measured",
    "Recipe",
    "Samples",
    "SegmentationData",
    "Trained",
    "TrainingFailed",
    "augmented_passes",
    "dropout_passes",
    "evaluate_model",
    "evaluate_run",
    "image_features",
    "load_recipe",
    "load_run",
    "prepare_data",
    "read_data",
    "recipes",
    "train",
]

_HOMES = {
    "Measured": "paring.training.evaluating",
    "Recipe": "paring.training.recipe",
    "Samples": "paring.training.samples",
    "SegmentationData": "paring.training.loading",
    "Trained": "paring.training.trained",
    "TrainingFailed": "paring.training.lessons",
    "augmented_passes": "paring.training.passes",
    "dropout_passes": "paring.training.passes",
    "evaluate_model": "paring.training.evaluating",
    "evaluate_run": "paring.training.evaluating",
    "image_features": "paring.training.passes",
    "load_recipe": "paring.training.recipe",
    "load_run": "paring.training.evaluating",
    "prepare_data": "paring.training.sources",
    "read_data": "paring.training.sources",
    "recipes": "paring.training.recipe",
    "train": "paring.training.run",
}

# a recipe can be read without torch
__getattr__ = lazily(__name__, _HOMES)
