"""Threads of torch, for as long as a block runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def torch_threads(number: int | None) -> Iterator[int]:
    """So many threads of torch for the block, None for as many as there are; gives how many.

    Sums over another number of threads round differently.

    Example
    -------
    >>> with torch_threads(1) as threads:
    ...     print(threads)
    1
    """
    was = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(was)
