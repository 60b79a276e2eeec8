"""Pretrained weights of an encoder: from a file, or from timm's hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from paring.errors import InputError, first_line
from paring.models.hub import hub_weights
from paring.models.layouts import Layout, layouts_of, unwrapped

# parts before the classifier that encoders of features leave out, in torchvision's and timm's names
_BEHIND_FEATURES = ("conv_head.", "bn2.", "features.18.")
_SHOWN = 3
_OF_TORCH = (".pth", ".pt", ".tar", ".bin", ".ckpt")
_INSIDE = ("state_dict", "model", "teacher")  # where trainings keep the weights, in turn


def load_encoder_weights(net: nn.Module, name: str, weights: str | Path) -> None:
    """Load all weights of an encoder, or none.

    Keys may be those of torchvision's model, of timm's, or of the encoder itself, also within what
    MoCo, DINO or DenseCL save. The classifier's are passed over. Counters of batches may be
    missing, for nothing depends on them.

    Parameters
    ----------
    net : the encoder.
    name : its name, for messages and for the hub.
    weights : path of a file, see `read_tensors`, or ``"hub"``.

    Raises
    ------
    InputError
        Where the file is missing or holds no weights, and where keys or shapes do not fit; the
        message names the first of them and says how many there are.
    """
    if str(weights) == "hub":
        place, given = f"the hub's weights of {name}", hub_weights(name)
    else:
        place, given = str(weights), read_tensors(weights)
    net.load_state_dict(fitted(net.state_dict(), given, place=place, encoder=name))


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file; `InputError` names a file that holds none.

    It is safetensors, or of PyTorch (``.pth``, ``.pt``, ``.tar``, ``.bin``, ``.ckpt``); of the
    latter only tensors are read, no code of it is run.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file of weights")
    if Path(path).suffix in _OF_TORCH:
        return _of_torch(path)
    try:
        return load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: is not a safetensors file ({error})") from error


def _of_torch(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a file of PyTorch, where they may lie within what a training saved beside them."""
    try:
        tree = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, OSError, ValueError, EOFError, KeyError, UnpicklingError) as error:
        raise InputError(
            f"{path}: cannot be read as weights of PyTorch alone ({first_line(error)})"
        ) from error
    for name in _INSIDE:
        if isinstance(tree, Mapping) and isinstance(tree.get(name), Mapping):
            tree = tree[name]
    found = tree.items() if isinstance(tree, Mapping) else ()
    tensors = {str(key): one for key, one in found if isinstance(one, Tensor)}
    if not tensors:
        raise InputError(f"{path}: holds no weights by name")
    return tensors


def fitted(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], *, place: str, encoder: str
) -> dict[str, Tensor]:
    """The given weights under the encoder's keys, all of them, of its shapes.

    >>> import torch
    >>> own = {"conv1.weight": torch.zeros(2)}
    >>> fitted(own, {"conv1.weight": torch.ones(2), "fc.bias": torch.ones(9)}, place="", encoder="")
    {'conv1.weight': tensor([1., 1.])}
    """
    inner = {key: given[whole] for key, whole in unwrapped(given).items()}
    attempts = [
        _renamed(own, weights, layout) for weights in (given, inner) for layout in layouts_of(own)
    ]
    found, missing, unexpected = min(attempts, key=lambda parts: len(parts[1]) + len(parts[2]))
    if missing or unexpected:
        raise InputError(
            f"{place}: does not hold the weights of encoder {encoder}: "
            f"{_listed('missing', missing)}, {_listed('unexpected', unexpected)}; "
            "give a safetensors file of this encoder in torchvision's or timm's layout"
        )
    for key, tensor in found.items():
        if tensor.shape != own[key].shape:
            raise InputError(
                f"{place}: weight {key} has shape {tuple(tensor.shape)} where encoder {encoder} "
                f"has {tuple(own[key].shape)}; give weights of this encoder"
            )
        if own[key].is_floating_point() and not bool(tensor.isfinite().all()):
            raise InputError(f"{place}: weight {key} holds values that are not finite numbers")
    return found


def _renamed(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], layout: Layout
) -> tuple[dict[str, Tensor], list[str], list[str]]:
    """What a layout finds, and what is missing and left over."""
    found: dict[str, Tensor] = {}
    unexpected: list[str] = []
    for key, tensor in given.items():
        target = layout(key)
        if target is None:
            continue
        if target in own:
            found[target] = tensor
        elif not target.startswith(_BEHIND_FEATURES):
            unexpected.append(key)
    counters = {key: own[key] for key in own if key.endswith(".num_batches_tracked")}
    missing = [key for key in own if key not in found and key not in counters]
    return counters | found, missing, unexpected


def _listed(what: str, keys: list[str]) -> str:
    if not keys:
        return f"0 keys {what}"
    rest = ", ..." if len(keys) > _SHOWN else ""
    noun = "key" if len(keys) == 1 else "keys"
    return f"{len(keys)} {noun} {what} ({', '.join(keys[:_SHOWN])}{rest})"
