from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import onnxruntime

from paring.errors import InputError
from paring.models import DenseModel, InstanceModel, build, export_onnx, load, names, save, task_of

pytestmark = pytest.mark.torch

CLASSES = {
    "instance": ["disc", "bean"],
    "semantic": ["ground", "disc", "bean"],
    "binary": ["polyp"],
}


OPTIONS = {
    "maskrcnn": {"detections": 5},
    "solov2": {"detections": 5, "score_threshold": 0.0, "kept_score": 0.0, "head_width": 64},
}
"""Few detections, and some of a model that has learnt nothing."""


def noise(*shape: int, seed: int = 0) -> Any:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def targets(height: int, width: int) -> list[dict[str, Any]]:
    mask = torch.zeros(1, height, width, dtype=torch.uint8)
    mask[0, 8:40, 10:44] = 1
    boxes = torch.tensor([[10.0, 8.0, 44.0, 40.0]])
    return [{"boxes": boxes, "labels": torch.tensor([2]), "masks": mask}]


@pytest.fixture(scope="module", params=names())
def model(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Every model of the table in its turn; one at a time is in memory.

    Norms of a dense one have seen an image, whichever tests a process runs: before, it answers in
    hundreds, of which a tolerance says little.
    """
    name = request.param
    options = dict(OPTIONS.get(name.split("_")[0], {}))
    built = build(name, CLASSES[task_of(name)], seed=0, **options)
    if isinstance(built, DenseModel):
        with torch.no_grad():
            built.train().stages(noise(1, 3, 64, 64))
    yield built
    del built
    gc.collect()


class TestEveryModel:
    """What holds for each name of the table; the tests of a model run in this order."""

    def test_it_trains_on_one_image_and_every_weight_gets_a_gradient(self, model: Any) -> None:
        model.train()
        if isinstance(model, InstanceModel):
            loss = sum(model([noise(3, 64, 64)], targets(64, 64)).values())
        else:
            loss = sum(stage.square().mean() for stage in model.stages(noise(1, 3, 64, 64)))
        loss.backward()
        without = [key for key, weight in model.named_parameters() if weight.grad is None]
        broken = [
            key
            for key, weight in model.named_parameters()
            if weight.grad is not None and not weight.grad.isfinite().all()
        ]
        model.zero_grad()
        assert torch.isfinite(loss)
        assert (without, broken) == ([], [])

    @pytest.mark.parametrize("size", [(64, 64), (65, 97)])
    def test_it_answers_in_the_size_of_the_image(self, model: Any, size: tuple[int, int]) -> None:
        model.eval()
        images = noise(2, 3, *size)
        with torch.no_grad():
            if isinstance(model, InstanceModel):
                found = model(list(images))
                assert [one["masks"].shape[1:] for one in found] == [(1, *size)] * 2
                assert all(one["boxes"].shape == (len(one["scores"]), 4) for one in found)
                return
            logits, stages = model(images), model.stages(images)
        assert {tuple(stage.shape) for stage in stages} == {(2, len(model.classes), *size)}
        assert len(stages) == (4 if model.task == "binary" else 2)
        assert torch.equal(logits, stages[-1])

    def test_saved_and_loaded_it_answers_the_same_to_the_bit(
        self, model: Any, tmp_path: Path
    ) -> None:
        save(model, tmp_path / "model.safetensors")
        again = load(tmp_path / "model.safetensors")
        (tmp_path / "model.safetensors").unlink()
        assert (again.name, again.classes, again.options) == (
            model.name,
            model.classes,
            model.options,
        )
        model.eval()
        image = noise(1, 3, 65, 97, seed=1)
        with torch.no_grad():
            if isinstance(model, InstanceModel):
                ours, theirs = model(list(image))[0], again(list(image))[0]
                assert all(torch.equal(ours[key], theirs[key]) for key in ours)
            else:
                assert torch.equal(model(image), again(image))

    def test_exported_a_dense_one_answers_as_torch_for_any_batch(
        self, model: Any, tmp_path: Path
    ) -> None:
        if isinstance(model, InstanceModel):
            pytest.skip("the export of instance models is tested once, in test_export.py")
        file = export_onnx(model, tmp_path / "model.onnx", size=(33, 70))
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        file.unlink()
        images = noise(3, 3, 33, 70, seed=2)
        model.eval()
        with torch.no_grad():
            expected = model(images).numpy()
        (given,) = session.run(None, {"images": images.numpy()})
        scale = max(1e-3, float(np.abs(expected).max()))
        assert given.shape == expected.shape
        assert np.abs(given - expected).max() < 1e-4 * min(1, scale)
        assert session.run(None, {"images": images[:1].numpy()})[0].shape[0] == 1


# -- what is asked of a model ------------------------------------------------------------------


def test_a_seed_decides_the_weights_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = build("emcad_mobilenet_v2", ["polyp"], seed=3)
    assert torch.equal(before, torch.get_rng_state())
    other = build("emcad_mobilenet_v2", ["polyp"], seed=3)
    third = build("emcad_mobilenet_v2", ["polyp"], seed=4)
    state, same, different = one.state_dict(), other.state_dict(), third.state_dict()
    assert all(torch.equal(state[key], same[key]) for key in state)
    assert not all(torch.equal(state[key], different[key]) for key in state)


def test_without_a_seed_the_generator_as_it_stands_decides() -> None:
    torch.manual_seed(3)
    one = build("emcad_mobilenet_v2", ["polyp"])
    other = build("emcad_mobilenet_v2", ["polyp"], seed=3)
    key = "net.stage_heads.0.weight"
    assert torch.equal(one.state_dict()[key], other.state_dict()[key])


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"'unet_resnet5' is not known; did you mean unet_resnet50"
    ):
        build("unet_resnet5", ["a", "b"])


@pytest.mark.parametrize(
    ("name", "classes", "words"),
    [
        ("emcad_mobilenet_v2", ["a", "b"], "exactly one class, not 2"),
        ("emcad_mobilenet_v2", [], "exactly one class, not 0"),
        ("unet_mobilenet_v2", ["a"], "two classes or more, not 1"),
        ("maskrcnn_mobilenet_v2_fpn", [], "at least one class"),
        ("unet_mobilenet_v2", ["a", "b", "a"], "class 'a' .* is named twice"),
        ("unet_mobilenet_v2", "ab", "must be a list of names"),
        ("unet_mobilenet_v2", ["a", ""], "must be a list of names"),
        ("unet_mobilenet_v2", ["a", 3], "must be a list of names"),
    ],
)
def test_classes_that_cannot_be_are_refused(name: str, classes: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        build(name, classes)


def test_an_option_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"unet_mobilenet_v2 has no option 'auxiliary'; .* aux$"):
        build("unet_mobilenet_v2", ["a", "b"], auxiliary=True)


def test_every_model_of_the_table_is_dense_or_of_instances() -> None:
    model = build("unet_mobilenet_v2", ["a", "b"], aux=False)
    assert isinstance(model, DenseModel)
    assert model.options == {"aux": False}
