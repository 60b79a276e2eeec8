from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
import pytest

import paring
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.selection import keep_random
from paring.training.recipe import load_recipe
from paring.training.sections import DataSource, Recipe
from paring.training.sources import hold_out, prepare_data, read_data

N = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes as COCO, and as image and mask folders with three classes and void."""
    folder = tmp_path_factory.mktemp("data")
    data = paring.scenes(N, seed=2, size=(40, 50), folder=folder / "images")
    data.write(folder / "scenes.json", format="coco")
    rng = np.random.default_rng(0)
    for place in ("pairs/images", "pairs/masks"):
        (folder / place).mkdir(parents=True)
    for k in range(6):
        mask = rng.choice([0, 1, 2, 255], (40, 50)).astype(np.uint8)
        cv2.imwrite(str(folder / f"pairs/masks/{k}.png"), mask)
        cv2.imwrite(str(folder / f"pairs/images/{k}.png"), np.zeros((40, 50, 3), np.uint8))
    (folder / "pairs/classes.txt").write_text("background\ncat\ndog\n")
    return folder


def recipe_of(folder: Path, *overrides: str, model: str = "emcad_mobilenet_v2") -> Recipe:
    train = f"data.train={folder / 'scenes.json'}"
    return load_recipe("small-polyp", [f"model={model}", train, *overrides])


MASKRCNN = "maskrcnn_mobilenet_v2_fpn"
DEEPLAB = "deeplabv3_mobilenet_v2"


# -- reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "task", "options", "maps"),
    [
        ("scenes.json", "instance", {}, False),
        ("scenes.json", "semantic", {}, False),
        ("pairs", "instance", {}, False),
        ("pairs", "semantic", {}, True),
        ("pairs", "binary", {}, False),
        ("pairs", "binary", {"void": 2}, True),
    ],
)
def test_label_maps_are_read_for_models_that_need_them_where_there_are_any(
    folder: Path, name: str, task: Any, options: dict[str, Any], maps: bool
) -> None:
    data = read_data(DataSource(path=str(folder / name), **options), task)
    assert (data.label_maps is not None) == maps
    assert maps or len(data.instances)


def test_the_options_of_reading_are_handed_on(folder: Path) -> None:
    path = str(folder / "pairs")
    whole, parts = (read_data(DataSource(path=path, components=c)) for c in (False, True))
    assert len(parts.instances) > len(whole.instances)
    named = read_data(DataSource(path=path, classes=("bg", "one", "two")))
    assert named.categories["name"].to_list() == ["one", "two"]
    with pytest.raises(InputError, match="nosuch"):
        read_data(DataSource(path=path, images=str(folder / "nosuch")))
    with pytest.raises(InputError, match="format 'cooc' is not known"):
        read_data(DataSource(path=path, format="cooc"))


def test_areas_and_boxes_can_be_taken_from_the_masks(folder: Path) -> None:
    path = folder / "scenes.json"
    data = paring.read(path)
    wrong = data.instances.with_columns(area=pl.lit(1.0))
    Dataset(data.images, wrong, data.categories, data.masks).write(folder / "wrong.json")
    for recompute, area in ((False, [1.0] * len(wrong)), (True, data.masks.areas().tolist())):
        read = read_data(DataSource(path=str(folder / "wrong.json"), recompute=recompute))
        assert read.instances["area"].to_list() == pytest.approx(area)


def test_data_that_nothing_can_be_learnt_from_is_refused(folder: Path, tmp_path: Path) -> None:
    data = paring.read(folder / "scenes.json")
    data.write(tmp_path / "alone.json")
    with pytest.raises(InputError, match=r"alone\.json: the folder of its images is not known"):
        read_data(DataSource(path=str(tmp_path / "alone.json")))
    with pytest.raises(InputError, match="has neither instances nor label maps to learn from"):
        read_data(DataSource(path=str(folder / "images"), format="folder"))


# -- classes ----------------------------------------------------------------------------------


def test_classes_come_from_the_whole_data_whatever_the_subset(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = paring.read(folder / "scenes.json")
    keep_random(data, count=2, seed=0).save(tmp_path / "subset.json")
    with caplog.at_level(logging.INFO, "paring"):
        prepared = prepare_data(
            recipe_of(folder, f"data.subset={tmp_path / 'subset.json'}", model=MASKRCNN)
        )
    assert len(prepared.train) == 2
    assert prepared.classes == data.categories["name"].to_list()
    assert prepared.fingerprint == data.fingerprint
    left = prepared.train.instances.filter(~pl.col("iscrowd"))["category_id"].unique()
    gone = data.categories.filter(~pl.col("category_id").is_in(left.implode()))["name"].to_list()
    assert gone
    [sentence] = prepared.said
    assert sentence.startswith(
        f"no instance is left in the training images of {', '.join(gone)}; the model has the class"
    )
    assert sentence in caplog.text


def test_all_classes_that_are_left_are_nothing_to_speak_of(folder: Path) -> None:
    whole = prepare_data(recipe_of(folder, "data.classes=[disc]", model=MASKRCNN))
    assert (whole.classes, whole.said, whole.val) == (["disc"], [], None)
    assert len(whole.train) == N


def test_no_instance_at_all_is_refused(folder: Path, tmp_path: Path) -> None:
    data = paring.read(folder / "scenes.json")
    rare = data.instances.group_by("category_id").len().sort("len")["category_id"][0]
    name = data.categories.filter(pl.col("category_id") == rare)["name"][0]
    shown = data.instances.filter(pl.col("category_id") == rare)["image_id"]
    kept = data.images.filter(~pl.col("image_id").is_in(shown.implode()))["image_id"].to_list()
    paring.Subset(
        kept, shown.unique().to_list(), method="mine", rate=0.1, dataset=data.fingerprint
    ).save(tmp_path / "subset.json")
    wished = (f"data.subset={tmp_path / 'subset.json'}", f"data.classes=[{name}]")
    with pytest.raises(InputError, match="show no instance of any class"):
        prepare_data(recipe_of(folder, *wished, model=MASKRCNN))


# -- subsets and validation -------------------------------------------------------------------


def test_a_subset_of_other_data_is_refused(folder: Path, tmp_path: Path) -> None:
    other = paring.scenes(N, seed=9, size=(40, 50))
    keep_random(other, count=5).save(tmp_path / "subset.json")
    with pytest.raises(
        InputError, match=r"subset\.json: was made from another data set than .*scen"
    ):
        prepare_data(recipe_of(folder, f"data.subset={tmp_path / 'subset.json'}"))


def test_a_subset_made_of_instances_cuts_label_maps_by_the_names_of_images(
    folder: Path, tmp_path: Path
) -> None:
    instances = paring.read(folder / "pairs")
    subset = keep_random(instances, count=3, seed=1)
    subset.save(tmp_path / "subset.json")
    prepared = prepare_data(
        recipe_of(
            folder,
            f"data.train={folder / 'pairs'}",
            f"data.subset={tmp_path / 'subset.json'}",
            model=DEEPLAB,
        )
    )
    assert prepared.classes == ["background", "cat", "dog"]
    assert prepared.train.label_maps is not None
    assert (
        prepared.train.images["file_name"].to_list()
        == subset.apply(instances).images["file_name"].to_list()
    )


def test_the_same_images_are_held_out_whatever_the_subset(folder: Path, tmp_path: Path) -> None:
    data = paring.read(folder / "scenes.json")
    subset = keep_random(data, count=10, seed=1)
    subset.save(tmp_path / "subset.json")
    whole = prepare_data(recipe_of(folder, "data.holdout=0.2", "seed=3"))
    cut = prepare_data(
        recipe_of(folder, "data.holdout=0.2", "seed=3", f"data.subset={tmp_path / 'subset.json'}")
    )
    assert whole.val is not None
    assert whole.val == cut.val
    held, train = ({*d.images["image_id"]} for d in (whole.val, cut.train))
    assert len(held) == 4
    assert train == {*subset.kept} - held
    assert {*whole.train.images["image_id"]} == {*data.images["image_id"]} - held


def test_a_holdout_is_drawn_by_its_seed_and_rounded_down() -> None:
    data = paring.scenes(30, seed=0)
    vals = [
        hold_out(data, share=0.1, seed=seed)[1].images["image_id"].to_list() for seed in (0, 0, 1)
    ]
    assert vals[0] == vals[1] != vals[2]
    assert [len(hold_out(data, share=share, seed=0)[1]) for share in (0.29, 0.3, 0.99)] == [
        8,
        9,
        29,
    ]
    with pytest.raises(InputError, match="leaves none for validation"):
        hold_out(data, share=0.01, seed=0)


def test_validation_data_with_a_category_that_the_model_lacks_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    data = paring.read(folder / "scenes.json")
    names = data.categories.with_columns(
        name=pl.when(pl.col("name") == "disc").then(pl.lit("moon")).otherwise("name")
    )
    val = Dataset(data.images, data.instances, names, data.masks)
    val.write(tmp_path / "val.json")
    source = f"{{path: {tmp_path / 'val.json'}, images: {folder / 'images'}}}"
    with pytest.raises(InputError, match="has category 'moon', which the training data lacks"):
        prepare_data(recipe_of(folder, f"data.val={source}", model=MASKRCNN))
    wished = (f"data.val={source}", "data.classes=[bean]")
    chosen = prepare_data(recipe_of(folder, *wished, model=MASKRCNN)).val
    assert chosen is not None
    assert len(chosen) == N


def test_a_recipe_without_training_data_is_told_what_it_lacks() -> None:
    with pytest.raises(InputError, match=r"data\.train is not given"):
        prepare_data(load_recipe("polyp"))


def test_instances_without_a_mask_are_counted(folder: Path, tmp_path: Path) -> None:
    data = paring.read(folder / "scenes.json")
    bare = paring.MaskStore.from_polygons(
        [[]] * 2, heights=data.masks.heights[:2], widths=data.masks.widths[:2]
    )
    masks = paring.MaskStore.concat([bare, data.masks.take(np.arange(2, len(data.masks)))])
    Dataset(data.images, data.instances, data.categories, masks).write(tmp_path / "bare.json")
    source = f"data.train={{path: {tmp_path / 'bare.json'}, images: {folder / 'images'}}}"
    assert prepare_data(recipe_of(folder, source)).said == [
        "2 instances have no mask and are not painted"
    ]
