"""From images to masks: gone on with, changed, and refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

import paring
from freeing import same, tiny
from paring.errors import InputError
from paring.labels import labels_from_images, load_free_recipe
from paring.labels.free.lesson import FreeLesson
from paring.labels.free.looking import FeatureFolder
from paring.labels.free.running import Freed


def test_all_stages_give_something(whole: Freed, data) -> None:
    assert set(whole.seconds) == {
        *("masks", "first", "update", "exemplars", "second", "predictions")
    }
    assert set(whole.trained) == {"first", "second"}
    assert len(whole.masks)
    assert len(whole.predictions)
    assert whole.updated is not None
    assert len(whole.updated)
    assert whole.exemplars is not None
    assert len(whole.exemplars.instances) == 3
    assert whole.predictions.embeddings.shape[1] == 12
    assert np.allclose(np.linalg.norm(whole.predictions.embeddings, axis=1), 1, atol=1e-5)
    assert whole.network is not None
    assert whole.network.is_file()
    assert whole.active is not None
    assert whole.predictions.data.images["image_id"].to_list() == data.images["image_id"].to_list()


def test_what_is_annotated_does_not_matter(whole: Freed, data, recipe, tmp_path: Path) -> None:
    bare = replace(data, instances=data.instances[:0], masks=data.masks.take([]))
    assert same(labels_from_images(bare, recipe, tmp_path), whole)


@pytest.mark.parametrize("stage", ["first", "second"])
def test_a_run_that_was_killed_ends_as_one_that_was_not(
    whole: Freed, data, recipe, tmp_path: Path, stage: str, monkeypatch
) -> None:
    shutil.copytree(whole.network.parent.parent, tmp_path / "run")  # type: ignore[union-attr]
    later = ["second", "predictions"] if stage == "second" else ["first", "update", "exemplars"]
    for name in {stage, *later, "second", "predictions"}:
        shutil.rmtree(tmp_path / "run" / name)
    start = FreeLesson.on_train_epoch_start

    def stopped(self: FreeLesson) -> None:
        if self.current_epoch == 1:
            raise KeyboardInterrupt
        start(self)

    monkeypatch.setattr(FreeLesson, "on_train_epoch_start", stopped)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        labels_from_images(data, recipe, tmp_path / "run")
    monkeypatch.setattr(FreeLesson, "on_train_epoch_start", start)
    said: list[str] = []
    again = labels_from_images(data, recipe, tmp_path / "run", say=said.append)
    assert f"training the {stage} stage goes on after epoch 1 of 2" in said
    assert same(again, whole)
    assert again.active == whole.active


def test_a_second_call_trains_nothing(whole: Freed, data, recipe, monkeypatch) -> None:
    monkeypatch.setattr("paring.labels.free.way.fit", lambda *_, **__: 1 / 0)
    folder = whole.network.parent.parent  # type: ignore[union-attr]
    assert same(labels_from_images(data, recipe, folder), whole)


def test_another_contrast_trains_the_second_network_alone(
    whole: Freed, data, tmp_path: Path
) -> None:
    shutil.copytree(whole.network.parent.parent, tmp_path / "run")  # type: ignore[union-attr]
    first = (tmp_path / "run" / "first" / "network.safetensors").stat().st_mtime_ns
    other = load_free_recipe("small", tiny("contrast.weight=5"))
    found = labels_from_images(data, other, tmp_path / "run")
    assert (tmp_path / "run" / "first" / "network.safetensors").stat().st_mtime_ns == first
    assert found.masks.data == whole.masks.data
    assert not same(found, whole)


def test_other_masks_are_found_anew_and_another_truth_is_learnt_anew(
    whole: Freed, data, recipe, tmp_path: Path
) -> None:
    shutil.copytree(whole.network.parent.parent, tmp_path / "run")  # type: ignore[union-attr]
    other = load_free_recipe("small", tiny("masks.threshold=0.6"))
    found = labels_from_images(data, other, tmp_path / "run", until="masks")
    assert found.masks.data != whole.masks.data
    given = data.subset(data.images["image_id"][:2].to_list())
    plain = labels_from_images(data, recipe, tmp_path / "run", exemplars=given)
    true = labels_from_images(data, recipe, tmp_path / "run", exemplars=given, truth=True)
    assert not same(true, plain)


def test_without_exemplars_the_training_is_the_plain_one(data, tmp_path: Path) -> None:
    plain = labels_from_images(data, load_free_recipe("small", tiny("exemplars.count=0")), tmp_path)
    assert plain.exemplars is None
    assert plain.active is None
    assert "exemplars" not in plain.seconds


def test_free_masks_alone_need_no_training(whole: Freed, data, recipe, tmp_path: Path) -> None:
    found = labels_from_images(data, recipe, tmp_path, until="masks")
    assert found.network is None
    assert found.masks.data == whole.masks.data
    counts = found.pseudo_labels.data.instances.group_by("image_id").len()["len"]
    assert counts.max() == recipe.first.count


def test_pseudo_labels_are_the_best_that_pass(data, tmp_path: Path) -> None:
    features = np.zeros((5, 12, 16), np.float32)
    features[0] = 1
    things = {1: (1, 3, 2, 6), 2: (5, 8, 3, 8), 3: (6, 9, 10, 14), 4: (10, 12, 0, 16)}
    for channel, (top, bottom, left, right) in things.items():
        features[:, top:bottom, left:right] = 0
        features[channel, top:bottom, left:right] = 1
    for name in data.images["file_name"]:
        np.save((tmp_path / name).with_suffix(".npy"), features)
    own = FeatureFolder(tmp_path)

    def found(*more: str) -> list[list[float]]:
        recipe = load_free_recipe("small", tiny("masks.border=0", *more))
        kept = labels_from_images(
            data, recipe, tmp_path / "run", until="masks", features=own
        ).pseudo_labels.data
        first = kept.instances.filter(pl.col("image_id") == data.images["image_id"][0])
        assert len(kept.instances) == len(data) * len(first)
        return [box.to_list() for box in first["bbox"]]

    every = found("first.count=9")
    narrow = found("first.widest=0.9", "first.count=9")
    low = found("first.widest=0.9", "first.highest=0.3", "first.count=9")
    assert len(every) > len(narrow) > len(low) > 1
    assert narrow == [box for box in every if box[2] < 0.9 * 80]
    assert low == [box for box in narrow if box[1] + box[3] / 2 > 0.3 * 60]
    assert found("first.widest=0.9", "first.highest=0.3", "first.count=1") == low[:1]
    assert found("first.score=0.99") == []


def test_features_of_ones_own_stand_in_for_the_encoders(data, recipe, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "features").mkdir()
    for name in data.images["file_name"]:
        np.save((tmp_path / "features" / name).with_suffix(".npy"), rng.normal(size=(6, 8, 10)))
    said: list[str] = []
    found = labels_from_images(
        data,
        recipe,
        tmp_path / "run",
        until="masks",
        features=FeatureFolder(tmp_path / "features"),
        say=said.append,
    )
    assert len(found.masks)
    assert not said


def test_given_exemplars_are_taken_and_can_be_the_truth(data, recipe, tmp_path: Path) -> None:
    given = data.subset(data.images["image_id"][:2].to_list())
    plain = labels_from_images(data, recipe, tmp_path / "a", exemplars=given)
    solid = given.instances.filter(~pl.col("iscrowd"))
    assert plain.exemplars is not None
    assert len(plain.exemplars.instances) == len(solid)
    true = labels_from_images(data, recipe, tmp_path / "b", exemplars=given, truth=True)
    assert true.masks.data == plain.masks.data
    assert not same(true, plain)


# -- what cannot be ------------------------------------------------------------------------


def photos(folder: Path, *pictures: np.ndarray) -> paring.Dataset:
    folder.mkdir()
    for k, pixels in enumerate(pictures):
        cv2.imwrite(str(folder / f"{k}.png"), pixels)
    return paring.read(folder)


def test_images_without_texture_leave_nothing_to_learn_from(recipe, tmp_path: Path) -> None:
    flat = photos(tmp_path / "p", *[np.full((60, 80, 3), k, np.uint8) for k in (0, 128, 255)])
    weights = load_free_recipe("small", tiny("masks.least=0.9", "masks.most=0.9"))
    with pytest.raises(InputError, match="the search for free masks found nothing in any image"):
        labels_from_images(flat, weights, tmp_path / "run")
    said: list[str] = []
    found = labels_from_images(flat, weights, tmp_path / "run", until="masks", say=said.append)
    assert len(found.pseudo_labels) == 0
    assert any("nothing was found in any image" in one for one in said)


def test_odd_pictures_go_through_all_stages(tmp_path: Path) -> None:
    """Grey, of 16 bits, long and narrow, one thing that fills all, thousands of tiny ones."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (60, 80, 3), np.uint8)
    dots = np.zeros((200, 300, 3), np.uint8)
    dots[::4, ::4] = 255
    full = np.full((60, 80, 3), 30, np.uint8)
    full[1:-1, 1:-1] = (200, 60, 20)
    pictures = photos(
        tmp_path / "p",
        noise[..., 0],
        (noise.astype(np.uint16) * 257),
        rng.integers(0, 255, (8, 400, 3), np.uint8),
        rng.integers(0, 255, (500, 6, 3), np.uint8),
        dots,
        full,
    )
    found = labels_from_images(pictures, load_free_recipe("small", tiny()), tmp_path / "run")
    assert len(found.predictions)
    heights = dict(pictures.images.select("image_id", "height").iter_rows())
    owner = found.predictions.data.instances["image_id"].to_list()
    assert [heights[i] for i in owner] == found.predictions.data.masks.heights.tolist()


