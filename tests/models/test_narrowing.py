from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from paring.models.narrowing import narrow, narrow_parameter, widths

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
def test_a_convolution_gives_the_outputs_that_stay_of_the_inputs_that_stay(kind) -> None:
    layer = kind(5, 7, 3)
    dims = {nn.Conv1d: 1, nn.Conv2d: 2, nn.Conv3d: 3}[kind]
    x = torch.randn(2, 5, *[6] * dims)
    x[:, [1, 4]] = 0
    expected = layer(x)[:, [0, 2, 6]]
    narrow(layer, [0, 2, 6], [0, 2, 3])
    assert widths(layer) == (3, 3)
    assert torch.allclose(layer(x[:, [0, 2, 3]]), expected, atol=1e-6)


def test_a_transposed_convolution_has_its_sides_the_other_way_round() -> None:
    layer, x = nn.ConvTranspose2d(4, 6, 2), torch.randn(1, 4, 5, 5)
    x[:, 3] = 0
    expected = layer(x)[:, 1:5]
    narrow(layer, [1, 2, 3, 4], [0, 1, 2])
    assert torch.allclose(layer(x[:, :3]), expected, atol=1e-6)


def test_a_transposed_convolution_in_groups_keeps_the_same_places_of_each() -> None:
    layer, x = nn.ConvTranspose2d(4, 6, 2, groups=2), torch.randn(1, 4, 5, 5)
    x[:, [1, 3]] = 0
    expected = layer(x)[:, [0, 2, 3, 5]]
    narrow(layer, [0, 2, 3, 5], [0, 2])
    assert (widths(layer), layer.groups) == ((4, 2), 2)
    assert torch.allclose(layer(x[:, [0, 2]]), expected, atol=1e-6)


def test_norms_keep_what_they_have_learnt_of_the_channels_that_stay() -> None:
    norm = nn.BatchNorm2d(5)
    norm(torch.randn(4, 5, 6, 6) * 3 + 1)
    norm.eval()
    x = torch.randn(2, 5, 4, 4)
    expected = norm(x)[:, [0, 4]]
    narrow(norm, [0, 4], None)
    assert norm.num_features == 2
    assert torch.equal(norm(x[:, [0, 4]]), expected)
    layer = nn.LayerNorm(6)
    narrow(layer, [1, 2], None)
    assert layer.normalized_shape == (2,)
    assert layer(torch.randn(3, 2)).shape == (3, 2)


def test_one_slope_for_all_channels_stays_one() -> None:
    shared, own = nn.PReLU(), nn.PReLU(4)
    narrow(shared, [0, 1], None)
    narrow(own, [0, 1], None)
    assert (shared.num_parameters, own.num_parameters) == (1, 2)


def test_weights_that_do_not_learn_still_do_not() -> None:
    layer = nn.Linear(4, 4).requires_grad_(False)
    narrow(layer, [0], [1, 2])
    assert not layer.weight.requires_grad
    assert layer(torch.randn(2, 2)).shape == (2, 1)
    assert not narrow_parameter(
        nn.Parameter(torch.ones(3), requires_grad=False), 0, [1]
    ).requires_grad
