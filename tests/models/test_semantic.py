import pytest

torch = pytest.importorskip("torch")

import segmentation_models_pytorch as smp
from torch.nn import functional

from paring.models import build, names

pytestmark = pytest.mark.torch

SMALL = names("*_mobilenet_v2", task="semantic")


@pytest.mark.parametrize("name", SMALL)
def test_the_auxiliary_head_sees_the_encoder_alone_and_the_answer_not_it(name: str) -> None:
    model = build(name, ["a", "b", "c"], seed=0).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        answer, (aux, _) = model(image), model.stages(image)
        for weight in model.net.decoder.parameters():
            weight.zero_()
        assert torch.equal(model.stages(image)[0], aux)
        for weight in model.net.aux.parameters():
            weight.zero_()
        assert model.stages(image)[0].abs().max() == 0
    whole = build(name, ["a", "b", "c"], seed=0).eval()
    with torch.no_grad():
        for weight in whole.net.aux.parameters():
            weight.zero_()
        assert torch.equal(whole(image), answer)


@pytest.mark.parametrize("name", SMALL)
def test_without_an_auxiliary_head_there_is_one_stage(name: str) -> None:
    model = build(name, ["a", "b"], seed=0, aux=False).eval()
    with torch.no_grad():
        assert len(model.stages(torch.rand(1, 3, 64, 64))) == 1
    assert [layer.name for layer in model.class_layers()] == ["net.head"]


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        ("deeplabv3_mobilenet_v2", 8),
        ("deeplabv3plus_mobilenet_v2", 16),
        ("pspnet_mobilenet_v2", 8),
        ("unet_mobilenet_v2", 32),
        ("segformer_mobilenet_v2", 32),
    ],
)
def test_the_deepest_feature_has_the_stride_of_the_published_network(
    name: str, stride: int
) -> None:
    model = build(name, ["a", "b"]).eval()
    with torch.no_grad():
        assert model.encoder(torch.rand(1, 3, 96, 96))[-1].shape[-1] == 96 // stride


@pytest.mark.parametrize("name", ["deeplabv3_mobilenet_v2", "pspnet_mobilenet_v2"])
def test_the_stride_of_the_deepest_feature_is_an_option(name: str) -> None:
    model = build(name, ["a", "b"], output_stride=16).eval()
    with torch.no_grad():
        assert model.encoder(torch.rand(1, 3, 96, 96))[-1].shape[-1] == 6


@pytest.mark.parametrize(
    ("name", "kind"), [("deeplabv3_mobilenet_v2", smp.DeepLabV3), ("unet_mobilenet_v2", smp.Unet)]
)
def test_with_the_library_s_weights_it_gives_the_library_s_logits(name: str, kind: type) -> None:
    theirs = kind("mobilenet_v2", encoder_weights=None, classes=3).eval()
    theirs.segmentation_head[1] = torch.nn.Identity()
    ours = build(name, ["a", "b", "c"], aux=False).eval()
    ours.net.encoder.load_state_dict(theirs.encoder.state_dict())
    ours.net.decoder.load_state_dict(theirs.decoder.state_dict())
    ours.net.head.load_state_dict(theirs.segmentation_head[0].state_dict())
    images = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        expected = functional.interpolate(
            theirs(ours.normalised(images)), size=(64, 96), mode="bilinear"
        )
        assert torch.allclose(ours(images), expected, atol=1e-6)
