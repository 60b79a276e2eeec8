from __future__ import annotations

import time
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import lightning.pytorch as pl

from paring.errors import InputError
from paring.models import build, load
from paring.training.keeping import Best, Checkpoints, Clock, EpochLoss, Steps
from paring.training.lessons import TrainingFailed
from paring.training.logs import TableLog

pytestmark = pytest.mark.torch


class Line(pl.LightningModule):
    """One weight; the loss of a batch is the weight times what is in it."""

    def __init__(self, lr: float = 0.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.lr = lr

    def training_step(self, batch: Any, _: int) -> Any:
        return self.weight * batch.mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.lr)


def fit(callbacks: list[Any], folder: Path, *, epochs: int = 2, **options: Any) -> pl.Trainer:
    """Train on the numbers 1, 2, 3 and 6, one a batch."""
    resume = options.pop("resume", None)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **({"logger": False} | options),
    )
    batches = torch.utils.data.DataLoader([torch.tensor(v) for v in (1.0, 2.0, 3.0, 6.0)])
    trainer.fit(Line(), batches, ckpt_path=resume, weights_only=True)
    return trainer


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """What Lightning has to say of trainings as small as these."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*does not have many workers")
        warnings.filterwarnings("ignore", message=r".*The number of training batches")
        warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)`")
        yield


# -- the loss of an epoch ---------------------------------------------------------------------


def test_the_loss_of_an_epoch_is_the_mean_of_its_batches(tmp_path: Path) -> None:
    log = TableLog(tmp_path / "metrics.csv")
    fit([EpochLoss()], tmp_path, logger=log)
    assert log.rows == [
        {"epoch": 0, "step": 3, "epoch_loss": 3.0},
        {"epoch": 1, "step": 7, "epoch_loss": 3.0},
    ]


# -- checkpoints ------------------------------------------------------------------------------


def test_a_checkpoint_comes_after_every_epoch_and_after_what_must_be_as_far(
    tmp_path: Path,
) -> None:
    seen: list[bool] = []
    folder = tmp_path / "checkpoints"
    fit([Checkpoints(folder, lambda: seen.append((folder / "last.ckpt").exists()))], tmp_path)
    assert seen == [False, True]
    state = torch.load(folder / "last.ckpt", weights_only=True)
    assert state["epoch"] == 1
    assert [path.name for path in folder.iterdir()] == ["last.ckpt"]


def test_a_checkpoint_is_made_beside_and_the_one_before_is_whole_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(b"the one before")
    plain = pl.Trainer.save_checkpoint
    written: list[Path] = []

    def watched(self: Any, place: Path, **options: Any) -> None:
        plain(self, place, **options)
        written.append(Path(place))
        assert path.read_bytes() == b"the one before"

    monkeypatch.setattr(pl.Trainer, "save_checkpoint", watched)
    fit([Checkpoints(tmp_path, lambda: None)], tmp_path, epochs=1)
    (place,) = written
    assert place != path
    assert not place.exists()
    assert torch.load(path, weights_only=True)["epoch"] == 0


def test_a_checkpoint_that_cannot_be_written_says_what_is_left(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file where a folder must be")
    with pytest.raises(TrainingFailed, match=r"checkpoint of epoch 1 .*; there is none yet: make"):
        fit([Checkpoints(tmp_path / "checkpoints", lambda: None)], tmp_path)


# -- the best weights -------------------------------------------------------------------------


class Measuring:
    """A lesson with results made up in turn, and a model that is told from others by a weight."""

    def __init__(self, values: list[float]) -> None:
        self.model = build("unet_mobilenet_v2", ["disc", "star"], seed=0)
        self.values = iter(values)
        self.logged: list[dict[str, float]] = []

    def validation_result(self) -> dict[str, float]:
        value = next(self.values)
        self.model.mean.fill_(value)  # so that the weights say when they were kept
        return {"AP": value, "other": 1 - value}

    def log_dict(self, values: dict[str, float], **_: Any) -> None:
        self.logged.append(values)


FIRST = SimpleNamespace(is_global_zero=True)


def measure(best: Best, lesson: Any, times: int, trainer: Any = FIRST) -> None:
    for _ in range(times):
        best.on_validation_epoch_end(trainer, lesson)


def test_the_weights_of_the_largest_value_are_kept_and_of_equal_ones_the_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.safetensors"
    lesson = Measuring([0.25, 0.5, 0.375, 0.5])
    best = Best(path, "AP")
    measure(best, lesson, 2)
    kept = path.read_bytes()
    measure(best, lesson, 2)
    assert path.read_bytes() == kept
    assert best.best == 0.5
    assert load(path).mean.tolist() == [0.5] * 3
    assert lesson.logged[0] == {"val_AP": 0.25, "val_other": 0.75}


def test_the_best_goes_on_from_its_state(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    before = Best(path, "AP")
    measure(before, Measuring([0.5]), 1)
    after = Best(path, "AP")
    after.load_state_dict(before.state_dict())
    kept = path.read_bytes()
    lesson = Measuring([0.375, 0.75])
    measure(after, lesson, 1)
    assert path.read_bytes() == kept
    measure(after, lesson, 1)
    assert load(path).mean.tolist() == [0.75] * 3


def test_what_is_not_a_number_is_never_the_best_and_no_path_keeps_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    measure(Best(path, "AP"), Measuring([float("nan")]), 1)
    without = Best(None, "AP")
    measure(without, Measuring([0.5]), 1)
    measure(Best(path, "AP"), Measuring([0.5]), 1, SimpleNamespace(is_global_zero=False))
    assert list(tmp_path.iterdir()) == []
    assert without.best == 0.5


def test_a_metric_that_is_not_measured_is_named_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"stop\.monitor 'mAP' is not measured; there are AP, oth"):
        measure(Best(None, "mAP"), Measuring([0.5]), 1)


# -- time -------------------------------------------------------------------------------------


class Slow(pl.Callback):
    """Takes 20 ms over each batch."""

    def on_train_batch_start(self, *_: Any) -> None:
        time.sleep(0.02)


def test_the_time_of_all_epochs_adds_up_and_waiting_is_a_part_of_it(tmp_path: Path) -> None:
    clock = Clock()
    began = time.perf_counter()
    fit([clock, Slow()], tmp_path)
    assert 8 * 0.02 <= clock.seconds <= time.perf_counter() - began
    assert 0 < clock.waited <= clock.seconds - 8 * 0.02


def test_a_clock_goes_on_from_its_state(tmp_path: Path) -> None:
    state = {"seconds": 100.0, "waited": 50.0}
    clock = Clock()
    clock.load_state_dict(state)
    assert clock.state_dict() == state
    fit([clock], tmp_path, epochs=1)
    assert 100 < clock.seconds < 160
    assert 50 < clock.waited < 110


def test_a_training_that_goes_on_has_the_time_of_both_parts(tmp_path: Path) -> None:
    first, checkpoints = Clock(), Checkpoints(tmp_path, lambda: None)
    fit([first, Slow(), checkpoints], tmp_path, epochs=2)
    second = Clock()
    path = tmp_path / "last.ckpt"
    fit([second, Slow(), checkpoints], tmp_path, epochs=3, resume=path)
    assert second.seconds > first.seconds + 4 * 0.02


def test_the_steps_done_and_to_do_are_told_after_each_batch(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    fit([Steps(lambda *said: told.append(said))], tmp_path, epochs=1)
    assert told == [("training", k, 4) for k in (1, 2, 3, 4)]
