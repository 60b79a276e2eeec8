"""What a model costs: parameters, multiply-accumulates, and time per image.

The time is wall-clock time of single images, one after the other, with the number of threads that
is named in the result; it says nothing of throughput in batches.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from paring.errors import InputError
from paring.evaluation.onnx_latency import onnx_session
from paring.evaluation.threads import torch_threads
from paring.evaluation.timing import time_runs
from paring.models.calling import evaluating

_SEED = 0  # of the image that is shown to the model


def measure_cost(
    model: nn.Module,
    *,
    size: tuple[int, int],
    repeats: int = 30,
    warmup: int = 5,
    threads: int | None = None,
    onnx: bool = True,
) -> dict[str, Any]:
    """Parameters, multiply-accumulates and latency of a model on one image.

    The image is noise of a fixed seed on the device of the model. What a detector does after its
    proposals depends on the image, so its MACs and times are those of this image.

    Parameters
    ----------
    model : a model of `paring.models`; a module without `task` is given (1, 3, H, W).
    size : (height, width) of the image in pixels.
    repeats, warmup : timed runs, and runs before them that are not timed.
    threads : threads of torch and ONNX Runtime for the time of the measurement; None: as torch is
        set.
    onnx : also time the exported model in ONNX Runtime, on the processor.

    Returns
    -------
    dict
        parameters: weights and biases, trainable or not. macs: see `count_macs`. torch_ms, onnx_ms:
        median milliseconds a run; torch_ms_spread, onnx_ms_spread: the range between their
        quartiles. onnx_* are None where `onnx` is False, or where the model cannot be exported:
        then onnx_refused says why, else it is None. device, threads, repeats, height, width:
        what they were measured with.

    Raises
    ------
    InputError
        For a size, or a number of repeats or threads, that cannot be.

    Example
    -------
    >>> cost = measure_cost(nn.Conv2d(3, 2, 3), size=(8, 8), repeats=3, onnx=False)
    >>> cost["parameters"], cost["macs"], cost["torch_ms"] > 0
    (56, 1944, True)
    """
    for name, number, least in (("repeats", repeats, 1), ("warmup", warmup, 0)):
        if number < least:
            raise InputError(f"{name} {number} cannot be; it is {least} or more")
    if threads is not None and threads < 1:
        raise InputError(f"threads {threads} cannot be; it is 1 or more")
    image = _image(size)
    with torch_threads(threads) as used, evaluating(model):
        out: dict[str, Any] = {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "macs": count_macs(model, size=size),
        }
        run = _torch_run(model, image)
        out["torch_ms"], out["torch_ms_spread"] = time_runs(run, repeats=repeats, warmup=warmup)
        out |= {"onnx_ms": None, "onnx_ms_spread": None, "onnx_refused": None}
        if onnx:
            try:
                times = _onnx_times(model, image, used, repeats=repeats, warmup=warmup)
            except (InputError, torch.onnx.OnnxExporterError) as error:
                out["onnx_refused"] = str(error)
            else:
                out["onnx_ms"], out["onnx_ms_spread"] = times
    about = {"device": str(_device(model)), "threads": used, "repeats": repeats}
    return out | about | {"height": size[0], "width": size[1]}


def count_macs(model: nn.Module, *, size: tuple[int, int]) -> int:
    """Multiply-accumulates of a model on one image of (height, width).

    Half the floating point operations that torch counts. They are those of convolutions and matrix
    products, attention among them; normalisation, activations, pooling, resizing and the work on
    boxes are not counted. Some published numbers count them, or call MACs FLOPs.

    >>> count_macs(nn.Linear(4, 5), size=(3, 4))  # 3 channels of 3 rows, 4 x 5 each
    180
    """
    image = _image(size)
    with evaluating(model):
        return macs_of_run(lambda: model(_input(model, image)))


def macs_of_run(run: Callable[[], object]) -> int:
    """Multiply-accumulates of what a function computes in torch, as `count_macs` counts them.

    >>> macs_of_run(lambda: torch.ones(2, 3) @ torch.ones(3, 4))
    24
    """
    # attention as plain matrix products, for not every fused form of it is counted
    with (
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False) as counter,
        torch.no_grad(),
    ):
        run()
    return int(counter.get_total_flops()) // 2


# -- torch -------------------------------------------------------------------------------------


def _image(size: tuple[int, int]) -> Tensor:
    """Noise (3, H, W) in [0, 1], the same each time."""
    if len(size) != 2 or min(size) < 1:
        raise InputError(f"size {size} cannot be; it is (height, width) in pixels")
    return torch.rand((3, *size), generator=torch.Generator().manual_seed(_SEED))


def _device(model: nn.Module) -> torch.device:
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device


def _input(model: nn.Module, image: Tensor) -> Tensor | list[Tensor]:
    """The image as a model of its task takes it, on the model's device."""
    placed = image.to(_device(model))
    return [placed] if getattr(model, "task", None) == "instance" else placed.unsqueeze(0)


def _torch_run(model: nn.Module, image: Tensor) -> Callable[[], object]:
    """One run, done only when the device is."""
    given, device = _input(model, image), _device(model)

    def run() -> None:
        with torch.no_grad():
            model(given)
        if device.type != "cpu":
            torch.accelerator.synchronize(device)

    return run


# -- ONNX Runtime ------------------------------------------------------------------------------


def _onnx_times(
    model: nn.Module, image: Tensor, threads: int, *, repeats: int, warmup: int
) -> tuple[float, float]:
    from paring.models import Model, export_onnx

    if not isinstance(model, Model):
        raise InputError(f"{type(model).__name__} is no model of paring.models")
    with tempfile.TemporaryDirectory() as folder:
        height, width = image.shape[-2:]
        file = export_onnx(model, Path(folder) / "model.onnx", size=(height, width))
        session = onnx_session(file, threads)
        given = {session.get_inputs()[0].name: image.unsqueeze(0).numpy()}
        return time_runs(lambda: session.run(None, given), repeats=repeats, warmup=warmup)
