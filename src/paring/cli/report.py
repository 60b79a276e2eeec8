"""`paring report`: the page that shows a run, or several side by side."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from paring.cli import console
from paring.dataset.threads import cores
from paring.report.making import compare_runs, write_report
from paring.report.pictures import NUMBER, Pictures

_LONGEST = 120  # bytes of a folder's name


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folder, or several of one data set.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the page; RUN/report if unset, or for several runs "
            "compare-RUN1-RUN2-... here.",
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images, where they have been moved.")
    ] = None,
    thumbnails: Annotated[
        int, typer.Option(min=0, help="Pictures at most; those most worth seeing come first.")
    ] = NUMBER,
    no_images: Annotated[bool, typer.Option("--no-images", help="No pictures at all.")] = False,
    hash_names: Annotated[
        bool,
        typer.Option(
            "--hash-names", help="No file names, groups and paths; a list beside tells them."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make the page that shows what a cut took, what stayed, and what another would have taken.

    It opens in any browser from the file system, and asks the network for nothing.

    Example: `paring report run`

    Example: `paring report run-shape run-random`
    """
    pictures = Pictures(number=thumbnails, shown=not no_images)
    with console.bars() as bars:
        if len(runs) == 1:
            page = write_report(
                runs[0],
                output=output,
                images=images,
                pictures=pictures,
                hash_names=hash_names,
                workers=cores(),
                say=console.say,
                progress=bars,
            )
        else:
            page = compare_runs(
                runs,
                output or Path(_default_name(runs)),
                images=images,
                pictures=pictures,
                hash_names=hash_names,
                workers=cores(),
                say=console.say,
                progress=bars,
            )
    if json:
        console.show_json({"page": str(page)})
        return
    console.out.print(f"{page}", markup=False)


def _default_name(runs: list[Path]) -> str:
    """A folder for the page of several runs; names too long for a file are cut, and told apart."""
    name = "-".join(("compare", *(run.resolve().name for run in runs)))
    if len(name.encode()) <= _LONGEST:
        return name
    whole = "\n".join(str(run.resolve()) for run in runs)
    mark = hashlib.sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{name.encode()[:_LONGEST].decode(errors='ignore')}-{mark}"
