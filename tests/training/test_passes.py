from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.models import build_encoder
from paring.training import passes
from paring.training.evaluating import load_run, samples_for
from paring.training.passes import (
    View,
    augmented_passes,
    dropout_passes,
    image_features,
    views_of,
)
from paring.training.run import train
from paring.training.sources import prepare_data
from trainings import make_scenes, tiny

pytestmark = pytest.mark.torch

MODELS = {
    "semantic": "unet_mobilenet_v2",
    "binary": "emcad_mobilenet_v2",
    "instance": "maskrcnn_mobilenet_v2_fpn",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return prepare_data(tiny(make_scenes(tmp_path_factory.mktemp("scenes"), 4))).train


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each task, pictures padded."""
    folder = tmp_path_factory.mktemp("runs")
    file = make_scenes(folder, 4)
    made = {}
    for task, model in MODELS.items():
        sides = {"size": [64, 80], "resize": "pad", "batch_size": 2}
        recipe = tiny(file, model=model, trainer={"epochs": 1}, data=sides)
        train(recipe, folder / task)
        made[task] = folder / task
    return made


def by_unit(found: Any) -> dict[tuple[int, int | None], Any]:
    return {(image, instance): answers for image, instance, answers in found}


def plain(run: Path, data: Dataset) -> dict[tuple[int, int | None], Any]:
    """What the model says without dropout, asked image by image."""
    model, recipe = load_run(run)
    samples = samples_for(model.eval(), data, recipe)
    out: dict[tuple[int, int | None], Any] = {}
    for row in range(len(data)):
        sample = samples[row]
        image_id = int(sample["image_id"])
        with torch.no_grad():
            if model.task == "instance":
                given = [[sample[name]] for name in ("image", "boxes", "labels")]
                (z,) = model.mask_logits(*given)
                ids = data.instances["instance_id"][sample["instance_rows"].tolist()]
                out |= {(image_id, i): p.numpy() for i, p in zip(ids, z.sigmoid(), strict=True)}
                continue
            z = model(sample["image"][None])[0]
        high, wide = sample["geometry"].inner
        p = z.sigmoid()[0] if model.task == "binary" else z.softmax(0)
        out[image_id, None] = p[..., :high, :wide].numpy()
    return out


# -- dropout ----------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [*MODELS])
def test_with_hardly_any_dropout_every_pass_is_the_plain_answer(
    runs: dict[str, Path], data: Dataset, task: str
) -> None:
    told: list[tuple[str, int, int]] = []
    found = by_unit(
        dropout_passes(runs[task], data, passes=2, p=1e-9, progress=lambda *said: told.append(said))
    )
    wanted = plain(runs[task], data)
    assert found.keys() == wanted.keys()
    for unit, answer in wanted.items():
        assert found[unit].dtype == np.float32
        for one in found[unit]:
            np.testing.assert_allclose(one, answer, atol=1e-5)
    assert told[-1] == ("asking with dropout", 4, 4)


@pytest.mark.parametrize("task", [*MODELS])
def test_passes_differ_and_lie_around_the_plain_answer(
    runs: dict[str, Path], data: Dataset, task: str
) -> None:
    one = data.subset(data.images["image_id"][:1])
    found = by_unit(dropout_passes(runs[task], one, passes=40, p=0.1, seed=3))
    for unit, answer in plain(runs[task], one).items():
        answers = found[unit].astype(np.float64)
        assert answers.shape == (40, *answer.shape)
        assert not np.array_equal(answers[0], answers[1])
        spread = answers.std(0)
        assert spread.max() > 1e-4
        # within what the mean of 40 draws may be off, and a curved sigmoid adds
        assert np.abs(answers.mean(0) - answer).max() < 1.0 * spread.max() + 1e-3


def test_an_images_passes_depend_on_seed_and_row_alone(
    runs: dict[str, Path], data: Dataset
) -> None:
    whole = by_unit(dropout_passes(runs["semantic"], data, passes=2, seed=5))
    torch.manual_seed(99)
    again = by_unit(dropout_passes(runs["semantic"], data, passes=2, seed=5))
    assert all(np.array_equal(whole[unit], again[unit]) for unit in whole)
    first = data.subset(data.images["image_id"][:1])
    alone = by_unit(dropout_passes(runs["semantic"], first, passes=2, seed=5))
    ((unit, answers),) = alone.items()
    assert np.array_equal(whole[unit], answers)
    other = by_unit(dropout_passes(runs["semantic"], first, passes=2, seed=6))
    assert not np.array_equal(other[unit], answers)


def test_probabilities_are_of_all_classes_or_of_the_foreground_without_what_pads(
    runs: dict[str, Path], data: Dataset
) -> None:
    # 64 x 96 in 64 x 80: by 5/6
    model, _ = load_run(runs["semantic"])
    _, _, answers = next(dropout_passes(runs["semantic"], data, passes=3))
    assert answers.shape == (3, len(model.classes), 53, 80)
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-5)
    _, _, answers = next(dropout_passes(runs["binary"], data, passes=3))
    assert answers.shape == (3, 53, 80)
    _, instance, answers = next(dropout_passes(runs["instance"], data, passes=3))
    assert instance in data.instances["instance_id"].to_list()
    assert answers.shape == (3, 28, 28)


def test_no_hook_is_left_on_the_model(runs: dict[str, Path]) -> None:
    model, _ = load_run(runs["semantic"])
    with pytest.raises(KeyError), passes._dropping(model.heads(), 0.5, times=2):
        assert all(head._forward_pre_hooks for head in model.heads())
        raise KeyError
    assert not any(head._forward_pre_hooks for head in model.heads())


@pytest.mark.parametrize(("n", "p"), [(0, 0.1), (2, 0.0), (2, 1.0)])
def test_dropout_that_is_none_is_one_sentence(
    runs: dict[str, Path], data: Dataset, n: int, p: float
) -> None:
    with pytest.raises(InputError, match=rf"passes >= 1 and 0 < p < 1, not {n} and {p:g}"):
        next(dropout_passes(runs["semantic"], data, passes=n, p=p))


# -- views ------------------------------------------------------------------------------------


def test_the_first_view_is_the_image_and_the_others_are_mirrored_in_turn() -> None:
    views = views_of(5, seed=2, row=7)
    image = torch.rand(3, 5, 4)
    assert torch.equal(views[0].of(image), image)
    sides = [(view.across, view.down) for view in views]
    assert sides == [(False, False), (True, False), (False, True), (True, True), (False, False)]
    assert all(0.8 <= t <= 1.2 for v in views for t in (v.brightness, v.contrast))
    assert views == views_of(5, seed=2, row=7)
    assert views_of(5, seed=2, row=8)[1] != views[1] != views_of(5, seed=3, row=7)[1]


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("down", [False, True])
def test_a_view_is_taken_back_to_the_pixel(across: bool, down: bool) -> None:
    view = View(across, down, 1.0, 1.0)
    image = torch.arange(3 * 5 * 4).reshape(3, 5, 4) / 60  # no two pixels are the same
    seen = view.of(image)
    torch.testing.assert_close(view.unwarped(seen), image)
    corner = seen[:, 0, 0]
    torch.testing.assert_close(corner, image[:, -1 if down else 0, -1 if across else 0])


def test_brightness_and_contrast_by_hand() -> None:
    image = torch.tensor([0.2, 0.6])[None, None].repeat(3, 1, 1)  # the mean is 0.4
    seen = View(False, False, 1.2, 0.5).of(image)
    torch.testing.assert_close(seen[0, 0], torch.tensor([0.36, 0.6]))
    assert View(False, False, 2.0, 1.0).of(image)[0, 0].tolist() == pytest.approx([0.4, 1.0])


def test_a_box_is_where_the_view_has_what_is_in_it() -> None:
    mask = torch.zeros(10, 16)
    mask[1:4, 2:7] = 1
    box = torch.tensor([[2.0, 1.0, 7.0, 4.0]])
    for across in (False, True):
        for down in (False, True):
            view = View(across, down, 1.0, 1.0)
            x0, y0, x1, y1 = (int(v) for v in view.boxes(box, (10, 16))[0])
            seen = view.unwarped(mask)
            assert seen[y0:y1, x0:x1].all()
            assert seen.sum() == (y1 - y0) * (x1 - x0)


class Even(torch.nn.Module):
    """A model that says of each pixel, or cell, what stands there whatever its tone."""

    def __init__(self, task: str, classes: list[str]) -> None:
        super().__init__()
        self.task, self.classes = task, classes

    def forward(self, images: Any) -> Any:
        bright = (images.mean(1, keepdim=True) > images.mean((1, 2, 3), keepdim=True)).float()
        return torch.cat([bright * (k + 1) for k in range(len(self.classes))], 1)

    def mask_logits(self, images: Any, boxes: Any, labels: Any) -> Any:
        from torchvision.ops import roi_align

        maps = self.forward(torch.stack(images))[:, :1]
        return [z[:, 0] for z in roi_align(maps, boxes, 28, aligned=True).split([*map(len, boxes)])]


@pytest.mark.parametrize("task", [*MODELS])
def test_a_model_that_turns_with_the_image_never_disagrees_with_itself(
    runs: dict[str, Path], data: Dataset, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, recipe = load_run(runs[task])
    even = Even(task, model.classes)
    monkeypatch.setattr(passes, "load_run", lambda _: (even, recipe))
    # views of the same tone, so that no pixel is clipped
    monkeypatch.setattr(
        passes, "views_of", lambda n, seed, row: [_toneless(v) for v in views_of(n, seed, row)]
    )
    found = by_unit(augmented_passes(runs[task], data, views=4))
    assert found
    for answers in found.values():
        assert answers.std() > 0  # there is something to disagree about
        np.testing.assert_allclose(answers, np.broadcast_to(answers[:1], answers.shape), atol=1e-4)


def _toneless(view: View) -> View:
    return replace(view, brightness=1.0, contrast=1.0)


@pytest.mark.parametrize("task", [*MODELS])
def test_the_first_answer_about_views_is_the_plain_one_and_others_differ(
    runs: dict[str, Path], data: Dataset, task: str
) -> None:
    one = data.subset(data.images["image_id"][:1])
    found = by_unit(augmented_passes(runs[task], one, views=3, seed=1))
    for unit, answer in plain(runs[task], one).items():
        np.testing.assert_allclose(found[unit][0], answer, atol=1e-5)
        assert not np.allclose(found[unit][0], found[unit][1], atol=1e-6)


def test_views_are_the_same_for_the_same_seed(runs: dict[str, Path], data: Dataset) -> None:
    both = [by_unit(augmented_passes(runs["binary"], data, views=2, seed=4)) for _ in range(2)]
    assert all(np.array_equal(both[0][unit], both[1][unit]) for unit in both[0])


@pytest.mark.parametrize("asked", [dropout_passes, augmented_passes])
def test_a_model_is_asked_on_the_threads_that_it_was_trained_on(
    runs: dict[str, Path], data: Dataset, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, recipe = load_run(runs["binary"])
    threads = torch.get_num_threads()
    wished = msgspec.structs.replace(recipe.trainer, threads=threads + 1)
    other = msgspec.structs.replace(recipe, trainer=wished)
    monkeypatch.setattr(passes, "load_run", lambda _: (model, other))
    seen: set[int] = set()
    model.register_forward_pre_hook(lambda *_: seen.add(torch.get_num_threads()))
    assert list(asked(runs["binary"], data))
    assert (seen, torch.get_num_threads()) == ({threads + 1}, threads)


def test_one_view_is_refused(runs: dict[str, Path], data: Dataset) -> None:
    with pytest.raises(InputError, match="two views or more, not 1"):
        next(augmented_passes(runs["binary"], data, views=1))


# -- bad input --------------------------------------------------------------------------------


def test_an_unfinished_run_and_other_classes_are_one_sentence(
    runs: dict[str, Path], data: Dataset, tmp_path: Path
) -> None:
    shutil.copytree(runs["instance"], tmp_path / "run")
    (tmp_path / "run" / "trained.json").unlink()
    with pytest.raises(InputError, match="no finished training run"):
        next(dropout_passes(tmp_path / "run", data))
    names = data.categories["name"] + "s"
    renamed = replace(data, categories=data.categories.with_columns(name=names))
    for asked in (dropout_passes, augmented_passes):
        with pytest.raises(InputError, match=r"has no category '\w+', which the model tells"):
            next(asked(runs["instance"], renamed))


def test_a_dense_model_is_asked_about_images_without_any_truth(
    runs: dict[str, Path], data: Dataset
) -> None:
    bare = replace(data, instances=data.instances[:0], masks=data.masks.take([]), label_maps=None)
    found = by_unit(dropout_passes(runs["semantic"], bare, passes=2))
    assert len(found) == len(data)


# -- features ---------------------------------------------------------------------------------


def test_features_are_the_mean_of_the_deepest_map_in_the_order_of_the_images(
    data: Dataset,
) -> None:
    told: list[tuple[str, int, int]] = []
    features = image_features(
        data,
        "mobilenet_v2",
        weights=None,
        size=64,
        batch_size=3,
        progress=lambda *said: told.append(said),
    )
    net = build_encoder("mobilenet_v2", weights=None)
    assert features.shape == (4, net.widths[-1])
    assert features.dtype == np.float32
    assert [done for _, done, _ in told] == [3, 4]
    alone = [
        image_features(data.subset([i]), "mobilenet_v2", weights=None, size=64)
        for i in data.images["image_id"]
    ]
    np.testing.assert_allclose(features, np.concatenate(alone), atol=1e-3)
    assert len(np.unique(features.round(5), axis=0)) == 4


def test_features_of_no_weights_are_the_same_every_time(data: Dataset) -> None:
    one = image_features(data, "mobilenet_v2", weights=None, size=32)
    torch.manual_seed(7)
    assert np.array_equal(image_features(data, "mobilenet_v2", weights=None, size=32), one)


def test_features_of_no_images_are_none(data: Dataset) -> None:
    none = image_features(data.subset([]), "mobilenet_v2", weights=None, size=32)
    assert none.shape == (0, build_encoder("mobilenet_v2", weights=None).widths[-1])
