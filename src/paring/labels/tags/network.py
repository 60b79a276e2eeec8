"""The network of CIM: features of proposals, an anti-noise branch and refinement branches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import safetensors
import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torchvision.ops import roi_align

from paring.dataset.writing import beside
from paring.errors import InputError
from paring.models.stride import StrideEncoder

SIDE = 7
"""Rows and columns of the features of a proposal."""

STRIDE = 16
"""Of the features that proposals are looked up in."""

_META = "paring"


@dataclass(frozen=True)
class Shape:
    """What a network is made of.

    Attributes
    ----------
    encoder : name, of `paring.models` or timm.
    classes : names of the classes.
    width : channels that MaskFuse gives (published: 1,024).
    hidden : units of the two fully connected layers (published: 4,096).
    branches : refinement branches, K.
    integrity : whether there are heads that tell complete instances from parts.
    """

    encoder: str
    classes: list[str]
    width: int = 1024
    hidden: int = 4096
    branches: int = 3
    integrity: bool = True


@dataclass(frozen=True)
class Outputs:
    """Probabilities of the proposals of one image; column 0 is the background's.

    Attributes
    ----------
    classes, detection : (n, c + 1) of the anti-noise branch, softmax over the classes and over
        the proposals.
    refined : (n, c + 1) of each refinement branch, softmax over the classes.
    integrity : (n, c + 1) of each refinement branch, in [0, 1]; ones where there are no such
        heads, which `judged` says.
    """

    classes: Tensor
    detection: Tensor
    refined: list[Tensor]
    integrity: list[Tensor]
    judged: bool

    def scores(self) -> Tensor:
        """Scores at inference (n, c + 1): score times integrity, meant over the branches."""
        products = [y * t for y, t in zip(self.refined, self.integrity, strict=True)]
        return torch.stack(products).mean(dim=0)


class MaskFuse(nn.Module):
    """Features of a proposal from those of its box, and of its box inside its mask (section 3.3).

    Parameters
    ----------
    channels : D of the features.
    width : channels given.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2 * channels, width, 3, padding=1)

    def forward(self, boxes: Tensor, masks: Tensor) -> Tensor:
        """Fused features (n, width, 7, 7) of box features (n, D, 7, 7) and masks (n, 7, 7)."""
        both = torch.cat((boxes, boxes * masks[:, None].to(boxes.dtype)), dim=1)
        fused: Tensor = torch.relu(self.conv(both))
        return fused


class TagNetwork(nn.Module):
    """Scores of proposals, learnt from tags.

    Parameters
    ----------
    shape : what it is made of.
    encoder : gives features at stride 16; unset, a new one without weights.

    Example
    -------
    >>> network = TagNetwork(Shape("mobilenet_v2", ["cat", "dog"], width=8, hidden=16)).eval()
    >>> boxes = torch.tensor([[0.0, 0, 32, 32], [8, 8, 60, 40]])
    >>> found = network(torch.zeros(1, 3, 64, 64), boxes, torch.ones(2, 7, 7))
    >>> found.scores().shape
    torch.Size([2, 3])
    """

    def __init__(self, shape: Shape, encoder: StrideEncoder | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = StrideEncoder(shape.encoder, STRIDE) if encoder is None else encoder
        self.fuse = MaskFuse(self.encoder.width, shape.width)
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(shape.width * SIDE * SIDE, shape.hidden),
            nn.ReLU(),
            nn.Linear(shape.hidden, shape.hidden),
            nn.ReLU(),
        )
        n = len(shape.classes) + 1
        self.classes = nn.Linear(shape.hidden, n)
        self.detection = nn.Linear(shape.hidden, n)
        self.refined = nn.ModuleList(nn.Linear(shape.hidden, n) for _ in range(shape.branches))
        heads = shape.branches if shape.integrity else 0
        self.integrity = nn.ModuleList(nn.Linear(shape.hidden, n) for _ in range(heads))

    def forward(self, image: Tensor, boxes: Tensor, masks: Tensor) -> Outputs:
        """Probabilities of the proposals of one image.

        Parameters
        ----------
        image : (1, 3, H, W), RGB in [0, 1].
        boxes : (n, 4) x1, y1, x2, y2 in pixels of the image.
        masks : (n, 7, 7), each proposal inside its box.
        """
        features = self.encoder(image)
        inside = roi_align(features, [boxes.to(features.dtype)], SIDE, 1 / STRIDE, aligned=True)
        hidden = self.hidden(self.fuse(inside, masks))
        refined = [head(hidden).float().softmax(dim=1) for head in self.refined]
        integrity = [head(hidden).float().sigmoid() for head in self.integrity]
        return Outputs(
            self.classes(hidden).float().softmax(dim=1),
            self.detection(hidden).float().softmax(dim=0),
            refined,
            integrity or [torch.ones_like(one) for one in refined],
            judged=bool(integrity),
        )


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file says of its network."""

    encoder: str
    classes: list[str]
    width: int
    hidden: int
    branches: int
    integrity: bool
    mean: list[float]
    std: list[float]


def save_network(network: TagNetwork, path: Path) -> None:
    """Write a network as one safetensors file, beside its place and renamed."""
    about = asdict(network.shape) | {
        "mean": [round(value, 7) for value in network.encoder.mean.tolist()],
        "std": [round(value, 7) for value in network.encoder.std.tolist()],
    }
    weights = {key: one.detach().cpu().contiguous() for key, one in network.state_dict().items()}
    with beside(path, overwrite=True) as fresh:
        fresh.write_bytes(to_bytes(weights, metadata={_META: json.dumps({"tags": about})}))


def load_network(path: str | Path) -> TagNetwork:
    """The network of a file, in evaluation mode; `InputError` where the file holds none."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file of a network")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_META, "{}")
        about = msgspec.convert(json.loads(text)["tags"], _About)
        weights = load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: holds no network learnt from tags ({error})") from error
    network = built(_shape(about), mean=about.mean, std=about.std)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path}: its weights do not fit the network that it names") from error
    return network.eval()


def _shape(about: _About) -> Shape:
    return Shape(**{name: getattr(about, name) for name in Shape.__dataclass_fields__})


def built(
    shape: Shape,
    *,
    weights: str | Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    learns: bool | None = None,
) -> TagNetwork:
    """A new network on an encoder with the given weights; see `StrideEncoder`."""
    encoder = StrideEncoder(
        shape.encoder, STRIDE, weights=weights, mean=mean, std=std, learns=learns
    )
    return TagNetwork(shape, encoder)
