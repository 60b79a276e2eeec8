from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import paring
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.models import save
from paring.training.evaluating import (
    evaluate_model,
    evaluate_run,
    in_order,
    load_run,
    samples_for,
)
from paring.training.run import train
from paring.training.samples import Samples
from paring.training.sources import prepare_data
from paring.training.targets import choose_classes
from trainings import make_scenes, tiny

pytestmark = pytest.mark.torch


class Knowing(torch.nn.Module):
    """A model that answers with the truth of the samples, told from each other by their pixels."""

    def __init__(self, task: str, classes: list[str], samples: Samples) -> None:
        super().__init__()
        self.task, self.classes = task, classes
        self.known = [samples[row] for row in range(len(samples))]

    def _of(self, image: Any) -> Any:
        return next(one for one in self.known if torch.equal(one["image"], image))

    def forward(self, images: Any) -> Any:
        assert not self.training
        if self.task == "instance":
            return [self._instances(self._of(image)) for image in images]
        return torch.stack([self._logits(self._of(image)["target"]) for image in images])

    def _instances(self, sample: Any) -> dict[str, Any]:
        n = len(sample["labels"])
        masks = sample["masks"][:, None].float()
        return {name: sample[name] for name in ("boxes", "labels")} | {
            "masks": masks,
            "scores": torch.ones(n),
        }

    def _logits(self, target: Any) -> Any:
        target = torch.where(target == 255, 0, target)
        if self.task == "binary":
            return (target * 2.0 - 1)[None]
        return torch.nn.functional.one_hot(target, len(self.classes)).permute(2, 0, 1) * 2.0


def blocks(folder: Path) -> Dataset:
    """Three pictures of odd sizes, each with rectangles whose sides survive any resizing."""
    rng = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    images, annotations = [], []
    for k, (high, wide) in enumerate([(60, 90), (90, 60), (120, 30)], start=1):
        pixels = rng.integers(0, 255, (high, wide, 3), np.uint8)
        cv2.imwrite(str(folder / "pictures" / f"{k}.png"), pixels)
        images.append({"id": k, "file_name": f"{k}.png", "height": high, "width": wide})
        for top, left, category in ((0, 0, 1), (high // 2, wide // 2, 2)):
            h, w = high // 2, wide // 2
            polygon = [left, top, left + w, top, left + w, top + h, left, top + h]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": k,
                    "category_id": category,
                    "bbox": [left, top, w, h],
                    "area": h * w,
                    "iscrowd": 0,
                    "segmentation": [polygon],
                }
            )
    categories = [{"id": 1, "name": "disc"}, {"id": 2, "name": "star"}]
    import json

    file = folder / "blocks.json"
    file.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return paring.read(file, images=folder / "pictures")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_scenes(tmp_path_factory.mktemp("scenes"), 6)


