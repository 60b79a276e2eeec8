from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from paring.errors import InputError
from paring.models import build, load, save, start_from
from paring.models.cuts import (
    Stays,
    after,
    apply_cuts,
    cuts_text,
    from_ranges,
    read_cuts,
    to_ranges,
)

pytestmark = pytest.mark.torch


@given(st.sets(st.integers(0, 300), min_size=1))
def test_places_come_back_from_their_text(places: set[int]) -> None:
    assert from_ranges(to_ranges(sorted(places))) == sorted(places)


@pytest.mark.parametrize("text", ["3-1", "2 1", "0-3 3", "a", "01", "1-2-3", "-1", "1,2"])
def test_what_is_no_range_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not rise|is no range"):
        from_ranges(text)


@pytest.mark.parametrize(
    ("side", "text", "says"),
    [
        ("up", "0 of 2", "layer a: it has no side 'up'"),
        ("out", "0-2", "layer a: '0-2' does not read as"),
        ("out", " of 3", "keeps nothing"),
        ("out", "0-3 of 3", "keeps more than there is"),
    ],
)
def test_a_cut_that_cannot_be_names_its_layer(side: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_cuts({"a": {side: text}})


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.Conv2d(6, 2, 1))


CUTS = {"0": {"out": "1-3 5 of 6"}, "1": {"out": "1-3 5 of 6"}, "2": {"in": "1-3 5 of 6"}}


def test_two_cuts_one_after_the_other_are_one() -> None:
    first = read_cuts(CUTS)
    then = read_cuts({path: dict.fromkeys(sides, "0 2-3 of 4") for path, sides in CUTS.items()})
    one, both = net(), net()
    apply_cuts(one, after(first, then))
    apply_cuts(both, first)
    apply_cuts(both, then)
    assert cuts_text(after(first, then))["2"] == {"in": "1 3 5 of 6"}
    for name, value in one.state_dict().items():
        assert torch.equal(value, both.state_dict()[name])


@pytest.mark.parametrize(
    ("path", "side", "text", "says"),
    [
        ("9", "out", "0 of 6", "has no layer 9 whose out channels could be cut"),
        ("2", "in", "0 of 7", r"layer 2 of Sequential has 6 channels \(in\) where 7 were expected"),
        ("0.weight", "dim 7", "0 of 6", "has no layer 0.weight"),
    ],
)
def test_where_one_layer_does_not_fit_none_is_cut(
    path: str, side: str, text: str, says: str
) -> None:
    model = net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InputError, match=says):
        apply_cuts(model, read_cuts({"0": CUTS["0"], path: {side: text}}))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_parameter_of_no_layer_is_cut_along_its_dimension() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.arange(6.0).view(1, 6))

    model = Scaled()
    apply_cuts(model, {"scale": {"dim 1": Stays(np.array([0, 4]), 6)}})
    assert model.scale.tolist() == [[0.0, 4.0]]


def pruned():
    """A model of the table that has lost the last channels of its first layer."""
    model = build("unet_mobilenet_v2", ["a", "b"], seed=0)
    first, kept = "net.encoder.features.0", "0-19 of 32"
    depthwise = "net.encoder.features.1.conv.0"
    wide = {"out": kept}
    apply_cuts(
        model,
        read_cuts(
            {
                f"{first}.0": wide,
                f"{first}.1": wide,
                f"{depthwise}.0": wide,
                f"{depthwise}.1": wide,
                "net.encoder.features.1.conv.1": {"in": kept},
            }
        ),
    )
    return model


def test_a_model_that_lost_channels_is_saved_and_comes_back(tmp_path: Path) -> None:
    model, path = pruned().eval(), tmp_path / "model.safetensors"
    save(model, path)
    again = load(path)
    assert again.cuts == model.cuts
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(x), again(x))


def test_a_start_from_a_model_that_lost_channels_loses_the_same(tmp_path: Path) -> None:
    model, path = pruned(), tmp_path / "model.safetensors"
    save(model, path)
    fresh = build("unet_mobilenet_v2", ["a", "b"], seed=1)
    assert start_from(fresh, path).layers_fresh == []
    assert fresh.cuts == model.cuts
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    other = build("unet_mobilenet_v2", ["a", "b"], seed=1)
    other.cuts = {"somewhere": {"out": "0 of 2"}}
    with pytest.raises(InputError, match="other channels were taken out of it"):
        start_from(other, path)
