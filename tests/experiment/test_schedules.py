from pathlib import Path

import pytest

from paring.errors import InputError
from paring.experiment.cells import Cell, Place
from paring.experiment.plan import Plan, load_plan
from paring.experiment.schedules import recipe_of

FULL = Place("full", 0.0, 5, "epochs")
DONE = Cell(status="done", steps=40)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "compare.yaml"
    path.write_text(
        "train:\n  recipe: small-polyp\n  data: {train: a, val: a}\n"
        "  trainer: {epochs: 8, validate_every: 2}\n"
        "  schedule: {name: multistep, milestones: [4, 6], warmup_steps: 7}\n"
        "budget: both\nmethods: [aum]\n"
    )
    return load_plan(path)


def test_every_cell_trains_at_its_own_seed_and_only_the_full_data_is_recorded(plan: Plan) -> None:
    full = recipe_of(plan, FULL, None, share=1.0)
    cut = recipe_of(plan, Place("aum", 0.5, 9, "epochs"), DONE, share=0.5)
    assert (full.seed, cut.seed) == (5, 9)
    assert (full.record.keep, cut.record.keep) == ("signs", None)
    assert cut.trainer == full.trainer == plan.train.trainer
    assert cut.schedule == plan.train.schedule


def test_nothing_is_recorded_where_no_method_ranks_from_it(tmp_path: Path) -> None:
    path = tmp_path / "compare.yaml"
    path.write_text("train:\n  recipe: small-polyp\n  data: {train: a, val: a}\nmethods: [shape]\n")
    plan = load_plan(path)
    assert recipe_of(plan, FULL, None, share=1.0).record.keep is None
    own = load_plan(path, ["methods=[aum]", "train.record.keep=margins"])
    assert recipe_of(own, FULL, None, share=1.0).record.keep == "margins"


def test_equal_steps_end_with_the_steps_of_the_full_data_and_stretch_what_counts_in_epochs(
    plan: Plan,
) -> None:
    cut = recipe_of(plan, Place("aum", 0.5, 5, "steps"), DONE, share=0.5)
    assert cut.trainer.steps == 40
    assert cut.trainer.epochs >= 40
    assert cut.trainer.validate_every == 4
    assert cut.schedule.milestones == (8, 12)
    assert cut.schedule.warmup_steps == 7


@pytest.mark.parametrize("full", [None, Cell(status="failed", error="no")])
def test_equal_steps_need_those_of_the_full_data(plan: Plan, full: Cell | None) -> None:
    with pytest.raises(InputError, match="full data of seed 5 failed, so its steps are not known"):
        recipe_of(plan, Place("aum", 0.5, 5, "steps"), full, share=0.5)
