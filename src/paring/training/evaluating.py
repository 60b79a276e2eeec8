"""A trained model on a data set: what it finds, and how good that is at the size of the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import torch
from torch import Tensor

from paring.dataset.formats.pairs.values import BACKGROUNDS
from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.evaluation.dense import DenseTally
from paring.evaluation.detection import category_ap
from paring.evaluation.seen import Collected, labels_of, resized
from paring.evaluation.threads import torch_threads
from paring.models import load
from paring.training.loading import Batches, EpochRows, Loader, make_loader
from paring.training.moving import moved
from paring.training.recipe import Recipe, load_recipe
from paring.training.samples import Samples
from paring.training.sources import prepare_data, read_data
from paring.training.trained import FACTS, MODEL, RECIPE

if TYPE_CHECKING:
    from paring.training.sections import DataSource

Batch = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Measured:
    """What a model reached on a data set.

    Attributes
    ----------
    metrics : by name; of instances COCO's for masks, and for boxes with ``box_`` before the name.
    truth : the data set.
    predictions : scored instances, of an instance model.
    tally : counts of pixels, of a dense model.
    """

    metrics: dict[str, float]
    truth: Dataset
    predictions: Dataset | None = None
    tally: DenseTally | None = None

    def categories(self) -> pl.DataFrame:
        """A row for each category: of masks as `category_ap`, of pixels as `DenseTally` has it."""
        if self.predictions is not None:
            return category_ap(self.truth, self.predictions)
        assert self.tally is not None
        return self.tally.per_category()


def evaluate_model(
    model: Any,
    data: Dataset,
    recipe: Recipe,
    *,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Measured:
    """Measure a model on the images of a data set, at their own size.

    Images are resized as in the recipe's training, unaugmented; what the model says is resized
    back (logits and soft masks bilinearly) and compared there.

    Parameters
    ----------
    model : of `paring.models`; it is left in evaluation mode.
    data : images with their truth.
    recipe : how the model was trained: size, resizing, batch size, threads.
    device : where it runs.
    progress : called with a label, images done and images to do.

    Raises
    ------
    InputError
        Where the data has no images, or not the model's classes.
    """
    if not len(data):
        raise InputError("there are no images to measure the model on")
    refuse_other_classes(model, data)
    model.to(device).eval()
    samples = samples_for(model, data, recipe)
    done = 0
    collected = Collected(data, model.classes) if model.task == "instance" else None
    tally = None if model.task == "instance" else DenseTally(model.classes)
    with torch_threads(recipe.trainer.threads), torch.inference_mode():
        for batch in in_order(samples, recipe.data.batch_size, workers=recipe.data.workers):
            batch = moved(batch, torch.device(device))
            if collected is not None:
                _collect(model, batch, collected)
            if tally is not None:
                _count(model, batch, samples, tally)
            done += len(batch["row"])
            if progress is not None:
                progress("measuring", done, len(data))
    if collected is not None:
        return Measured(collected.result(), data, predictions=collected.predictions())
    assert tally is not None
    return Measured(tally.result(), data, tally=tally)


def refuse_other_classes(model: Any, data: Dataset) -> None:
    """Raise `InputError` where a class of the model is no category of the data set.

    A background need not be one, and a binary model takes all that is annotated for its class.
    """
    there = data.categories["name"].to_list()
    lost = [name for name in model.classes if name not in there and name not in BACKGROUNDS]
    if lost and model.task != "binary":
        place = f"{data.sources[0]}: " if data.sources else ""
        raise InputError(
            f"{place}has no category {lost[0]!r}, which the model tells from others (there are "
            f"{', '.join(there) or 'none'}); use data of its own classes"
        )


def in_order(samples: Samples, batch_size: int, *, workers: int = 0) -> Loader:
    """Batches of samples in the order of the data set, once through."""
    batches = Batches(EpochRows(len(samples), seed=None), size=batch_size)
    return make_loader(samples, batches, workers=workers)


def samples_for(model: Any, data: Dataset, recipe: Recipe) -> Samples:
    """The images of a data set as the model was trained on them, unaugmented."""
    return Samples(
        data,
        model.task,
        model.classes,
        size=recipe.data.size,
        resize=recipe.data.resize,
    )


def _collect(model: Any, batch: Batch, collected: Collected) -> None:
    for one, image_id, geometry in zip(
        model(list(batch["image"])), batch["image_id"], batch["geometry"], strict=True
    ):
        collected.add(one, int(image_id), content=geometry.inner, size=geometry.original)


def _count(model: Any, batch: Batch, samples: Samples, tally: DenseTally) -> None:
    logits: Tensor = model(batch["image"]).float()
    for k, (row, image_id, geometry) in enumerate(
        zip(batch["row"], batch["image_id"], batch["geometry"], strict=True)
    ):
        whole = resized(logits[k : k + 1], geometry.inner, geometry.original)
        labels = labels_of(whole, model.task)[0]
        tally.add(labels, samples.truth(int(row)), int(image_id))


def evaluate_run(
    run: str | Path,
    *,
    data: Dataset | None = None,
    source: DataSource | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Measured:
    """Measure the model of a training run.

    Parameters
    ----------
    run : folder that a training wrote.
    data : what to measure it on.
    source : the same, to be read; without either, the validation data of the training.

    Raises
    ------
    InputError
        Where the folder holds no trained model, or there is nothing to measure it on.
    """
    model, recipe = load_run(run)
    if data is None and source is not None:
        data = read_data(source, task=model.task, progress=progress)
    if data is None:
        data = prepare_data(recipe, progress=progress).val
    if data is None:
        raise InputError(f"{run}: was trained without validation data; say what to measure it on")
    return evaluate_model(model, data, recipe, device=device, progress=progress)


def load_run(run: str | Path) -> tuple[Any, Recipe]:
    """Model and recipe of a training run; `InputError` where the folder holds none."""
    folder = Path(run)
    for name in (RECIPE, MODEL, FACTS):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: is no finished training run (it has no {name})")
    return load(folder / MODEL), load_recipe(folder / RECIPE)
