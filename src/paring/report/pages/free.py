"""The page of a run that found masks in images alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from paring.errors import InputError
from paring.labels.free.examples import FILE, LAYERS, THING, FreeExample
from paring.report.drawn import layer_of
from paring.report.folder import read_facts
from paring.report.hiding import Names
from paring.report.sections.cut import images_section
from paring.report.sections.free import FreeFacts, free_headline, free_section
from paring.report.subject import Subject, Wishes

METHOD = "from-images"


def free_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of ``paring labels from-images``; None where the folder is that of another run.

    Raises `InputError` where a file of the run cannot be read.
    """
    values = read_facts(path)
    if values.get("method") != METHOD:
        return None
    try:
        facts = msgspec.convert(values, FreeFacts)
        examples = msgspec.json.decode((path / FILE).read_bytes(), type=list[FreeExample])
        layers = {name: layer_of(examples, name, [THING], hidden=False) for name in LAYERS}
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
        "free": free_section(facts, examples, layers),
    }
    return Subject(
        title="Masks from images" if names.hidden else f"{path.resolve().name} · paring",
        headline=free_headline(facts),
        data=data,
        names=names,
        sections=sections,
        worth=[list(range(len(examples)))],
    )
