from __future__ import annotations

import warnings
from pathlib import Path

import lightning.pytorch as pl
import pytest

torch = pytest.importorskip("torch")

from lightning.pytorch.callbacks import EMAWeightAveraging
from torch import nn
from torch.utils.data import DataLoader

from narrowed import image
from paring.channels.plan import PrunePlan
from paring.channels.schedule import ProgressivePruning
from paring.channels.stages import Pruning, Spread, Stage
from paring.errors import InputError
from paring.evaluation.cost import macs_of_run
from paring.training.keeping import Checkpoints

pytestmark = pytest.mark.torch

X = (1, 3, 16, 16)
STAGES = [Stage(4, 0.7), Stage(8, 0.4)]


def net() -> nn.Module:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for into, out in ((3, 16), (16, 24), (24, 24)):
        layers += [nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(24, 2, 1))


class Lesson(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.model = net()

    def configure_optimizers(self):
        optimiser = torch.optim.AdamW(self.model.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda k: 1 / (1 + k))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch, _):
        return (self.model(batch) - batch[:, :2]).square().mean()


def loader(n: int = 3):
    batches = [image(2, 3, 16, 16) ** (k + 1) for k in range(n)]
    return DataLoader(batches, batch_size=None)


def fit(folder: Path, callback: ProgressivePruning, *more, epochs: int = 5, ckpt=None) -> Lesson:
    lesson = Lesson()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            callbacks=[callback, *more, Checkpoints(folder, lambda: None)],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(lesson, loader(), ckpt_path=ckpt, weights_only=True)
    return lesson


@pytest.mark.parametrize(
    "how",
    [
        Pruning(),
        Pruning(criterion="taylor", restart=True),
        Pruning(criterion="bn_scale", slimming=1e-3),
        Pruning(criterion="l1", multiple=4),
        Pruning(every=2, score="sum", metric="hellinger", distribution="softmax"),
    ],
)
def test_a_network_is_pruned_in_stages_to_its_budget(tmp_path: Path, how: Pruning) -> None:
    said: list[str] = []
    callback = ProgressivePruning(STAGES, torch.zeros(X), how, say=said.append)
    lesson = fit(tmp_path, callback)
    macs, whole = (
        macs_of_run(lambda: lesson.model(image(*X))),
        macs_of_run(lambda: net()(image(*X))),
    )
    assert (0.3 if how.multiple > 1 else 0.38) <= macs / whole <= 0.4
    assert [s.split(" to ")[0] for s in said] == ["pruned after step 4", "pruned after step 8"]
    # the plan of all stages is one of the network as it was built
    fresh = callback.plan.apply(net())
    assert [tuple(p.shape) for p in fresh.parameters()] == [
        tuple(p.shape) for p in lesson.model.parameters()
    ]
    assert {stays.of for stays in callback.plan.groups.values()} == {16, 24}
    assert not any(part._forward_hooks for part in lesson.model.modules())


class Killed(Exception):
    pass


class KillAt(pl.Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            raise Killed


@pytest.mark.parametrize("step", [5, 7, 11], ids=["whole", "once", "twice"])
@pytest.mark.parametrize("criterion", ["redundancy", "taylor"])
def test_killed_and_resumed_is_the_same_as_unbroken(
    tmp_path: Path, step: int, criterion: str
) -> None:
    how = Pruning(criterion=criterion)
    new = lambda: ProgressivePruning(STAGES, torch.zeros(X), how)
    whole = fit(tmp_path / "whole", new(), EMAWeightAveraging(decay=0.8))
    with pytest.raises(Killed):
        fit(tmp_path / "cut", new(), EMAWeightAveraging(decay=0.8), KillAt(step))
    callback = new()
    again = fit(
        tmp_path / "cut", callback, EMAWeightAveraging(decay=0.8), ckpt=tmp_path / "cut/last.ckpt"
    )
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name
    assert callback.plan.apply(net())[0].out_channels == again.model[0].out_channels


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    fit(tmp_path, ProgressivePruning(STAGES, torch.zeros(X)), epochs=4)
    other = ProgressivePruning(STAGES, torch.zeros(X), Pruning(score="mean"))
    with pytest.raises(InputError, match="pruned in another way"):
        fit(tmp_path, other, ckpt=tmp_path / "last.ckpt")


def test_a_training_that_ends_before_its_last_stage_is_refused(tmp_path: Path) -> None:
    late = ProgressivePruning([Stage(15, 0.5)], torch.zeros(X))
    with pytest.raises(InputError, match="due after 15 steps, and the training has 15"):
        fit(tmp_path, late)


def test_stages_that_cannot_be_and_a_loss_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no stage of pruning is given"):
        ProgressivePruning([], torch.zeros(X))
    with pytest.raises(InputError, match="loss_after is for trainings of paring"):
        fit(tmp_path, ProgressivePruning(STAGES, torch.zeros(X), Pruning(loss_after="gsrl")))


def test_the_module_is_afterwards_as_it_was_and_the_stages_may_be_spread(tmp_path: Path) -> None:
    callback = ProgressivePruning(Spread(0.5, stages=2), torch.zeros(X))
    lesson = fit(tmp_path, callback)
    assert [stage.step for stage in callback.stages] == [3, 6]
    assert lesson.on_load_checkpoint.__func__ is pl.LightningModule.on_load_checkpoint


def test_slimming_makes_scales_smaller_until_the_last_stage(tmp_path: Path) -> None:
    total = []
    for slimming in (0.0, 0.1):
        how = Pruning(criterion="bn_scale", slimming=slimming)
        callback = ProgressivePruning([Stage(14, 0.5)], torch.zeros(X), how)
        lesson = fit(tmp_path / str(slimming), callback)
        total.append(sum(float(lesson.model[k].weight.detach().abs().mean()) for k in (1, 4, 7)))
    assert total[1] < total[0]


def test_the_plan_in_a_checkpoint_needs_no_pickle(tmp_path: Path) -> None:
    fit(tmp_path, ProgressivePruning(STAGES, torch.zeros(X)))
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)
    (ours,) = (s for k, s in state["callbacks"].items() if "ProgressivePruning" in k)
    assert PrunePlan.from_json(ours["plan"]).groups["0"].of == 16
