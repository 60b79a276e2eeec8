from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

torch = pytest.importorskip("torch")

import msgspec

from paring.dataset.record import Record
from paring.dataset.subset import Subset
from paring.errors import InputError
from paring.evaluation import coco_metrics, read_results
from paring.images.selection import keep_random
from paring.models import load
from paring.training.evaluating import evaluate_run
from paring.training.recipe import load_recipe
from paring.training.run import TrainingFailed, train
from paring.training.sources import prepare_data
from trainings import SIZE, make_scenes, tiny

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("scenes")
    return make_scenes(folder, 12), make_scenes(folder, 6, seed=7, name="val")


def losses(run: Path) -> list[float]:
    with (run / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file) if row.get("loss")]


def files_of(run: Path) -> dict[str, bytes]:
    """What must not depend on when and how often a training was cut short."""
    names = ["model.safetensors", "metrics.csv", "metrics.json"]
    names += [str(p.relative_to(run)) for p in sorted(run.glob("record/*"))]
    return {name: (run / name).read_bytes() for name in names}


def guess(scenes, recipe) -> float:
    """Dice or mean IoU of the best constant answer, on the validation data."""
    from paring.evaluation.dense import DenseTally
    from paring.training.evaluating import samples_for

    prepared = prepare_data(recipe)
    model = type("Model", (), {"task": prepared.task, "classes": prepared.classes})
    samples = samples_for(model, prepared.val, recipe)
    best = 0.0
    for label in range(max(len(prepared.classes), 2)):
        tally = DenseTally(prepared.classes)
        for row in range(len(prepared.val)):
            truth = samples.truth(row)
            tally.add(truth * 0 + label, truth, row)
        best = max(best, tally.result()["dice_per_image" if label == 1 else "miou_dataset"])
    return best


@pytest.mark.parametrize(
    ("model", "metric"),
    [("unet_mobilenet_v2", "miou_dataset"), ("emcad_mobilenet_v2", "dice_per_image")],
)
def test_a_dense_model_learns_and_beats_a_constant_answer(
    scenes, tmp_path: Path, model: str, metric: str
) -> None:
    recipe = tiny(*scenes, model, trainer={"epochs": 12}, optimiser={"lr": 0.004})
    trained = train(recipe, tmp_path / "run")
    seen = losses(tmp_path / "run")
    assert trained.steps == len(seen) == 36
    assert sum(seen[-6:]) < 0.8 * sum(seen[:6])
    assert trained.metrics[metric] > guess(scenes, recipe)


def test_a_mask_rcnn_learns_to_find_more_than_a_constant_answer(scenes, tmp_path: Path) -> None:
    """In the images that it learned from, for with twelve of them others are found by chance."""
    recipe = tiny(
        scenes[0],
        scenes[0],
        "maskrcnn_mobilenet_v2_fpn",
        trainer={"epochs": 16, "threads": 1},
        optimiser={"lr": 0.004},
        data={"batch_size": 2, "size": SIZE},
    )
    trained = train(recipe, tmp_path / "run")
    seen = losses(tmp_path / "run")
    assert sum(seen[-8:]) < 0.7 * sum(seen[:8])
    truth = prepare_data(recipe).val
    same = [  # the whole picture is one of everything
        {"image_id": i, "category_id": c, "bbox": [0, 0, SIZE[1], SIZE[0]], "score": 1.0}
        for i in truth.images["image_id"]
        for c in truth.categories["category_id"]
    ]
    (tmp_path / "same.json").write_text(json.dumps(same))
    constant = coco_metrics(truth, read_results(tmp_path / "same.json", truth), kind="bbox")
    assert trained.metrics["box_AP50"] > constant["AP50"] + 0.02
    assert trained.metrics["AP50"] > 0.02


def test_the_same_seed_gives_the_same_losses_and_weights_and_another_does_not(
    scenes, tmp_path: Path
) -> None:
    recipe = tiny(*scenes)
    train(recipe, tmp_path / "a")
    train(recipe, tmp_path / "b")
    train(msgspec.structs.replace(recipe, seed=1), tmp_path / "c")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert losses(tmp_path / "a") != losses(tmp_path / "c")


def test_the_number_of_workers_changes_nothing(scenes, tmp_path: Path) -> None:
    train(tiny(*scenes), tmp_path / "a")
    train(tiny(*scenes, data={"workers": 2}), tmp_path / "b")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


