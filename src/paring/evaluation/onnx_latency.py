"""Time of an ONNX model on one input, with ONNX Runtime alone. No torch here."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from paring.errors import InputError, first_line
from paring.evaluation.timing import time_runs
from paring.models.onnx_note import NOTE

_SEED = 0  # of the input
_ENDINGS = ("_kernel_time", "_nchwc", "/MatMulAddFusion")


def measure_onnx(
    path: str | Path,
    *,
    size: tuple[int, int] | None = None,
    repeats: int = 30,
    warmup: int = 5,
    threads: int = 1,
) -> dict[str, Any]:
    """Milliseconds of an ONNX model on one image of noise, and where they go.

    Parameters
    ----------
    path : of the file.
    size : (height, width) for inputs whose size is free.
    repeats, warmup : timed runs, and runs before them that are not timed.
    threads : of ONNX Runtime.

    Returns
    -------
    dict
        ms: median of a run; ms_spread: the range between its quartiles. layers: milliseconds of
        single layers by their path in the torch model, where the file notes them: the shares of a
        profile, which makes runs slower, of `ms`. steps: how many steps ONNX Runtime takes.
        file, height, width, repeats, threads, runtime: what was measured, and with what.

    Raises
    ------
    InputError
        Where onnxruntime is missing, the file cannot be read, or its input is no image.
    """
    for name, number, least in (("repeats", repeats, 1), ("warmup", warmup, 0)):
        if number < least:
            raise InputError(f"{name} {number} cannot be; it is {least} or more")
    if threads < 1:
        raise InputError(f"threads {threads} cannot be; it is 1 or more")
    plain = onnx_session(path, threads)
    import onnxruntime

    given = _noise(plain, path, size)
    ms, spread = time_runs(lambda: plain.run(None, given), repeats=repeats, warmup=warmup)
    with tempfile.TemporaryDirectory() as folder:
        profiled = onnx_session(path, threads, profile=str(Path(folder) / "profile"))
        for _ in range(warmup + repeats):
            profiled.run(None, given)
        events = json.loads(Path(profiled.end_profiling()).read_bytes())
    note = plain.get_modelmeta().custom_metadata_map.get(NOTE, "{}")
    layers, steps = _shares(events, json.loads(note), ms)
    height, width = next(iter(given.values())).shape[-2:]
    return {
        "file": Path(path).name,
        "ms": ms,
        "ms_spread": spread,
        "layers": layers,
        "steps": steps,
        "height": height,
        "width": width,
        "repeats": repeats,
        "threads": threads,
        "runtime": onnxruntime.__version__,
    }


def onnx_session(path: str | Path, threads: int, *, profile: str | None = None) -> Any:
    """An ONNX file ready to run on the processor; `InputError` where that cannot be.

    Parameters
    ----------
    profile : what the name of the file of a profile starts with; None makes none.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(
            "measuring ONNX files needs onnxruntime; install the extra: pip install 'paring[onnx]'"
        ) from error
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors; its warnings are of how it optimises
    if profile is not None:
        options.enable_profiling, options.profile_file_prefix = True, profile
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # what it raises is of no common kind
        raise InputError(f"{path}: ONNX Runtime cannot read it ({first_line(error)})") from error


def _noise(
    session: Any, path: str | Path, size: tuple[int, int] | None
) -> dict[str, np.ndarray[Any, Any]]:
    """An input of noise for each input of the model; free sizes are 1 and `size`."""
    rng, out = np.random.default_rng(_SEED), {}
    for one in session.get_inputs():
        if one.type != "tensor(float)" or not one.shape:
            raise InputError(f"{path}: input {one.name} is {one.type}, not images in float32")
        shape = [n if isinstance(n, int) and n > 0 else None for n in one.shape]
        if len(shape) >= 3 and None in shape[-2:] and size is not None:
            shape[-2:] = size
        if None in shape[1:]:
            raise InputError(
                f"{path}: the size of input {one.name} is free ({one.shape}); give a size"
            )
        out[one.name] = rng.random([n or 1 for n in shape], np.float32)
    return out


def _shares(
    events: list[dict[str, Any]], layers: dict[str, str], ms: float
) -> tuple[dict[str, float], int]:
    """Milliseconds of each layer, of `ms` in all, and the number of steps of a run."""
    total, times, steps = 0.0, dict.fromkeys(layers.values(), 0.0), set()
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        name = str(event["name"])
        for ending in _ENDINGS:
            name = name.removesuffix(ending)
        steps.add(name)
        total += event["dur"]
        path = layers.get(name) or layers.get(name.removeprefix("fused "))
        if path is not None:
            times[path] += event["dur"]
    scale = ms / total if total else 0.0
    return {path: round(scale * time, 6) for path, time in times.items() if time}, len(steps)
