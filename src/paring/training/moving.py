"""Batches from one device to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def moved(batch: Any, device: torch.device) -> Any:
    """A batch on a device: tensors, and those in dicts, lists and tuples, however deep.

    All else stays.

    Example
    -------
    >>> moved({"image": [torch.zeros(2)], "row": 3}, torch.device("cpu"))
    {'image': [tensor([0., 0.])], 'row': 3}
    """
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, Mapping):
        return {key: moved(value, device) for key, value in batch.items()}
    if type(batch) in (list, tuple):
        return type(batch)(moved(value, device) for value in batch)
    return batch
