"""Models as ONNX, for runtimes without torch."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from paring.errors import InputError
from paring.models.instance import InstanceModel
from paring.models.model import Model

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


def export_onnx(model: Model, path: str | Path, *, size: tuple[int, int]) -> Path:
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
    place = Path(path)
    if not place.parent.is_dir():
        raise InputError(f"{path}: there is no folder {place.parent} to write the model in")
    beside = place.with_name(place.name + ".part")
    instance = isinstance(model, InstanceModel)
    exported = _OneImage(model) if isinstance(model, InstanceModel) else model
    image = torch.zeros(1, 3, height, width, device=model.mean.device)
    modes = {part: part.training for part in exported.modules()}
    exported.eval()
    try:
        _trace(exported, image, beside, _DETECTIONS if instance else ("logits",))
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
        for part, training in modes.items():
            part.training = training
    return place


def _trace(model: nn.Module, image: Tensor, file: Path, outputs: tuple[str, ...]) -> None:
    """Record what the model does with the image; torch's older exporter needs no more packages."""
    free = {name: {0: "batch"} for name in ("images", "logits")}
    if "logits" not in outputs:
        free = {name: {0: "detections"} for name in outputs}
    with torch.no_grad(), warnings.catch_warnings():
        # of shapes that tracing takes for constant, as they are where the size is fixed
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (image,),
            str(file),
            dynamo=False,
            opset_version=OPSET,
            input_names=["images"],
            output_names=list(outputs),
            dynamic_axes=free,
        )
