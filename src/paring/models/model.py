"""What all models share: their name and classes, and that they normalise images themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from paring.errors import InputError
from paring.models.table import Task

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ClassLayer:
    """A layer some of whose output rows belong to one class each.

    Attributes
    ----------
    name : path of the module within the model; it has a weight and a bias.
    rows : consecutive rows per class.
    background : whether the first group of rows is the background's, before those of the classes.
    """

    name: str
    rows: int
    background: bool


class Normalised(nn.Module):
    """A module that keeps mean and standard deviation of the images it was trained on.

    Parameters
    ----------
    mean, std : per channel, for RGB in [0, 1]; None is ImageNet's.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float] | None, std: Sequence[float] | None) -> None:
        super().__init__()
        self.register_buffer("mean", _three("mean", IMAGENET_MEAN if mean is None else mean))
        self.register_buffer("std", _three("std", IMAGENET_STD if std is None else std))
        if not bool((self.std > 0).all()):
            raise InputError(f"std must be above 0 in every channel, not {self.std.tolist()}")

    def normalised(self, images: Tensor) -> Tensor:
        """(image - mean) / std of RGB images (..., 3, H, W) in [0, 1]."""
        return (images - self.mean.view(3, 1, 1)) / self.std.view(3, 1, 1)


class Model(Normalised, ABC):
    """A model of the table.

    Attributes
    ----------
    name, task : its name in the table, and what it is for.
    classes : names of the classes, in order.
    options : every option and its value, as JSON can hold them.
    mean, std : buffers (3,); images come as float32 RGB in [0, 1].
    cuts : where channels were taken out, those that stay, as `paring.models.cuts` writes them.
    """

    def __init__(
        self,
        name: str,
        task: Task,
        classes: Sequence[str],
        options: Mapping[str, Any],
        *,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
    ) -> None:
        super().__init__(mean, std)
        self.name = name
        self.task = task
        self.classes = list(classes)
        self.options = dict(options)
        self.cuts: dict[str, dict[str, str]] = {}

    @property
    @abstractmethod
    def encoder(self) -> nn.Module:
        """The part that pretrained weights are for."""

    @abstractmethod
    def heads(self) -> list[nn.Module]:
        """The last layers, which give the final logits."""

    @abstractmethod
    def class_layers(self) -> list[ClassLayer]:
        """The layers whose rows belong to classes."""


def _three(what: str, values: Sequence[float]) -> Tensor:
    """One finite number per channel (3,)."""
    try:
        numbers = torch.tensor([float(value) for value in values], dtype=torch.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} must be three numbers, not {values!r}") from error
    if len(numbers) != 3 or not bool(numbers.isfinite().all()):
        raise InputError(f"{what} must be three finite numbers, one per channel, not {values!r}")
    return numbers