def test_weights_of_another_encoder_are_refused_before_all_work(data, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    recipe = load_free_recipe("small", tiny(f"weights={tmp_path / 'other.safetensors'}"))
    with pytest.raises(InputError, match=r"other.safetensors: does not hold.*missing \(conv_stem"):
        labels_from_images(data, recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_data_set_without_a_folder_or_images_is_refused(data, recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder of the images is not known"):
        labels_from_images(replace(data, image_root=None), recipe, tmp_path)
    with pytest.raises(InputError, match="there is no image"):
        labels_from_images(data.subset([]), recipe, tmp_path)
    with pytest.raises(InputError, match="no exemplars are given that could be the truth"):
        labels_from_images(data, recipe, tmp_path, truth=True)


def test_an_empty_pool_of_exemplars_is_refused_and_finished_stages_stay(
    data, recipe, tmp_path: Path
) -> None:
    labels_from_images(data, recipe, tmp_path, until="masks")
    none = replace(data, instances=data.instances[:0], masks=data.masks.take([]))
    with pytest.raises(InputError, match="the exemplars: holds no exemplar"):
        labels_from_images(data, recipe, tmp_path, exemplars=none)
    assert len(list((tmp_path / "masks").glob("*.npz"))) == len(data)


def test_a_contrast_that_says_little_is_warned_about(data, tmp_path: Path) -> None:
    said: list[str] = []
    recipe = load_free_recipe("small", tiny("exemplars.count=1", "contrast.alpha=0.8"))
    found = labels_from_images(data, recipe, tmp_path, say=said.append)
    assert found.active == 0
    assert any("only 0.0 % of the embeddings have both" in one for one in said)


@pytest.mark.parametrize(("tau", "exemplars", "warned"), [(0.02, 3, 1), (0.02, 0, 0), (0.4, 3, 0)])
def test_a_temperature_that_leaves_no_loss_is_warned_about_before_all_work(
    data, tmp_path: Path, tau: float, exemplars: int, warned: int
) -> None:
    bounds = ("contrast.alpha=0.8", "contrast.beta=0.3")
    words = tiny(*bounds, f"contrast.tau={tau}", f"exemplars.count={exemplars}")
    said: list[str] = []

    class Enough(Exception):
        pass

    def stop(*_: object) -> None:
        raise Enough

    with pytest.raises(Enough):
        labels_from_images(
            data, load_free_recipe("small", words), tmp_path, progress=stop, say=said.append
        )
    about = [one for one in said if "contrast.tau" in one]
    assert about == [
        "a contrast.tau of 0.02 leaves a loss of at most 1e-11 between contrast.alpha 0.8 and "
        "contrast.beta 0.3, so nothing is learnt from exemplars; 0.39 pulls most"
    ] * warned  # fmt: skip
