"""`paring train RECIPE`: train a segmentation network as a recipe says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paring.cli import console
from paring.cli.extras import LIBRARIES, need_torch
from paring.cli.run import Run
from paring.cli.tables import values_table
from paring.errors import InputError


def train(
    recipe: Annotated[str, typer.Argument(help="YAML file, or the name of a built-in recipe.")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="Values to set anew: data.train=PATH"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the run; one cut short is gone on with."),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print the whole recipe as it would run, and stop.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a segmentation network, and measure it on the validation data.

    The run holds the weights (`model.safetensors`), the whole recipe, logs and metrics. A training
    that was stopped goes on from its last epoch when the command is given again.

    Example: `paring train small-instances data.train=demo/scenes.json trainer.epochs=2 -o trained`
    """
    from paring.training.recipe import load_recipe

    wished = load_recipe(recipe, overrides or ())
    if show:
        print(wished.to_yaml(), end="")
        return
    if output is None:
        raise InputError("where the run goes is not known; give -o FOLDER")
    need_torch("training")
    from paring.training.lessons import TrainingFailed
    from paring.training.run import train as train_run

    run = Run(output, libraries=LIBRARIES)
    try:
        with console.bars() as bars:
            trained = train_run(wished, output, progress=bars, say=console.say)
    except TrainingFailed as error:
        raise InputError(str(error)) from error
    if not trained.leads:  # another process of several writes and speaks
        return
    run.facts |= {"method": "train", "seed": wished.seed, "training": trained.facts()}
    about = run.finish()
    if json:
        console.show_json({"run": str(output), **about})
        return
    if trained.metrics:
        console.out.print(values_table(trained.metrics))
    console.say(f"run written to {output} in {about['seconds']:.1f} s")
