"""A run: the folder that a command leaves behind, complete or not at all."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from paring import __version__
from paring.cli import console
from paring.cli.options import Output, Place, Source
from paring.dataset.formats import FORMATS, carry_out, guard_sources
from paring.dataset.formats.coco.annotations import NO_AREA
from paring.dataset.reading import Fault, Progress, Reading
from paring.dataset.scores import Scores
from paring.dataset.snapshot import save_frames
from paring.dataset.subset import Subset
from paring.dataset.summary import compare
from paring.dataset.table import Dataset
from paring.dataset.threads import cores
from paring.dataset.writing import beside, clear_abandoned, place_images
from paring.errors import InputError
from paring.report.command import AMOUNT, without
from paring.report.folder import (
    BEFORE,
    REPORT,
    REPORT_NAMES,
    HowRead,
    contents,
    read_facts,
    write_facts,
)
from paring.report.making import refuse_foreign, refuse_foreign_names, write_report
from paring.report.words import count

_NAMED = (
    "numpy",
    "polars",
    "opencv-python-headless",
    "numba",
    "faster-coco-eval",
    "scikit-network",
)


@dataclass
class Run:
    """A run folder being made, and what will be said of it in ``run.json``."""

    folder: Path
    started: float = field(default_factory=time.perf_counter)
    facts: dict[str, Any] = field(default_factory=dict)
    libraries: tuple[str, ...] = ()

    def finish(self) -> dict[str, Any]:
        """Write ``run.json``; gives what it says."""
        about = {
            "command": ["paring", *sys.argv[1:]],
            **self.facts,
            "seconds": round(time.perf_counter() - self.started, 3),
            "peak_memory_bytes": peak_memory(),
            "versions": versions(self.libraries),
            "contents": contents(self.folder),
        }
        write_facts(self.folder / "run.json", about)
        return about


def versions(libraries: tuple[str, ...] = ()) -> dict[str, str]:
    """What made the run, and the versions of further libraries that it used."""
    return {
        "paring": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in (*_NAMED, *libraries)},
    }


def peak_memory() -> int | None:
    """Largest resident size of this process in bytes, where the system tells it."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def new_run(path: Path, *, overwrite: bool) -> Iterator[Run]:
    """A fresh run folder; it appears when the block succeeds, and not at all otherwise."""
    if overwrite and path.is_symlink():
        raise InputError(f"{path}: is a link, so it is not replaced")
    if overwrite and os.path.lexists(path):
        _refuse_foreign(path)
    with beside(path, overwrite=overwrite) as fresh:
        fresh.mkdir()
        yield Run(fresh)


