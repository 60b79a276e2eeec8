from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from paring.errors import InputError
from paring.models import task_of
from paring.training.recipe import complete_recipe, load_recipe, recipes
from paring.training.sections import Recipe

MODEL = "model: emcad_mobilenet_v2\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a recipe, beside the folder worked in."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "recipes"


def recipe_of(folder: Path, text: str, *overrides: str) -> Recipe:
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return load_recipe(folder / "mine.yaml", overrides)


def refusal(folder: Path, text: str, *overrides: str) -> str:
    with pytest.raises(InputError) as error:
        recipe_of(folder, text, *overrides)
    return str(error.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("name", recipes())
def test_a_built_in_recipe_written_out_is_read_back_as_the_same(name: str, folder: Path) -> None:
    recipe = load_recipe(name, ["data.train=a.json", "data.val={path: b.json, split: val}"])
    assert recipe_of(folder, recipe.to_yaml()) == recipe


def test_the_built_in_recipes_are_those_of_the_papers_and_three_small_ones() -> None:
    assert recipes() == [
        "maskrcnn",
        "polyp",
        "semantic",
        "small-instances",
        "small-polyp",
        "small-semantic",
    ]
    tasks = [task_of(load_recipe(name).model) for name in recipes()]
    assert tasks == ["instance", "binary", "semantic"] * 2


def test_the_recipe_of_tfdp_says_what_mmdetection_does_by_default() -> None:
    recipe = load_recipe("maskrcnn")
    optimiser, schedule = recipe.optimiser, recipe.schedule
    assert (optimiser.name, optimiser.lr, optimiser.momentum) == ("sgd", 0.02, 0.9)
    assert (optimiser.weight_decay, recipe.data.batch_size) == (1e-4, 16)
    assert (recipe.trainer.epochs, schedule.milestones, schedule.gamma) == (12, (8, 11), 0.1)
    assert (schedule.warmup_steps, schedule.warmup_start) == (500, 0.001)
    assert (recipe.augment.flip, recipe.data.size) == (0.5, (800, 1333))
    assert recipe.options == {"trainable_layers": 3, "frozen_norm": True}


def test_the_recipe_of_prime_says_what_its_section_4_2_does() -> None:
    recipe = load_recipe("polyp")
    assert recipe.data.size == (352, 352)
    assert (recipe.optimiser.name, recipe.optimiser.lr) == ("adamw", 1e-4)
    assert (recipe.optimiser.weight_decay, recipe.data.batch_size) == (1e-4, 16)
    assert (recipe.trainer.epochs, recipe.augment.flip, recipe.augment.scale) == (200, 0, (1, 1))
    assert (recipe.trainer.clip, recipe.trainer.clip_by) == (0.5, "value")
    assert recipe.trainer.multi_scale == (0.75, 1.0, 1.25)


def test_paths_of_a_file_start_from_its_folder_and_those_of_overrides_from_here(
    folder: Path,
) -> None:
    text = MODEL + (
        "weights: w.safetensors\ninit: ../i.safetensors\n"
        "data: {train: t.json, val: {path: v.json, images: pictures}, subset: /s.json}\n"
    )
    recipe = recipe_of(folder, text, "init=i.safetensors", "data.val.images=more")
    here = Path.cwd()
    assert recipe.weights == str(folder / "w.safetensors")
    assert recipe.init == str(here / "i.safetensors")
    assert recipe.data.train is not None
    assert recipe.data.val is not None
    assert recipe.data.train.path == str(folder / "t.json")
    assert recipe.data.val.path == str(folder / "v.json")
    assert recipe.data.val.images == str(here / "more")
    assert recipe.data.subset == "/s.json"


def test_hub_is_no_path(folder: Path) -> None:
    assert recipe_of(folder, MODEL + "weights: hub\n").weights == "hub"


def test_a_source_may_be_given_shortly_and_then_be_completed(folder: Path) -> None:
    recipe = recipe_of(folder, MODEL, "data.train=a", "data.train.split=val")
    assert recipe.data.train is not None
    assert (recipe.data.train.path, recipe.data.train.split) == (str(Path.cwd() / "a"), "val")


def test_later_overrides_win(folder: Path) -> None:
    assert recipe_of(folder, MODEL, "seed=1", "seed=2").seed == 2


def test_a_section_whose_keys_are_commented_away_has_its_defaults(folder: Path) -> None:
    assert recipe_of(folder, MODEL + "trainer:\n  # epochs: 3\n") == recipe_of(folder, MODEL)


@pytest.mark.parametrize(
    ("words", "count"),
    [("1GiB", 2**30), ("512 MiB", 2**29), ("1.5kb", 1500), ("0", 0), ("4096", 4096)],
)
def test_the_cache_is_given_in_bytes_or_units(words: str, count: int, folder: Path) -> None:
    assert recipe_of(folder, MODEL, f"data.cache={words}").data.cache == count


@pytest.mark.parametrize(
    ("text", "overrides", "sentence"),
    [
        ("- a\n", (), "mine.yaml: is no recipe; it must be a section with keys, such as model"),
        ("", (), "mine.yaml: is no recipe"),
        ("seed: 1\n", (), "mine.yaml: model is missing"),
        ("model: x\na: [\n", (), "mine.yaml, line 3: is not YAML"),
        (MODEL + "seed: 1\nseed: 2\n", (), "mine.yaml, line 3: is not YAML (the key 'seed' occurs"),
        (
            MODEL + "trainer: {epoch: 3}\n",
            (),
            "mine.yaml: trainer.epoch is no key of a recipe; did",
        ),
        (MODEL + "trainer: {epochs: 0}\n", (), "mine.yaml: trainer.epochs must be a whole number"),
        (MODEL, ("trainer.epoch=3",), "trainer.epoch=3: trainer.epoch is no key of a recipe; did"),
        (MODEL, ("trainer.epochs=x",), "trainer.epochs=x: trainer.epochs must be a whole number"),
        (MODEL, ("seed.x=1",), "mine.yaml: seed must be a whole number, not a section"),
        (MODEL, ("optimiser.lr=1e999",), "mine.yaml: optimiser.lr is too large for a number"),
        (MODEL, ("data.cache=1XB",), "data.cache=1XB: data.cache must be bytes, such as 512MiB"),
        (MODEL, ("init=''",), "init='': init is an empty path; write null for none"),
        (
            MODEL,
            ("model=emcad_mobilnet_v2",),
            "mine.yaml: model 'emcad_mobilnet_v2' is not known; did you mean emcad_mobilenet_v2?",
        ),
        (
            MODEL,
            ("loss.name=gsrl",),
            "mine.yaml: loss.name gsrl is not for binary models; it may be",
        ),
        (MODEL, ("data.classes=[a, b]",), "mine.yaml: emcad_mobilenet_v2 tells one class from the"),
        (MODEL, ("data.classes=[]",), "mine.yaml: data.classes is empty"),
        (MODEL, ("data.classes=[a, a]",), "mine.yaml: data.classes names a category twice"),
        (
            MODEL,
            ("data.val=a", "data.holdout=0.1"),
            "mine.yaml: data.val and data.holdout are both",
        ),
        (MODEL, ("stop.keep=best",), "mine.yaml: stop needs validation"),
        (MODEL, ("stop.patience=2",), "mine.yaml: stop needs validation"),
        (MODEL, ("map={a: b}",), "mine.yaml: map says which classes of init are ours, but init"),
        (MODEL, ("schedule.name=multistep",), "mine.yaml: schedule.milestones is empty"),
        (MODEL, ("schedule.milestones=[3, 2]",), "mine.yaml: schedule.milestones must rise"),
        (MODEL, ("augment.scale=[2, 1]",), "mine.yaml: augment.scale must rise"),
        (MODEL, ("loss.gsrl.pool=4",), "mine.yaml: loss.gsrl.pool must be odd"),
        (MODEL, ("trainer.devices=0",), "mine.yaml: trainer.devices must be at least 1"),
        (MODEL, ("trainer.devices=all",), "mine.yaml: trainer.devices must be a count"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    text: str, overrides: tuple[str, ...], sentence: str, folder: Path
) -> None:
    said = refusal(folder, text, *overrides)
    assert said.startswith(sentence)
    assert "\n" not in said


def test_a_recipe_that_is_not_there_is_named_with_the_nearest_built_in_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="polip: no such recipe file; did you mean polyp?"):
        load_recipe("polip")
    with pytest.raises(InputError, match="no such recipe file"):
        load_recipe(tmp_path)


def test_a_file_that_is_no_text_is_no_recipe(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"model: \xff\xfe")
    with pytest.raises(InputError, match="is no text in UTF-8"):
        load_recipe(tmp_path / "r.yaml")


def test_a_recipe_made_of_keys_is_that_of_the_same_file(folder: Path) -> None:
    tree = {"model": "emcad_mobilenet_v2", "data": {"train": "t.json"}}
    made = complete_recipe(tree, ["seed=4"], where="here", folder=folder)
    assert made == recipe_of(folder, MODEL + "data: {train: t.json}\n", "seed=4")


def test_recipes_are_read_without_torch() -> None:
    code = (
        "import sys; from paring.training import load_recipe, recipes\n"
        "[load_recipe(name) for name in recipes()]; print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
