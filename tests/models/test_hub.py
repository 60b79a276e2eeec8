import socket
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import timm
from huggingface_hub import constants

from paring.errors import InputError
from paring.models import build, build_encoder
from paring.models.encoder_table import ENCODERS
from paring.models.model import IMAGENET_MEAN, IMAGENET_STD

pytestmark = pytest.mark.torch

WORDS = r"weights='hub': the weights of .* could not be downloaded \(.*\); give weights=PATH"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.fixture
def no_network(empty_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("the network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["maskrcnn_mobilenet_v2_fpn", "unet_mobilenet_v2"])
def test_without_a_network_the_hub_is_refused_within_seconds(name: str) -> None:
    start = time.monotonic()
    with pytest.raises(InputError, match=WORDS):
        build(name, ["a", "b"], weights="hub")
    assert time.monotonic() - start < 20


@pytest.mark.usefixtures("empty_cache")
def test_told_to_stay_offline_the_hub_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        build_encoder("mobilenet_v2", weights="hub")


def test_the_hub_s_encoders_were_trained_on_images_normalised_as_ours_are_by_default() -> None:
    for entry in ENCODERS.values():
        released = timm.get_pretrained_cfg(entry.timm)
        assert released is not None
        assert released.hf_hub_id
        assert (released.mean, released.std) == (IMAGENET_MEAN, IMAGENET_STD)
