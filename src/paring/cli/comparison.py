"""Options of the commands that compare images, and the folder where their work is kept."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from paring.cli import console
from paring.cli.options import Source
from paring.cli.run import carry_out_said, read_source, reading_of
from paring.dataset.formats import carry_out
from paring.dataset.reading import Fault, Progress, Reading
from paring.dataset.table import Dataset
from paring.dataset.writing import clear_abandoned
from paring.errors import InputError
from paring.images.similarity.opening import Comparing
from paring.images.similarity.work import locked

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_WORTH_KEEPING = 20.0  # seconds of work
_IMAGE = "unusable image"  # how readers call the fault of one


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


def read_images(
    source: Source, on_error: str, progress: Progress | None = None
) -> tuple[Dataset, Reading]:
    """Read a data set whose images are to be compared.

    Images that are none are refused, with the number of the others, or left out as `Reading.faults`
    tells. Annotations that cannot be used are refused in any case.
    """
    if on_error == "refuse":
        try:
            return read_source(source, progress=progress)
        except InputError as error:
            raise InputError(f"{error}{_others(source)}") from error
    reading = reading_of(source, strict=False, progress=progress)
    try:
        data = carry_out_said(source, reading)
    except InputError as error:
        if not (faults := _refused(reading)):
            raise
        raise InputError(f"{error}; {faults[0].record}: {faults[0].message}") from error
    if any(fault.kind != _IMAGE for fault in _refused(reading)):
        return read_source(source, progress=progress)  # which says what is wrong with the first
    return data, reading


def left_out(reading: Reading) -> list[str]:
    """The images that a reading left out, each with its reason."""
    return [f"{fault.record}: {fault.message}" for fault in _refused(reading)]


def _refused(reading: Reading) -> list[Fault]:
    return [fault for fault in reading.faults if fault.refused]


def _others(source: Source) -> str:
    """What to add to the refusal of an image: how many more there are, and what helps."""
    reading = reading_of(source, strict=False)
    with suppress(InputError):
        carry_out(reading, format=None if source.format is None else source.format.value)
    faults = _refused(reading)
    if not faults or any(fault.kind != _IMAGE for fault in faults):
        return ""
    more = f"; {len(faults) - 1:,} more cannot be used" if len(faults) > 1 else ""
    return f"{more}; --on-error skip leaves such images out"


@contextmanager
def kept_work(output: Path) -> Iterator[Path]:
    """A folder beside a run's for what long work has done so far.

    It goes when the work succeeds, or stops within seconds; otherwise it stays, and the same
    command goes on from there. One run at a time can hold it. What a run of that name had half
    made when it was killed is cleared away.
    """
    output = output.absolute()
    folder = output.with_name(f".{output.name}.work")
    was_there = folder.exists()
    started = time.monotonic()
    with locked(folder):
        clear_abandoned(output)
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
