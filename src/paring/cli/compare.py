"""`paring compare`: methods, rates and seeds in, one table out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from paring.cli import console
from paring.cli.options import Place, shares
from paring.cli.run import Run, add_page
from paring.dataset.threads import cores
from paring.errors import InputError
from paring.report.folder import REPORT, read_facts
from paring.report.words import count

if TYPE_CHECKING:
    from paring.dataset.reading import Progress as Telling
    from paring.experiment import Compared


@shares
def compare(
    recipe: Annotated[Path, typer.Argument(help="Recipe of the comparison (YAML).")],
    output: Place,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY=VALUE",
            help="Values of the recipe set anew; train.KEY=VALUE those of the training recipe.",
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Make cells that failed once more.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that rank; all cores by default.")
    ] = None,
) -> None:
    """Find out which images may go and what that costs: cut by each method, train, measure.

    A comparison that was stopped goes on where it was; what is done is not done again.

    Example: `paring compare comparison.yaml -o compared rates=[0.4]`
    """
    from paring.experiment import compare as run_comparison

    run = Run(output.output)
    with _cells() as told:
        compared = run_comparison(
            recipe,
            output.output,
            overrides or (),
            retry=retry,
            overwrite=output.overwrite,
            workers=workers or cores(),
            say=console.say,
            progress=told,
        )
    run.facts |= compared.about()
    run.finish()
    if output.report:
        add_page(output, compared.data)
    if output.json:
        console.show_json({"run": str(output.output), **read_facts(output.output)})
    else:
        _show(compared, output)
    if compared.table is None:
        raise InputError(f"{output.output}: no cell is done; {_first_failure(compared)}")


@contextmanager
def _cells() -> Iterator[Telling]:
    """One bar over the cells, with what is being done beside it."""
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}")
    with Progress(
        *columns, console=console.err, transient=True, disable=not console.err.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)
        yield lambda label, done, total: bar.update(
            task, description=label, completed=done, total=total
        )


def _show(compared: Compared, output: Place) -> None:
    """The table on stdout, the rest on stderr."""
    from paring.experiment.folder import MARKDOWN, RESULTS

    if compared.table is not None:
        _print_tables(compared)
    if failed := len(compared.failed):
        console.say(
            f"{count(failed, 'cell')} failed, first {_first_failure(compared)}; --retry "
            "makes such cells once more"
        )
    there = len(compared.results) - compared.made
    console.say(
        f"{count(compared.made, 'cell')} made, {there:,} were there; "
        f"see {output.output / RESULTS} and {output.output / MARKDOWN}"
    )
    if output.report:
        console.say(f"look at it: {output.output / REPORT / 'index.html'}")


def _first_failure(compared: Compared) -> str:
    row = compared.failed.row(0, named=True)
    return f"{row['method']}, seed {row['seed']}: {row['error']}"


def _print_tables(compared: Compared) -> None:
    """A table for each budget; a row is one line, however narrow the window."""
    from paring.experiment.wording import columns, shown_row

    assert compared.table is not None
    metrics, seeds = compared.plan.metrics, len(compared.plan.seeds)
    for (budget,), rows in compared.table.group_by("budget", maintain_order=True):
        lines = [columns(metrics)]
        lines += [shown_row(row, metrics, seeds) for row in rows.iter_rows(named=True)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        console.out.print(Text(f"Equal {budget}", style="bold"))
        for n, cells in enumerate(lines):
            padded = (
                cell.ljust(width) if k == _NAME else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            console.out.print(Text("  ".join(padded), style="" if n else "dim"))


_NAME = 1  # the column of the methods, the only one of words
