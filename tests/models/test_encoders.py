import pytest

torch = pytest.importorskip("torch")

from paring.errors import InputError
from paring.models import build_encoder
from paring.models.encoder_table import ENCODERS
from paring.models.encoders import feature_net, freeze_layers

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", list(ENCODERS))
def test_four_features_have_the_widths_and_strides_that_are_said(name: str) -> None:
    encoder = build_encoder(name).eval()
    with torch.no_grad():
        features = encoder(torch.rand(1, 3, 64, 96))
    assert [feature.shape[1] for feature in features] == list(encoder.widths)
    assert [(64 // f.shape[2], 96 // f.shape[3]) for f in features] == [
        (stride, stride) for stride in encoder.strides
    ]


@pytest.mark.parametrize("name", list(ENCODERS))
def test_every_weight_belongs_to_one_of_five_layers(name: str) -> None:
    layers = ENCODERS[name].layers
    for key, _ in feature_net(name).named_parameters():
        assert sum(key.startswith(layer) for layer in layers) == 1, key


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "pvt_v2_b2"])
def test_the_layers_that_learn_are_counted_from_the_deepest(name: str) -> None:
    learning = []
    for trainable in (5, 3, 1, 0):
        net = feature_net(name)
        freeze_layers(net, name, trainable)
        learning.append({key for key, weight in net.named_parameters() if weight.requires_grad})
    everything = {key for key, _ in feature_net(name).named_parameters()}
    assert everything == learning[0] > learning[1] > learning[2] > learning[3] == set()
    assert all(key.startswith(ENCODERS[name].layers[4]) for key in learning[2])


def test_an_encoder_normalises_images_itself() -> None:
    torch.manual_seed(0)
    plain = build_encoder("mobilenet_v2", mean=[0, 0, 0], std=[1, 1, 1]).eval()
    other = build_encoder("mobilenet_v2", mean=[0.5, 0.4, 0.3], std=[0.5, 0.25, 1]).eval()
    other.net.load_state_dict(plain.net.state_dict())
    images = torch.rand(1, 3, 64, 64)
    by_hand = torch.stack(
        [(images[:, 0] - 0.5) / 0.5, (images[:, 1] - 0.4) / 0.25, images[:, 2] - 0.3], dim=1
    )
    with torch.no_grad():
        pairs = zip(other(images), plain(by_hand), strict=True)
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)


def test_an_unknown_encoder_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean resnet50\?"):
        build_encoder("resnet5")
