from __future__ import annotations

import csv
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import lightning.pytorch as pl
import msgspec

from paring.errors import InputError
from paring.models import build
from paring.training import losses
from paring.training.beginning import settled
from paring.training.lessons import DenseLesson, InstanceLesson, dense_loss, rescaled
from paring.training.loading import SegmentationData
from paring.training.recipe import Gsrl, Loss
from paring.training.run import train
from paring.training.sources import prepare_data
from trainings import make_scenes, tiny

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("scenes"), 6)


class Watch(pl.Callback):
    """Keeps what each step of a training saw."""

    def __init__(self) -> None:
        self.rates: list[list[float]] = []
        self.scales: list[float | None] = []
        self.rows: list[list[int]] = []
        self.draws: list[float] = []
        self.after: list[int] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        self.draws.append(float(torch.rand(())))

    def on_train_batch_start(self, trainer: Any, _: Any, batch: Any, __: int) -> None:
        self.rates.append([group["lr"] for group in trainer.optimizers[0].param_groups])
        self.scales.append(batch.get("scale"))
        self.rows.append(batch["row"].tolist())

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self.after.append(trainer.global_step)


def watched(recipe: Any, *, kind: Any = DenseLesson) -> Watch:
    """A short training with nothing written, and what was seen of it."""
    watch = Watch()
    prepared = prepare_data(recipe)
    torch.manual_seed(recipe.seed)
    model = build(recipe.model, prepared.classes, **recipe.options)
    lesson = kind(model, recipe, prepared.train.images["file_name"].to_list())
    with settled(recipe.trainer.threads):
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=recipe.trainer.epochs,
            accumulate_grad_batches=recipe.trainer.accumulate,
            limit_val_batches=0,
            num_sanity_val_steps=0,
            logger=False,
            callbacks=[watch],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        trainer.fit(lesson, datamodule=SegmentationData.from_recipe(recipe, prepared))
    return watch


# -- the learning rate ------------------------------------------------------------------------


def test_the_rate_follows_warm_up_and_half_a_cosine_step_by_step(scenes: Path) -> None:
    recipe = tiny(
        scenes,
        data={"batch_size": 2},
        trainer={"epochs": 2},
        optimiser={"lr": 0.008, "encoder_lr": 0.25},
        schedule={"name": "cosine", "warmup_steps": 2, "warmup_start": 0.5},
    )
    rates = watched(recipe).rates
    warm = [0.5, 0.75, 1, 1, 1, 1]
    wanted = [0.008 * warm[k] * (1 + math.cos(math.pi * k / 6)) / 2 for k in range(6)]
    assert [max(groups) for groups in rates] == pytest.approx(wanted)
    assert [min(groups) for groups in rates] == pytest.approx([rate / 4 for rate in wanted])


def test_milestones_are_epochs_of_optimiser_steps_not_of_batches(scenes: Path) -> None:
    recipe = tiny(
        scenes,
        data={"batch_size": 2},
        trainer={"epochs": 3, "accumulate": 3},
        optimiser={"lr": 0.1, "name": "sgd"},
        schedule={"name": "multistep", "milestones": [1, 2], "gamma": 0.1},
    )
    watch = watched(recipe)
    assert watch.after == [0, 0, 1, 1, 1, 2, 2, 2, 3]
    rates = [groups[0] for groups in watch.rates]
    assert rates == pytest.approx([0.1] * 3 + [0.01] * 3 + [0.001] * 3)


# -- several sizes ----------------------------------------------------------------------------


def test_each_batch_makes_a_step_at_each_size(scenes: Path) -> None:
    recipe = tiny(
        scenes,
        data={"batch_size": 4},
        trainer={"epochs": 2, "multi_scale": [0.75, 1.0, 1.25]},
        schedule={"name": "poly", "power": 1.0},
        optimiser={"lr": 1.0},
    )
    watch = watched(recipe)
    assert watch.scales == [0.75, 1.0, 1.25] * 4
    assert watch.after == [*range(1, 13)]
    for k in range(0, 12, 3):
        assert watch.rows[k] == watch.rows[k + 1] == watch.rows[k + 2]
    assert sorted(watch.rows[0] + watch.rows[3]) == [*range(6)]
    assert watch.rows[0] != watch.rows[6]
    assert [groups[0] for groups in watch.rates] == pytest.approx([1 - k / 12 for k in range(12)])


