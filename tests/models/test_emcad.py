from typing import Any

import pytest

torch = pytest.importorskip("torch")

from paring.models.emcad import (
    EmcadDecoder,
    GroupedGate,
    MultiScaleBlock,
    UpConvolution,
    shuffled,
)

pytestmark = pytest.mark.torch


def count(module: Any) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize(
    ("widths", "published"),
    [((512, 320, 128, 64), 1_913_515), ((2048, 1024, 512, 256), 26_148_843)],
)
def test_the_decoder_has_as_many_weights_as_the_published_one(
    widths: tuple[int, ...], published: int
) -> None:
    with torch.device("meta"):
        assert count(EmcadDecoder(widths)) == published


def test_decoded_features_have_the_shapes_of_those_given() -> None:
    features = [
        torch.rand(2, width, side, side) for width, side in ((32, 2), (24, 4), (16, 8), (8, 16))
    ]
    decoded = EmcadDecoder((32, 24, 16, 8))(features)
    assert [part.shape for part in decoded] == [part.shape for part in features]


def test_a_finer_stage_depends_on_all_deeper_features_and_on_none_finer() -> None:
    torch.manual_seed(0)
    features = [
        torch.rand(1, width, side, side, requires_grad=True)
        for width, side in ((32, 2), (24, 4), (16, 8), (8, 16))
    ]
    decoded = EmcadDecoder((32, 24, 16, 8)).eval()(features)
    gradients = torch.autograd.grad(decoded[1].sum(), features, allow_unused=True)
    assert [gradient is not None for gradient in gradients] == [True, True, False, False]


def test_shuffling_by_groups_and_then_by_what_they_hold_gives_the_order_back() -> None:
    features = torch.rand(2, 12, 3, 3)
    assert torch.equal(shuffled(shuffled(features, 3), 4), features)
    assert not torch.equal(shuffled(features, 3), features)


def test_a_block_that_projects_to_nothing_gives_back_what_came_in() -> None:
    block = MultiScaleBlock(8).eval()
    torch.nn.init.zeros_(block.narrow[0].weight)
    features = torch.rand(1, 8, 4, 4)
    assert torch.equal(block(features), features)


def test_a_block_sums_depthwise_convolutions_of_three_kernels_on_twice_the_width() -> None:
    block = MultiScaleBlock(8)
    convolutions = [scale[0] for scale in block.scales]
    assert [conv.kernel_size for conv in convolutions] == [(1, 1), (3, 3), (5, 5)]
    assert all(conv.groups == conv.in_channels == 16 for conv in convolutions)


def test_an_up_convolution_doubles_the_sides() -> None:
    assert UpConvolution(8, 6)(torch.rand(2, 8, 3, 5)).shape == (2, 6, 6, 10)


def test_a_gate_weighs_all_channels_of_a_place_alike_between_none_and_all() -> None:
    torch.manual_seed(0)
    gate = GroupedGate(8).eval()
    skip = torch.rand(1, 8, 3, 3) + 0.5
    with torch.no_grad():
        share = gate(torch.rand(1, 8, 3, 3), skip) / skip
    assert torch.allclose(share, share[:, :1].expand_as(share), atol=1e-6)
    assert 0 < float(share.min()) <= float(share.max()) < 1
    assert gate.gate[0].groups == 4
