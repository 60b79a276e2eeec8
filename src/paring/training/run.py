"""`train`: from a recipe to a folder with a trained model, gone on with where it was cut short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
import msgspec
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging
from lightning.pytorch.loggers import Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from paring.dataset.reading import Progress
from paring.dataset.subset import Subset
from paring.dataset.writing import beside
from paring.errors import InputError
from paring.models import build, load, save, start_from
from paring.training.beginning import begin, settled
from paring.training.evaluating import evaluate_model, in_order, samples_for
from paring.training.keeping import Best, Checkpoints, Clock, EpochLoss, Steps
from paring.training.lessons import DenseLesson, InstanceLesson, Lesson, TrainingFailed
from paring.training.loading import SegmentationData
from paring.training.logs import TableLog
from paring.training.recipe import Recipe, load_recipe
from paring.training.recording import Recording
from paring.training.sources import Prepared, prepare_data
from paring.training.stopping import Limit
from paring.training.trained import (
    CHECKPOINTS,
    FACTS,
    LEARNED,
    MODEL,
    RECIPE,
    RECORD,
    Trained,
)

if TYPE_CHECKING:
    from paring.models.model import Model

SUBSET = "subset.json"
MONITORED = {"instance": "AP", "semantic": "miou_dataset", "binary": "dice_per_image"}
"""What tells the better of two models of a task, where the recipe does not say."""

Say = Callable[[str], None]


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    subset: Subset | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
    along: Sequence[Callback] = (),
) -> Trained:
    """Train a model as a recipe says, into a folder.

    The folder holds the weights (``model.safetensors``), the whole recipe, the log
    (``metrics.csv``), the checkpoint of the last epoch, what was recorded, and, once the training
    is finished, ``metrics.json`` and ``trained.json``. A folder that holds an unfinished training
    by the same recipe is gone on with from its last epoch: the outcome is that of a training that
    was never cut short.

    Parameters
    ----------
    recipe : see `paring.training.recipe.load_recipe`.
    folder : of the run.
    subset : what to keep of the training images, instead of the recipe's `data.subset`.
    progress : called with a label, steps done and steps to do.
    say : called with sentences on what was decided.
    along : further callbacks of Lightning.

    Raises
    ------
    InputError
        Where the recipe or its data cannot be used, or the folder holds something else.
    TrainingFailed
        Where the loss is no number, or a checkpoint cannot be written; what was there stays.
    """
    folder = Path(folder)
    recipe = _enter(folder, recipe, subset)
    notes: list[str] = []
    if rank_zero_only.rank != 0:  # type: ignore[attr-defined]  # of several, the first speaks
        progress = say = None

    def tell(sentence: str) -> None:
        notes.append(sentence)
        if say is not None:
            say(sentence)

    with settled(recipe.trainer.threads):
        prepared = prepare_data(recipe, progress=progress)
        for sentence in prepared.said:
            tell(sentence)
        _note_part(folder, prepared)
        torch.manual_seed(recipe.seed)
        model = build(
            recipe.model,
            prepared.classes,
            weights=recipe.weights,
            mean=recipe.mean,
            std=recipe.std,
            **recipe.options,
        )
        if recipe.trainer.channels_last:
            model.to(memory_format=torch.channels_last)
        if recipe.init is not None:
            tell(str(start_from(model, recipe.init, mapping=recipe.map)))
        lesson, trainer = _fit(recipe, folder, prepared, model, progress, tell, along)
        return _finished(recipe, folder, prepared, lesson, trainer, notes, progress)


def _enter(folder: Path, recipe: Recipe, subset: Subset | None) -> Recipe:
    """Make the folder with its recipe, or check that it is an unfinished run of the same."""
    if subset is not None:
        data = msgspec.structs.replace(recipe.data, subset=str((folder / SUBSET).absolute()))
        recipe = msgspec.structs.replace(recipe, data=data)
    if (folder / FACTS).is_file():
        raise InputError(f"{folder}: holds a finished training; choose another folder for the run")
    if (folder / RECIPE).is_file():
        there = load_recipe(folder / RECIPE)
        if there != recipe:
            raise InputError(
                f"{folder}: holds an unfinished training by another recipe "
                f"({_differs(there, recipe)}); choose another folder, or remove that one"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: exists already and is no unfinished training run")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror})") from error
    if subset is not None:
        subset.save(folder / SUBSET, overwrite=True)
    if not (folder / RECIPE).is_file():
        with beside(folder / RECIPE) as fresh:
            fresh.write_text(recipe.to_yaml(), encoding="utf-8")
    return recipe


def _note_part(folder: Path, prepared: Prepared) -> None:
    """Write which images are learned from, where those are not all of the training data."""
    if not prepared.left_out:
        return
    learned = set(prepared.train.images["image_id"])
    ids = sorted(learned.union(prepared.left_out))
    part = Subset.of(
        ids,
        [i in learned for i in ids],
        method="learned from",
        dataset=prepared.fingerprint,
        parameters={},
    )
    part.save(folder / LEARNED, overwrite=True)


def _differs(one: Any, other: Any, above: str = "") -> str:
    """The first key in which two recipes differ, with both values."""
    for key in one.__struct_fields__:
        here, there = getattr(one, key), getattr(other, key)
        if here == there:
            continue
        if isinstance(here, msgspec.Struct) and isinstance(there, msgspec.Struct):
            return _differs(here, there, f"{above}{key}.")
        return f"{above}{key} is {here} there and {there} here"
    return "they are written differently"


def _fit(
    recipe: Recipe,
    folder: Path,
    prepared: Prepared,
    model: Model,
    progress: Progress | None,
    tell: Say,
    along: Sequence[Callback],
) -> tuple[Lesson, pl.Trainer]:
    """Train, from the last checkpoint where there is one."""
    data = SegmentationData.from_recipe(recipe, prepared)
    kind = InstanceLesson if prepared.task == "instance" else DenseLesson
    lesson = kind(model, recipe, prepared.train.images["file_name"].to_list(), prepared.val)
    wished = recipe.trainer
    begun = begin(folder, epochs=wished.epochs, steps=wished.steps)
    if begun.checkpoint is not None:
        tell(f"going on after epoch {begun.done} of {wished.epochs}")
    loggers: list[Logger] = [begun.table]
    if recipe.log.tensorboard:
        loggers.append(TensorBoardLogger(folder, name="", version="tensorboard"))
    validates = prepared.val is not None and len(prepared.val) > 0
    trainer = pl.Trainer(
        accelerator=wished.accelerator,
        devices=list(wished.devices) if isinstance(wished.devices, tuple) else wished.devices,
        strategy=wished.strategy,
        precision=wished.precision,
        max_epochs=begun.epochs,
        gradient_clip_val=wished.clip,
        gradient_clip_algorithm=wished.clip_by,
        accumulate_grad_batches=wished.accumulate,
        check_val_every_n_epoch=wished.validate_every,
        limit_val_batches=1.0 if validates else 0,
        num_sanity_val_steps=0,
        log_every_n_steps=recipe.log.every,
        logger=loggers,
        callbacks=_callbacks(recipe, folder, prepared, begun.table, progress, along),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        deterministic="warn" if torch.cuda.is_available() else None,
        default_root_dir=folder,
    )
    trainer.fit(lesson, datamodule=data, ckpt_path=begun.checkpoint, weights_only=True)
    return lesson, trainer


def _callbacks(
    recipe: Recipe,
    folder: Path,
    prepared: Prepared,
    table: TableLog,
    progress: Progress | None,
    along: Sequence[Callback],
) -> list[Callback]:
    """What goes along with the training; the order matters, see each."""
    stop, monitor = recipe.stop, recipe.stop.monitor
    if monitor == "auto":
        monitor = MONITORED[prepared.task]
    callbacks: list[Callback] = [Clock(), EpochLoss(), *along]
    if prepared.val is not None:
        callbacks.append(Best(folder / MODEL if stop.keep == "best" else None, monitor))
        if stop.patience is not None:
            callbacks.append(
                EarlyStopping(
                    f"val_{monitor}",
                    mode="max",
                    patience=stop.patience,
                    check_on_train_epoch_end=False,  # but before the checkpoint, which must know
                )
            )
    if recipe.trainer.ema is not None:
        callbacks.append(EMAWeightAveraging(decay=recipe.trainer.ema))
    if recipe.record.keep is not None:
        callbacks.append(
            Recording(
                folder / RECORD,
                prepared.train,
                lambda model: in_order(
                    samples_for(model, prepared.train, recipe),
                    recipe.data.batch_size,
                    workers=recipe.data.workers,
                ),
                model=recipe.model,
                task=prepared.task,
                keep=recipe.record.keep,
                epochs=recipe.trainer.epochs,
                every=recipe.record.every,
            )
        )
    if recipe.trainer.steps is not None:
        callbacks.append(Limit(recipe.trainer.steps))
    if progress is not None:
        callbacks.append(Steps(progress, recipe.trainer.steps))
    return [*callbacks, Checkpoints(folder / CHECKPOINTS, table.save)]


def _finished(
    recipe: Recipe,
    folder: Path,
    prepared: Prepared,
    lesson: Lesson,
    trainer: pl.Trainer,
    notes: list[str],
    progress: Progress | None,
) -> Trained:
    """Keep the weights, measure them, and say that the training is finished."""
    along: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    clock = next(c for c in along if isinstance(c, Clock))
    record = next((c for c in along if isinstance(c, Recording)), None)
    path = folder / MODEL
    metrics: dict[str, float] = {}
    if trainer.is_global_zero:
        if recipe.stop.keep == "last" or not path.is_file():
            with beside(path, overwrite=True) as fresh:
                save(lesson.model, fresh)
        if prepared.val is not None:
            device = trainer.strategy.root_device
            measured = evaluate_model(
                load(path), prepared.val, recipe, device=device, progress=progress
            )
            metrics = measured.metrics
    trained = Trained(
        folder=folder,
        model=recipe.model,
        classes=list(prepared.classes),
        images=len(prepared.train),
        instances=len(prepared.train.instances),
        epochs=trainer.current_epoch,
        steps=trainer.global_step,
        seconds=round(clock.seconds, 3),
        waited=round(clock.waited, 3),
        recorded=0.0 if record is None else round(record.seconds, 3),
        device=str(trainer.strategy.root_device),
        metrics=metrics,
        notes=notes,
        leads=trainer.is_global_zero,
    )
    if trained.leads:
        trained.save()
    return trained


__all__ = ["Trained", "TrainingFailed", "train"]
