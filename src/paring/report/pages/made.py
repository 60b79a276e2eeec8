"""Pages of runs that made masks: what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.examples import Pictured
from paring.report.folder import read_facts
from paring.report.hiding import Names
from paring.report.sections.cut import images_section
from paring.report.sections.made import Made
from paring.report.subject import Subject, Wishes

F = TypeVar("F", bound=Made)
E = TypeVar("E", bound=Pictured)


def read_made(
    path: Path, method: str, kind: type[F], file: str, example: type[E]
) -> tuple[F, list[E]] | None:
    """What a run says of itself, and its examples; None where it is of another method.

    Raises `InputError` where a file of the run cannot be read.
    """
    values = read_facts(path)
    if values.get("method") != method:
        return None
    try:
        facts = msgspec.convert(values, kind)
        return facts, msgspec.json.Decoder(list[example]).decode((path / file).read_bytes())  # type: ignore[valid-type]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: is not what a run wrote ({error})") from error


def made_page(
    path: Path,
    wishes: Wishes,
    facts: Made,
    layers: Mapping[str, Dataset],
    *,
    title: str,
    headline: str,
    section: Callable[[Names], dict[str, Any]],
) -> Subject:
    """The page of a run that made masks.

    Parameters
    ----------
    layers : the masks of the examples by name, ``labels`` among them.
    title : where names are hidden.
    section : the sections beside that of the images, once it is known what names are shown.
    """
    data, root = layers["labels"], facts.dataset.image_root
    if wishes.images is not None:
        data = replace(data, image_root=Path(wishes.images))
    elif root is not None:
        data = replace(data, image_root=path / root)
    names = Names.of(data.images, facts.dataset.fingerprint, hide=wishes.hash_names)
    return Subject(
        title=title if names.hidden else f"{path.resolve().name} · paring",
        headline=headline,
        data=data,
        names=names,
        sections={"images": images_section(data, names), **section(names)},
        worth=[list(range(len(data.images)))],
    )
