"""The data sets of a recipe: read, cut to a subset, and parted for validation."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl

from paring.dataset.formats import carry_out, format_of
from paring.dataset.reading import Progress, Reading
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.training.sections import DataSource, Recipe
from paring.training.targets import Task, choose_classes, class_of_categories, crowds

_log = logging.getLogger("paring")

_LABELLED = ("cityscapes", "pairs", "voc")
"""Formats that hold label maps."""


@dataclass(frozen=True)
class Prepared:
    """What a training learns from and is measured on.

    Attributes
    ----------
    task, classes : of the model; the classes come from the whole training data, so that no subset
        changes the model.
    train : the images to learn from.
    val : the images to measure on, or None.
    fingerprint : of the whole training data, before subset and validation were taken.
    left_out : ids of its images that are not learned from.
    said : what was decided or is odd, in sentences; the logger ``paring`` has heard them.
    """

    task: Task
    classes: list[str]
    train: Dataset
    val: Dataset | None
    fingerprint: str
    left_out: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def read_data(
    how: DataSource, task: Task = "instance", *, progress: Progress | None = None
) -> Dataset:
    """Read a data set as a recipe names it.

    For semantic models its label maps are read where its format has any; so they are for binary
    ones where `void` or `reduce_zero_label` says that some pixels are of no class, which instances
    cannot tell. Otherwise its instances are read.

    Raises
    ------
    InputError
        Where it cannot be read, has no images, their folder is not known, or nothing is annotated.

    Example
    -------
    >>> import paring, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> data = paring.scenes(3, seed=0, folder=folder / "images")
    >>> losses = data.write(folder / "scenes.json", format="coco")
    >>> len(read_data(DataSource(path=str(folder / "scenes.json"))))
    3
    """
    path = Path(how.path)
    semantic = task == "semantic"
    if task == "binary" and (how.void is not None or how.reduce_zero_label):
        semantic = True
    name = how.format or format_of(path).name
    reading = Reading(
        path=path,
        images=None if how.images is None else Path(how.images),
        task="semantic" if semantic and name in _LABELLED else "instances",
        split=how.split,
        classes=how.classes,
        void=how.void,
        reduce_zero_label=how.reduce_zero_label,
        components=how.components,
        frame_step=how.frame_step,
        progress=progress,
    )
    data = carry_out(reading, format=name)
    if how.recompute:
        data = data.recomputed()
    if not len(data):
        raise InputError(f"{path}: has no images")
    if data.image_root is None:
        raise InputError(f"{path}: the folder of its images is not known; give images=DIR")
    if data.label_maps is None and not len(data.instances):
        raise InputError(f"{path}: has neither instances nor label maps to learn from")
    return data


def prepare_data(recipe: Recipe, *, progress: Progress | None = None) -> Prepared:
    """Read the data sets of a recipe and part them.

    The images for validation are drawn from all training images before a subset is taken, so that
    all subsets of a data set are measured on the same images.

    Raises
    ------
    InputError
        Where the recipe names no training data, the subset was made from other data, too few
        images are left, or the validation data has categories that the model does not know.
    """
    from paring.models import task_of

    data, task = recipe.data, cast("Task", task_of(recipe.model))
    if data.train is None:
        raise InputError("data.train is not given; name a data set, such as data.train=PATH")
    full = read_data(data.train, task, progress=progress)
    classes = choose_classes(full, task, wanted=data.classes, background=data.background)
    train, val = full, None
    if data.holdout:
        train, val = hold_out(full, share=data.holdout, seed=recipe.seed)
    if data.subset is not None:
        train = _take_subset(full, train, Path(data.subset), data.train)
    if data.val is not None:
        val = read_data(data.val, task, progress=progress)
        if data.classes is None:
            _refuse_strangers(val, classes, task, data.val.path)
    said = [*_vanished(train, task, classes), *_without_masks(train, task)]
    for sentence in said:
        _log.info(sentence)
    learned = train.images["image_id"]
    left_out = full.images.filter(~pl.col("image_id").is_in(learned.implode()))["image_id"]
    return Prepared(task, classes, train, val, full.fingerprint, left_out.to_list(), said)


def hold_out(data: Dataset, *, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """Part a data set by chance into one to learn from and one of floor(share · N) images.

    Raises `InputError` where one of them would have no image.

    >>> import paring
    >>> train, val = hold_out(paring.scenes(10, seed=0), share=0.25, seed=0)
    >>> len(train), len(val)
    (8, 2)
    """
    n_train = len(data) - int(Fraction(str(share)) * len(data))  # exact in decimal digits
    if not 0 < n_train < len(data):
        raise InputError(
            f"a holdout of {share:g} of {len(data):,} images leaves none for "
            f"{'validation' if n_train else 'training'}; choose another share"
        )
    order = np.random.default_rng([seed, _HOLD_OUT]).permutation(len(data))
    ids = data.images["image_id"].to_numpy()
    return data.subset(ids[order[:n_train]]), data.subset(ids[order[n_train:]])


_HOLD_OUT = 0x401D  # so that the draw is not that of a random subset of the same seed


def _take_subset(full: Dataset, train: Dataset, path: Path, how: DataSource) -> Dataset:
    """The part of the training images that a subset keeps."""
    subset = Subset.load(path)
    made_from = full
    if full.label_maps is not None and subset.dataset != full.fingerprint:
        made_from = read_data(how)  # cuts are made of instances; images have the same names
    if subset.dataset != made_from.fingerprint:
        raise InputError(
            f"{path}: was made from another data set than {how.path} (fingerprint "
            f"{subset.dataset[:12]}, that one has {made_from.fingerprint[:12]}); name the data it "
            "was made from, read in the same way"
        )
    names = subset.apply(made_from).images["file_name"]
    kept = train.images.filter(pl.col("file_name").is_in(names.implode()))
    if not len(kept):
        raise InputError(f"{path}: keeps no image that is not held out for validation")
    return train.subset(kept["image_id"])


def _refuse_strangers(val: Dataset, classes: Sequence[str], task: Task, path: str) -> None:
    """Raise `InputError` where validation data has categories that the model cannot say."""
    if task == "binary":
        return
    known = class_of_categories(val, task, classes)
    used = val.categories
    if val.label_maps is None:
        used = used.filter(pl.col("category_id").is_in(val.instances["category_id"].implode()))
    strange = used.filter(~pl.col("category_id").is_in(list(known)))["name"]
    if len(strange):
        raise InputError(
            f"{path}: has category {strange[0]!r}, which the training data lacks; name the "
            "categories that count in data.classes"
        )


def _vanished(train: Dataset, task: Task, classes: Sequence[str]) -> list[str]:
    """A sentence on the classes of which no instance is left."""
    if train.label_maps is not None or task == "binary":
        return []
    index = class_of_categories(train, task, classes)
    category = train.instances.filter(pl.Series(~crowds(train)))["category_id"]
    left = {index[c] for c in category.unique().to_list() if c in index}
    gone = [name for name in classes if _index_of(name, train, index) not in {None, *left}]
    if not gone:
        return []
    if len(gone) == len({*index.values()}):
        raise InputError("the training images show no instance of any class; keep more of them")
    return [
        f"no instance is left in the training images of {', '.join(gone)}; the model has the "
        f"class{'es' if len(gone) > 1 else ''} all the same"
    ]


def _index_of(name: str, data: Dataset, index: dict[int, int]) -> int | None:
    """Class index of a category by name; None where it is none of the data's, as a background."""
    ids = data.categories.filter(pl.col("name") == name)["category_id"].to_list()
    return index[ids[0]] if ids else None


def _without_masks(train: Dataset, task: Task) -> list[str]:
    if train.label_maps is not None:
        return []
    count = int((train.masks.is_empty & ~crowds(train)).sum())
    what = "left out" if task == "instance" else "not painted"
    return [f"{count:,} instances have no mask and are {what}"] if count else []
