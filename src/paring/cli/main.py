"""The command line: one program, one file a command."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer
from rich.text import Text

from paring import __version__
from paring.cli import (
    channels,
    compare,
    console,
    convert,
    demo,
    evaluate,
    images,
    inspect,
    labels,
    report,
    train,
)
from paring.errors import InputError

app = typer.Typer(
    help="Segmentation with fewer images, fewer labels, fewer channels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("demo")(demo.demo)
app.command("inspect")(inspect.inspect)
app.command("convert")(convert.convert)
app.add_typer(images.app, name="images")
app.add_typer(labels.app, name="labels")
app.add_typer(channels.app, name="channels")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("report")(report.report)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"paring {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _stop(number: int, _: object) -> None:
    sys.exit(128 + number)


def main() -> None:
    """Run the command line; bad input ends in one sentence and exit code 2."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # so that what is half-written is cleared away
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, _stop)
    try:
        with console.warnings_said():
            app()
    except SystemExit as end:
        if end.code == 128 + signal.SIGINT:
            console.say("stopped")
        raise
    except InputError as error:
        console.err.print(Text.assemble(("error: ", "bold red"), str(error)))
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        console.err.print(Text.assemble(("error: ", "bold red"), f"{where}{error.strerror}"))
        sys.exit(2)
