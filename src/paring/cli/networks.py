"""What the commands on networks share: how a network, its images and their size are named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paring.errors import InputError

if TYPE_CHECKING:
    from paring.channels.network import Network

MODEL = (
    "Training run or its model.safetensors, a model's name with --weights, "
    "or package.module:function."
)

Model = Annotated[str, typer.Argument(help=MODEL)]
Weights = Annotated[
    Path | None, typer.Option(help="Weights of a model that is given by its name or function.")
]
Size = Annotated[
    str | None,
    typer.Option(metavar="HxW", help="Height and width of the images; that of the training."),
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of ONNX Runtime.")]
Opset = Annotated[int, typer.Option(min=9, help="Version of ONNX's operators.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Normal = Annotated[
    str | None,
    typer.Option(metavar="R,G,B", help="Normalisation of images in [0, 1], for your own models."),
]


def sides_given(size: str | None) -> tuple[int, int] | None:
    """Height and width from HxW."""
    if size is None:
        return None
    height, _, width = size.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise InputError(f"size {size!r} is not as in 192x256, height and width in pixels")
    return int(height), int(width)


def sides_of(network: Network, size: str | None) -> tuple[int, int]:
    """The size that is given, or else that of the network's training."""
    wished = sides_given(size)
    if wished is not None:
        return wished
    if network.recipe is None:
        raise InputError(f"{network.spec}: the size of its images is not known; give --size HxW")
    return network.recipe.data.size


def three_given(numbers: str | None) -> tuple[float, ...] | None:
    """Three numbers from R,G,B."""
    if numbers is None:
        return None
    try:
        found = tuple(float(number) for number in numbers.split(","))
    except ValueError:
        found = ()
    if len(found) != 3:
        raise InputError(f"{numbers!r} is not as in 0.485,0.456,0.406")
    return found
