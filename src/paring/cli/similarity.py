"""`paring images similarity`: keep the representatives of communities of similar images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from rich.text import Text

from paring.cli import console
from paring.cli.comparison import Comparison, kept_work, left_out, read_images
from paring.cli.options import Output, Selection, Source, shares
from paring.cli.run import Run, guard_output, new_run, write_cut
from paring.errors import InputError
from paring.images.network.curve import CURVE_ROWS
from paring.images.network.cut import keep_representatives
from paring.images.network.extending import EDGES, extend
from paring.images.network.files import image_graph, write_gexf, write_graphml
from paring.images.network.graph import degrees
from paring.images.network.result import NetworkCut
from paring.report.words import count, similar

_MOST_DRAWN = 500_000
"""Edges up to which a network is written for programs that draw it (some 2 KB an edge)."""


class CommunityName(StrEnum):
    """Ways to find communities."""

    louvain = "louvain"
    leiden = "leiden"


_OF_THE_OLD_RUN = (
    *("rate", "count", "threshold", "keep", "communities", "resolution", "seed"),
    *("metric", "window", "size", "data_range"),
    *("min_per_category", "min_per_size", "floor_unit", "min_per_group", "curve"),
)
"""Options that say nothing to a run that extends another."""


@shares
def similarity(
    context: typer.Context,
    source: Source,
    selection: Selection,
    comparison: Comparison,
    output: Output,
    threshold: Annotated[
        float | None,
        typer.Option(help="Similarity of neighbours, instead of a rate: the paper's rule as is."),
    ] = None,
    keep: Annotated[
        float, typer.Option(help="Share of each community that stays (published: 0.1).")
    ] = 0.1,
    communities: Annotated[
        CommunityName, typer.Option(help="How communities are found.")
    ] = CommunityName.louvain,
    resolution: Annotated[
        float, typer.Option(help="Of the communities: more makes them smaller.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Decides the communities.")] = 0,
    groups: Annotated[
        str | None,
        typer.Option(
            metavar="CSV|REGEX",
            help="Patient, video or site of each image: a CSV (file_name, group), or a pattern "
            "whose first bracket in the file name is the group.",
        ),
    ] = None,
    min_per_group: Annotated[
        int, typer.Option(min=0, help="Keep at least so many images of each group.")
    ] = 0,
    curve: Annotated[
        bool | None,
        typer.Option(
            "--curve/--no-curve",
            help="Also try thresholds over the whole range, 0.01 apart, for the slider of the "
            "report; unset, for up to 1,000 images.",
        ),
    ] = None,
    extend_run: Annotated[
        Path | None,
        typer.Option(
            "--extend",
            metavar="OLDRUN",
            help="Add new images to an earlier run; what it kept stays kept.",
        ),
    ] = None,
) -> None:
    """Keep images that stand for many similar ones (PRIME), before any annotation.

    Example: `paring images similarity frames/ --rate 0.5 -o run`
    """
    how = comparison.comparing()
    if extend_run is not None:
        _refuse_given(context)
    with (
        new_run(output.output, overwrite=output.overwrite) as run,
        kept_work(output.output) as folder,
    ):
        with console.bars() as bars:
            data, reading = read_images(source, how.on_error, bars)
            guard_output(data, output)
            if extend_run is not None:
                cut = extend(extend_run, data, how=how, groups=groups, folder=folder, progress=bars)
            else:
                cut = keep_representatives(
                    data,
                    threshold=threshold,
                    keep=keep,
                    communities=communities.value,
                    resolution=resolution,
                    seed=seed,
                    how=how,
                    groups=groups,
                    min_per_group=min_per_group,
                    curve=curve,
                    folder=folder,
                    progress=bars,
                    **selection.amount(),
                )
        _write_network(run, cut)
        skipped = left_out(reading)
        skipped += [f"{name}: {message}" for name, message in cut.faults.items()]
        run.facts |= {
            "skipped": skipped,
            "network": {
                "threshold": cut.threshold,
                "edges": cut.statistics.edges,
                "communities": cut.statistics.communities,
                "modularity": cut.statistics.modularity,
            },
            "coverage": cut.coverage,
            "seconds_of": {name: round(value, 3) for name, value in cut.seconds.items()},
        }
        show = write_cut(
            run,
            cut.data,
            reading,
            cut.subset,
            cut.scores,
            output,
            recompute=source.recompute,
        )
    show()
    if not output.json:
        _show(cut, skipped)


def _refuse_given(context: typer.Context) -> None:
    """Refuse options that an extended run has from the old one, where they were given."""
    for name in _OF_THE_OLD_RUN:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise InputError(
                f"--{name.replace('_', '-')} is not for --extend: an extended run goes by the "
                "threshold and the rules of the old one"
            )


def _write_network(run: Run, cut: NetworkCut) -> None:
    """Edges, statistics, curve, and the network as other programs read it."""
    cut.pairs.write_parquet(run.folder / EDGES)
    if cut.curve is not None:
        cut.curve.write_parquet(run.folder / "curve.parquet", compression="zstd")
        stored = sum(point["stored"] for point in cut.points)
        if stored < len(cut.points):
            console.say(
                f"curve.parquet has the subsets at {stored:,} of {len(cut.points):,} thresholds; "
                f"all would be more than {CURVE_ROWS:,} rows"
            )
    about: dict[str, Any] = {
        "threshold": cut.threshold,
        **cut.statistics.to_dict(),
        "coverage": cut.coverage,
        "search": cut.search,
        "points": cut.points,
        "groups": None if cut.groups is None else cut.groups.to_dicts(),
        "community_purity": cut.purity,
    }
    text = json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False)
    (run.folder / "network.json").write_bytes((text + "\n").encode("utf-8", "backslashreplace"))
    if len(cut.pairs) > _MOST_DRAWN:
        console.say(
            f"network.graphml and network.gexf are not written for {len(cut.pairs):,} edges, more "
            f"than {_MOST_DRAWN:,}; all are in {EDGES}"
        )
        return
    names, ids = (cut.data.images[name] for name in ("file_name", "image_id"))
    kept = ids.is_in(cut.subset.kept).to_numpy()[cut.nodes]
    coo = cut.network.tocoo()
    upper = coo.row < coo.col
    graph = image_graph(
        [names[row] for row in cut.nodes.tolist()],
        cut.labels,
        kept,
        degrees(cut.network),
        coo.row[upper].astype(np.int64),
        coo.col[upper].astype(np.int64),
        cut.pairs["similarity"].to_numpy(),
    )
    write_graphml(run.folder / "network.graphml", graph)
    write_gexf(run.folder / "network.gexf", graph)


def _show(cut: NetworkCut, skipped: list[str]) -> None:
    """What the network was like and how well the dropped images are shown."""
    for sentence in _sentences(cut):
        console.out.print(Text(sentence))
    if skipped:
        left = count(len(skipped), "image")
        first = skipped[0] if len(skipped) == 1 else f"all listed in run.json, first {skipped[0]}"
        console.say(f"{left} left out: {first}")


def _sentences(cut: NetworkCut) -> Iterator[str]:
    found, covered = cut.statistics, cut.coverage
    if cut.threshold is not None:
        yield (
            f"{count(found.edges, 'edge')} at a similarity of "
            f"{similar(cut.threshold, bare=True)} or more, "
            f"{count(found.communities, 'community')}, modularity "
            f"{round(found.modularity, 3) + 0.0:.3f}"  # never -0.000
        )
    if "min" not in covered:
        pass  # nothing was dropped, or nothing that can be compared
    elif covered["dropped"] == 1:
        yield f"the dropped image is {similar(covered['min'], 3)} similar to a kept one"
    else:
        yield (
            f"dropped images are {similar(covered['median'], 3)} similar to a kept one "
            f"in the median, "
            f"{similar(covered['min'], 3)} at worst"
        )
    if alone := covered.get("not comparable", 0):
        yield f"{count(alone, 'dropped image')} without a correlation to any kept one"
    if cut.groups is not None and len(cut.groups):
        share = pl.col("kept") / pl.col("images")
        order = cut.groups.sort(share, "images", "group", descending=[False, True, False])
        least = order.row(0, named=True)
        yield (
            f"{count(len(cut.groups), 'group')}; {least['group']} keeps the smallest "
            f"share, {least['kept']:,} of {count(least['images'], 'image')}"
        )
