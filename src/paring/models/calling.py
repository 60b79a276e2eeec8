"""How any network is run: in evaluation mode, and whatever it gives taken as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for the block; each part is as it was afterwards.

    >>> net = nn.Dropout().train()
    >>> with evaluating(net):
    ...     inside = net.training
    >>> inside, net.training
    (False, True)
    """
    was = {part: part.training for part in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for part, training in was.items():
            part.training = training


def tensors_of(output: Any) -> list[Tensor]:
    """All tensors in what a model gives, however deep.

    >>> import torch
    >>> len(tensors_of({"out": torch.zeros(1), "aux": [torch.zeros(1), {"x": torch.zeros(1)}]}))
    3
    """
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, Mapping):
        return [tensor for value in output.values() for tensor in tensors_of(value)]
    if isinstance(output, list | tuple):
        return [tensor for value in output for tensor in tensors_of(value)]
    return []
