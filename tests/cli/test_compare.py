import json
from pathlib import Path

import pytest

from commands import Paring
from comparisons import compared_at
from paring.experiment.cells import Place
from paring.experiment.folder import clear, write_tables
from paring.experiment.plan import load_plan
from paring.report.folder import contents

FAILED = Place("shape-si-cb", 0.6, 1, "epochs")
COMMAND = ("compare", "compare.yaml", "-o", "compared")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A comparison all of whose cells are there, so that the command trains nothing."""
    output = compared_at(tmp_path, failed=[FAILED])
    (output / "run.json").unlink()
    return output


def test_the_table_is_shown_with_full_data_and_chance(paring_here: Paring, output: Path) -> None:
    done = paring_here(*COMMAND)
    assert done.returncode == 0, done.stderr
    title, head, *lines = done.stdout.splitlines()
    assert title == "Equal epochs"
    assert head.split()[:3] == ["removed", "method", "dice_per_image"]
    table = [line.split() for line in lines]
    assert [(words[0], words[2]) for words in table] == [
        ("0", "full"),
        ("40", "shape-si-cb"),
        ("40", "random"),
        ("60", "shape-si-cb"),
        ("60", "random"),
    ]
    assert "1 of 2" in lines[3]
    assert "1 cell failed, first shape-si-cb, seed 1: " in done.stderr
    assert "0 cells made, 10 were there" in done.stderr
    assert "compared/report/index.html" in done.stderr
    assert (output / "report" / "index.html").is_file()


def test_the_run_says_what_was_compared_and_what_the_folder_holds(
    paring_here: Paring, output: Path
) -> None:
    done = paring_here(*COMMAND, "--json", "--no-report")
    about = json.loads(done.stdout)
    assert about.pop("run") == "compared"
    assert about == json.loads((output / "run.json").read_text())
    assert about["method"] == "compare"
    assert about["command"][:2] == ["paring", "compare"]
    assert about["experiment"]["methods"] == ["full", "random", "shape-si-cb"]
    assert about["experiment"]["cells"] == {"planned": 10, "done": 9, "failed": 1}
    assert about["contents"] == contents(output)
    assert not (output / "report").exists()


def test_values_set_anew_on_the_command_line_count(paring_here: Paring, output: Path) -> None:
    done = paring_here(*COMMAND, "rates=[0.4]")
    assert done.returncode == 2
    assert "another recipe (rates is [0.4] and was [0.4, 0.6])" in done.stderr
    done = paring_here(*COMMAND, "metrics=[other]", "--no-report")
    assert done.returncode == 0, done.stderr
    assert "other" in done.stdout.splitlines()[1]
    done = paring_here(*COMMAND, "metric=[other]")
    assert done.returncode == 2
    assert "metric is no key of a comparison; did you mean metrics?" in done.stderr


def test_two_budgets_are_two_tables(tmp_path: Path, paring_here: Paring) -> None:
    compared_at(tmp_path, budget="both", rates=[0.5])
    lines = paring_here(*COMMAND, "--no-report").stdout.splitlines()
    assert [line for line in lines if line.startswith("Equal")] == ["Equal epochs", "Equal steps"]
    assert sum("full data" in line for line in lines) == 2


def test_a_recipe_or_folder_that_cannot_be_used_is_refused(
    paring_here: Paring, output: Path
) -> None:
    done = paring_here("compare", "none.yaml", "-o", "compared")
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.yaml: cannot be read" in done.stderr
    (output.parent / "mine").mkdir()
    (output.parent / "mine" / "notes.txt").write_text("mine")
    for more in ((), ("--overwrite",)):
        for folder, words in (
            ("mine", "holds 'notes.txt', so it is no folder of a comparison"),
            ("images", "holds what the data set was read from; it is never changed"),
        ):
            done = paring_here("compare", "compare.yaml", "-o", folder, *more)
            assert done.returncode == 2
            assert words in done.stderr
    assert (output.parent / "mine" / "notes.txt").read_text() == "mine"
    assert len(list((output.parent / "images").iterdir())) == 12


def test_a_page_is_made_again_from_the_folder_alone(paring_here: Paring, output: Path) -> None:
    assert paring_here(*COMMAND).returncode == 0
    page = output / "report" / "index.html"
    first = page.read_bytes()
    (output.parent / "scenes.json").unlink()
    assert paring_here("report", "compared").returncode == 0
    assert page.read_bytes() == first


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated")
def test_overwriting_begins_anew_and_a_comparison_of_failures_is_an_error(
    paring_here: Paring, output: Path
) -> None:
    pytest.importorskip("torch")
    before = (output / "table.csv").read_bytes()
    wild = ("train.optimiser.lr=1e30", "train.trainer.clip=null", "train.schedule.warmup_steps=0")
    tiny = (
        *("train.data.size=[32, 32]", "train.data.workers=0", "train.trainer.accelerator=cpu"),
        *("train.trainer.threads=1", "rates=[0.5]", "seeds=[0]", "methods=[]"),
    )
    done = paring_here(*COMMAND, *wild, *tiny, "--overwrite")
    assert done.returncode == 2
    assert "full data, seed 0: failed, " in done.stderr
    assert "no cell is done; full, seed 0: " in done.stderr
    assert (output / "report" / "index.html").is_file()
    assert not (output / "table.csv").exists()
    assert before
    assert len(json.loads((output / "run.json").read_text())["experiment"]["seeds"]) == 1
    plan = load_plan(output / "recipe.yaml")
    assert plan.train.optimiser.lr == 1e30
    assert write_tables(output, plan)[1] is None
    clear(output)