def _refuse_foreign(path: Path) -> None:
    """Only a folder that holds what a run wrote, and nothing else, is ever replaced."""
    try:
        wrote = json.loads((path / "run.json").read_bytes())["contents"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is not a run folder, so it is not replaced") from error
    for name in (REPORT, REPORT_NAMES):
        clear_abandoned(path / name)
    refuse_foreign(path / REPORT)
    refuse_foreign_names(path / REPORT_NAMES)
    there = contents(path)
    if there != wrote:
        name = next(name for name in sorted({*there, *wrote}) if there.get(name) != wrote.get(name))
        raise InputError(
            f"{path}: holds more or less than its run wrote ({name!r}), so it is not replaced"
        )


def read_source(
    source: Source, *, strict: bool = True, repair: bool = False, progress: Progress | None = None
) -> tuple[Dataset, Reading]:
    """Read what the command line names, and say what was decided on the way."""
    reading = reading_of(source, strict=strict, repair=repair, progress=progress)
    return carry_out_said(source, reading), reading


def reading_of(
    source: Source, *, strict: bool, repair: bool = False, progress: Progress | None = None
) -> Reading:
    """The read that the command line asks for."""
    return Reading(
        path=source.data,
        images=source.images,
        split=source.split,
        classes=None if source.classes is None else source.classes.split(","),
        void=source.void,
        reduce_zero_label=source.reduce_zero_label,
        components=source.components,
        frame_step=source.frame_step,
        strict=strict,
        repair=repair,
        progress=progress,
    )


def carry_out_said(source: Source, reading: Reading) -> Dataset:
    """Carry out a read, and say what was decided on the way."""
    data = carry_out(reading, format=None if source.format is None else source.format.value)
    for sentence in reading.said:
        console.say(sentence)
    if source.recompute:
        return data.recomputed()
    flat = sum(fault.kind == NO_AREA for fault in reading.faults)
    if flat:
        console.say(
            f"{count(flat, 'annotated area')} of zero or less; --recompute takes areas and "
            "boxes from the masks"
        )
    return data


def fault_counts(faults: list[Fault]) -> dict[str, int]:
    """How many records have which fault."""
    return dict(Counter(fault.kind for fault in faults))


def guard_output(data: Dataset, output: Output) -> None:
    """Refuse a place for the run, or for its links, where they cannot be."""
    guard_sources(data, output.output)
    if output.link is None:
        return
    inside = output.output.resolve()
    if inside in (output.link.resolve(), *output.link.resolve().parents):
        raise InputError(f"{output.link}: the links cannot lie in the run folder")
    if os.path.lexists(output.link):
        raise InputError(f"{output.link}: exists already; choose another name for the links")
    there = next(folder for folder in output.link.absolute().parents if os.path.lexists(folder))
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise InputError(f"{output.link}: the links cannot be written there")


_PLACE = ("--output", "-o", "--link")
_FLAGS = ("--overwrite", "--json", "--curve", "--no-curve", "--no-report", "--report")


def placed_at(run: Run, path: Path) -> str:
    """A path as a run remembers it: from the run folder if it lies there, else from the root."""
    whole = path.resolve()
    inside = run.folder.resolve()
    return str(whole.relative_to(inside) if whole.is_relative_to(inside) else whole)


def how_read(run: Run, reading: Reading, data: Dataset, recompute: bool) -> dict[str, Any]:
    """What it takes to read a data set once more, from any folder."""
    how = HowRead(
        path=placed_at(run, data.sources[0] if data.sources else reading.path),
        format=None if data.origin is None else data.origin.format,
        images=None if reading.images is None else placed_at(run, reading.images),
        task=reading.task,
        split=reading.split,
        classes=None if reading.classes is None else list(reading.classes),
        void=reading.void,
        reduce_zero_label=reading.reduce_zero_label,
        components=reading.components,
        frame_step=reading.frame_step,
        repair=reading.repair,
        recompute=recompute,
    )
    plain: dict[str, Any] = msgspec.to_builtins(how)
    return plain


def add_page(output: Place, data: Dataset | None = None, images: Path | None = None) -> None:
    """Make the page of a run that is in place; where that cannot be, the run stays."""
    try:
        with console.bars() as bars:
            write_report(
                output.output,
                data=data,
                images=images,
                workers=cores(),
                say=console.say,
                progress=bars,
            )
    except InputError as error:
        raise InputError(
            f"the run is in {output.output}; its page could not be made: {error}"
        ) from error


def write_cut(
    run: Run,
    data: Dataset,
    reading: Reading,
    subset: Subset,
    scores: Scores | None,
    output: Output,
    *,
    force: bool = False,
    recompute: bool = False,
) -> Callable[[], None]:
    """Write a selection into its run folder; gives what makes the page and shows what it cost.

    That is for after the run is in place: a reader of our output that goes away (`| head`) must
    not undo it.
    """
    guard_output(data, output)
    kept = subset.apply(data, force=force)
    (run.folder / "subset.json").write_text(subset.to_json() + "\n", encoding="utf-8")
    if scores is not None:
        scores.save(run.folder / "scores.parquet")
    names = kept.images["file_name"].to_list()
    (run.folder / "kept.txt").write_text("".join(f"{n}\n" for n in names), encoding="utf-8")
    written = FORMATS["coco" if kept.origin is None else kept.origin.format].write_part(
        kept, run.folder
    )
    before, after = data.summary(), kept.summary()
    again = ["paring", *without(sys.argv[1:], (*AMOUNT, *_PLACE), _FLAGS)]
    losses = compare(before, after)
    run.facts |= {
        "method": subset.method,
        "parameters": subset.parameters,
        "seed": subset.seed,
        "rate": subset.rate,
        "kept": len(subset.kept),
        "dropped": len(subset.dropped),
        "instances_before": before.instances,
        "instances_after": after.instances,
        "dataset": {
            "path": str(reading.path),
            "image_root": None if data.image_root is None else placed_at(run, data.image_root),
            "fingerprint": data.fingerprint,
            "read": how_read(run, reading, data, recompute),
        },
        "again": run.facts.get("again", again),
        "annotations": written,
        "faults": fault_counts(reading.faults),
        "losses": losses.to_dicts(),
    }
    save_frames(data, run.folder / BEFORE)
    about = run.finish()
    inside = run.facts["dataset"]["image_root"]

    def show() -> None:
        if output.report:
            moved = None if inside is None or Path(inside).is_absolute() else output.output / inside
            add_page(output, data, moved)
        if output.link is not None:
            try:
                with beside(output.link) as fresh:
                    fresh.mkdir()
                    place_images(kept, fresh, "link")
            except InputError as error:
                raise InputError(
                    f"the run is in {output.output}; the links could not be made: {error}"
                ) from error
        if output.json:
            console.show_json({"run": str(output.output), **read_facts(output.output)})
            return
        console.show_cut(before, after, losses)
        console.say(f"run written to {output.output} in {about['seconds']:.1f} s")
        if output.report:
            console.say(f"look at it: {output.output / REPORT / 'index.html'}")

    return show
