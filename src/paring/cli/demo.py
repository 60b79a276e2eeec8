"""`paring demo`: generated scenes, pruned, with what it cost; no data needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paring.cli import console
from paring.cli.options import Output, Source, shares
from paring.cli.run import new_run, read_source, write_cut
from paring.dataset.formats import write
from paring.dataset.scenes import scenes
from paring.dataset.threads import cores
from paring.images.selection import keep_random, keep_top
from paring.images.shape import shape_scores
from paring.report.words import count


@shares
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to make.")] = Path("demo"),
    n_images: Annotated[int, typer.Option("--images", min=2, help="Scenes to generate.")] = 240,
    rate: Annotated[float, typer.Option(help="Share of the images removed.")] = 0.5,
    seed: Annotated[int, typer.Option(min=0, help="Decides the scenes.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier demo of that name.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Generate scenes, prune them by mask shape, and show what the cut cost.

    The folder holds the scenes (`images/`, `annotations.json`) and the run's files beside them.

    Example: `paring demo -o demo`
    """
    with new_run(output, overwrite=overwrite) as run:
        made = scenes(n_images, seed=seed, folder=run.folder / "images")
        write(made, run.folder / "scenes.json", format="coco")
        source = Source(data=run.folder / "scenes.json", images=run.folder / "images")
        data, reading = read_source(source)
        scores = shape_scores(data, workers=cores())
        subset = keep_top(scores, rate=rate)
        reading.path = output / "scenes.json"
        console.say(f"{count(n_images, 'scene')} drawn into {output / 'images'}")
        run.facts["again"] = ["paring", "images", "shape", str(output / "scenes.json")]
        show = write_cut(run, data, reading, subset, scores, Output(output, json=json))
        chance = keep_random(data, rate=rate, seed=seed).apply(data).summary()
    show()
    console.say(
        f"by chance the same number of images would have kept {chance.instances:,} instances; "
        f"see {output / 'run.json'} and {output / 'annotations.json'}"
    )
