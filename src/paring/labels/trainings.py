"""Trainings that are stages of longer work: noted when they are finished."""

from __future__ import annotations

from pathlib import Path

import msgspec
import torch

from paring.dataset.writing import beside
from paring.training.fitting import Fitted, Fitting

_FITTED = "fitted.json"


def note_fitted(fitted: Fitted, folder: Path) -> None:
    """Say that the training of a stage is finished, its weights in place."""
    with beside(folder / _FITTED) as fresh:
        fresh.write_bytes(msgspec.json.encode(fitted))


def is_fitted(folder: Path) -> bool:
    """Whether the training of a stage is finished."""
    return (folder / _FITTED).is_file()


def fitted_in(folder: Path) -> Fitted:
    """What the training of a stage took.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> note_fitted(Fitted(1.5, 0.5, epochs=2, steps=8, device="cpu"), folder)
    >>> is_fitted(folder), fitted_in(folder).steps
    (True, 8)
    """
    return msgspec.json.decode((folder / _FITTED).read_bytes(), type=Fitted)


def device_of(wished: Fitting) -> torch.device:
    """Where a trained model is asked: where it was trained.

    >>> device_of(Fitting(accelerator="cpu"))
    device(type='cpu')
    """
    if wished.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if wished.accelerator == "mps" else "cpu")
