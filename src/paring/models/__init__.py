"""Models: what is trained, saved, loaded, started from another, and exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paring.lazy import lazily

if TYPE_CHECKING:
    from paring.models.building import build
    from paring.models.dense import DenseModel
    from paring.models.encoders import Encoder, build_encoder
    from paring.models.export import export_onnx
    from paring.models.instance import InstanceModel
    from paring.models.model import Model
    from paring.models.saving import load, save
    from paring.models.starting import Started, start_from
    from paring.models.table import names, task_of

__all__ = [
    "DenseModel",
    "Encoder",
    "InstanceModel",
    "Model",
    "Started",
    "build",
    "build_encoder",
    "export_onnx",
    "load",
    "names",
    "save",
    "start_from",
    "task_of",
]

_HOMES = {
    "DenseModel": "paring.models.dense",
    "Encoder": "paring.models.encoders",
    "InstanceModel": "paring.models.instance",
    "Model": "paring.models.model",
    "Started": "paring.models.starting",
    "build": "paring.models.building",
    "build_encoder": "paring.models.encoders",
    "export_onnx": "paring.models.export",
    "load": "paring.models.saving",
    "names": "paring.models.table",
    "save": "paring.models.saving",
    "start_from": "paring.models.starting",
    "task_of": "paring.models.table",
}

# the names of models need no torch
__getattr__ = lazily(__name__, _HOMES)
