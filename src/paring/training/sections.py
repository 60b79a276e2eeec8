"""The sections of a recipe: every key, its kind, its range and its default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Whole = Annotated[int, Meta(ge=1)]
Side = Annotated[int, Meta(ge=1, le=16_384)]
Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all sections share: they are values, and take no key that is not theirs."""


class DataSource(Section, frozen=True):
    """A data set and how to read it; see `paring.read` for the options.

    `recompute` takes areas and boxes from the masks, not as annotated.
    """

    path: str
    format: str | None = None
    images: str | None = None
    split: str | None = None
    classes: tuple[str, ...] | None = None
    void: int | None = None
    reduce_zero_label: bool = False
    components: bool = False
    frame_step: Whole = 1
    recompute: bool = False


class Data(Section, frozen=True):
    """What is learnt from, and how the model sees it.

    Attributes
    ----------
    train, val : data sets; where `val` is None, the share `holdout` of the training images is kept
        for validation.
    subset : a ``subset.json`` made from `train`.
    size : (height, width) in pixels of what the model sees.
    resize : ``"stretch"``, or ``"pad"`` to keep the aspect and pad at the right and the bottom.
    cache : bytes of memory for decoded, resized images; 0 for none.
    classes : names of the categories that count; None for all.
    background : ``"auto"`` adds a background class where semantic targets are painted from
        instances; ``"none"`` makes what lies outside of them void.
    """

    train: DataSource | None = None
    val: DataSource | None = None
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    subset: str | None = None
    size: tuple[Side, Side] = (256, 256)
    resize: Literal["stretch", "pad"] = "stretch"
    batch_size: Whole = 8
    workers: Annotated[int, Meta(ge=0, le=1024)] = 2
    cache: Annotated[int, Meta(ge=0)] = 2**30
    classes: tuple[str, ...] | None = None
    background: Literal["auto", "none"] = "auto"


class Augment(Section, frozen=True):
    """Changes of the training images; a target always follows its image.

    Attributes
    ----------
    flip, vflip : chance of mirroring left-right and up-down.
    rotate : largest angle in degrees, either way.
    scale : range of the factor that the image is enlarged by before the crop.
    crop : (height, width) in pixels of the part that the model sees; None for the sample's size.
    brightness, contrast, saturation : factors are drawn from [max(0, 1 - x), 1 + x].
    hue : largest shift, as a share of the circle of hues.
    """

    flip: Share = 0.5
    vflip: Share = 0.0
    rotate: Annotated[float, Meta(ge=0, le=180)] = 0.0
    scale: tuple[Positive, Positive] = (1.0, 1.0)
    crop: tuple[Side, Side] | None = None
    brightness: NotNegative = 0.0
    contrast: NotNegative = 0.0
    saturation: NotNegative = 0.0
    hue: Annotated[float, Meta(ge=0, le=0.5)] = 0.0


class Gsrl(Section, frozen=True):
    """Constants of `paring.training.losses.rebalanced_loss`."""

    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.9999
    pool: Whole = 9
    hardness: NotNegative = 9.0


class Loss(Section, frozen=True):
    """What is made small; see `paring.training.losses`.

    ``"auto"`` is the model's own for instances, cross-entropy for classes and the structure loss
    for one class. `aux_weight` is the weight of auxiliary outputs of semantic models, `aggregate`
    how the outputs of binary models are put together.
    """

    name: Literal["auto", "cross_entropy", "gsrl", "structure"] = "auto"
    aux_weight: NotNegative = 0.4
    aggregate: Literal["sum", "additive", "mutation"] = "sum"
    gsrl: Gsrl = Gsrl()


class Optimiser(Section, frozen=True):
    """How the weights move; `encoder_lr` is the factor of `lr` for the encoder."""

    name: Literal["adamw", "sgd"] = "adamw"
    lr: Positive = 1.0e-4
    weight_decay: NotNegative = 1.0e-4
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    encoder_lr: NotNegative = 1.0


class Schedule(Section, frozen=True):
    """How the learning rate falls; `milestones` are epochs, `warmup_start` is a factor."""

    name: Literal["constant", "poly", "cosine", "multistep"] = "constant"
    warmup_steps: Annotated[int, Meta(ge=0)] = 0
    warmup_start: Share = 0.001
    milestones: tuple[Whole, ...] = ()
    gamma: Positive = 0.1
    power: Positive = 0.9


class Trainer(Section, frozen=True):
    """How long, on what, and how exactly.

    Attributes
    ----------
    epochs : passes over the training images.
    steps : optimiser steps after which training ends, where that comes first.
    clip, clip_by : largest gradient, by norm or by value.
    accumulate : batches whose gradients make one step.
    ema : decay of a moving average of the weights, or None.
    multi_scale : factors of the size; each batch is learned from once at each, a step each time.
        Sides are rounded to 32 pixels. For dense models.
    validate_every : epochs between validations.
    threads : of the processor that torch may use; None for torch's own choice.
    channels_last : pixels of a feature map lie together channel by channel, which convolutions of
        dense models like better on most devices.
    """

    epochs: Whole = 10
    steps: Whole | None = None
    precision: Literal["32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true"] = (
        "32-true"
    )
    clip: Positive | None = None
    clip_by: Literal["norm", "value"] = "norm"
    accumulate: Whole = 1
    ema: Annotated[float, Meta(gt=0, lt=1)] | None = None
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps", "tpu"] = "auto"
    devices: int | str | tuple[int, ...] = 1
    strategy: str = "auto"
    multi_scale: tuple[Positive, ...] = ()
    validate_every: Whole = 1
    threads: Whole | None = None
    channels_last: bool = False


class Stop(Section, frozen=True):
    """When to stop early (after `patience` validations without gain), and what is kept."""

    patience: Whole | None = None
    monitor: str = "auto"
    keep: Literal["last", "best"] = "last"


class Recording(Section, frozen=True):
    """What is recorded of each instance or image, for scores from training dynamics."""

    keep: Literal["signs", "margins"] | None = None
    every: Whole = 1


class Log(Section, frozen=True):
    """How often, in steps, something is said, and whether TensorBoard hears it."""

    every: Whole = 10
    tensorboard: bool = True


class Recipe(Section, frozen=True):
    """A whole training in words and numbers; `paring.training.recipe.load_recipe` reads one.

    Example
    -------
    >>> Recipe(model="deeplabv3_resnet50").optimiser.lr
    0.0001
    """

    model: str
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    weights: str | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    init: str | None = None
    map: dict[str, str] = msgspec.field(default_factory=dict)
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    data: Data = Data()
    augment: Augment = Augment()
    loss: Loss = Loss()
    optimiser: Optimiser = Optimiser()
    schedule: Schedule = Schedule()
    trainer: Trainer = Trainer()
    stop: Stop = Stop()
    record: Recording = Recording()
    log: Log = Log()

    def to_yaml(self) -> str:
        """Every key with its value, paths absolute; `load_recipe` reads it back as the same."""
        from paring.training.notation import write_yaml

        return write_yaml(msgspec.to_builtins(self))
