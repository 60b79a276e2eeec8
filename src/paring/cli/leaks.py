"""`paring images leaks`: images of a test set that are all but images of the training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from paring.cli import console
from paring.cli.comparison import Comparison, kept_work, left_out, read_images
from paring.cli.options import FormatName, Place, Source, shares
from paring.cli.run import add_page, new_run
from paring.dataset.formats import guard_sources
from paring.dataset.snapshot import save_frames
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.leaks import Leaks, find_leaks
from paring.report.folder import BEFORE, REPORT, read_facts
from paring.report.words import count, leaks_headline, similar

_SHOWN = 20


@shares
def leaks(
    train: Annotated[Path, typer.Argument(help="Training set: annotation file or folder.")],
    test: Annotated[Path, typer.Argument(help="Test set: annotation file or folder.")],
    comparison: Comparison,
    output: Place,
    threshold: Annotated[float, typer.Option(help="Similarity from which a pair leaks.")] = 0.95,
    train_images: Annotated[
        Path | None, typer.Option(help="Folder of the training images, if not in a usual place.")
    ] = None,
    test_images: Annotated[
        Path | None, typer.Option(help="Folder of the test images, if not in a usual place.")
    ] = None,
    format: Annotated[
        FormatName | None, typer.Option(metavar="NAME", help="Of both; recognised if not given.")
    ] = None,
    frame_step: Annotated[int, typer.Option(min=1, help="Of videos, every so many frames.")] = 1,
) -> None:
    """List pairs of a training and a test image that are nearly the same, the worst first.

    Example: `paring images leaks train/ test/ --threshold 0.95 -o leaks`
    """
    how = comparison.comparing()
    with (
        new_run(output.output, overwrite=output.overwrite) as run,
        kept_work(output.output) as folder,
    ):
        with console.bars() as bars:
            (old, old_reading), (new, new_reading) = (
                read_images(
                    Source(data=path, images=images, format=format, frame_step=frame_step),
                    how.on_error,
                    bars,
                )
                for path, images in ((train, train_images), (test, test_images))
            )
            for data, path, side in ((old, train, "train"), (new, test, "test")):
                if data.image_root is None:
                    raise InputError(
                        f"{path}: the folder of its images is not known; give --{side}-images DIR"
                    )
                guard_sources(data, output.output)
            found = find_leaks(old, new, threshold=threshold, how=how, folder=folder, progress=bars)
        found.pairs.write_csv(run.folder / "leaks.csv")
        run.facts |= {
            "threshold": threshold,
            "metric": comparison.metric.value,
            "window": comparison.window.value,
            "size": comparison.size,
            "train": _about(train, old, found.n_train),
            "test": _about(test, new, found.n_test),
            "pairs": len(found.pairs),
            "clusters": found.pairs["cluster"].n_unique(),
            "test_images_that_leak": found.pairs["test_id"].n_unique(),
            "skipped": [
                *(f"{train}: {line}" for line in left_out(old_reading)),
                *(f"{test}: {line}" for line in left_out(new_reading)),
                *(f"{name}: {message}" for name, message in found.faults.items()),
            ],
        }
        for data, side in ((old, "train"), (new, "test")):
            save_frames(data, run.folder / BEFORE / side)
        about = run.finish()
    if output.report:
        add_page(output)
    if output.json:
        console.show_json({"run": str(output.output), **read_facts(output.output)})
        return
    _show(found, threshold)
    if about["skipped"]:
        console.say(f"{count(len(about['skipped']), 'image')} left out, see run.json")
    pairs = count(len(found.pairs), "pair")
    console.say(f"{pairs} written to {output.output / 'leaks.csv'} in {about['seconds']:.1f} s")
    if output.report:
        console.say(f"look at it: {output.output / REPORT / 'index.html'}")


def _about(path: Path, data: Dataset, compared: int) -> dict[str, Any]:
    """What ``run.json`` says of one of the two sets."""
    return {
        "path": str(path),
        "image_root": None if data.image_root is None else str(data.image_root.resolve()),
        "fingerprint": data.fingerprint,
        "images": len(data),
        "compared": compared,
    }


def _show(found: Leaks, threshold: float) -> None:
    leaking = found.pairs["test_id"].n_unique()
    words = leaks_headline(leaking, found.n_train, found.n_test, threshold)
    console.out.print(Text(words, style="bold"))
    if not leaking:
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("cluster", justify="right")
    table.add_column("similarity", justify="right")
    table.add_column("training image")
    table.add_column("test image")
    for row in found.pairs.head(_SHOWN).iter_rows(named=True):
        table.add_row(
            str(row["cluster"]),
            similar(row["similarity"]),
            Text(row["train_file"]),
            Text(row["test_file"]),
        )
    console.out.print(table)
    if len(found.pairs) > _SHOWN:
        more = count(len(found.pairs) - _SHOWN, "more pair")
        console.out.print(Text(f"and {more}", style="dim"))
