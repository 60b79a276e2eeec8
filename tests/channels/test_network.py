from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file
from torch import nn

from paring.channels.network import open_network
from paring.errors import InputError
from paring.models import build, save

pytestmark = pytest.mark.torch

OWN = """
import torch
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))

def broken():
    raise RuntimeError("no such luck")

def number():
    return 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_nets.py").write_text(OWN)
    return tmp_path


def net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))


@pytest.mark.parametrize("kind", ["safetensors", "state dict", "lightning"])
def test_a_function_outside_the_package_gives_a_network_with_its_weights(
    here: Path, kind: str
) -> None:
    state = net().state_dict()
    file = here / ("w.safetensors" if kind == "safetensors" else "w.pt")
    if kind == "safetensors":
        save_file(state, file)
    else:
        torch.save({"state_dict": state} if kind == "lightning" else state, file)
    found = open_network("own_nets:small", weights=file)
    assert not found.ours
    assert not found.model.training
    for name, value in found.model.state_dict().items():
        assert torch.equal(value, state[name])


def test_a_model_of_ours_is_opened_by_file_and_by_name(here: Path) -> None:
    model, file = build("unet_mobilenet_v2", ["a", "b"], seed=0), here / "model.safetensors"
    save(model, file)
    for found in (open_network(str(file)), open_network("unet_mobilenet_v2", weights=file)):
        assert found.ours
        assert found.model.name == "unet_mobilenet_v2"
        assert (found.file, found.recipe) == (file, None)
    with pytest.raises(InputError, match="holds unet_mobilenet_v2, not pspnet_mobilenet_v2"):
        open_network("pspnet_mobilenet_v2", weights=file)
    with pytest.raises(InputError, match="has weights of its own"):
        open_network(str(file), weights=file)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nowhere", "nowhere: is no folder of a training, no model.safetensors"),
        ("unet_mobilenet_v2", "which weights"),
        ("no_such_module:small", "cannot be imported"),
        ("own_nets:tall", "cannot be imported"),
        ("own_nets:broken", "raises no such luck when it is called"),
        ("own_nets:number", "gives int and not a torch.nn.Module"),
        ("gone/model.safetensors", "no such file of a model"),
    ],
)
def test_what_is_no_network_is_said(here: Path, spec: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_network(spec)


def test_weights_that_do_not_fit_are_named(here: Path) -> None:
    state = net().state_dict()
    for change, says in (
        (lambda s: s.pop("0.bias"), "lacks weight 0.bias"),
        (lambda s: s.update(extra=torch.zeros(1)), "has the unknown weight extra"),
        (
            lambda s: s.update({"0.bias": torch.zeros(5)}),
            r"weight 0.bias has shape \(5,\) where own_nets:small has \(4,\)",
        ),
    ):
        other = dict(state)
        change(other)
        save_file(other, here / "w.safetensors")
        with pytest.raises(InputError, match=says):
            open_network("own_nets:small", weights=here / "w.safetensors")
    (here / "w.pt").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"w.pt: cannot be read as weights|holds more than"):
        open_network("own_nets:small", weights=here / "w.pt")
    torch.save(net(), here / "whole.pt")
    with pytest.raises(InputError, match=r"whole.pt: (holds more than tensors|cannot be read)"):
        open_network("own_nets:small", weights=here / "whole.pt")
    with pytest.raises(InputError, match="no such file of weights"):
        open_network("own_nets:small", weights=here / "none.pt")
