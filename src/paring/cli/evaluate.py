"""`paring evaluate`: how good predictions are, of a file or of a training run."""

from __future__ import annotations

import json as jsons
import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import polars as pl
import typer
from rich.table import Table
from rich.text import Text

from paring.cli import console
from paring.cli.extras import need_torch
from paring.cli.options import Source
from paring.cli.run import read_source
from paring.cli.tables import number, plain_table, values_table
from paring.dataset.formats import guard_sources
from paring.dataset.table import Dataset
from paring.dataset.writing import beside
from paring.errors import InputError
from paring.report.words import count

if TYPE_CHECKING:
    from paring.evaluation.matching import Kind


class KindName(StrEnum):
    """What overlaps."""

    segm = "segm"
    bbox = "bbox"
    both = "both"


_KINDS: dict[KindName, tuple[Kind, ...]] = {
    KindName.segm: ("segm",),
    KindName.bbox: ("bbox",),
    KindName.both: ("segm", "bbox"),
}
_WORDS = {"segm": "masks", "bbox": "boxes"}
_FILES = "Predictions of a file"
_RUN = "A training run"


def evaluate(
    run: Annotated[
        Path | None, typer.Argument(help="Folder of a training run.", show_default=False)
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="COCO result file (a JSON list).", rich_help_panel=_FILES),
    ] = None,
    annotations: Annotated[
        Path | None,
        typer.Option(
            help="Annotation file or data set folder with the truth.", rich_help_panel=_FILES
        ),
    ] = None,
    kind: Annotated[
        KindName | None,
        typer.Option(help="Overlap of masks (default), boxes, or both.", rich_help_panel=_FILES),
    ] = None,
    class_agnostic: Annotated[
        bool,
        typer.Option(
            "--class-agnostic", help="All categories count as one.", rich_help_panel=_FILES
        ),
    ] = False,
    areas: Annotated[
        str | None,
        typer.Option(
            metavar="A1,A2",
            help="Borders of small, medium and large in square pixels; default 1024,9216.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    per_category: Annotated[
        bool,
        typer.Option("--per-category", help="Also show each category."),
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Measure on this data set instead of the run's validation data.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    cost: Annotated[
        bool,
        typer.Option(
            "--cost", help="Also parameters, MACs and time per image.", rich_help_panel=_RUN
        ),
    ] = False,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images of --data.", rich_help_panel=_RUN)
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Also write what was found into this COCO result file.", rich_help_panel=_RUN
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Part of a data set that has several (train, val, ...).")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the numbers into this file (JSON)."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier file of that name.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure predictions: COCO's AP and AR of a result file, or a training run anew.

    Example: `paring evaluate --predictions results.json --annotations instances_val2017.json`
    """
    of_files = {
        "--predictions": predictions,
        "--annotations": annotations,
        "--kind": kind,
        "--class-agnostic": class_agnostic,
        "--areas": areas,
    }
    of_run = {"--data": data, "--cost": cost, "--images": images, "--results": results}
    if run is not None:
        _refuse_given(of_files, "is for predictions of a file, not for a training run")
        result = _of_run(
            run,
            data=data,
            images=images,
            split=split,
            cost=cost,
            per_category=per_category,
            results=results,
            overwrite=overwrite,
        )
        shown = _run_tables(result)
    elif predictions is None or annotations is None:
        raise InputError(
            "what to measure is not known; name the folder of a training run, or give both "
            "--predictions FILE and --annotations FILE"
        )
    else:
        _refuse_given(of_run, "is for a training run, not for predictions of a file")
        if class_agnostic and per_category:
            raise InputError("--class-agnostic makes all categories one; drop --per-category")
        with console.bars() as bars:
            from paring.evaluation.results import read_results

            truth, _ = read_source(Source(data=annotations, split=split), progress=bars)
            found = read_results(predictions, truth, progress=bars)
        if output is not None:
            guard_sources(truth, output)
            guard_sources(found, output)
        result = _of_files(
            truth,
            found,
            kinds=_KINDS[kind or KindName.segm],
            class_agnostic=class_agnostic,
            areas=_borders(areas),
            per_category=per_category,
        )
        result = {"predictions": str(predictions), "annotations": str(annotations), **result}
        shown = _metric_tables(result)
        if not json:
            console.out.print(Text(_headline(truth, found), style="bold"))
    plain = _plain(result)
    if output is not None:
        with beside(output, overwrite=overwrite) as fresh:
            fresh.write_text(jsons.dumps(plain, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if json:
        console.show_json(plain)
        return
    for table in shown:
        console.out.print(table)
    if output is not None:
        console.say(f"written to {output}")


# -- the two halves ----------------------------------------------------------------------------


def _of_files(
    truth: Dataset,
    found: Dataset,
    *,
    kinds: tuple[Kind, ...],
    class_agnostic: bool,
    areas: tuple[float, float],
    per_category: bool,
) -> dict[str, Any]:
    """Metrics of each kind of overlap, and of each category on request."""
    from paring.evaluation.detection import categories_of, metrics_of
    from paring.evaluation.matching import match

    metrics: dict[str, Any] = {}
    categories: dict[str, Any] = {}
    for name in kinds:
        curves = match(truth, found, kind=name, class_agnostic=class_agnostic, areas=areas)
        metrics[name] = metrics_of(curves)
        if per_category:
            categories[name] = categories_of(curves, truth, found).to_dicts()
    out: dict[str, Any] = {
        "fingerprint": truth.fingerprint,
        "class_agnostic": class_agnostic,
        "areas": list(areas),
        "metrics": metrics,
    }
    return out | ({"categories": categories} if per_category else {})


def _of_run(
    run: Path,
    *,
    data: Path | None,
    images: Path | None,
    split: str | None,
    cost: bool,
    per_category: bool,
    results: Path | None,
    overwrite: bool,
) -> dict[str, Any]:
    """Metrics of a training run, with what else was asked for."""
    need_torch("measuring a training run")
    from paring.evaluation.cost import measure_cost
    from paring.evaluation.results import write_results
    from paring.training.evaluating import evaluate_run, load_run
    from paring.training.sections import DataSource

    if data is None and (split is not None or images is not None):
        raise InputError("--split and --images are parts of --data PATH; give that too")
    source = data and DataSource(
        path=str(data), split=split, images=None if images is None else str(images)
    )
    with console.bars() as bars:
        measured = evaluate_run(run, source=source or None, progress=bars)
    out: dict[str, Any] = {"metrics": measured.metrics}
    if per_category:
        out["categories"] = measured.categories().to_dicts()
    if results is not None:
        if measured.predictions is None:
            raise InputError(f"{run}: finds no instances, so there are no --results to write")
        write_results(measured.predictions, results, overwrite=overwrite)
    if cost:
        model, recipe = load_run(run)
        out["cost"] = measure_cost(model, size=recipe.data.size)
    return out


# -- what is given -----------------------------------------------------------------------------


def _refuse_given(options: Mapping[str, object], words: str) -> None:
    given = [name for name, value in options.items() if value is not None and value is not False]
    if given:
        raise InputError(f"{given[0]} {words}; drop one of them")


def _borders(areas: str | None) -> tuple[float, float]:
    """Two areas in square pixels from text like ``1024,9216``."""
    from paring.evaluation.detection import AREAS

    if areas is None:
        return AREAS
    try:
        low, high = (float(part) for part in areas.split(","))
    except ValueError as error:
        raise InputError(f"areas {areas!r} are not two numbers like 1024,9216") from error
    return low, high


# -- what is shown -----------------------------------------------------------------------------


def _headline(truth: Dataset, found: Dataset) -> str:
    crowds = int(truth.instances["iscrowd"].sum())
    return (
        f"{count(len(truth), 'image')}, {count(len(truth.instances) - crowds, 'instance')}, "
        f"{count(len(found.instances), 'prediction')}"
    )


def _run_tables(result: Mapping[str, Any]) -> list[Table]:
    """Metrics of a run, its categories, and what it costs."""
    tables = [values_table(result["metrics"])]
    if "categories" in result:
        tables.append(_category_table("", result["categories"]))
    if "cost" in result:
        tables.append(values_table(result["cost"]))
    return tables


def _metric_tables(result: Mapping[str, Any]) -> list[Table]:
    """A column for each kind of overlap, and a table of categories for each."""
    kinds = [*result["metrics"]]
    table = plain_table("", *(_WORDS[kind] for kind in kinds))
    for name in result["metrics"][kinds[0]]:
        table.add_row(name, *(number(result["metrics"][kind][name]) for kind in kinds))
    tables = [table]
    for kind, rows in result.get("categories", {}).items():
        tables.append(_category_table(_WORDS[kind], rows))
    return tables


def _category_table(first: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    names = [name for name in rows[0] if name not in ("category_id", "name")] if rows else []
    table = plain_table(first, *names)
    for row in rows:
        table.add_row(Text(row["name"]), *(number(row[name]) for name in names))
    return table


def _plain(value: Any) -> Any:
    """The same as JSON can hold it: what is not a number is null."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, pl.DataFrame):
        return _plain(value.to_dicts())
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
