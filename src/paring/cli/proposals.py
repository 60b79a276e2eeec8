"""`paring labels proposals`: training-free mask proposals of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from rich.text import Text

from paring.cli import console
from paring.cli.comparison import OnErrorName, kept_work, left_out, read_images
from paring.cli.options import Source, Where, shares
from paring.cli.run import new_run
from paring.cli.tables import values_table
from paring.dataset.formats import guard_sources
from paring.report.words import count as counted

if TYPE_CHECKING:
    from paring.dataset.table import Dataset


@dataclass
class Proposing:
    """How many proposals, and how they are made."""

    panel: ClassVar[str] = "Proposals"

    count: Annotated[int, typer.Option(min=1, help="Proposals of an image at most.")] = 500
    size: Annotated[
        int, typer.Option(min=1, help="Longest side in pixels at which they are made.")
    ] = 320
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = (
        None
    )
    on_error: Annotated[
        OnErrorName, typer.Option(help="Images that cannot be read: refuse, or skip and list them.")
    ] = OnErrorName.refuse


@dataclass
class Written(Where):
    """Where the run goes, and what else it holds."""

    coco: Annotated[
        bool, typer.Option("--coco", help="Also write them as COCO results, `proposals.json`.")
    ] = False


@shares
def proposals(source: Source, proposing: Proposing, written: Written) -> None:
    """Make training-free mask proposals of images.

    The run holds them as run lengths (`proposals/`). Where the data set has masks, it is said how
    good they are. Work that was stopped goes on when the command is given again.

    Example: `paring labels proposals photos/ --count 500 -o run`
    """
    from paring.labels.proposals import propose, save_proposals
    from paring.labels.proposals.making import need_segments

    need_segments()
    with (
        new_run(written.output, overwrite=written.overwrite) as run,
        kept_work(written.output) as folder,
    ):
        run.libraries = ("scikit-image",)
        with console.bars() as bars:
            data, reading = read_images(source, proposing.on_error.value, bars)
            guard_sources(data, written.output)
            found = propose(
                data,
                count=proposing.count,
                size=proposing.size,
                workers=proposing.workers,
                folder=folder,
                progress=bars,
            )
        save_proposals(found, run.folder / "proposals")
        if written.coco:
            from paring.evaluation.results import write_results

            write_results(found, run.folder / "proposals.json")
        run.facts |= {
            "method": "proposals",
            "images": len(data),
            "proposals": len(found.instances),
            "count": proposing.count,
            "size": proposing.size,
            "quality": _quality(found, data),
            "skipped": left_out(reading),
        }
        about = run.finish()
    if written.json:
        console.show_json({"run": str(written.output), **about})
        return
    _show(about)
    console.say(f"run written to {written.output} in {about['seconds']:.1f} s")


def _quality(found: Dataset, data: Dataset) -> dict[str, float]:
    """How much of the known masks is found, where there are any."""
    from paring.labels.proposals import proposal_quality

    if data.masks.is_empty.all():
        return {}
    measured = proposal_quality(found, data)
    return {name: value for name, value in measured.items() if value == value}  # no NaN


def _show(about: dict[str, Any]) -> None:
    images = about["images"]
    headline = (
        f"{counted(about['proposals'], 'proposal')} in {counted(images, 'image')}, "
        f"{about['seconds'] / max(images, 1):.2f} s an image"
    )
    console.out.print(Text(headline, style="bold"))
    if about["quality"]:
        console.out.print(values_table(about["quality"]))
        console.say("recall and best overlap are of the data set's own masks")
    for skipped in about["skipped"][:1]:
        console.say(f"{counted(len(about['skipped']), 'image')} left out: first {skipped}")
