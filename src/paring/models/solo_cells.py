"""Which cells of SOLO's grids tell which instance, in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

STRIDE = 4  # pixels, of the masks that are predicted


@dataclass(frozen=True)
class Cells:
    """Cells of one image that tell an instance, those of all grids in a row.

    Attributes
    ----------
    cells : int64 (p,), their places, each once, ascending.
    instances : int64 (p,), which instance each tells.
    """

    cells: Tensor
    instances: Tensor


def telling_cells(
    masks: Tensor,
    boxes: Tensor,
    size: tuple[int, int],
    *,
    grids: Sequence[int],
    ranges: Sequence[tuple[float, float]],
    centre: float,
) -> Cells:
    """The cells about the centre of mass of each instance, at the levels that its scale is for.

    An instance is told at each level whose range holds the root of its box's area, by the cells
    that a box of `centre` of its size about its centre of mass touches, at most one away from the
    cell of that centre (SOLO, section 3.3.1). A cell that two would take goes to the smaller box.

    Parameters
    ----------
    masks : (n, h, w), 0 or 1; those without a pixel are told by no cell.
    boxes : (n, 4), x0, y0, x1, y1 in pixels.
    size : (height, width) in pixels that the grids lie over, of the padded image.
    grids, ranges, centre : see `SoloOptions`.

    Example
    -------
    >>> masks = torch.zeros(1, 8, 8)
    >>> masks[0, 4:, 4:] = 1
    >>> found = telling_cells(
    ...     masks, torch.tensor([[4.0, 4, 8, 8]]), (8, 8), grids=(2, 4), ranges=((1, 9), (9, 99)),
    ...     centre=0.2)
    >>> found.cells.tolist(), found.instances.tolist()
    ([3], [0])
    """
    device = masks.device
    taken = torch.full((sum(side**2 for side in grids),), -1, dtype=torch.int64, device=device)
    solid = masks.to(torch.float32)
    weight = solid.sum(dim=(1, 2))
    places = (torch.arange(side, device=device) + 0.5 for side in masks.shape[1:])
    down, right = (
        (solid.sum(dim=axis) * place).sum(dim=1) / weight.clamp(min=1)
        for axis, place in zip((2, 1), places, strict=True)
    )
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = sides.prod(dim=1)
    scales = areas.clamp(min=0).sqrt()
    order = torch.argsort(areas, descending=True, stable=True)  # the smaller over the larger
    first = 0
    for side, (low, high) in zip(grids, ranges, strict=True):
        cell = torch.tensor([size[0] / side, size[1] / side], device=device)
        at = torch.stack((down, right), dim=1) / cell
        half = sides.flip(1) * centre / 2 / cell
        middle = at.long().clamp(0, side - 1)
        low_end = torch.maximum((at - half).floor().long(), middle - 1).clamp(min=0)
        high_end = torch.minimum((at + half).floor().long(), middle + 1).clamp(max=side - 1)
        there = (scales >= low) & (scales <= high) & (weight > 0)
        grid = taken[first : first + side**2].view(side, side)
        for k in order[there[order]].tolist():
            (top, left), (bottom, end) = low_end[k].tolist(), high_end[k].tolist()
            grid[top : bottom + 1, left : end + 1] = k
        first += side**2
    cells = torch.nonzero(taken >= 0)[:, 0]
    return Cells(cells, taken[cells])


def small_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks (n, h, w) at the stride of those predicted, padded to an image (height, width).

    A pixel belongs to the mask where half of what it covers does; a mask that would vanish keeps
    every pixel that it touches.

    >>> small_masks(torch.ones(1, 4, 5), (8, 8))
    tensor([[[1., 0.],
             [0., 0.]]])
    """
    if not len(masks):
        return masks.new_zeros((0, size[0] // STRIDE, size[1] // STRIDE), dtype=torch.float32)
    high, wide = masks.shape[1:]
    padded = F.pad(masks.float(), (0, size[1] - wide, 0, size[0] - high))
    share = F.avg_pool2d(padded[:, None], STRIDE)[:, 0]
    half = (share >= 0.5).float()
    lost = half.sum(dim=(1, 2)) == 0
    return torch.where(lost[:, None, None], (share > 0).float(), half)


@dataclass(frozen=True)
class Asked:
    """What the cells of a batch that tell an instance say of it, and what is true.

    Attributes
    ----------
    logits, masks : (p, h, w) at the stride of the masks.
    images, instances : int64 (p,), which image of the batch, and which instance of it.
    embeddings : (p, e), or None.
    categories : (B, N, C), 0 or 1 of every cell.
    """

    logits: Tensor
    masks: Tensor
    images: Tensor
    instances: Tensor
    embeddings: Tensor | None
    categories: Tensor


@dataclass(frozen=True)
class Told:
    """What the network says: N cells of all grids in a row, C classes, K channels.

    Attributes
    ----------
    categories : logits (B, N, C).
    kernels : (B, N, K).
    embeddings : (B, N, e), or None.
    features : (B, K, h, w), at the stride of the masks.
    size : (height, width) in pixels of the padded images.
    """

    categories: Tensor
    kernels: Tensor
    embeddings: Tensor | None
    features: Tensor
    size: tuple[int, int]

    def masks(self, image: int, cells: Tensor) -> Tensor:
        """Logits (p, h, w) of the masks that some cells of an image tell."""
        features = self.features[image]
        return (self.kernels[image, cells] @ features.flatten(1)).view(-1, *features.shape[1:])


def ask(
    told: Told,
    targets: Sequence[Mapping[str, Tensor]],
    *,
    grids: Sequence[int],
    ranges: Sequence[tuple[float, float]],
    centre: float,
) -> Asked:
    """Compare what the network says with targets of each image; see `InstanceModel.forward`."""
    categories = torch.zeros_like(told.categories)
    logits, masks, images, instances, embeddings = [], [], [], [], []
    for image, target in enumerate(targets):
        found = telling_cells(
            target["masks"], target["boxes"], told.size, grids=grids, ranges=ranges, centre=centre
        )
        categories[image, found.cells, target["labels"][found.instances] - 1] = 1
        logits.append(told.masks(image, found.cells))
        masks.append(small_masks(target["masks"], told.size)[found.instances])
        images.append(torch.full_like(found.cells, image))
        instances.append(found.instances)
        if told.embeddings is not None:
            embeddings.append(told.embeddings[image, found.cells])
    return Asked(
        torch.cat(logits),
        torch.cat(masks),
        torch.cat(images),
        torch.cat(instances),
        torch.cat(embeddings) if embeddings else None,
        categories,
    )