@pytest.mark.parametrize(
    ("model", "extra"),
    [
        ("emcad_mobilenet_v2", {}),
        ("unet_mobilenet_v2", {"ema": 0.9}),
        ("unet_mobilenet_v2", {"steps": 11}),
    ],
)
def test_a_killed_and_resumed_training_equals_an_unbroken_one(
    scenes, tmp_path: Path, model: str, extra: dict
) -> None:
    recipe = tiny(
        *scenes,
        model,
        trainer={"epochs": 4, "threads": 1, **extra},
        record={"keep": "signs"},
        schedule={"name": "cosine", "warmup_steps": 4},
    )
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    command = [sys.executable, "-m", "paring", "train", "recipe.yaml", "-o", "killed"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        record = tmp_path / "killed" / "record" / "epoch-0001.parquet"
        for _ in range(6000):
            if record.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "killed" / "trained.json").exists()
    said: list[str] = []
    train(recipe, tmp_path / "killed", say=said.append)
    assert any(sentence.startswith("going on after epoch") for sentence in said)
    unbroken = train(recipe, tmp_path / "unbroken")
    assert unbroken.steps == extra.get("steps", 12)
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "unbroken")


@pytest.mark.parametrize(
    "sections",
    [
        {"trainer": {"epochs": 4}},
        {"trainer": {"epochs": 9, "steps": 4}},
        {"trainer": {"epochs": 9}, "stop": {"patience": 1, "keep": "best"}},
    ],
    ids=["epochs", "steps", "patience"],
)
def test_a_training_killed_after_its_last_checkpoint_trains_no_more(
    scenes, tmp_path: Path, sections: dict
) -> None:
    more = {"optimiser": {"lr": 1e-9}, "record": {"keep": "signs"}}
    recipe = tiny(*scenes, "emcad_mobilenet_v2", **sections, **more)
    run = tmp_path / "run"
    trained = train(recipe, run)
    whole = files_of(run)
    for name in ("trained.json", "metrics.json"):
        (run / name).unlink()
    if recipe.stop.keep == "last":
        (run / "model.safetensors").unlink()
    again = train(recipe, run)
    assert (again.epochs, again.steps) == (trained.epochs, trained.steps)
    assert files_of(run) == whole


def test_a_loss_that_is_no_number_stops_and_names_the_image(scenes, tmp_path: Path) -> None:
    recipe = tiny(*scenes, optimiser={"name": "sgd", "lr": 1e30})
    with pytest.raises(TrainingFailed, match=r"epoch 1, step [2-9], at image '.*\.jpg'"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run" / "trained.json").exists()


def test_a_checkpoint_without_room_leaves_the_one_before(scenes, tmp_path: Path) -> None:
    recipe = tiny(*scenes, trainer={"epochs": 3})
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from paring.cli import main\n"
        "from paring.training import keeping\n"
        "plain = keeping.Checkpoints.on_train_epoch_end\n"
        "def full(self, trainer, lesson):\n"
        "    if trainer.current_epoch == 1:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "    plain(self, trainer, lesson)\n"
        "keeping.Checkpoints.on_train_epoch_end = full\n"
        "sys.argv = ['paring', 'train', 'recipe.yaml', '-o', 'run']\n"
        "main.main()\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "checkpoint of epoch 2 could not be written" in done.stderr
    assert "make room" in done.stderr
    left = list((tmp_path / "run" / "checkpoints").iterdir())
    assert [path.name for path in left] == ["last.ckpt"]
    trained = train(recipe, tmp_path / "run", say=print)
    assert trained.epochs == 3


def test_a_broken_checkpoint_is_one_clear_sentence_and_loses_nothing(
    scenes, tmp_path: Path
) -> None:
    recipe = tiny(*scenes)
    run = tmp_path / "run"
    train(recipe, run)
    (run / "trained.json").unlink()
    checkpoint = run / "checkpoints" / "last.ckpt"
    whole = checkpoint.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", b"nonsense"):
        checkpoint.write_bytes(broken)
        kept = (run / "metrics.csv").read_bytes()
        with pytest.raises(InputError, match=r"last\.ckpt: the checkpoint cannot be read"):
            train(recipe, run)
        assert (run / "metrics.csv").read_bytes() == kept


def test_a_folder_of_something_else_is_never_trained_into(scenes, tmp_path: Path) -> None:
    recipe = tiny(*scenes, trainer={"epochs": 1})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="no unfinished training"):
        train(recipe, tmp_path / "mine")
    train(recipe, tmp_path / "run")
    with pytest.raises(InputError, match="finished training"):
        train(recipe, tmp_path / "run")
    (tmp_path / "run" / "trained.json").unlink()
    other = tiny(*scenes, trainer={"epochs": 1}, optimiser={"lr": 0.5})
    with pytest.raises(InputError, match=r"optimiser\.lr is 0\.002 there and 0\.5 here"):
        train(other, tmp_path / "run")


