"""Weights that timm publishes on the hub, or one sentence where the hub cannot be reached."""

from __future__ import annotations

import urllib.error
import urllib.request

import timm
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from safetensors.torch import load_file
from torch import Tensor

from paring.errors import InputError
from paring.models.encoder_table import ENCODERS

_FILE = "model.safetensors"
_SECONDS = 5.0


def hub_weights(name: str) -> dict[str, Tensor]:
    """The weights of an encoder, by our name or timm's, that timm holds for its best.

    They come from the cache, or are downloaded.

    Raises `InputError` where they are not in the cache and cannot be downloaded; the hub's own
    client would try for most of a minute, so whether it answers is asked first.
    """
    released = timm.get_pretrained_cfg(ENCODERS[name].timm if name in ENCODERS else name)
    if released is None or released.hf_hub_id is None:
        raise _refused(name, "timm publishes none")
    repository = released.hf_hub_id
    try:
        return load_file(hf_hub_download(repository, _FILE, local_files_only=True))
    except LocalEntryNotFoundError:
        _ask(name)
    try:
        return load_file(hf_hub_download(repository, _FILE))
    except (HfHubHTTPError, OSError) as error:
        raise _refused(name, error) from error


def _ask(name: str) -> None:
    """Raise `InputError` unless the hub answers anything at all."""
    if constants.HF_HUB_OFFLINE:
        raise _refused(name, "HF_HUB_OFFLINE is set")
    try:
        with urllib.request.urlopen(constants.ENDPOINT, timeout=_SECONDS):
            return
    except urllib.error.HTTPError:
        return
    except OSError as error:
        raise _refused(name, error) from error


def _refused(name: str, why: object) -> InputError:
    reason = " ".join(str(why).split())
    return InputError(
        f"weights='hub': the weights of {name} could not be downloaded ({reason}); "
        "give weights=PATH, a safetensors file in torchvision's or timm's layout, instead"
    )
