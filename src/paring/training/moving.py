"""Batches from one device to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def moved(batch: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch on a device: tensors, and tensors in lists; all else stays.

    Example
    -------
    >>> moved({"image": [torch.zeros(2)], "row": 3}, torch.device("cpu"))
    {'image': [tensor([0., 0.])], 'row': 3}
    """
    return {
        key: value.to(device)
        if isinstance(value, Tensor)
        else [v.to(device) if isinstance(v, Tensor) else v for v in value]
        if isinstance(value, list)
        else value
        for key, value in batch.items()
    }
