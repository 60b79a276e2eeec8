"""Comparisons with cells made by hand, so that tables and pages can be tried without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import paring
from paring.dataset.table import Dataset
from paring.experiment.cells import FULL, Cell, Place, save_cell
from paring.experiment.folder import claim, write_tables
from paring.experiment.plan import Plan, load_plan
from paring.experiment.running import Compared
from paring.report.folder import write_facts

METHODS = ("similarity-ssim", "shape-si-cb", "count", "aum", "el2n", "ccs", "mc-dropout", "entropy")


def recipe_at(folder: Path, **changes: object) -> Path:
    """The recipe of a comparison over generated scenes, in a folder with the scenes."""
    data = scenes_at(folder)
    assert len(data)
    plain: Mapping[str, object] = {
        "rates": [0.4, 0.6],
        "seeds": [0, 1],
        "budget": "epochs",
        "metrics": ["dice_per_image"],
        "methods": ["shape-si-cb"],
        **changes,
    }
    lines = [f"{key}: {_yaml(value)}" for key, value in plain.items()]
    train = "{recipe: small-polyp, data: {train: scenes.json, val: scenes.json}}"
    path = folder / "compare.yaml"
    path.write_text("\n".join([f"train: {train}", *lines]) + "\n")
    return path


def scenes_at(folder: Path) -> Dataset:
    """Twelve scenes with their annotations and pictures."""
    if not (folder / "scenes.json").exists():
        data = paring.scenes(12, seed=0, size=(48, 64), folder=folder / "images")
        data.write(folder / "scenes.json", format="coco")
    return paring.read(folder / "scenes.json")


def compared_at(
    folder: Path, *, failed: Sequence[Place] = (), without: Sequence[Place] = (), **changes: object
) -> Path:
    """The folder of a comparison whose cells have made-up numbers, and its ``run.json``."""
    plan = load_plan(recipe_at(folder, **changes))
    output = folder / "compared"
    data = scenes_at(folder)
    claim(output, plan, data, None)
    for place in plan.places():
        if place in without:
            continue
        cell = made_up(plan, place)
        if place in failed:
            cell = Cell(status="failed", error=f"{folder / 'secret'}: the loss is no number")
        save_cell(output, place, cell, None)
    frame, table = write_tables(output, plan)
    compared = Compared(output, plan, data, frame, table, len(frame))
    write_facts(output / "run.json", compared.about())
    return output


def made_up(plan: Plan, place: Place) -> Cell:
    """A cell whose numbers tell its place."""
    order = [FULL, *plan.cuts].index(place.method)
    value = 0.9 - 0.3 * place.rate + 0.01 * order - 0.02 * place.seed
    value += 0.01 * (place.budget == "steps")
    ranks = None if place.method in (FULL, "random") else 0.005 * 8.0**order
    kept = 12 - int(12 * place.rate)
    return Cell(
        status="done",
        metrics={name: value / (k + 1) for k, name in enumerate((*plan.metrics, "other"))},
        images=kept,
        instances=3 * kept + place.seed,
        seconds_to_rank=ranks,
        seconds_to_train=10.0 * kept,
        steps=kept,
    )


def _yaml(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(str, value))}]"
    return str(value)
