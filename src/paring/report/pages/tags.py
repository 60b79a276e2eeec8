"""The page of a run that learnt masks from tags."""

from __future__ import annotations

from pathlib import Path

from paring.labels.tags.examples import FILE, LAYERS, Example
from paring.report.drawn import layer_of
from paring.report.pages.made import made_page, read_made
from paring.report.sections.tags import TagFacts, tags_headline, tags_section
from paring.report.subject import Subject, Wishes

METHOD = "from-tags"


def tags_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of ``paring labels from-tags``; None where the folder is that of another run.

    Raises `InputError` where a file of the run cannot be read.
    """
    made = read_made(path, METHOD, TagFacts, FILE, Example)
    if made is None:
        return None
    facts, examples = made
    tags = [row.tag for row in facts.tags]
    layers = {name: layer_of(examples, name, tags, hidden=wishes.hash_names) for name in LAYERS}
    return made_page(
        path,
        wishes,
        facts,
        layers,
        title="Masks from tags",
        headline=tags_headline(facts),
        section=lambda names: {"tags": tags_section(facts, examples, layers, hidden=names.hidden)},
    )
