"""A network as the command line names it: a model of ours, or what a function of the user gives."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from paring.errors import InputError, first_line
from paring.models import Model, load, names
from paring.training.recipe import Recipe, load_recipe
from paring.training.trained import MODEL, RECIPE


@dataclass(frozen=True, eq=False)
class Network:
    """A network to be measured or pruned.

    Attributes
    ----------
    model : it, in evaluation mode.
    spec : as it was named.
    file : of its weights, if any.
    recipe : of its training, where that lies beside the file.
    """

    model: nn.Module
    spec: str
    file: Path | None = None
    recipe: Recipe | None = None

    @property
    def ours(self) -> bool:
        """Whether it is a model of `paring.models`."""
        return isinstance(self.model, Model)


def open_network(spec: str, *, weights: Path | None = None) -> Network:
    """Open a network.

    Parameters
    ----------
    spec : a folder of `paring train` or its ``model.safetensors``; a name of
        `paring.models.names()`, with such a file as weights; or ``package.module:function``, a
        function without arguments that gives a module, looked for from the working folder too.
    weights : of the last: safetensors, or what `torch.save` wrote of a state dict. Nothing is
        unpickled but tensors.

    Raises
    ------
    InputError
        Where there is no such network, or its weights do not fit.

    Example
    -------
    >>> open_network("torchvision.models:mobilenet_v3_small").ours
    False
    """
    path = Path(spec)
    if path.is_dir() or path.suffix == ".safetensors":
        if weights is not None:
            raise InputError(f"{spec}: has weights of its own, so --weights is not for it")
        return _of_file(spec, path / MODEL if path.is_dir() else path)
    if spec in names():
        if weights is None:
            raise InputError(
                f"{spec}: which weights? give --weights FILE (a model.safetensors of paring train)"
            )
        found = _of_file(spec, weights)
        name = getattr(found.model, "name", None)
        if name != spec:
            raise InputError(f"{weights}: holds {name}, not {spec}")
        return found
    module, colon, function = spec.partition(":")
    if not colon or not module or not function:
        raise InputError(
            f"{spec}: is no folder of a training, no model.safetensors, no name of a model with "
            "--weights, and no package.module:function"
        )
    model = _made(spec, module, function)
    if weights is not None:
        _load_weights(model, weights, spec)
    return Network(model.eval(), spec, weights)


def _of_file(spec: str, file: Path) -> Network:
    recipe = file.parent / RECIPE
    return Network(load(file), spec, file, load_recipe(recipe) if recipe.is_file() else None)


def _made(spec: str, module: str, function: str) -> nn.Module:
    """What a function of the user gives."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        try:
            found: Any = importlib.import_module(module)
            for name in function.split("."):
                found = getattr(found, name)
        except (ImportError, AttributeError) as error:
            raise InputError(f"{spec}: cannot be imported ({first_line(error)})") from error
        try:
            model = found()
        except Exception as error:  # what it raises may be anything
            raise InputError(f"{spec}: raises {first_line(error)} when it is called") from error
    finally:
        sys.path.remove(here)
    if not isinstance(model, nn.Module):
        raise InputError(f"{spec}: gives {type(model).__name__} and not a torch.nn.Module")
    return model


def _load_weights(model: nn.Module, file: Path, spec: str) -> None:
    """Load weights into a model, all of them or `InputError`."""
    if not file.is_file():
        raise InputError(f"{file}: no such file of weights")
    try:
        state: Any
        if file.suffix == ".safetensors":
            state = load_file(file)
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
            if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
                state = state["state_dict"]
    except (OSError, RuntimeError, SafetensorError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{file}: cannot be read as weights ({first_line(error)})") from error
    except pickle.UnpicklingError as error:
        raise InputError(f"{file}: holds more than tensors ({first_line(error)})") from error
    own = model.state_dict()
    if not isinstance(state, dict):
        raise InputError(f"{file}: is no state dict")
    for verb, keys in (
        ("lacks weight", own.keys() - state.keys()),
        ("has the unknown weight", state.keys() - own.keys()),
    ):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise InputError(f"{file}: does not fit {spec}, it {verb} {min(keys)}{more}")
    for key, value in state.items():
        if getattr(value, "shape", None) != own[key].shape:
            raise InputError(
                f"{file}: weight {key} has shape {tuple(getattr(value, 'shape', ()))} where {spec} "
                f"has {tuple(own[key].shape)}"
            )
    model.load_state_dict(state)