@pytest.fixture(scope="module")
def run(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    train(tiny(scenes, scenes, trainer={"epochs": 1}), folder)
    return folder


MODELS = {
    "instance": "maskrcnn_mobilenet_v2_fpn",
    "semantic": "unet_mobilenet_v2",
    "binary": "emcad_mobilenet_v2",
}


# -- a model that knows -----------------------------------------------------------------------


def test_a_model_is_measured_on_the_threads_that_it_was_trained_on(
    scenes: Path, tmp_path: Path
) -> None:
    data, threads = blocks(tmp_path), torch.get_num_threads()
    recipe = tiny(scenes, model=MODELS["binary"], trainer={"threads": threads + 1})
    classes = choose_classes(data, "binary")
    shell = SimpleNamespace(task="binary", classes=classes)
    model = Knowing("binary", classes, samples_for(shell, data, recipe))
    seen: set[int] = set()
    model.register_forward_pre_hook(lambda *_: seen.add(torch.get_num_threads()))
    evaluate_model(model, data, recipe)
    assert (seen, torch.get_num_threads()) == ({threads + 1}, threads)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize("task", [*MODELS])
def test_perfect_answers_about_pictures_of_several_sizes_measure_as_one(
    scenes: Path, tmp_path: Path, task: Any, resize: str
) -> None:
    data = blocks(tmp_path)
    sides = {"size": [240, 360], "resize": resize, "batch_size": 2}
    recipe = tiny(scenes, model=MODELS[task], data=sides)
    classes = choose_classes(data, task)
    shell = SimpleNamespace(task=task, classes=classes)
    model = Knowing(task, classes, samples_for(shell, data, recipe))
    told: list[tuple[str, int, int]] = []
    measured = evaluate_model(model.train(), data, recipe, progress=lambda *said: told.append(said))
    assert not model.training
    assert told == [("measuring", 2, 3), ("measuring", 3, 3)]
    wanted = ("AP", "box_AP", "AR100") if task == "instance" else measured.metrics
    assert {name: measured.metrics[name] for name in wanted} == dict.fromkeys(wanted, 1.0)
    if task == "instance":
        assert measured.predictions is not None
        assert measured.predictions.masks.areas().tolist() == data.masks.areas().tolist()
        table = measured.categories()
        assert table["AP"].to_list() == [1, 1]
    else:
        assert measured.tally is not None
        assert measured.tally.confusion.sum() == 60 * 90 * 2 + 120 * 30
        assert set(measured.categories()["iou"]) == {1.0}


def test_answers_are_compared_at_the_size_of_the_picture(scenes: Path, tmp_path: Path) -> None:
    """At a size of one pixel the answer is one class for a whole picture."""
    data = blocks(tmp_path)
    recipe = tiny(scenes, data={"size": [1, 1]})
    classes = choose_classes(data, "semantic")
    shell = SimpleNamespace(task="semantic", classes=classes)
    model = Knowing("semantic", classes, samples_for(shell, data, recipe))
    measured = evaluate_model(model, data, recipe)
    # the middle of each picture lies in the lower right block, a quarter of it
    assert measured.metrics["pixel_accuracy"] == 0.25


def test_the_order_of_batches_is_that_of_the_data(scenes: Path) -> None:
    prepared = prepare_data(tiny(scenes))
    shell = SimpleNamespace(task=prepared.task, classes=prepared.classes)
    samples = samples_for(shell, prepared.train, tiny(scenes))
    rows = [batch["row"].tolist() for batch in in_order(samples, 4)]
    assert rows == [[0, 1, 2, 3], [4, 5]]


# -- what cannot be measured ------------------------------------------------------------------


def test_no_images_are_one_sentence(run: Path, scenes: Path) -> None:
    model, recipe = load_run(run)
    data = prepare_data(recipe).train
    with pytest.raises(InputError, match="no images to measure the model on"):
        evaluate_model(model, data.subset([]), recipe)


@pytest.mark.parametrize("task", ["instance", "semantic"])
def test_data_without_a_class_of_the_model_is_refused_and_the_class_named(
    scenes: Path, tmp_path: Path, task: Any
) -> None:
    data = blocks(tmp_path)
    model = torch.nn.Module()
    model.task, model.classes = task, ["background"] * (task == "semantic") + ["disc", "zebra"]
    with pytest.raises(InputError, match=r"blocks\.json: has no category 'zebra', .*\(.*disc, st"):
        evaluate_model(model, data, tiny(scenes, model=MODELS[task]))


def test_a_binary_model_is_measured_on_whatever_is_annotated(scenes: Path, tmp_path: Path) -> None:
    data = blocks(tmp_path)
    shell = SimpleNamespace(task="binary", classes=["polyp"])
    recipe = tiny(scenes, model=MODELS["binary"], data={"size": [240, 360]})
    model = Knowing("binary", ["polyp"], samples_for(shell, data, recipe))
    assert evaluate_model(model, data, recipe).metrics["dice_dataset"] == 1


# -- runs -------------------------------------------------------------------------------------


def test_a_run_is_measured_again_on_its_validation_data_or_on_other_data(run: Path) -> None:
    from paring.training.trained import Trained

    trained = Trained.load(run)
    measured = evaluate_run(run)
    assert measured.metrics == trained.metrics
    _, recipe = load_run(run)
    half = prepare_data(recipe).train.subset([1, 2, 3])
    on_half = evaluate_run(run, data=half)
    assert len(on_half.truth) == 3
    assert on_half.metrics != measured.metrics
    assert evaluate_run(run, source=recipe.data.train).metrics == measured.metrics


@pytest.mark.parametrize("name", ["recipe.yaml", "model.safetensors", "trained.json"])
def test_a_folder_without_a_part_of_a_run_is_no_finished_run(
    run: Path, tmp_path: Path, name: str
) -> None:
    for file in ("recipe.yaml", "model.safetensors", "trained.json"):
        if file != name:
            (tmp_path / file).write_bytes((run / file).read_bytes())
    with pytest.raises(InputError, match=rf"no finished training run \(it has no {name}\)"):
        evaluate_run(tmp_path)


def test_a_run_without_validation_data_asks_for_data(run: Path, tmp_path: Path) -> None:
    model, recipe = load_run(run)
    without = msgspec.structs.replace(recipe, data=msgspec.structs.replace(recipe.data, val=None))
    (tmp_path / "recipe.yaml").write_text(without.to_yaml())
    (tmp_path / "trained.json").write_text("{}")
    save(model, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="was trained without validation data; say what to"):
        evaluate_run(tmp_path)


def test_a_run_on_data_of_other_classes_is_one_sentence(run: Path) -> None:
    _, recipe = load_run(run)
    data = prepare_data(recipe).train
    renamed = replace(
        data, categories=data.categories.with_columns(name=data.categories["name"] + "s")
    )
    with pytest.raises(InputError, match="has no category 'disc', which the model tells from"):
        evaluate_run(run, data=renamed)
