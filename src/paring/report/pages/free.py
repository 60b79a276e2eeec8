"""The page of a run that found masks in images alone."""

from __future__ import annotations

from pathlib import Path

from paring.labels.free.examples import FILE, LAYERS, THING, FreeExample
from paring.report.drawn import layer_of
from paring.report.pages.made import made_page, read_made
from paring.report.sections.free import FreeFacts, free_headline, free_section
from paring.report.subject import Subject, Wishes

METHOD = "from-images"


def free_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of ``paring labels from-images``; None where the folder is that of another run.

    Raises `InputError` where a file of the run cannot be read.
    """
    made = read_made(path, METHOD, FreeFacts, FILE, FreeExample)
    if made is None:
        return None
    facts, examples = made
    layers = {name: layer_of(examples, name, [THING], hidden=False) for name in LAYERS}
    return made_page(
        path,
        wishes,
        facts,
        layers,
        title="Masks from images",
        headline=free_headline(facts),
        section=lambda _: {"free": free_section(facts, examples, layers)},
    )