def test_a_subset_is_trained_on_and_the_run_says_so(scenes, tmp_path: Path) -> None:
    recipe = tiny(*scenes, trainer={"epochs": 1})
    data = prepare_data(recipe).train
    subset = keep_random(data, rate=0.5, seed=0)
    trained = train(recipe, tmp_path / "run", subset=subset)
    assert trained.images == 6
    assert Subset.load(tmp_path / "run" / "subset.json") == subset
    assert load_recipe(tmp_path / "run" / "recipe.yaml").data.subset.endswith("subset.json")


def test_steps_end_the_training_amid_an_epoch(scenes, tmp_path: Path) -> None:
    recipe = tiny(*scenes, trainer={"epochs": 50, "steps": 4})
    trained = train(recipe, tmp_path / "run")
    assert trained.steps == 4
    assert trained.epochs <= 2


def test_the_best_weights_are_kept_and_training_stops_when_nothing_is_gained(
    scenes, tmp_path: Path
) -> None:
    recipe = tiny(
        *scenes,
        "emcad_mobilenet_v2",
        trainer={"epochs": 30},
        stop={"patience": 2, "keep": "best"},
        optimiser={"lr": 1e-9},
    )
    trained = train(recipe, tmp_path / "run")
    assert trained.epochs < 30
    with (tmp_path / "run" / "metrics.csv").open() as file:
        seen = [
            float(r["val_dice_per_image"]) for r in csv.DictReader(file) if r["val_dice_per_image"]
        ]
    assert len(seen) == trained.epochs
    again = evaluate_run(tmp_path / "run").metrics
    assert again == pytest.approx(trained.metrics)


@pytest.mark.parametrize("model", ["maskrcnn_mobilenet_v2_fpn", "solov2_mobilenet_v2_fpn"])
def test_a_record_has_every_instance_and_epoch(scenes, model: str, tmp_path: Path) -> None:
    recipe = tiny(*scenes, model, record={"keep": "margins"}, trainer={"epochs": 2})
    train(recipe, tmp_path / "run")
    record = Record.open(tmp_path / "run")
    data = prepare_data(recipe).train
    assert record.about["dataset"] == data.fingerprint
    assert record.epochs == [0, 1]
    known = data.instances.filter(~pl.col("iscrowd"))["instance_id"]
    seen = record.units[record.epoch(1)["unit"].to_list()]["instance_id"]
    assert set(seen) <= set(known)
    assert len(seen) > 0.9 * len(known)  # what vanishes at this size is not seen


def test_a_model_starts_from_one_of_other_classes(scenes, tmp_path: Path) -> None:
    recipe = tiny(*scenes, trainer={"epochs": 1})
    train(recipe, tmp_path / "first")
    wished = msgspec.structs.replace(recipe, init=str(tmp_path / "first" / "model.safetensors"))
    wished = msgspec.structs.replace(
        wished, data=msgspec.structs.replace(wished.data, classes=("disc", "star"))
    )
    said: list[str] = []
    trained = train(wished, tmp_path / "second", say=said.append)
    assert any("disc" in sentence and "star" in sentence for sentence in said)
    assert load(tmp_path / "second" / "model.safetensors").classes == trained.classes


def test_a_run_says_which_part_of_the_data_it_learned_from_and_scores_can_be_had_of_it(
    scenes, tmp_path: Path, paring_here
) -> None:
    train_file, _ = scenes
    recipe = tiny(
        train_file, data={"holdout": 0.25}, record={"keep": "signs"}, trainer={"epochs": 1}
    )
    train(recipe, tmp_path / "run")
    images = train_file.with_name("scenes-images")
    select = ("--rate", 0.5, "--no-report", "--images", images)
    refused = paring_here("images", "entropy", train_file, "--from", "run", "-o", "cut", *select)
    assert refused.returncode == 2
    assert "--subset run/learned.json makes that part" in refused.stderr
    part = ("--subset", "run/learned.json", "-o", "part", "--no-report", "--images", images)
    assert paring_here("images", "apply", train_file, *part).returncode == 0
    done = paring_here(
        "images", "entropy", "part/annotations.json", "--from", "run", "-o", "cut", *select
    )
    assert done.returncode == 0, done.stderr
