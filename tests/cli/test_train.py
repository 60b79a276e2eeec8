from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from commands import Paring
from paring.training.recipe import load_recipe
from trainings import make_scenes, tiny

pytestmark = pytest.mark.torch


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of one epoch, with data and validation data."""
    train = make_scenes(tmp_path, 6)
    val = make_scenes(tmp_path, 4, seed=7, name="val")
    file = tmp_path / "recipe.yaml"
    file.write_text(tiny(train, val, trainer={"epochs": 1}).to_yaml(), encoding="utf-8")
    return file


# -- one process ------------------------------------------------------------------------------


def test_a_run_has_its_facts_and_shows_its_metrics(
    paring_here: Paring, recipe: Path, tmp_path: Path
) -> None:
    done = paring_here("train", "recipe.yaml", "seed=3", "-o", "run")
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (facts["method"], facts["seed"]) == ("train", 3)
    assert facts["training"]["metrics"] == metrics
    assert facts["training"] == json.loads((tmp_path / "run" / "trained.json").read_text())
    assert facts["training"]["images"] == 6
    assert {"torch", "lightning", "paring"} <= facts["versions"].keys()
    assert {"model.safetensors", "recipe.yaml", "metrics.csv"} <= {*facts["contents"]}
    assert "run.json" not in facts["contents"]
    shown = dict(line.split() for line in done.stdout.splitlines() if line.strip())
    assert shown == {name: f"{value:.4f}" for name, value in metrics.items()}
    assert re.search(r"run written to run in [0-9.]+ s", done.stderr)
    assert load_recipe(tmp_path / "run" / "recipe.yaml").seed == 3


def test_the_json_object_is_what_stands_in_the_run(
    paring_here: Paring, recipe: Path, tmp_path: Path
) -> None:
    done = paring_here("train", "recipe.yaml", "-o", "run", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("run") == "run"
    assert told == json.loads((tmp_path / "run" / "run.json").read_text())


def test_without_validation_data_there_is_no_table(paring_here: Paring, recipe: Path) -> None:
    done = paring_here("train", "recipe.yaml", "data.val=null", "-o", "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "run written to run" in done.stderr


def test_show_prints_the_recipe_as_it_would_run_and_does_nothing(
    paring_here: Paring, recipe: Path, tmp_path: Path
) -> None:
    done = paring_here("train", "recipe.yaml", "optimiser.lr=0.25", "--show", "-o", "run")
    assert done.returncode == 0
    (tmp_path / "again.yaml").write_text(done.stdout)
    assert load_recipe(tmp_path / "again.yaml") == load_recipe(recipe, ["optimiser.lr=0.25"])
    assert not (tmp_path / "run").exists()


def test_the_example_of_the_help_page_is_a_recipe_that_is_known(paring_here: Paring) -> None:
    done = paring_here("train", "--help")
    found = re.search(r"Example: paring train (\S+) (\S+)", re.sub(r"\s+", " ", done.stdout))
    assert found is not None
    assert load_recipe(found[1], [found[2]]).data.train is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("recipe.yaml",), "give -o FOLDER"),
        (("gone.yaml", "-o", "run"), "gone.yaml: no such recipe file"),
        (("small-polip", "-o", "run"), "did you mean small-polyp?"),
        (("recipe.yaml", "optimiser.rate=1", "-o", "run"), "optimiser.rate"),
        (("recipe.yaml", "trainer.epochs=0", "-o", "run"), "trainer.epochs"),
        (("recipe.yaml", "data.train=gone.json", "-o", "run"), "gone.json: no such file"),
        (("small-polyp", "-o", "run"), "data.train is not given"),
        (("recipe.yaml", "-o", "mine"), "mine: exists already and is no unfinished training"),
        (("recipe.yaml", "-o", "recipe.yaml"), "recipe.yaml: exists already and is no"),
        (("recipe.yaml", "stop.monitor=mAP", "-o", "run"), "stop.monitor 'mAP' is not measured"),
        (
            (
                "recipe.yaml",
                "model=maskrcnn_mobilenet_v2_fpn",
                "trainer.multi_scale=[0.5,1]",
                "-o",
                "run",
            ),
            "trainer.multi_scale is for dense models; give augment.scale",
        ),
        (
            ("recipe.yaml", "optimiser.lr=1e30", "optimiser.name=sgd", "-o", "run"),
            "the loss became nan in epoch 1, step 2, at image",
        ),
    ],
    ids=lambda v: "" if isinstance(v, str) else " ".join(v),
)
def test_bad_input_ends_in_one_sentence_and_exit_code_2(
    paring_here: Paring, recipe: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    done = paring_here("train", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert words in errors[0]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run" / "run.json").exists()


# -- two processes ----------------------------------------------------------------------------


TWO = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp", "trainer.threads=1")


@pytest.fixture
def two(tmp_path: Path) -> Paring:
    """Train on two devices, in processes of their own; skipped where they cannot talk."""
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip("torch was built without gloo, by which processes on one machine talk")

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "paring", "train", *map(str, arguments), *TWO]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)

    return run


def test_two_devices_train_one_model_and_say_each_sentence_once(
    two: Paring, recipe: Path, tmp_path: Path
) -> None:
    extra = ("record.keep=signs", "trainer.epochs=2", "data.batch_size=2", "data.workers=1")
    done = two("recipe.yaml", "-o", "run", *extra)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == len(set(lines)) <= 2, done.stderr
    assert lines[-1].startswith("run written to run in ")
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    training = facts["training"]
    # six images: three for each of two devices, two at a time, and a last one left out
    assert (training["epochs"], training["steps"]) == (2, 2)
    assert all(math.isfinite(value) for value in training["metrics"].values())
    assert training["notes"] == lines[:-1]
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in rows] == [("0", "0"), ("1", "1")]
    assert all(math.isfinite(float(row["epoch_loss"])) for row in rows)
    for epoch in ("0000", "0001"):
        assert (tmp_path / "run" / "record" / f"epoch-{epoch}.parquet").is_file()
    shown = dict(line.split() for line in done.stdout.splitlines() if line.strip())
    assert shown == {name: f"{value:.4f}" for name, value in training["metrics"].items()}


def test_two_devices_stop_together_where_the_loss_is_no_number(
    two: Paring, recipe: Path, tmp_path: Path
) -> None:
    done = two(
        "recipe.yaml", "-o", "run", "optimiser.name=sgd", "optimiser.lr=1e30", "data.batch_size=1"
    )
    assert done.returncode != 0
    assert "the loss became nan in epoch 1, step 2, at image" in done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "run" / "trained.json").exists()
