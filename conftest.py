"""Which sources have doctests that can run: those on torch only where it is installed."""

from __future__ import annotations

from importlib.util import find_spec

ON_TORCH = ("channels", "models", "training", "evaluation", "labels/tags", "labels/free")

collect_ignore_glob = (
    []
    if find_spec("torch")
    else [*(f"src/paring/{room}/*" for room in ON_TORCH), "src/paring/labels/trainings.py"]
)
