"""Trainings that are stages."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from paring.labels.trainings import device_of, fitted_in, is_fitted, note_fitted
from paring.training.fitting import Fitted, Fitting


def test_a_finished_training_is_noted_whole(tmp_path: Path) -> None:
    assert not is_fitted(tmp_path)
    took = Fitted(1.25, 0.5, epochs=3, steps=12, device="cpu")
    note_fitted(took, tmp_path)
    assert is_fitted(tmp_path)
    assert fitted_in(tmp_path) == took
    assert len(list(tmp_path.iterdir())) == 1


def test_a_model_is_asked_where_it_was_trained() -> None:
    import torch

    there = "cuda" if torch.cuda.is_available() else "cpu"
    assert str(device_of(Fitting(accelerator="auto"))) == there
    assert str(device_of(Fitting(accelerator="cpu"))) == "cpu"
    assert str(device_of(Fitting(accelerator="mps"))) == "mps"
