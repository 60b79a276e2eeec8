"""Models as files: safetensors with what is needed to build the model again. Nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import safetensors
import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from paring.errors import InputError
from paring.models.building import build
from paring.models.cuts import apply_cuts, read_cuts
from paring.models.model import Model

_META = "paring"


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says of its model."""

    name: str
    classes: list[str]
    options: dict[str, Any]
    mean: list[float]
    std: list[float]
    about: dict[str, Any] | None = None
    cuts: dict[str, dict[str, str]] = {}


@dataclass(frozen=True)
class Saved:
    """A file read: what it says of its model, and the weights."""

    about: About
    weights: dict[str, Tensor]


def save(model: Model, path: str | Path, *, about: Mapping[str, Any] | None = None) -> None:
    """Write a model as one safetensors file.

    The file is written beside its place and renamed, so it is never there by half. Same model,
    same bytes.

    Parameters
    ----------
    model : what `build` or `load` gave.
    path : of the file, whose folder must be there.
    about : anything that JSON can hold, to be kept with the model.
    """
    record = {
        "name": model.name,
        "classes": model.classes,
        "options": model.options,
        "mean": [round(value, 7) for value in model.mean.tolist()],
        "std": [round(value, 7) for value in model.std.tolist()],
        "about": None if about is None else dict(about),
    }
    if model.cuts:
        record["cuts"] = model.cuts
    weights = {
        key: tensor.detach().cpu().contiguous() for key, tensor in model.state_dict().items()
    }
    place = Path(path)
    beside = place.with_name(place.name + ".part")
    try:
        text = json.dumps(record)
    except TypeError as error:
        raise InputError(f"{path}: what is said about the model is not JSON ({error})") from error
    try:
        beside.write_bytes(to_bytes(weights, metadata={_META: text}))
        beside.replace(place)
    except OSError as error:
        raise InputError(f"{path}: the model cannot be written ({error.strerror})") from error


def load(path: str | Path) -> Model:
    """Build the model of a file again, with its weights, in evaluation mode, on the CPU.

    One from which channels were taken out comes back in its narrower shape. Its outputs are equal
    to the last bit to those of the model that was saved.

    Raises
    ------
    InputError
        Where the file is missing, is not safetensors, was not written by `save`, or does not fit
        the model that it names.

    Example
    -------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(build("emcad_mobilenet_v2", ["disc"], seed=0), f"{folder}/model.safetensors")
    ...     load(f"{folder}/model.safetensors").classes
    ['disc']
    """
    saved = read_saved(path)
    about = saved.about
    try:
        with torch.random.fork_rng(devices=[]):  # what is drawn here is overwritten
            model = build(
                about.name, about.classes, mean=about.mean, std=about.std, **about.options
            )
            apply_cuts(model, read_cuts(about.cuts))
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}") from error
    _check_fit(path, model, saved.weights)
    model.load_state_dict(saved.weights)
    return model.eval()


def read_saved(path: str | Path) -> Saved:
    """Read a file that `save` wrote; `InputError` names one that it did not write."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file of a model")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_META)
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"{path}: is not a whole safetensors file ({error})") from error
    if text is None:
        raise InputError(
            f"{path}: was not saved by paring.models.save; "
            "weights of an encoder alone are given as weights=PATH"
        )
    try:
        return Saved(msgspec.json.decode(text, type=About), weights)
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: what it says of its model cannot be read ({error})") from error


def _check_fit(path: str | Path, model: Model, weights: Mapping[str, Tensor]) -> None:
    own = model.state_dict()
    for verb, keys in (
        ("lacks weight", own.keys() - weights.keys()),
        ("has the unknown weight", weights.keys() - own.keys()),
    ):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise InputError(
                f"{path}: does not fit model {model.name}, it {verb} {min(keys)}{more}; "
                "it may come from another version of paring or timm"
            )
    for key, tensor in weights.items():
        if tensor.shape != own[key].shape:
            raise InputError(
                f"{path}: weight {key} has shape {tuple(tensor.shape)} where model {model.name} "
                f"has {tuple(own[key].shape)}"
            )
