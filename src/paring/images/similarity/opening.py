"""From a data set to the similarities of its images: read, resize, make ready."""

from __future__ import annotations

import math
import os
import tempfile
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paring.dataset.table import Dataset
from paring.dataset.threads import cores
from paring.errors import InputError
from paring.images.similarity.bounds import FINE, Bounds
from paring.images.similarity.decoding import bit_depth, decode
from paring.images.similarity.formula import Metric, Moments
from paring.images.similarity.measures import GlobalSimilarities, Progress, Similarities
from paring.images.similarity.store import PixelStore
from paring.images.similarity.tiles import Engine, Which
from paring.images.similarity.windows import WindowedSimilarities
from paring.images.similarity.work import Work, images_key

Window = Literal["global", "gaussian"]
OnError = Literal["refuse", "skip"]
Images = Dataset | str | Path | Sequence[str | Path]
"""A data set, or its path (annotation file, folder, video, list of files), or the files."""

SMALLEST, LARGEST = 8, 1024
"""Sides in pixels that images may be resized to; whole numbers stay exact up to the larger."""

DATA_RANGES = 1e-6, 1e9
"""Data ranges whose constants, and their products, single precision can hold."""

_BETWEEN_NOTES = 2.0  # seconds of reading that a crash may cost
_A_PAIR = 200
"""Bytes of the budget for each pair of a tile; the work on one takes some 25."""


@dataclass(frozen=True)
class Comparing:
    """How images are compared.

    Attributes
    ----------
    metric : ``"ssim"`` (PRIME, Eq. 2) or ``"pcc"`` (Eq. 3).
    window : ``"global"``, moments of whole images as Eq. 2 has them, or ``"gaussian"``, the mean of
        SSIM in windows of 11 x 11 pixels (Wang et al. 2004), for up to a few thousand images.
    size : side in pixels to which grey images are resized.
    data_range : L of SSIM's constants; unset, 255, or 65,535 where an image has 16 bits.
    memory : bytes to stay within; unset, a quarter of the machine's.
    workers : threads; unset, all cores.
    on_error : images that cannot be read are refused, or skipped.

    Raises `InputError` for a value that cannot be.
    """

    metric: Metric = "ssim"
    window: Window = "global"
    size: int = 352
    data_range: float | None = None
    memory: int | None = None
    workers: int | None = None
    on_error: OnError = "refuse"

    def __post_init__(self) -> None:
        for name, known in (
            ("metric", ("ssim", "pcc")),
            ("window", ("global", "gaussian")),
            ("on_error", ("refuse", "skip")),
        ):
            value = getattr(self, name)
            if value not in known:
                raise InputError(f"{name} {value!r} is not known; it is {' or '.join(known)}")
        if self.metric == "pcc" and self.window == "gaussian":
            raise InputError("PCC has no window; the gaussian window is for ssim")
        if not SMALLEST <= self.size <= LARGEST:
            raise InputError(f"the size must lie between {SMALLEST} and {LARGEST}, not {self.size}")
        if self.window == "gaussian" and self.size < 11:
            raise InputError(f"a window of 11 pixels does not fit into a size of {self.size}")
        least, most = DATA_RANGES
        if self.data_range is not None and not least <= self.data_range <= most:
            raise InputError(
                f"the data range must lie between {least:g} and {most:g}, not {self.data_range:g}"
            )
        if self.workers is not None and self.workers < 1:
            raise InputError(f"there must be at least one worker, not {self.workers}")
        if self.memory is not None and self.memory < 2**28:
            raise InputError(
                f"{self.memory / 2**20:.0f} MiB of memory are too few; give at least 256 MiB"
            )

    @property
    def budget(self) -> int:
        """Bytes to stay within."""
        return self.memory if self.memory is not None else physical_memory() // 4

    @property
    def threads(self) -> int:
        """Threads to work with."""
        return cores() if self.workers is None else self.workers

    def parameters(self, data_range: float | None) -> dict[str, object]:
        """What decides the result, for a run's records."""
        shown: dict[str, object] = {"metric": self.metric, "size": self.size}
        if self.metric == "ssim":
            shown |= {"window": self.window, "data_range": data_range}
        return shown


@dataclass(frozen=True)
class Opened:
    """Images ready to be compared.

    Attributes
    ----------
    data : the data set.
    measures : their similarities; rows are those of ``data.images``.
    readable : bool (n,), images that could be read.
    faults : what is wrong with the others, by row.
    data_range : L that was used.
    mean, variance : float64 (n,) of the grey pixels of each image; NaN where it was not read.
    seconds : of each part of the work.
    work : the working folder, or None.
    """

    data: Dataset
    measures: Similarities
    readable: NDArray[np.bool_]
    faults: dict[int, str]
    data_range: float
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    seconds: dict[str, float] = field(default_factory=dict)
    work: Work | None = None


