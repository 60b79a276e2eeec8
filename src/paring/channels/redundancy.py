"""How much two channels of a layer say the same in the same place (SIRFP, Eq. 3 and Table 9).

The map of each channel on each image becomes a distribution over space, and two channels are
compared by how far their distributions lie apart. The maps are not pooled, unless asked for.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from paring.errors import InputError

Metric = Literal["js", "hellinger", "kl", "dice", "dot"]
Distribution = Literal["l1", "softmax"]
Resolution = Literal["twice", "full", "half", "quarter", "vector"]

LN2 = math.log(2)
_SMOOTH = 1e-6  # of a uniform distribution, which the divergence KL cannot do without
_WORK = 2**24  # bytes of work space where sums over pairs are made in torch

Maps: TypeAlias = Tensor  # (C, N)


def pairwise_redundancy(
    features: Tensor,
    *,
    metric: Metric = "js",
    distribution: Distribution = "l1",
    resolution: Resolution = "full",
) -> Tensor:
    """Redundancy of each pair of channels, the mean over the images of a batch, (C, C), float32.

    With p and q the distributions over space of two channels of one image, and m their mean::

        js         ln 2 - KL(p || m) / 2 - KL(q || m) / 2      0 to ln 2 (Eq. 3, in nats)
        hellinger  ln 2 * sum of sqrt(p q)                     0 to ln 2
        kl         -(KL(p || q) + KL(q || p)) / 2              at most 0
        dice       2 sum of p q / (sum of p^2 + sum of q^2)    0 to 1
        dot        H W * sum of f g                            f, g: maps with their signs, each
                                                               divided by its sum of magnitudes

    `hellinger` equals `js` where two maps are the same or have nothing in common, and between them
    is larger by at most (1 - ln 2)(1 - sum of sqrt(p q)), for ln 2 H^2 <= JS <= H^2 with H^2 =
    1 - sum of sqrt(p q). It is one matrix product, where `js` is a logarithm per pair and pixel.

    A map that is zero everywhere is no distribution. It says nothing, so its redundancy with all
    others is 1, which makes the weight of its edges 0; on images where it is zero alone.

    Parameters
    ----------
    features : maps (B, C, H, W), of any precision, on any device; the gradient is not followed.
    metric : one of the above.
    distribution : ``"l1"`` divides magnitudes by their sum; ``"softmax"`` takes e to the maps, with
        their signs, before. The paper does not say. `dot` heeds neither.
    resolution : ``"full"``, as the paper; ``"twice"`` interpolates, ``"half"`` and ``"quarter"``
        take means over squares first. ``"vector"`` leaves one number per image, the mean magnitude
        of a map, and its distributions are over the images of the batch, for over a single pixel
        they would all be the same (Table 8).

    Raises
    ------
    InputError
        For features of another shape or with numbers that are not finite, for ``"vector"`` of a
        single image, and for names that are not known.

    References
    ----------
    Structural Pruning via Spatial-aware Information Redundancy for Semantic Segmentation, Eq. 3,
    Tables 8 and 9.

    Example
    -------
    >>> left = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    >>> both = torch.cat([left, 3 * left, left.flip(-1)], 1)
    >>> (pairwise_redundancy(both) / LN2).round(decimals=4)
    tensor([[1., 1., 0.],
            [1., 1., 0.],
            [0., 0., 1.]])
    """
    check_names(metric, distribution, resolution)
    if features.ndim != 4 or 0 in features.shape:
        raise InputError(f"features must be (B, C, H, W), not of shape {tuple(features.shape)}")
    images = _resized(features.detach(), resolution)
    total = torch.zeros(2 * [features.shape[1]], dtype=torch.float64, device=images.device)
    for maps in images:
        if not bool(maps.isfinite().all()):
            raise InputError("features hold numbers that are not finite")
        total += _of_one_image(maps, metric, distribution)
    return ((total + total.T) / (2 * len(images))).float()


def check_names(metric: str, distribution: str, resolution: str) -> None:
    """Raise `InputError` for a name that `pairwise_redundancy` does not know."""
    for what, given, known in (
        ("metric", metric, Metric),
        ("distribution", distribution, Distribution),
        ("resolution", resolution, Resolution),
    ):
        if given not in get_args(known):
            raise InputError(
                f"{what} {given!r} is not known; it is one of {', '.join(get_args(known))}"
            )


def _resized(features: Tensor, resolution: Resolution) -> Tensor:
    """Maps at a resolution (B, C, N), or (1, C, B) of one number an image."""
    if resolution == "vector":
        if len(features) < 2:
            raise InputError("resolution 'vector' compares over the images of a batch; give two")
        return features.float().abs().mean((-1, -2)).T[None]
    if resolution == "twice":
        features = F.interpolate(
            features.float(), scale_factor=2, mode="bilinear", align_corners=False
        )
    elif resolution != "full":
        share = 2 if resolution == "half" else 4
        height, width = (math.ceil(side / share) for side in features.shape[-2:])
        features = F.adaptive_avg_pool2d(features.float(), (height, width))
    return features.flatten(2)


def _of_one_image(maps: Maps, metric: Metric, distribution: Distribution) -> Tensor:
    """Redundancy of the maps of one image (C, C) in double precision."""
    maps = maps.float()
    pixels = maps.shape[1]
    if metric == "dot":
        sizes = maps.abs().sum(1, keepdim=True)
        dead = sizes[:, 0] == 0
        scaled = maps / torch.where(sizes > 0, sizes, 1)
        out = pixels * (scaled @ scaled.T).double()
    else:
        density, dead = _densities(maps, distribution)
        out = _FORMULAS[metric](density).double()
    out[dead] = 1
    out[:, dead] = 1
    return out


def _densities(maps: Maps, distribution: Distribution) -> tuple[Maps, Tensor]:
    """Distributions over space times the number of pixels, so with a mean of 1; and which are dead.

    Those of dead maps are uniform, only to be numbers.
    """
    if distribution == "softmax":
        density = maps.softmax(1)
        dead = ~maps.any(1)
    else:
        density = maps.abs()
        # the largest first, for a sum of the smallest numbers that there are would be 0
        density = density / density.amax(1, keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
        dead = density.sum(1) == 0
        density[dead] = 1
    return density / density.mean(1, keepdim=True), dead


def _js(density: Maps) -> Tensor:
    """With S the sum of s ln s over pixels: (S(p + q) - S(p) - S(q)) / 2 of distributions p, q."""
    if density.device.type == "cpu":
        from paring.channels.kernel import entropy_sums

        workers = torch.get_num_threads()
        sums = torch.from_numpy(entropy_sums(density.numpy(), workers=workers))
    else:
        sums = entropy_sums_torch(density)
    own = sums.diagonal().clone()
    out = (sums - own[:, None] - own) / (2 * density.shape[1])
    out.fill_diagonal_(LN2)
    return out.clamp_(0, LN2)


def entropy_sums_torch(maps: Maps, *, memory: int = _WORK) -> Tensor:
    """What `paring.channels.kernel.entropy_sums` gives, in plain torch on any device, (C, C).

    Half of the pairs are made, a part at a time in a work space of `memory` bytes, or of one pixel
    of all channels where that is more.

    >>> entropy_sums_torch(torch.tensor([[1.0, 1.0], [2.0, 0.0]])).round(decimals=4)
    tensor([[0.0000, 3.2958],
            [3.2958, 1.3863]], dtype=torch.float64)
    """
    channels, pixels = maps.shape
    some = max(1, min(pixels, memory // (8 * channels)))  # of pairs, and of their logarithms
    rows = max(1, memory // (8 * channels * some))
    least = torch.finfo(maps.dtype).tiny  # 0 ln 0 is 0
    sums = maps.new_zeros((channels, channels), dtype=torch.float64)
    for start in range(0, pixels, some):
        part = maps[:, start : start + some]
        for row in range(0, channels, rows):
            pair = part[row : row + rows, None] + part[None, row:]
            log = pair.clamp_min(least).log_()
            sums[row : row + rows, row:] += pair.mul_(log).sum(-1).double()
    sums = sums.triu(1)
    return sums + sums.T + torch.xlogy(maps, maps).sum(1).double().diag()


def _hellinger(density: Maps) -> Tensor:
    root = density.sqrt()
    return LN2 / density.shape[1] * (root @ root.T).double()


def _kl(density: Maps) -> Tensor:
    density = (density + _SMOOTH) / (1 + _SMOOTH)
    log = density.log()
    crossed = (density @ log.T).double()
    own = crossed.diagonal()
    return (crossed + crossed.T - own[:, None] - own) / (2 * density.shape[1])


def _dice(density: Maps) -> Tensor:
    products = (density @ density.T).double()
    own = products.diagonal()
    return 2 * products / (own[:, None] + own)


_FORMULAS = {"js": _js, "hellinger": _hellinger, "kl": _kl, "dice": _dice}
