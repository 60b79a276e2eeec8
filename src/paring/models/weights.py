"""Pretrained weights of an encoder: from a safetensors file, or from timm's hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
from safetensors.torch import load_file
from torch import Tensor, nn

from paring.errors import InputError
from paring.models.hub import hub_weights
from paring.models.layouts import Layout, layouts_of

# parts before the classifier that encoders of features leave out, in torchvision's and timm's names
_BEHIND_FEATURES = ("conv_head.", "bn2.", "features.18.")
_SHOWN = 3


def load_encoder_weights(net: nn.Module, name: str, weights: str | Path) -> None:
    """Load all weights of an encoder, or none.

    Keys may be those of torchvision's model, of timm's, or of the encoder itself. The
    classifier's are passed over. Counters of batches may be missing, for nothing depends on them.

    Parameters
    ----------
    net : the encoder.
    name : its name, for messages and for the hub.
    weights : path of a safetensors file, or ``"hub"``.

    Raises
    ------
    InputError
        Where the file is missing or is not safetensors, and where keys or shapes do not fit; the
        message names the first of them and says how many there are.
    """
    if str(weights) == "hub":
        place, given = f"the hub's weights of {name}", hub_weights(name)
    else:
        place, given = str(weights), read_tensors(weights)
    net.load_state_dict(fitted(net.state_dict(), given, place=place, encoder=name))


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; `InputError` names a file that is none."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file of weights")
    try:
        return load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{path}: is not a safetensors file ({error})") from error


def fitted(
    own: Mapping[str, Tensor], given: Mapping[str, Tensor], *, place: str, encoder: str
) -> dict[str, Tensor]:
    """The given weights under the encoder's keys, all of them, of its shapes.

    >>> import torch
    >>> own = {"conv1.weight": torch.zeros(2)}
    >>> fitted(own, {"conv1.weight": torch.ones(2), "fc.bias": torch.ones(9)}, place="", encoder="")
    {'conv1.weight': tensor([1., 1.])}
    """
    attempts = [_renamed(own, given, layout) for layout in layouts_of(own)]
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
