"""`paring images leaks`: images of a test set that are all but images of the training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from paring.cli import console
from paring.cli.comparison import Comparison, kept_work
from paring.cli.options import FormatName, Output, Source, shares
from paring.cli.run import new_run, read_source
from paring.images.leaks import Leaks, find_leaks

_SHOWN = 20


@shares
def leaks(
    train: Annotated[Path, typer.Argument(help="Training set: annotation file or folder.")],
    test: Annotated[Path, typer.Argument(help="Test set: annotation file or folder.")],
    comparison: Comparison,
    output: Output,
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
    strict = how.on_error == "refuse"
    with (
        new_run(output.output, overwrite=output.overwrite) as run,
        kept_work(output.output) as folder,
    ):
        with console.bars() as bars:
            (old, old_reading), (new, new_reading) = (
                read_source(
                    Source(data=path, images=images, format=format, frame_step=frame_step),
                    strict=strict,
                    progress=bars,
                )
                for path, images in ((train, train_images), (test, test_images))
            )
            found = find_leaks(old, new, threshold=threshold, how=how, folder=folder, progress=bars)
        found.pairs.write_csv(run.folder / "leaks.csv")
        faults = [*old_reading.faults, *new_reading.faults]
        run.facts |= {
            "threshold": threshold,
            "train": {"path": str(train), "fingerprint": old.fingerprint, "images": len(old)},
            "test": {"path": str(test), "fingerprint": new.fingerprint, "images": len(new)},
            "pairs": len(found.pairs),
            "clusters": found.pairs["cluster"].n_unique(),
            "test_images_that_leak": found.pairs["test_id"].n_unique(),
            "skipped": [f"{f.record}: {f.message}" for f in faults if f.refused]
            + [f"{name}: {message}" for name, message in found.faults.items()],
        }
        about = run.finish()
    if output.json:
        console.show_json({"run": str(output.output), **about})
        return
    _show(found, threshold)
    if about["skipped"]:
        console.say(f"{console.count(len(about['skipped']), 'image')} left out, see run.json")
    console.say(f"all pairs in {output.output / 'leaks.csv'}")


def _show(found: Leaks, threshold: float) -> None:
    leaking = found.pairs["test_id"].n_unique()
    words = (
        f"{console.count(leaking, 'image')} of {found.n_test:,} in the test set "
        f"{'is' if leaking == 1 else 'are'} {threshold:g} or more similar to one of the "
        f"{found.n_train:,} in the training set"
    )
    console.out.print(Text(words + ".", style="bold"))
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
            f"{row['similarity']:.4f}",
            Text(row["train_file"]),
            Text(row["test_file"]),
        )
    console.out.print(table)
    if len(found.pairs) > _SHOWN:
        console.out.print(Text(f"and {len(found.pairs) - _SHOWN:,} more", style="dim"))
