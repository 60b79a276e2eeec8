"""Encoders cut off at a stride."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from safetensors.torch import save_file

import paring
from paring.models.encoders import build_encoder
from paring.models.stride import StrideEncoder


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_features_equal_those_of_the_whole_encoder(tmp_path: Path, stride: int) -> None:
    torch.manual_seed(0)
    whole = build_encoder("mobilenet_v2").eval()
    save_file(whole.net.state_dict(), tmp_path / "w.safetensors")
    part = StrideEncoder("mobilenet_v2", stride, weights=tmp_path / "w.safetensors").eval()
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        expected = whole(images)[whole.strides.index(stride)]
        assert torch.equal(part(images), expected)
    assert part.width == expected.shape[1]


def test_a_transformer_takes_images_of_any_size_and_weights_as_dino_saves_them(
    tmp_path: Path,
) -> None:
    import timm

    torch.manual_seed(0)
    whole = timm.create_model("vit_tiny_patch16_224", pretrained=False)
    saved = {f"backbone.{key}": one for key, one in whole.state_dict().items()}
    torch.save({"teacher": saved | {"head.mlp.0.weight": torch.zeros(2)}}, tmp_path / "dino.pth")
    part = StrideEncoder("vit_tiny_patch16_224", 16, weights=tmp_path / "dino.pth").eval()
    with torch.no_grad():
        assert part(torch.rand(1, 3, 96, 160)).shape == (1, 192, 6, 10)
        image = torch.rand(1, 3, 224, 224)
        tokens = whole.eval().patch_embed(part.normalised(image))
        expected = whole.norm_pre(whole.patch_drop(whole._pos_embed(tokens)))
        for block in whole.blocks:
            expected = block(expected)
        expected = expected[:, 1:].transpose(1, 2).reshape(1, 192, 14, 14)
        assert torch.allclose(part(image), expected, atol=1e-4)


def test_what_the_stride_does_not_need_is_left_out() -> None:
    deep, shallow = (StrideEncoder("mobilenet_v2", stride) for stride in (32, 16))
    count = [sum(p.numel() for p in one.parameters()) for one in (deep, shallow)]
    assert count[1] < 0.5 * count[0]


def test_with_weights_layers_to_stride_4_and_statistics_stay(tmp_path: Path) -> None:
    whole = build_encoder("resnet50")
    save_file(whole.net.state_dict(), tmp_path / "w.safetensors")
    part = StrideEncoder("resnet50", 16, weights=tmp_path / "w.safetensors").train()
    fixed = {name.split(".")[1] for name, p in part.named_parameters() if not p.requires_grad}
    learning = {name.split(".")[1] for name, p in part.named_parameters() if p.requires_grad}
    assert fixed == {"conv1", "bn1", "layer1"}
    assert learning == {"layer2", "layer3"}
    before = {key: value.clone() for key, value in part.state_dict().items()}
    part(torch.rand(2, 3, 64, 64))
    assert all(torch.equal(value, before[key]) for key, value in part.state_dict().items())


def test_without_weights_all_of_it_learns() -> None:
    part = StrideEncoder("mobilenet_v2", 16).train()
    assert all(p.requires_grad for p in part.parameters())
    before = part.net.bn1.running_mean.clone()
    part(torch.rand(2, 3, 64, 64))
    assert not torch.equal(part.net.bn1.running_mean, before)
    still = StrideEncoder("mobilenet_v2", 16, learns=False)
    assert not all(p.requires_grad for p in still.parameters())


def test_any_encoder_of_timm() -> None:
    part = StrideEncoder("regnetx_002", 16)
    assert part(torch.rand(1, 3, 64, 64)).shape == (1, part.width, 4, 4)


@pytest.mark.parametrize(
    ("name", "stride", "said"),
    [
        ("resnet5x0", 16, "did you mean resnet50"),
        ("resnet50", 3, "no features of stride 3; it has 2, 4, 8, 16, 32"),
        ("levit_128", 16, "one size only"),
    ],
)
def test_bad_encoders_are_named(name: str, stride: int, said: str) -> None:
    with pytest.raises(paring.InputError, match=said):
        StrideEncoder(name, stride)


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    save_file(build_encoder("resnet50").net.state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(paring.InputError, match="does not hold the weights of encoder mobilenet"):
        StrideEncoder("mobilenet_v2", 16, weights=tmp_path / "w.safetensors")
