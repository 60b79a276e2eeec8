"""`paring labels predict`: what a network learnt from images alone finds in others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from paring.cli import console
from paring.cli.comparison import OnErrorName, left_out, read_images
from paring.cli.extras import need_torch
from paring.cli.options import Source, shares
from paring.cli.tables import values_table
from paring.dataset.formats import guard_sources
from paring.report.words import count

_NETWORK = "network.safetensors"


@shares
def predict(
    run: Annotated[Path, typer.Argument(help="Run of from-images that trained a network.")],
    source: Source,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="COCO result file to write.", show_default=False)
    ],
    score: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Least score of what is written.")
    ] = 0.05,
    on_error: Annotated[
        OnErrorName, typer.Option(help="Images that cannot be read: refuse, or skip and list them.")
    ] = OnErrorName.refuse,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Find things in new images with a network that was learnt from images alone.

    Example: `paring labels predict run photos/ -o predictions.json`
    """
    need_torch("predicting")
    import numpy as np

    from paring.errors import InputError
    from paring.evaluation import agnostic_metrics, write_results
    from paring.labels.free.predicting import load_free, predict_free
    from paring.labels.free.recipe import load_free_recipe

    if output.exists() and not overwrite:
        raise InputError(f"{output}: is there already; give --overwrite to replace it")
    model = load_free(run / _NETWORK)
    recipe = load_free_recipe(run / "recipe.yaml")
    with console.bars() as bars:
        data, reading = read_images(source, on_error.value, bars)
        guard_sources(data, output)
        found = predict_free(
            model,
            data,
            recipe.network.size,
            threads=recipe.network.fitting.threads,
            progress=bars,
        )
    scores = found.data.instances["score"].to_numpy()
    kept = found.take(np.flatnonzero(scores >= score))
    write_results(kept.data, output, overwrite=overwrite)
    quality: dict[str, float] = {}
    if not data.masks.is_empty.all():
        measured = agnostic_metrics(data, kept.data)
        quality = {name: value for name, value in measured.items() if value == value}
    about: dict[str, Any] = {
        "output": str(output),
        "images": len(data),
        "predictions": len(kept),
        "quality": quality,
        "skipped": left_out(reading),
    }
    if json:
        console.show_json(about)
        return
    headline = f"{count(len(kept), 'prediction')} in {count(len(data), 'image')}"
    console.out.print(Text(headline, style="bold"))
    if quality:
        console.out.print(values_table(quality))
    console.say(f"written to {output}")
