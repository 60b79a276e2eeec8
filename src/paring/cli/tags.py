"""`paring labels from-tags`: instance masks from image-level tags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer
from rich.table import Table
from rich.text import Text

from paring.cli import console
from paring.cli.comparison import OnErrorName
from paring.cli.extras import need_torch
from paring.cli.learning import (
    Learning,
    OnError,
    Overrides,
    Seed,
    Show,
    Weights,
    learning,
    tell,
    with_said,
)
from paring.cli.options import Place, Source, shares
from paring.cli.run import placed_at
from paring.cli.tables import values_table
from paring.report.words import count

if TYPE_CHECKING:
    from paring.dataset.table import Dataset
    from paring.labels.tags.recipe import TagRecipe
    from paring.labels.tags.running import Mined

_EXAMPLES = 200
"""Images of which the page can show how tags became masks."""


@dataclass
class Wished:
    """How masks are learnt."""

    panel: ClassVar[str] = "Learning"

    tags: Annotated[
        Path | None,
        typer.Option(
            help="CSV (file_name, tag) or JSON (file name to tags), in place of the data's own."
        ),
    ] = None
    proposals: Annotated[
        Path | None,
        typer.Option(
            help="Proposals made elsewhere: an earlier run, COCO results, or a folder of label "
            "maps; made anew if not given."
        ),
    ] = None
    recipe: Annotated[
        str, typer.Option(help="YAML file, or a built-in name: small, cim-voc, cim-coco.")
    ] = "small"
    weights: Weights = None
    seed: Seed = None
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that make proposals; all cores.")
    ] = None
    on_error: OnError = OnErrorName.refuse

    def read(self, overrides: list[str] | None) -> TagRecipe:
        """The recipe, with what is said here."""
        from paring.labels.tags.recipe import load_tag_recipe

        given = with_said(overrides, weights=self.weights, seed=self.seed)
        return load_tag_recipe(self.recipe, given)


@shares
def from_tags(
    source: Source,
    place: Place,
    wished: Wished,
    overrides: Overrides = None,
    show: Show = False,
) -> None:
    """Learn instance masks from image-level tags (CIM).

    Proposals, a classifier, and a network that chooses among the proposals. The run holds
    `pseudo_labels.json` (COCO, to train on), `predictions.json` (all scored instances) and the
    weights. Work that was stopped goes on from its last stage when the command is given again.

    Example: `paring labels from-tags photos/ --tags tags.csv -o run`
    """
    need_torch("learning from tags")
    recipe = wished.read(overrides)
    if show:
        print(recipe.to_yaml(), end="")
        return
    from paring.labels.tags.given import with_tags
    from paring.labels.tags.running import labels_from_tags

    with learning(source, place, wished.on_error) as work:
        data = work.data if wished.tags is None else with_tags(work.data, wished.tags)
        mined = labels_from_tags(
            data,
            recipe,
            work.folder,
            proposals=_given(wished.proposals, data),
            workers=wished.workers,
            progress=work.progress,
            say=console.say,
        )
        about = _write(work, data, recipe, mined)
    tell(place, about, lambda: _show(mined, about))


def _given(path: Path | None, data: Dataset) -> Dataset | None:
    """Proposals from elsewhere, where they are named."""
    if path is None:
        return None
    from paring.labels.proposals import read_proposals

    return read_proposals(path, data)


def _write(work: Learning, data: Dataset, recipe: TagRecipe, mined: Mined) -> dict[str, Any]:
    """Write the outcome into the run folder; gives what ``run.json`` says."""
    from paring.evaluation.results import write_results
    from paring.labels.proposals import save_proposals
    from paring.labels.tags.examples import write_examples

    run = work.run
    run.folder.joinpath("recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    mined.pseudo_labels.write(run.folder / "pseudo_labels.json", format="coco")
    write_results(mined.predictions, run.folder / "predictions.json")
    save_proposals(mined.proposals, run.folder / "proposals")
    for file in (mined.classifier, mined.network):
        (run.folder / file.name).write_bytes(file.read_bytes())
    write_examples(mined, run.folder, most=_EXAMPLES)
    run.facts |= {
        "method": "from-tags",
        "seed": recipe.seed,
        "images": len(mined.tags.data),
        "proposals": len(mined.proposals.instances),
        "predictions": len(mined.predictions.instances),
        "pseudo_labels": len(mined.pseudo_labels.instances),
        "tags": _counts(mined),
        "seconds_of": mined.seconds,
        "trained": {
            name: {key: getattr(one, key) for key in one.__dataclass_fields__}
            for name, one in mined.trained.items()
        },
        "quality": _quality(data, mined),
        "said": mined.said,
        "skipped": work.skipped,
        "dataset": {
            "image_root": None if data.image_root is None else placed_at(run, data.image_root),
            "fingerprint": data.fingerprint,
        },
    }
    return run.finish()


def _counts(mined: Mined) -> list[dict[str, Any]]:
    """Of each tag, its images and its pseudo-labels."""
    import polars as pl

    labels = mined.pseudo_labels.instances
    rows = []
    for place, (name, category_id) in enumerate(
        zip(mined.tags.classes, mined.tags.category_ids, strict=True)
    ):
        own = labels.filter(pl.col("category_id") == category_id)
        rows.append(
            {
                "tag": name,
                "images": int(mined.tags.present[:, place].sum()),
                "pseudo_labels": len(own),
                "images_labelled": own["image_id"].n_unique(),
            }
        )
    return rows


def _quality(data: Dataset, mined: Mined) -> dict[str, float]:
    """How near the instances come to the masks of the data set, where it has any."""
    if data.masks.is_empty.all():
        return {}
    from dataclasses import replace

    from paring.evaluation import map_at

    truth = data.subset(mined.tags.data.images["image_id"].to_list())
    predictions = replace(mined.predictions, categories=truth.categories)
    found = map_at(truth, predictions)
    return {name: value for name, value in found.items() if value == value}  # no NaN


def _show(mined: Mined, about: dict[str, Any]) -> None:
    """What came of each tag, and how good it is where that is known."""
    labels, images = about["pseudo_labels"], about["images"]
    headline = f"{count(labels, 'pseudo-label')} in {count(images, 'tagged image')}"
    console.out.print(Text(headline, style="bold"))
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("tag")
    for name in ("images", "labelled", "pseudo-labels"):
        table.add_column(name, justify="right")
    rows = sorted(about["tags"], key=lambda row: -row["images"])
    for row in rows[:20]:
        numbers = (row["images"], row["images_labelled"], row["pseudo_labels"])
        table.add_row(Text(row["tag"]), *(f"{number:,}" for number in numbers))
    if len(rows) > 20:
        table.add_row(Text(f"and {len(rows) - 20:,} rarer tags", style="dim"))
    console.out.print(table)
    if about["quality"]:
        console.out.print(values_table(about["quality"]))
        console.say("measured against the masks of the data set, of which nothing was learnt")
    if mined.said and not labels:
        console.say(mined.said[-1])
