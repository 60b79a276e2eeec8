"""The page of a run that learnt masks from tags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from paring.errors import InputError
from paring.labels.tags.examples import FILE, LAYERS, Example
from paring.report.drawn import layer_of
from paring.report.folder import read_facts
from paring.report.hiding import Names
from paring.report.sections.cut import images_section
from paring.report.sections.tags import TagFacts, tags_headline, tags_section
from paring.report.subject import Subject, Wishes

METHOD = "from-tags"


def tags_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of ``paring labels from-tags``; None where the folder is that of another run.

    Raises `InputError` where a file of the run cannot be read.
    """
    values = read_facts(path)
    if values.get("method") != METHOD:
        return None
    try:
        facts = msgspec.convert(values, TagFacts)
        examples = msgspec.json.decode((path / FILE).read_bytes(), type=list[Example])
        tags = [row.tag for row in facts.tags]
        layers = {name: layer_of(examples, name, tags, hidden=wishes.hash_names) for name in LAYERS}
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: is not what a run wrote ({error})") from error
    data, root = layers["labels"], facts.dataset.image_root
    if wishes.images is not None:
        data = replace(data, image_root=Path(wishes.images))
    elif root is not None:
        data = replace(data, image_root=path / root)
    names = Names.of(data.images, facts.dataset.fingerprint, hide=wishes.hash_names)
    sections: dict[str, Any] = {
        "images": images_section(data, names),
        "tags": tags_section(facts, examples, layers, hidden=names.hidden),
    }
    return Subject(
        title="Masks from tags" if names.hidden else f"{path.resolve().name} · paring",
        headline=tags_headline(facts),
        data=data,
        names=names,
        sections=sections,
        worth=[list(range(len(examples)))],
    )
