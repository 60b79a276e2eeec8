"""Options that several commands share, each group one small object.

A command takes the objects; `shares` spreads their fields over its command line.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

import typer
from typer.models import OptionInfo


class FormatName(StrEnum):
    """Formats by name, for the help page."""

    coco = "coco"
    cityscapes = "cityscapes"
    voc = "voc"
    yolo = "yolo"
    pairs = "pairs"
    folder = "folder"
    video = "video"
    listing = "listing"


class FloorUnit(StrEnum):
    """What floors count."""

    instances = "instances"
    images = "images"


@dataclass
class Source:
    """Which data set, and how to read it."""

    panel: ClassVar[str] = "Data set"

    data: Annotated[Path, typer.Argument(help="Annotation file or data set folder.")]
    format: Annotated[
        FormatName | None,
        typer.Option(
            metavar="NAME", help=f"One of {', '.join(FormatName)}; recognised if not given."
        ),
    ] = None
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of the images; looked for in the usual places otherwise."),
    ] = None
    split: Annotated[
        str | None, typer.Option(help="Part of a data set that has several (train, val, ...).")
    ] = None
    classes: Annotated[
        str | None,
        typer.Option(help="Image + mask folders: class names by pixel value, comma-separated."),
    ] = None
    void: Annotated[
        int | None, typer.Option(help="Image + mask folders: pixel value of no class.")
    ] = None
    reduce_zero_label: Annotated[
        bool,
        typer.Option(
            "--reduce-zero-label", help="Image + mask folders: 0 is void, others count down."
        ),
    ] = False
    components: Annotated[
        bool,
        typer.Option(
            "--components", help="Image + mask folders: connected components are instances."
        ),
    ] = False
    frame_step: Annotated[
        int, typer.Option(min=1, help="Videos: every so many frames one is an image.")
    ] = 1
    recompute: Annotated[
        bool,
        typer.Option("--recompute", help="Areas and boxes from the masks, not as annotated."),
    ] = False


@dataclass
class Selection:
    """How much to keep, and what must not be lost."""

    panel: ClassVar[str] = "Selection"

    rate: Annotated[
        float | None, typer.Option(help="Pruning rate p: the share of images removed.")
    ] = None
    count: Annotated[int | None, typer.Option(help="Number of images to keep instead.")] = None
    min_per_category: Annotated[
        int, typer.Option(min=0, help="Keep at least so many of each category.")
    ] = 0
    min_per_size: Annotated[
        int, typer.Option(min=0, help="Keep at least so many of each COCO size bucket.")
    ] = 0
    floor_unit: Annotated[FloorUnit, typer.Option(help="What the two floors count.")] = (
        FloorUnit.instances
    )

    def amount(self) -> dict[str, Any]:
        """As the keywords of a selection."""
        floors = {"min_per_category": self.min_per_category, "min_per_size": self.min_per_size}
        return {
            "rate": self.rate,
            "count": self.count,
            "floor_unit": self.floor_unit.value,
            **floors,
        }


@dataclass
class Where:
    """Where a run goes and how it speaks."""

    panel: ClassVar[str] = "Run"

    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the run, made anew.")]
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier run of that name.")
    ] = False
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False


@dataclass
class Place(Where):
    """The same of a run that has a page."""

    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Make the page to look at.")
    ] = True


@dataclass
class Output(Place):
    """The same of a run that keeps images."""

    link: Annotated[
        Path | None, typer.Option(help="Also link (or copy) the kept images into this folder.")
    ] = None


def shares(command: Callable[..., None]) -> Callable[..., None]:
    """Spread parameters that are option groups (dataclasses) over the command line."""
    hints = get_type_hints(command, include_extras=True)
    spread: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        kind = hints[name]
        if not hasattr(kind, "__dataclass_fields__"):
            spread.append(parameter.replace(annotation=kind))
            continue
        inner = get_type_hints(kind, include_extras=True)
        groups[name] = kind, [f.name for f in fields(kind)]
        options = inspect.signature(kind).parameters.values()
        spread += [o.replace(annotation=_in_panel(inner[o.name], kind.panel)) for o in options]
    spread = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in spread]

    @functools.wraps(command)
    def spread_command(**values: Any) -> None:
        for name, (kind, names) in groups.items():
            values[name] = kind(**{n: values.pop(n) for n in names})
        command(**values)

    spread_command.__signature__ = inspect.Signature(spread)  # type: ignore[attr-defined]
    spread_command.__annotations__ = {p.name: p.annotation for p in spread}
    return spread_command


def _in_panel(annotation: Any, panel: str) -> Any:
    """The same option, shown in a panel of the help page."""
    kind, option = get_args(annotation)
    if isinstance(option, OptionInfo):
        option = copy.copy(option)
        option.rich_help_panel = panel
    return Annotated[kind, option]
