import pytest

torch = pytest.importorskip("torch")

from paring.models.attention import ChannelAttention, SpatialAttention

pytestmark = pytest.mark.torch


def test_channel_attention_is_the_sigmoid_of_what_mean_and_maximum_say() -> None:
    attention = ChannelAttention(16)
    first, second = attention.bottleneck[0].weight, attention.bottleneck[2].weight
    torch.nn.init.constant_(first, 1.0)
    torch.nn.init.constant_(second, 0.1)
    features = torch.zeros(1, 16, 1, 2)
    features[0, 0] = torch.tensor([[0.0, 2.0]])  # mean 1, maximum 2, the others nothing
    expected = torch.sigmoid(torch.tensor(0.1 * 1 + 0.1 * 2))
    assert torch.allclose(attention(features), expected.expand(1, 16, 1, 1))


def test_a_bottleneck_has_a_sixteenth_of_the_channels_and_at_least_one() -> None:
    assert ChannelAttention(64).bottleneck[0].out_channels == 4
    assert ChannelAttention(8).bottleneck[0].out_channels == 1


def test_spatial_attention_is_the_sigmoid_of_what_mean_and_maximum_over_channels_say() -> None:
    attention = SpatialAttention()
    torch.nn.init.zeros_(attention.conv.weight)
    with torch.no_grad():
        attention.conv.weight[0, :, 3, 3] = torch.tensor([10.0, 1.0])  # the centre of the kernel
    features = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)
    assert torch.allclose(attention(features), torch.sigmoid(torch.tensor(10 * 2.0 + 3.0)))


def test_attention_has_no_bias() -> None:
    for module in (ChannelAttention(32), SpatialAttention()):
        assert [key for key, _ in module.named_parameters() if key.endswith("bias")] == []
