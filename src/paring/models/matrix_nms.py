"""Suppression of masks and of cells without a loop (SOLOv2)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def matrix_nms(
    masks: Tensor,
    scores: Tensor,
    labels: Tensor | None = None,
    *,
    kernel: Literal["gaussian", "linear"] = "gaussian",
    sigma: float = 2.0,
) -> Tensor:
    """Scores of masks, less for those that overlap better ones of their class; all at once.

    The score of mask j is multiplied by the least, over all better masks i of its class, of
    f(iou_ij) / f(c_i): f falls with the overlap, and c_i, the largest overlap of i with a mask
    better than itself, makes up for i perhaps not being there (SOLOv2, section 3.3).

    Parameters
    ----------
    masks : (n, H, W), 0 or 1.
    scores : (n,); of equal ones the first is the better.
    labels : int64 (n,), classes; None for one class.
    kernel : ``"gaussian"``, exp(-sigma iou^2), or ``"linear"``, 1 - iou.
    sigma : of the Gaussian.

    Returns
    -------
    float (n,), in the order of the masks.

    Example
    -------
    >>> masks = torch.tensor([[[1.0, 1, 0]], [[1, 1, 0]], [[0, 0, 1]]])
    >>> matrix_nms(masks, torch.tensor([0.9, 0.8, 0.7]), kernel="linear")
    tensor([0.9000, 0.0000, 0.7000])
    """
    if not len(masks):
        return scores.clone()
    order = best_first(scores)
    iou = mask_iou(masks[order])
    better = torch.ones_like(iou).triu(diagonal=1)  # row i is better than column j
    if labels is not None:
        better = better * (labels[order][:, None] == labels[order])
    iou = iou * better
    made_up = iou.amax(dim=0)[:, None]  # c_i
    if kernel == "linear":
        factor = (1 - iou) / (1 - made_up).clamp(min=1e-6)
    else:
        factor = torch.exp(-sigma * (iou**2 - made_up**2))
    decay = torch.where(better > 0, factor, torch.ones_like(factor)).amin(dim=0).clamp(max=1.0)
    out = torch.empty_like(scores)
    out[order] = scores[order] * decay.to(scores.dtype)
    return out


def mask_iou(masks: Tensor) -> Tensor:
    """Intersection over union of each two of some masks (n, H, W), 0 or 1: (n, n)."""
    flat = masks.flatten(1).float()
    shared = flat @ flat.T
    areas = flat.sum(dim=1)
    return shared / (areas[:, None] + areas - shared).clamp(min=1)


def apart(masks: Tensor, overlap: float) -> Tensor:
    """Which masks (n, H, W), the best first, overlap no better one by more than that (n,).

    Those that are left out count as better ones too (fast NMS of YOLACT).

    >>> masks = torch.tensor([[[1.0, 1, 0]], [[1, 1, 0]], [[0, 0, 1]]])
    >>> apart(masks, 0.5)
    tensor([ True, False,  True])
    """
    if not len(masks):
        return torch.zeros(0, dtype=torch.bool, device=masks.device)
    return mask_iou(masks).triu(diagonal=1).amax(dim=0) <= overlap


def best_first(scores: Tensor) -> Tensor:
    """Places of scores (n,) from the highest on; of equal ones the first comes first.

    >>> best_first(torch.tensor([0.5, 0.9, 0.5])).tolist()
    [1, 0, 2]
    """
    if torch.onnx.is_in_onnx_export():  # its exporter knows no stable order, ONNX no other
        return scores.sort(descending=True)[1]
    return torch.argsort(scores, descending=True, stable=True)


def point_nms(heat: Tensor, *, size: int = 2) -> Tensor:
    """Scores of cells (B, C, H, W) that are the largest of their neighbourhood; others become 0.

    The neighbourhood of an even size lies towards the first row and column.

    >>> point_nms(torch.tensor([[[[1.0, 2.0, 0.5]]]]))
    tensor([[[[1., 2., 0.]]]])
    """
    high, wide = heat.shape[2:]
    largest = F.max_pool2d(heat, size, stride=1, padding=size // 2)[:, :, :high, :wide]
    return heat * (heat == largest)