def test_a_run_with_several_sizes_counts_their_steps_and_others_have_no_scale(
    scenes: Path, tmp_path: Path
) -> None:
    recipe = tiny(scenes, trainer={"epochs": 1, "multi_scale": [0.5, 1.0]})
    trained = train(recipe, tmp_path / "run")
    assert trained.steps == 4
    with (tmp_path / "run" / "metrics.csv").open() as file:
        seen = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    assert len(seen) == 4
    assert watched(tiny(scenes, trainer={"epochs": 1})).scales == [None] * 2


def test_the_loss_is_that_of_the_batch_at_its_scale(scenes: Path) -> None:
    lesson = dense_lesson(tiny(scenes))
    batch = {"image": torch.rand(2, 3, 64, 64), "target": torch.randint(0, 2, (2, 64, 64))}
    images, target = rescaled(batch["image"], batch["target"], 2.0)
    assert images.shape == (2, 3, 128, 128)
    with torch.no_grad():
        plain = lesson.loss_of({"image": images, "target": target})
        assert torch.equal(lesson.loss_of(batch | {"scale": 2.0}), plain)
        assert not torch.equal(lesson.loss_of(batch | {"scale": 1.0}), plain)


@pytest.mark.parametrize(
    ("scale", "size"),
    [(0.75, (256, 352)), (1.25, (448, 576)), (0.01, (32, 32)), (1.0, (350, 470))],
)
def test_sides_are_rounded_to_multiples_of_32_unless_nothing_changes(
    scale: float, size: tuple[int, int]
) -> None:
    images, target = rescaled(torch.rand(1, 3, 350, 470), torch.zeros(1, 350, 470).long(), scale)
    assert tuple(images.shape[-2:]) == tuple(target.shape[-2:]) == size


def test_labels_are_never_mixed_when_rescaled_and_void_stays_void() -> None:
    target = torch.full((1, 64, 64), 255)
    target[:, :, :32], target[:, :32, :32] = 7, 0
    _, small = rescaled(torch.rand(1, 3, 64, 64), target, 0.5)
    assert small.dtype == torch.int64
    assert torch.equal(small, target[:, ::2, ::2])


def test_an_image_is_smooth_when_rescaled() -> None:
    images = torch.zeros(1, 3, 64, 64)
    images[..., 32:] = 1
    larger, _ = rescaled(images, torch.zeros(1, 64, 64).long(), 2.0)
    assert larger[0, 0, 0, 62:66].tolist() == pytest.approx([0, 0.25, 0.75, 1])


# -- losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "task", "wanted"),
    [
        ("auto", "semantic", losses.cross_entropy),
        ("auto", "binary", losses.structure_loss),
        ("cross_entropy", "semantic", losses.cross_entropy),
        ("structure", "binary", losses.structure_loss),
    ],
)
def test_a_loss_has_a_name_and_auto_is_the_usual_one(name: Any, task: str, wanted: Any) -> None:
    assert dense_loss(Loss(name=name), task) is wanted


def test_the_rebalanced_loss_has_the_constants_of_the_recipe() -> None:
    wished = Loss(name="gsrl", gsrl=Gsrl(beta=0.9, pool=3, hardness=2.0))
    found = dense_loss(wished, "semantic")
    assert isinstance(found, partial)
    assert found.func is losses.rebalanced_loss
    assert found.keywords == {"beta": 0.9, "pool": 3, "hardness": 2.0}


def dense_lesson(recipe: Any) -> DenseLesson:
    torch.manual_seed(0)
    model = build(recipe.model, ["background", "disc"] if "unet" in recipe.model else ["disc"])
    return DenseLesson(model.eval(), recipe, ["a.jpg", "b.jpg"])


class Stages(torch.nn.Module):
    """A model whose outputs are given."""

    def __init__(self, task: str, stages: list[Any]) -> None:
        super().__init__()
        self.task, self.given = task, stages

    def stages(self, _: Any) -> list[Any]:
        return self.given


