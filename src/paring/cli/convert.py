"""`paring convert`: one format into another, every loss counted."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from paring.cli import console
from paring.cli.options import FormatName, Source, shares
from paring.cli.run import Run, fault_counts, new_run, read_source
from paring.dataset.formats import guard_sources, put
from paring.dataset.table import Dataset
from paring.dataset.writing import Images
from paring.report.words import count


class Pictures(StrEnum):
    """What becomes of the images."""

    none = "none"
    link = "link"
    copy = "copy"


@shares
def convert(
    source: Source,
    to: Annotated[FormatName, typer.Option(help="Format to write.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write, made anew.")],
    pictures: Annotated[
        Pictures, typer.Option("--pictures", help="Put the images there too: link or copy them.")
    ] = Pictures.none,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse to write where anything would be lost.")
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Leave out broken records, renumber repeated ids, say which."
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier output of that name.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a data set in another format, or mend it in its own.

    What the format cannot hold (overlaps in VOC, holes in YOLO, crowds) is counted on screen and
    in `run.json`. The data set itself is never changed.

    Example: `paring convert VOC2012 --to coco -o voc-as-coco`
    """
    with new_run(output, overwrite=overwrite) as run:
        with console.bars() as bars:
            data, reading = read_source(source, strict=not repair, repair=repair, progress=bars)
        guard_sources(data, output)
        left_out = [f"{f.record}: {f.message}" for f in reading.faults if f.refused]
        losses = _put(run, data, to.value, pictures.value, strict=strict, shown=output)
        run.facts |= {
            "from": str(reading.path),
            "to": to.value,
            "losses": dict(sorted(losses.items())),
            "mended": reading.mended,
            "left_out": left_out,
            "faults": fault_counts(reading.faults),
        }
        about = run.finish()
    if json:
        console.show_json({"output": str(output), **about})
        return
    if pictures == Pictures.none and to != FormatName.coco:
        console.say("the images themselves are not there; --pictures link or copy puts them there")
    for line in (*reading.mended, *(f"left out {line}" for line in left_out)):
        console.out.print(Text(line))
    console.out.print(
        Text(f"{count(len(data), 'image')} written to {output} as {to.value}", style="bold")
    )
    for kind, number in sorted(losses.items()):
        console.out.print(Text.assemble(("lost ", "yellow"), f"{number:,} {kind}"))


def _put(
    run: Run, data: Dataset, to: str, pictures: Images, *, strict: bool, shown: Path
) -> Counter[str]:
    """Write into the run's folder; what is a folder in its format spreads out in it."""
    target = run.folder / "annotations.json"
    losses = put(data, target, to, images=pictures, strict=strict, shown=shown)
    if target.is_dir():
        room = target.rename(run.folder / ".written")
        for child in sorted(room.iterdir()):
            child.rename(run.folder / child.name)
        room.rmdir()
    return losses
