"""From a name of the table and the classes to a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

from paring.errors import InputError
from paring.models.binary import BinaryNet
from paring.models.dense import DenseModel, DenseNet
from paring.models.instance import InstanceModel
from paring.models.maskrcnn import MaskRCNNModel
from paring.models.model import Model
from paring.models.options import (
    BinaryOptions,
    MaskRCNNOptions,
    SemanticOptions,
    SoloOptions,
    read_options,
)
from paring.models.semantic import semantic_net
from paring.models.solov2 import SoloModel
from paring.models.table import entry_of
from paring.models.weights import load_encoder_weights


def build(
    name: str,
    classes: Sequence[str],
    *,
    weights: str | Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    seed: int | None = None,
    **options: Any,
) -> Model:
    """Build a model of the table.

    Parameters
    ----------
    name : one of `paring.models.names()`.
    classes : names of the classes in order. Instance models add a background as label 0; semantic
        ones do not, name it among them where there is one; binary ones take exactly one.
    weights : of the encoder: None starts it anew; a path, or ``"hub"``, see
        `paring.models.weights`.
    mean, std : how images in [0, 1] are normalised; None is ImageNet's.
    seed : decides the new weights; None takes torch's generator as it stands.
    options : see the classes of `paring.models.options`.

    Raises
    ------
    InputError
        For a name, an option or classes that cannot be, and for weights that do not fit.

    Example
    -------
    >>> model = build("unet_mobilenet_v2", ["ground", "disc"], seed=0).eval()
    >>> model(torch.zeros(1, 3, 50, 70)).shape
    torch.Size([1, 2, 50, 70])
    """
    entry = entry_of(name)
    _check_classes(name, entry.task, classes)
    checked = read_options(entry.options, options, model=name)
    if seed is None:
        model = _new(name, classes, checked, mean, std)
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = _new(name, classes, checked, mean, std)
    if weights is not None:
        load_encoder_weights(model.encoder, entry.encoder, weights)
    if isinstance(model, InstanceModel):
        model.freeze()
    return model


def _new(
    name: str,
    classes: Sequence[str],
    options: msgspec.Struct,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
) -> Model:
    """A model whose weights torch's generator has made."""
    entry = entry_of(name)
    plain = msgspec.to_builtins(options)
    if isinstance(options, MaskRCNNOptions):
        return MaskRCNNModel(entry.encoder, name, classes, options, plain, mean=mean, std=std)
    if isinstance(options, SoloOptions):
        return SoloModel(entry.encoder, name, classes, options, plain, mean=mean, std=std)
    net: DenseNet
    if isinstance(options, SemanticOptions):
        net = semantic_net(entry.architecture, entry.encoder, len(classes), options)
    else:
        assert isinstance(options, BinaryOptions)
        net = BinaryNet(entry.architecture, entry.encoder, options.output)
    return DenseModel(net, name, entry.task, classes, plain, mean=mean, std=std)


def _check_classes(name: str, task: str, classes: Sequence[str]) -> None:
    if isinstance(classes, str) or not all(isinstance(one, str) and one for one in classes):
        raise InputError(f"classes of model {name} must be a list of names, not {classes!r}")
    repeated = [one for place, one in enumerate(classes) if one in classes[:place]]
    if repeated:
        raise InputError(f"class {repeated[0]!r} of model {name} is named twice; name each once")
    if task == "binary" and len(classes) != 1:
        raise InputError(
            f"model {name} is binary and takes exactly one class, not {len(classes)}; "
            "for more take a semantic model"
        )
    if task == "semantic" and len(classes) < 2:
        raise InputError(
            f"model {name} is semantic and takes two classes or more, not {len(classes)}; "
            "for one take a binary model, or name the background too"
        )
    if not classes:
        raise InputError(f"model {name} takes at least one class")