def open_images(
    data: Dataset,
    how: Comparing,
    *,
    new_from: int = 0,
    which: Which = "all",
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Opened:
    """Read all images of a data set and make them ready to be compared.

    With a `folder`, what is done is kept there, and taken up again by a later call. Raises
    `InputError` where images cannot be read and are not to be skipped, or where fewer than one can.
    """
    started = time.perf_counter()
    n = len(data)
    if n == 0:
        raise InputError("there are no images to compare")
    if data.image_root is None:
        raise InputError(
            f"the folder of image {data.images['file_name'][0]!r} is not known; give --images DIR"
        )
    bits = bit_depth(data, workers=how.threads)
    work = None
    if folder is not None:
        work = Work(folder, {"images": images_key(data), "size": how.size, "bits": bits})
    store = _store(n, how, bits, folder)
    faults = _decode(data, store, how, progress)
    seconds = {"decoding": time.perf_counter() - started}
    if faults and how.on_error == "refuse":
        row, message = next(iter(faults.items()))
        raise InputError(
            f"{data.image_root / data.images['file_name'][row]}: {message}"
            + (f"; {len(faults) - 1:,} more cannot be read" if len(faults) > 1 else "")
            + "; --on-error skip leaves such images out"
        )
    if not store.done.any():
        row, message = next(iter(faults.items()))
        name = data.image_root / data.images["file_name"][row]
        raise InputError(f"no image can be read; the first of {n:,}: {name}: {message}")
    data_range = how.data_range or (65_535.0 if bits == 16 else 255.0)
    started = time.perf_counter()
    moments = store.moments()
    nowhere = np.where(store.done, 0.0, np.nan)  # an image not there is above no threshold
    moments = replace(moments, mean=moments.mean + nowhere, variance=moments.variance + nowhere)
    measures = _measures(store, moments, how, data_range, new_from, which, work, progress)
    seconds["tables"] = time.perf_counter() - started
    return Opened(
        data,
        measures,
        np.array(store.done),
        faults,
        data_range,
        moments.mean,
        moments.variance,
        seconds,
        work,
    )


def _store(n: int, how: Comparing, bits: int, folder: Path | None) -> PixelStore:
    tables = n * (4 * (FINE * FINE + 1) + 64)
    pixels = n * how.size**2 * (bits // 8)
    if 4 * tables > 3 * how.budget and how.window == "global":
        raise InputError(
            f"{n:,} images need {4 / 3 * tables / 2**30:.2g} GiB besides their pixels, and "
            f"{how.budget / 2**30:.2g} GiB are allowed; give more --memory"
        )
    if folder is None and tables + pixels > how.budget // 2:
        room = tempfile.TemporaryDirectory(prefix="paring-")
        store = PixelStore(n, size=how.size, bits=bits, folder=Path(room.name))
        weakref.finalize(store, room.cleanup)
        return store
    return PixelStore(n, size=how.size, bits=bits, folder=folder)


def _decode(
    data: Dataset, store: PixelStore, how: Comparing, progress: Progress | None
) -> dict[int, str]:
    rows = store.missing()
    begun = len(data) - len(rows)
    noted = time.monotonic()

    def told(done: int) -> None:
        nonlocal noted
        if progress is not None:
            progress("reading images", begun + done, len(data))
        if time.monotonic() - noted > _BETWEEN_NOTES:
            store.note()
            noted = time.monotonic()

    try:
        bad = decode(data, how.size, store.put, rows=rows, workers=how.threads, progress=told)
    finally:
        store.note()
    return dict(sorted(bad.items()))


def _measures(
    store: PixelStore,
    moments: Moments,
    how: Comparing,
    data_range: float,
    new_from: int,
    which: Which,
    work: Work | None,
    progress: Progress | None,
) -> Similarities:
    memory = how.budget
    if how.window == "gaussian":
        return WindowedSimilarities(
            store,
            data_range=data_range,
            workers=how.threads,
            memory=memory,
            new_from=new_from,
            which=which,
            work=work,
        )

    def told(done: int) -> None:
        if progress is not None:
            progress("summing up images", done, len(store))

    bounds = Bounds.of(
        store.pixels,
        moments,
        size=how.size,
        metric=how.metric,
        data_range=data_range,
        progress=told,
    )
    engine = Engine(store, moments, bounds, how.metric, data_range)
    return GlobalSimilarities(
        engine,
        workers=how.threads,
        memory=memory,
        new_from=new_from,
        which=which,
        work=work,
        block=int(np.clip(math.isqrt(memory // _A_PAIR), 256, 2048)),
    )


def physical_memory() -> int:
    """Bytes of memory that this machine, or the container it is, has."""
    if not hasattr(os, "sysconf"):
        raise InputError("this system does not tell its memory; give --memory")
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(limit).read_text()))
        except (OSError, ValueError):
            continue
    return total
