"""What commands that learn masks share: a run, kept work, images, and the end of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paring.cli import console
from paring.cli.comparison import OnErrorName, kept_work, left_out, read_images
from paring.cli.extras import LIBRARIES
from paring.cli.options import Place, Source
from paring.cli.run import Run, add_page, new_run
from paring.dataset.formats import guard_sources
from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError


@dataclass(frozen=True)
class Learning:
    """What such a command works with.

    Attributes
    ----------
    run : that is written at the end.
    folder : of the stages, kept where the command is stopped.
    data : the images.
    skipped : images that could not be read.
    progress : shows how far it is.
    """

    run: Run
    folder: Path
    data: Dataset
    skipped: list[str]
    progress: Progress


@contextmanager
def learning(source: Source, place: Place, on_error: OnErrorName) -> Iterator[Learning]:
    """A run to be filled; a training that fails ends in one sentence, its stages kept."""
    from paring.training.lessons import TrainingFailed

    with (
        new_run(place.output, overwrite=place.overwrite) as run,
        kept_work(place.output) as folder,
    ):
        run.libraries = LIBRARIES
        with console.bars() as bars:
            data, reading = read_images(source, on_error.value, bars)
            guard_sources(data, place.output)
            try:
                yield Learning(run, folder, data, left_out(reading), bars)
            except TrainingFailed as error:
                raise InputError(str(error)) from error


def tell(place: Place, about: dict[str, Any], show: Callable[[], None]) -> None:
    """Write the page, and say what came of it: as JSON, or in words."""
    if place.report:
        add_page(place)
    if place.json:
        console.show_json({"run": str(place.output), **about})
        return
    show()
    console.say(f"run written to {place.output} in {about['seconds']:.1f} s")
    if place.report:
        console.say(f"look at it: {place.output / 'report' / 'index.html'}")
