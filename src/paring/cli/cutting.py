"""What all commands of `paring images` do: read, choose, write."""

from __future__ import annotations

from collections.abc import Callable

from paring.cli import console
from paring.cli.options import Output, Source
from paring.cli.run import guard_output, new_run, read_source, write_cut
from paring.dataset.reading import Progress
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset


def cut(
    source: Source,
    output: Output,
    choose: Callable[[Dataset, Progress], tuple[Subset, Scores | None]],
    *,
    force: bool = False,
    libraries: tuple[str, ...] = (),
) -> None:
    """Read a data set, choose images of it, and write the run.

    Parameters
    ----------
    choose : gives the selection, and the scores that it was made by.
    force : apply the selection to another data set than it was made from.
    libraries : what else was used, whose versions the run will tell.
    """
    with new_run(output.output, overwrite=output.overwrite) as run:
        run.libraries = libraries
        with console.bars() as bars:
            data, reading = read_source(source, progress=bars)
            guard_output(data, output)
            subset, scores = choose(data, bars)
        show = write_cut(
            run,
            data,
            reading,
            subset,
            scores,
            output,
            force=force,
            recompute=source.recompute,
        )
    show()
