"""`paring channels ...`: fewer channels in a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from paring.cli import console, prune
from paring.cli.extras import need_torch
from paring.cli.layers import cost_sentence, layers_table
from paring.cli.networks import (
    MODEL,
    Json,
    Model,
    Opset,
    Size,
    Threads,
    Weights,
    sides_given,
    sides_of,
)
from paring.dataset.writing import beside

app = typer.Typer(no_args_is_help=True, help="Fewer channels: measure, prune and export networks.")
app.command("prune")(prune.prune)


@app.command()
def measure(
    model: Annotated[str, typer.Argument(help=f"An ONNX file (needs onnxruntime alone). {MODEL}")],
    weights: Weights = None,
    size: Size = None,
    threads: Threads = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs.")] = 30,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for all that was measured.")
    ] = None,
    json: Json = False,
) -> None:
    """Parameters, multiply-accumulates and milliseconds of a network, in all and by layer.

    Measured on a device, `-o FILE` is what `paring channels prune --latency FILE` takes elsewhere.

    Example: `paring channels measure trained --size 192x256`
    """
    wished = sides_given(size)
    if Path(model).suffix == ".onnx":
        from paring.evaluation.onnx_latency import measure_onnx

        found = measure_onnx(model, size=wished, threads=threads, repeats=repeats)
        rows = [{"layer": path, "ms": ms} for path, ms in found["layers"].items()]
    else:
        need_torch("measuring a network that is no ONNX file")
        found, rows = _measured(model, weights, wished, threads, repeats)
    if output is not None:
        with beside(output, overwrite=True) as fresh:
            fresh.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1))
    if json:
        console.show_json(found)
        return
    console.out.print(layers_table(rows))
    console.say(cost_sentence(found))
    if output is not None:
        console.say(f"written to {output}")


@app.command()
def export(
    model: Model,
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to be written.")],
    weights: Weights = None,
    size: Size = None,
    opset: Opset = 18,
    json: Json = False,
) -> None:
    """Write a network, pruned or not, as an ONNX file.

    Example: `paring channels export pruned -o small.onnx --size 192x256`
    """
    need_torch("exporting")
    from paring.channels.measuring import export as write
    from paring.channels.network import open_network

    network = open_network(model, weights=weights)
    height, width = sides_of(network, size)
    write(network.model, output, size=(height, width), opset=opset)
    if json:
        console.show_json({"file": str(output), "height": height, "width": width, "opset": opset})
        return
    console.say(f"{output} takes images of {height} x {width} pixels")


def _measured(
    spec: str, weights: Path | None, size: tuple[int, int] | None, threads: int, repeats: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a network costs, and a row a layer."""
    from paring.channels.measuring import layer_table, whole_cost
    from paring.channels.network import open_network
    from paring.channels.running import structure_of
    from paring.channels.stages import Pruning

    network = open_network(spec, weights=weights)
    sides = size or sides_of(network, None)
    found = whole_cost(network.model, size=sides, threads=threads, repeats=repeats)
    rows = layer_table(network.model, sides, structure_of(network.model, sides, Pruning()))
    for row in rows:
        row["ms"] = found["layers"].get(row["layer"])
    about = {"model": spec, "height": sides[0], "width": sides[1], "threads": threads}
    return {**about, **found, "table": rows}, rows
