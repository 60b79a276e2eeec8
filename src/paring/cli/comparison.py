"""Options of the commands that compare images, and the folder where their work is kept."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from paring.cli import console
from paring.errors import InputError
from paring.images.similarity.opening import Comparing
from paring.images.similarity.work import locked

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_WORTH_KEEPING = 20.0  # seconds of work


class MetricName(StrEnum):
    """Ways to compare two images."""

    ssim = "ssim"
    pcc = "pcc"


class WindowName(StrEnum):
    """Over what SSIM takes its moments."""

    global_ = "global"
    gaussian = "gaussian"


class OnErrorName(StrEnum):
    """What happens to images that cannot be read."""

    refuse = "refuse"
    skip = "skip"


@dataclass
class Comparison:
    """How images are compared."""

    panel: ClassVar[str] = "Comparison"

    metric: Annotated[MetricName, typer.Option(help="SSIM or Pearson's correlation.")] = (
        MetricName.ssim
    )
    window: Annotated[
        WindowName,
        typer.Option(
            help="SSIM of whole images, or the mean over Gaussian windows (few thousand images)."
        ),
    ] = WindowName.global_
    size: Annotated[int, typer.Option(help="Side in pixels to which images are resized.")] = 352
    data_range: Annotated[
        float | None,
        typer.Option(help="Span of the pixel values (SSIM's L); that of the bit depth if unset."),
    ] = None
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Memory to stay within, as 4GB; default a quarter."),
    ] = None
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")] = (
        None
    )
    on_error: Annotated[
        OnErrorName, typer.Option(help="Images that cannot be read: refuse, or skip and list them.")
    ] = OnErrorName.refuse

    def comparing(self) -> Comparing:
        """As the library takes it."""
        return Comparing(
            metric=self.metric.value,
            window=self.window.value,
            size=self.size,
            data_range=self.data_range,
            memory=None if self.memory is None else bytes_of(self.memory),
            workers=self.workers,
            on_error=self.on_error.value,
        )


def bytes_of(text: str) -> int:
    """A size like ``4GB``, ``512M`` or ``1.5 GiB`` in bytes; units are powers of 1,024.

    >>> bytes_of("4GB"), bytes_of("512M"), bytes_of("1.5 GiB")
    (4294967296, 536870912, 1610612736)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if match is None:
        raise InputError(f"memory {text!r} is no size; give one like 4GB or 512MB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


@contextmanager
def kept_work(output: Path) -> Iterator[Path]:
    """A folder beside a run's for what long work has done so far.

    It goes when the work succeeds, or stops within seconds; otherwise it stays, and the same
    command goes on from there. One run at a time can hold it.
    """
    output = output.absolute()
    folder = output.with_name(f".{output.name}.work")
    was_there = folder.exists()
    started = time.monotonic()
    with locked(folder):
        try:
            yield folder
        except BaseException:
            if was_there or time.monotonic() - started > _WORTH_KEEPING:
                console.say(
                    f"what was done is kept in {folder}; the same command goes on from there"
                )
            else:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
