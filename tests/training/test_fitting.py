"""Trainings without a recipe: resumed ones end as unbroken ones."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from lightning.pytorch.callbacks import Callback

from paring.training.fitting import FittedLesson, Fitting, fit, fitted_rate
from paring.training.lessons import TrainingFailed


class Points(torch.utils.data.Dataset):
    seed = 3

    def __len__(self) -> int:
        return 12

    def __getitem__(self, key):
        epoch, row = key
        x = torch.tensor([row / 12, 1.0])
        return {"row": row, "x": x, "y": torch.tensor(2.0 * row / 12 - 1 + 0.01 * epoch)}


class Line(FittedLesson):
    def __init__(self, fitting: Fitting, broken: bool = False) -> None:
        super().__init__(fitting, 5, [f"{k}.png" for k in range(12)])
        torch.manual_seed(0)
        self.line = torch.nn.Linear(2, 1)
        self.broken = broken
        self.eval()  # as a model is that was looked at before

    def loss_of(self, batch):
        assert self.line.training
        noise = 0.01 * torch.rand(1)  # as dropout would draw
        x, y = torch.stack(list(batch["x"])), torch.stack(list(batch["y"]))
        loss = ((self.line(x)[:, 0] - y) ** 2).mean() + noise.mean() * self.line.weight.sum()
        return loss * float("nan") if self.broken and 7 in batch["row"].tolist() else loss


class Stop(Callback):
    def on_train_epoch_start(self, trainer, _) -> None:
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt


def fitting(**more) -> Fitting:
    return Fitting(
        **{"epochs": 4, "batch_size": 3, "accumulate": 2, "lr": 0.05, "drops": (0.5,)}
        | {"warmup_steps": 2, "workers": 0, "accelerator": "cpu", "threads": 1}
        | more
    )


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_resumed_training_ends_as_an_unbroken_one(tmp_path: Path, optimiser: str) -> None:
    whole = Line(fitting(optimiser=optimiser))
    first = fit(whole, Points(), tmp_path / "whole")
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(Line(fitting(optimiser=optimiser)), Points(), tmp_path / "cut", along=[Stop()])
    said, again = [], Line(fitting(optimiser=optimiser))
    second = fit(again, Points(), tmp_path / "cut", say=said.append)
    assert said == ["training goes on after epoch 2 of 4"]
    assert torch.equal(whole.line.weight, again.line.weight)
    assert (first.steps, first.epochs) == (second.steps, second.epochs) == (8, 4)
    logs = [(tmp_path / name / "metrics.csv").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_a_finished_training_is_not_begun_again(tmp_path: Path) -> None:
    one, other = Line(fitting()), Line(fitting())
    fit(one, Points(), tmp_path)
    fit(other, Points(), tmp_path)
    assert torch.equal(one.line.weight, other.line.weight)


def test_steps_end_it_sooner(tmp_path: Path) -> None:
    seen = []
    lesson = Line(fitting(steps=3))
    done = fit(lesson, Points(), tmp_path, progress=lambda *told: seen.append(told), label="x")
    assert done.steps == 3
    assert seen[-1] == ("x", 3, 3)


def test_a_loss_that_is_no_number_names_the_image(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"at image '7\.png'; a lower learning rate"):
        fit(Line(fitting(), broken=True), Points(), tmp_path)


def test_biases_have_a_rate_of_their_own_and_no_decay() -> None:
    lesson = Line(fitting(bias_lr=2.0, weight_decay=0.1))
    from paring.training.fitting import _optimiser

    weights, biases = _optimiser(lesson, lesson.fitting).param_groups
    assert weights["params"] == [lesson.line.weight]
    assert biases["params"] == [lesson.line.bias]
    assert (biases["lr"], biases["weight_decay"]) == (0.1, 0.0)
    assert weights["weight_decay"] == 0.1


def test_the_rate_warms_up_and_drops() -> None:
    wished = Fitting(drops=(0.5, 0.75), warmup_steps=4, warmup_start=0.2)
    rates = [fitted_rate(step, 8, wished) for step in (0, 2, 3, 4, 6)]
    assert rates == pytest.approx([0.2, 0.6, 0.8, 0.1, 0.01])
