from typing import Any

import pytest

torch = pytest.importorskip("torch")

from paring.models.attention import SpatialAttention
from paring.models.cascade import AttentionGate, CascadeDecoder, ConvolutionalAttention

pytestmark = pytest.mark.torch


def count(module: Any) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(
    ("widths", "published"),
    [((512, 320, 128, 64), 10_421_899), ((2048, 1024, 512, 256), 144_198_987)],
)
def test_the_decoder_has_as_many_weights_as_the_published_one(
    widths: tuple[int, ...], published: int
) -> None:
    with torch.device("meta"):
        assert count(CascadeDecoder(widths)) == published


def test_decoded_features_have_the_shapes_of_those_given() -> None:
    features = [
        torch.rand(2, width, side, side) for width, side in ((32, 2), (24, 4), (16, 8), (8, 16))
    ]
    decoded = CascadeDecoder((32, 24, 16, 8))(features)
    assert [part.shape for part in decoded] == [part.shape for part in features]


def test_a_finer_stage_depends_on_all_deeper_features_and_on_none_finer() -> None:
    torch.manual_seed(0)
    features = [
        torch.rand(1, width, side, side, requires_grad=True)
        for width, side in ((32, 2), (24, 4), (16, 8), (8, 16))
    ]
    decoded = CascadeDecoder((32, 24, 16, 8)).eval()(features)
    gradients = torch.autograd.grad(decoded[1].sum(), features, allow_unused=True)
    assert [gradient is not None for gradient in gradients] == [True, True, False, False]


def test_a_gate_weighs_all_channels_of_a_place_alike_between_none_and_all() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(8, 4).eval()
    skip = torch.rand(1, 8, 3, 3) + 0.5
    with torch.no_grad():
        share = gate(torch.rand(1, 8, 3, 3), skip) / skip
    assert torch.allclose(share, share[:, :1].expand_as(share), atol=1e-6)
    assert 0 < float(share.min()) <= float(share.max()) < 1


def test_attention_looks_at_channels_then_at_places_then_convolves() -> None:
    torch.manual_seed(0)
    attend, spatial = ConvolutionalAttention(16, 8).eval(), SpatialAttention()
    features = torch.rand(1, 16, 5, 5)
    weighed = features * attend.channels(features)
    expected = attend.convs(weighed * spatial(weighed))
    assert torch.equal(attend(features, spatial), expected)
