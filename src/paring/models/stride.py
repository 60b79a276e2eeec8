"""An encoder down to one stride: any of timm's, with weights of its own or of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from paring.errors import InputError
from paring.models.encoder_table import ENCODERS
from paring.models.hub import hub_weights
from paring.models.model import Normalised
from paring.models.table import suggestion
from paring.models.weights import fitted, read_tensors

_SIDE = 64  # pixels, of a picture that shows what depends on what


class StrideEncoder(Normalised):
    """The part of an encoder that gives features at one stride, normalising images itself.

    With weights that are given, batch normalisation keeps its statistics (a batch is an image or
    two), and the layers down to stride 4 keep their weights, as in the authors' training. Without,
    all of it learns.

    Parameters
    ----------
    name : of `paring.models`, or of timm.
    stride : of the features, in pixels.
    weights : None leaves it as torch's generator makes it; a path, see
        `paring.models.weights`; or ``"hub"``.
    mean, std : how images in [0, 1] are normalised; None is ImageNet's.
    frozen : the stride down to which layers keep their weights, where it does not learn whole.
    learns : whether it learns whole, statistics too; unset, where no weights are given.

    Attributes
    ----------
    width : channels of the features.

    Raises
    ------
    InputError
        For a name that timm does not know, an encoder without features of that stride, and
        weights that do not fit.

    Example
    -------
    >>> encoder = StrideEncoder("mobilenet_v2", 16)
    >>> encoder(torch.zeros(1, 3, 64, 96)).shape
    torch.Size([1, 96, 4, 6])
    """

    def __init__(
        self,
        name: str,
        stride: int,
        *,
        weights: str | Path | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        frozen: int = 4,
        learns: bool | None = None,
    ) -> None:
        super().__init__(mean, std)
        self.name, self.stride = name, stride
        self.learns = weights is None if learns is None else learns
        kind = _timm_name(name)
        try:
            with torch.device("meta"):
                whole: Any = _features_of(kind)
        except (RuntimeError, AttributeError, ValueError) as error:
            raise InputError(f"encoder {name!r} gives no features ({error})") from error
        strides: list[int] = whole.feature_info.reduction()
        if stride not in strides:
            raise InputError(
                f"encoder {name!r} has no features of stride {stride}; it has "
                f"{', '.join(map(str, strides))}"
            )
        blocks = list(whole.feature_info.out_indices)
        place = len(strides) - 1 - strides[::-1].index(stride)
        self.width = int(whole.feature_info.channels()[place])
        self.net: nn.Module = _features_of(kind, out_indices=(blocks[place],))
        if weights is not None:
            own = self.net.state_dict()
            given, where = _given(name, weights)
            fits = fitted(whole.state_dict(), given, place=where, encoder=name)
            counters = {key: own[key] for key in own if key.endswith(".num_batches_tracked")}
            self.net.load_state_dict({key: fits[key] for key in own if key in fits} | counters)
        _cut_off(self.net, _used(self.net))
        shallow = [block for block, one in zip(blocks, strides, strict=True) if one <= frozen]
        if shallow and not self.learns:
            before = _features_of(kind, out_indices=(shallow[-1],))
            for key in _used(before):
                self.net.get_parameter(key).requires_grad_(False)

    def train(self, mode: bool = True) -> StrideEncoder:
        """Train, with the statistics of batch normalisation as they are if weights were given."""
        super().train(mode)
        if self.learns:
            return self
        for module in self.net.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Features (B, width, ~H / stride, ~W / stride) of images (B, 3, H, W) in [0, 1]."""
        features: Tensor = self.net(self.normalised(images))[0]
        return features


def _features_of(kind: str, **more: Any) -> Any:
    """An encoder of timm that gives features, of images of any size where it can."""
    try:
        return timm.create_model(
            kind, pretrained=False, features_only=True, dynamic_img_size=True, **more
        )
    except TypeError:  # it takes any size by itself, or none but its own
        return timm.create_model(kind, pretrained=False, features_only=True, **more)


def _used(net: nn.Module) -> set[str]:
    """Names of the parameters that the feature of a network depends on."""
    with torch.enable_grad():
        try:
            feature = net.eval()(torch.zeros(1, 3, _SIDE, _SIDE))[0]
        except (AssertionError, RuntimeError) as error:  # how timm's networks refuse a size
            raise InputError(f"the encoder takes images of one size only ({error})") from error
        named = dict(net.named_parameters())
        found = torch.autograd.grad(feature.sum(), list(named.values()), allow_unused=True)
    return {name for name, one in zip(named, found, strict=True) if one is not None}


def _cut_off(net: nn.Module, used: set[str], above: str = "") -> None:
    """Leave out the parts of chains that the wanted feature does not need."""
    for name, child in list(net.named_children()):
        path = f"{above}{name}."
        inner = [key for key, _ in child.named_parameters()]
        if isinstance(net, nn.Sequential) and inner and not used & {path + key for key in inner}:
            setattr(net, name, nn.Identity())
        else:
            _cut_off(child, used, path)


def _timm_name(name: str) -> str:
    if name in ENCODERS:
        return ENCODERS[name].timm
    if not timm.is_model(name):
        known = [*ENCODERS, *timm.list_models()]
        near = suggestion(name, known)
        hint = near if near.startswith("did") else "any name of timm.list_models() can be given"
        raise InputError(f"encoder {name!r} is not known; {hint}")
    return name


def _given(name: str, weights: str | Path) -> tuple[dict[str, Tensor], str]:
    """Weights from a file or the hub, and what to call them."""
    if str(weights) != "hub":
        return read_tensors(weights), str(weights)
    return hub_weights(name), f"the hub's weights of {name}"
