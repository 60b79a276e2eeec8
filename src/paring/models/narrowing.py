"""Layers made narrower, in place: which of their output and input channels stay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.instancenorm import _InstanceNorm

SLICEABLE = (_ConvNd, nn.Linear, _BatchNorm, _InstanceNorm, nn.LayerNorm, nn.GroupNorm, nn.PReLU)
"""Kinds of layers that `narrow` knows."""

Kept = Sequence[int]


def widths(layer: nn.Module) -> tuple[int, int]:
    """Output and input channels of a layer.

    >>> widths(nn.Conv2d(3, 8, 1)), widths(nn.BatchNorm2d(4))
    ((8, 3), (4, 4))
    """
    if isinstance(layer, _ConvNd):
        return layer.out_channels, layer.in_channels
    if isinstance(layer, nn.Linear):
        return layer.out_features, layer.in_features
    if isinstance(layer, _BatchNorm | _InstanceNorm):
        return layer.num_features, layer.num_features
    if isinstance(layer, nn.LayerNorm):
        return layer.normalized_shape[-1], layer.normalized_shape[-1]
    if isinstance(layer, nn.GroupNorm):
        return layer.num_channels, layer.num_channels
    assert isinstance(layer, nn.PReLU)
    return layer.num_parameters, layer.num_parameters


def is_depthwise(layer: nn.Module) -> bool:
    """Whether a layer is a convolution of each channel by itself, so that both sides are one.

    >>> is_depthwise(nn.Conv2d(4, 4, 3, groups=4)), is_depthwise(nn.Conv2d(4, 8, 3, groups=4))
    (True, False)
    """
    return isinstance(layer, _ConvNd) and 1 < layer.groups == layer.in_channels == (
        layer.out_channels
    )


def narrow(layer: nn.Module, out: Kept | None, into: Kept | None) -> None:
    """Leave some output and input channels of a layer, in place; None leaves all.

    What has one number per channel (a norm, a depthwise convolution) is narrowed by `out`. Of a
    convolution in groups the same number must stay in each, and of its input the same places.

    >>> layer = nn.Conv2d(3, 4, 1)
    >>> narrow(layer, [0, 3], [1])
    >>> layer.weight.shape, layer.out_channels, layer.in_channels
    (torch.Size([2, 1, 1, 1]), 2, 1)
    """
    if isinstance(layer, _ConvNd):
        _narrow_convolution(layer, out, into)
    elif isinstance(layer, nn.Linear):
        if out is not None:
            _slice(layer, ("weight", "bias"), 0, out)
            layer.out_features = len(out)
        if into is not None:
            _slice(layer, ("weight",), 1, into)
            layer.in_features = len(into)
    elif out is not None:
        _narrow_norm(layer, out)


def narrow_parameter(parameter: nn.Parameter, dim: int, kept: Kept) -> nn.Parameter:
    """A parameter with some places along a dimension.

    >>> narrow_parameter(nn.Parameter(torch.arange(6.0).view(2, 3)), 1, [0, 2]).tolist()
    [[0.0, 2.0], [3.0, 5.0]]
    """
    return nn.Parameter(_taken(parameter, dim, kept), requires_grad=parameter.requires_grad)


def _narrow_convolution(layer: _ConvNd, out: Kept | None, into: Kept | None) -> None:
    if is_depthwise(layer):
        if out is not None:
            _slice(layer, ("weight", "bias"), 0, out)
            layer.out_channels = layer.in_channels = layer.groups = len(out)
        return
    turned = isinstance(layer, _ConvTransposeNd)  # its weight has the inputs first
    if out is not None:
        _slice_side(layer, int(turned), out, layer.out_channels)
        _slice(layer, ("bias",), 0, out)
        layer.out_channels = len(out)
    if into is not None:
        _slice_side(layer, int(not turned), into, layer.in_channels)
        layer.in_channels = len(into)


def _slice_side(layer: _ConvNd, dim: int, kept: Kept, width: int) -> None:
    """Slice a weight; its second dimension holds the channels of one group alone."""
    if dim == 1:
        kept = [place for place in kept if place < width // layer.groups]
    _slice(layer, ("weight",), dim, kept)


def _narrow_norm(layer: nn.Module, kept: Kept) -> None:
    if isinstance(layer, nn.PReLU):
        if layer.num_parameters > 1:
            _slice(layer, ("weight",), 0, kept)
            layer.num_parameters = len(kept)
        return
    dim = -1 if isinstance(layer, nn.LayerNorm) else 0
    _slice(layer, ("weight", "bias", "running_mean", "running_var"), dim, kept)
    if isinstance(layer, nn.LayerNorm):
        layer.normalized_shape = (*layer.normalized_shape[:-1], len(kept))
    elif isinstance(layer, nn.GroupNorm):
        layer.num_channels = len(kept)
    else:
        assert isinstance(layer, _BatchNorm | _InstanceNorm)
        layer.num_features = len(kept)


def _slice(layer: nn.Module, names: Sequence[str], dim: int, kept: Kept) -> None:
    """Take some places along a dimension of what a layer has of some parameters and buffers."""
    for name in names:
        value = getattr(layer, name, None)
        if isinstance(value, nn.Parameter):
            setattr(layer, name, narrow_parameter(value, dim, kept))
        elif isinstance(value, Tensor):
            setattr(layer, name, _taken(value, dim, kept))


def _taken(value: Tensor, dim: int, kept: Kept) -> Tensor:
    places = torch.as_tensor(list(kept), dtype=torch.long, device=value.device)
    return value.detach().index_select(dim, places)