def test_auxiliary_outputs_weigh_as_the_recipe_says(scenes: Path) -> None:
    stages = [torch.randn(1, 2, 4, 4) for _ in range(2)]
    target = torch.randint(0, 2, (1, 4, 4))
    lesson = DenseLesson(Stages("semantic", stages), tiny(scenes, loss={"aux_weight": 0.25}), [])
    aside, last = (float(torch.nn.functional.cross_entropy(s, target)) for s in stages)
    got = float(lesson.loss_of({"image": torch.zeros(1, 3, 4, 4), "target": target}))
    assert got == pytest.approx(last + 0.25 * aside)


@pytest.mark.parametrize(("how", "sums"), [("sum", 4), ("additive", 5), ("mutation", 15)])
def test_outputs_of_binary_models_are_put_together_as_the_recipe_says(
    scenes: Path, how: str, sums: int
) -> None:
    stages = [torch.zeros(1, 1, 4, 4)] * 4  # every sum of them is the same
    recipe = tiny(scenes, model="emcad_mobilenet_v2", loss={"aggregate": how})
    lesson = DenseLesson(Stages("binary", stages), recipe, [])
    target = torch.ones(1, 4, 4).long()
    one = float(losses.structure_loss(stages[0], target))
    got = float(lesson.loss_of({"image": torch.zeros(1, 3, 4, 4), "target": target}))
    assert got == pytest.approx(sums * one)


class Losses(torch.nn.Module):
    """An instance model with losses of its own."""

    classes = ("disc",)

    def forward(self, images: Any, targets: Any) -> dict[str, Any]:
        assert [*targets[0]] == ["boxes", "labels", "masks"]
        return {"a": images[0].sum(), "b": targets[0]["boxes"].sum()}


def test_the_loss_of_instances_is_the_sum_of_the_models_own(scenes: Path) -> None:
    lesson = InstanceLesson(Losses(), tiny(scenes), [])
    batch = {
        "image": [torch.ones(3, 2, 2)],
        "boxes": [torch.tensor([[0.0, 0.0, 2.0, 2.0]])],
        "labels": [torch.ones(1)],
        "masks": [torch.ones(1, 2, 2)],
    }
    assert float(lesson.loss_of(batch)) == 16


# -- a loss that is no number -----------------------------------------------------------------


def test_the_image_whose_loss_is_no_number_is_named_at_the_scale_where_it_is_none(
    scenes: Path,
) -> None:
    class Broken(torch.nn.Module):
        task = "semantic"

        def stages(self, images: Any) -> list[Any]:
            # 0/0 where an image is all black, and is shown larger than it is
            wrong = images.amax((1, 2, 3)) / (images.amax((1, 2, 3)) > 0)
            if images.shape[-1] == 64:
                wrong = torch.ones(len(images))
            return [wrong[:, None, None, None] * torch.zeros(len(images), 2, *images.shape[-2:])]

    lesson = DenseLesson(Broken(), tiny(scenes), ["a.jpg", "b.jpg", "c.jpg"])
    images = torch.rand(3, 3, 64, 64) + 0.1
    images[1] = 0
    batch = {"image": images, "target": torch.zeros(3, 64, 64).long(), "row": [2, 1, 0]}
    assert torch.isfinite(lesson.loss_of(batch))
    large = batch | {"scale": 2.0}
    assert not torch.isfinite(lesson.loss_of(large))
    assert [lesson._is_sound(large, k) for k in range(3)] == [True, False, True]
    assert [lesson._is_sound(batch, k) for k in range(3)] == [True, True, True]


# -- randomness -------------------------------------------------------------------------------


def test_each_epoch_draws_from_a_stream_of_its_own(scenes: Path) -> None:
    two = watched(tiny(scenes, trainer={"epochs": 2})).draws
    again = watched(tiny(scenes, trainer={"epochs": 2}, data={"batch_size": 2})).draws
    other = watched(msgspec.structs.replace(tiny(scenes, trainer={"epochs": 1}), seed=1)).draws
    assert len({*two, *other}) == 3
    assert again == two  # however many batches were drawn before


# -- validation -------------------------------------------------------------------------------


def test_validation_data_without_a_class_of_the_model_is_refused_before_training(
    scenes: Path,
) -> None:
    recipe = tiny(scenes, model="maskrcnn_mobilenet_v2_fpn")
    data = prepare_data(recipe).train
    model = torch.nn.Module()
    model.classes = ["disc", "zebra"]
    with pytest.raises(InputError, match="'zebra', which is no category"):
        InstanceLesson(model, recipe, [], data)
