"""Models as ONNX, for runtimes without torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from paring.errors import InputError, first_line
from paring.models.calling import evaluating, tensors_of
from paring.models.instance import InstanceModel
from paring.models.model import Model
from paring.models.onnx_layers import calls, note_layers

OPSET = 18
_DETECTIONS = ("boxes", "labels", "scores", "masks")


class _OneImage(nn.Module):
    """An instance model for one image, whose results are tensors in a fixed order."""

    def __init__(self, model: InstanceModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Boxes, labels, scores and masks of (1, 3, H, W)."""
        found = self.model([images[0]])[0]
        return tuple(found[key] for key in _DETECTIONS)


class _Tensors(nn.Module):
    """Any module, whose results are tensors in a row."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """All tensors in what the module gives, however deep."""
        return tuple(tensors_of(self.model(*inputs)))


def export_onnx(
    model: Model, path: str | Path, *, size: tuple[int, int], opset: int = OPSET
) -> Path:
    """Write a model as ONNX: RGB in [0, 1] in, what `forward` gives in evaluation out.

    The input ``images`` is (batch, 3, H, W) in float32, its size is fixed. Normalisation, padding
    and upsampling are within. A dense model takes any batch and gives ``logits``
    (batch, C, H, W). An instance model takes one image and gives ``boxes`` (n, 4), ``labels``
    (n,), ``scores`` (n,) and ``masks`` (n, 1, H, W).

    Parameters
    ----------
    model : what `build` or `load` gave; it stays as it is.
    path : of the file, whose folder must be there.
    size : height and width of the images in pixels.
    opset : version of ONNX's operators.

    Raises
    ------
    InputError
        For a size that is none, and where the file cannot be written.

    Example
    -------
    >>> import tempfile
    >>> from paring.models import build
    >>> model = build("emcad_mobilenet_v2", ["disc"], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(model, f"{folder}/model.onnx", size=(64, 64)).name
    'model.onnx'
    """
    height, width = size
    if height < 1 or width < 1:
        raise InputError(f"the size to export must be 1 pixel or more each way, not {size}")
    instance = isinstance(model, InstanceModel)
    exported = _OneImage(model) if isinstance(model, InstanceModel) else model
    image = torch.zeros(1, 3, height, width, device=model.mean.device)
    outputs = _DETECTIONS if instance else ("logits",)
    free = {name: {0: "batch"} for name in ("images", "logits")}
    if instance:
        free = {name: {0: "detections"} for name in outputs}
    return _written(path, exported, (image,), ["images"], list(outputs), free, opset)


def export_module(model: nn.Module, example: Any, path: str | Path, *, opset: int = OPSET) -> Path:
    """Write any module as ONNX, for inputs of the shapes of an example.

    Inputs are named ``images``, or ``input_0`` and so on where there are several; outputs
    ``output_0`` and so on: all tensors of what the module gives in evaluation, however deep.

    Parameters
    ----------
    model : it stays as it is.
    example : what it takes, a tensor or a tuple of tensors.
    path, opset : see `export_onnx`.

    Raises
    ------
    InputError
        Where the module cannot be exported, or the file cannot be written.

    Example
    -------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_module(nn.Conv2d(3, 2, 1), torch.zeros(1, 3, 4, 4), f"{folder}/m.onnx").name
    'm.onnx'
    """
    inputs = example if isinstance(example, tuple) else (example,)
    names = ["images"] if len(inputs) == 1 else [f"input_{k}" for k in range(len(inputs))]
    try:
        return _written(path, _Tensors(model), inputs, names, None, None, opset)
    except (torch.onnx.OnnxExporterError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"{type(model).__name__} cannot be exported as ONNX ({first_line(error)})"
        ) from error


def _written(
    path: str | Path,
    exported: nn.Module,
    inputs: tuple[Tensor, ...],
    names: list[str],
    outputs: list[str] | None,
    free: dict[str, dict[int, str]] | None,
    opset: int,
) -> Path:
    """Trace a module in evaluation mode into a file, beside its place and then renamed."""
    place = Path(path)
    if not place.parent.is_dir():
        raise InputError(f"{path}: there is no folder {place.parent} to write the model in")
    beside = place.with_name(place.name + ".part")
    try:
        with torch.no_grad(), evaluating(exported), calls(exported) as seen:
            if outputs is None:
                outputs = [f"output_{k}" for k in range(len(exported(*inputs)))]
                for paths in seen.values():
                    paths.clear()
            _trace(exported, inputs, beside, names, outputs, free, opset)
        inner = "model." if isinstance(exported, _OneImage | _Tensors) else ""
        note_layers(
            beside, {kind: [p.removeprefix(inner) for p in paths] for kind, paths in seen.items()}
        )
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
    return place


def _trace(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    file: Path,
    names: list[str],
    outputs: list[str],
    free: dict[str, dict[int, str]] | None,
    opset: int,
) -> None:
    """Record what a model does with its inputs; torch's older exporter needs no more packages."""
    with warnings.catch_warnings():
        # of shapes that tracing takes for constant, as they are where the size is fixed
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            inputs,
            str(file),
            dynamo=False,
            opset_version=opset,
            input_names=names,
            output_names=outputs,
            dynamic_axes=free,
        )
