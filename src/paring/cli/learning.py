"""What commands that learn masks share: a run, kept work, images, and the end of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from paring.cli import console
from paring.cli.comparison import OnErrorName, kept_work, left_out, read_images
from paring.cli.extras import LIBRARIES
from paring.cli.options import Place, Source
from paring.cli.run import Run, add_page, new_run
from paring.dataset.formats import guard_sources
from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError

Weights = Annotated[
    str | None, typer.Option(help="Of the encoder: a file, or hub to download them.")
]
Seed = Annotated[int | None, typer.Option(min=0, help="Decides what is by chance. [default: 0]")]
OnError = Annotated[
    OnErrorName, typer.Option(help="Images that cannot be read: refuse, or skip and list them.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Values of the recipe to set anew."),
]
Show = Annotated[
    bool, typer.Option("--show", help="Print the whole recipe as it would run, and stop.")
]


def with_said(overrides: list[str] | None, **said: Any) -> list[str]:
    """Overrides of a recipe, and after them the options that were given.

    >>> with_said(["keep=0.5"], weights=None, seed=3)
    ['keep=0.5', 'seed=3']
    """
    more = [f"{key}={value}" for key, value in said.items() if value is not None]
    return [*(overrides or []), *more]


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
