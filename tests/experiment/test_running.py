import shutil
from pathlib import Path

import polars as pl
import pytest

torch = pytest.importorskip("torch")

import paring
from paring.dataset.subset import Subset
from paring.errors import InputError
from paring.experiment.cells import Place, load_cell, load_subset
from paring.experiment.running import Compared, compare
from paring.experiment.table import read_results, summarise
from paring.images.selection import keep_random

pytestmark = [
    pytest.mark.torch,
    # of Lightning itself, under the torch that is here
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*is deprecated"),
]

RECIPE = """
train:
  recipe: small-polyp
  data: {train: scenes.json, size: [32, 32], batch_size: 2, workers: 0}
  trainer: {epochs: 1, accelerator: cpu, threads: 1}
  log: {tensorboard: false}
test: {path: test.json, images: test-images}
methods: [aum, ccs]
scores: {ccs: {by: shape, cutoff: 0.9}}
rates: [0.5]
seeds: [0]
budget: both
"""
FULL = Place("full", 0.0, 0, "epochs")
CHANCE = Place("random", 0.5, 0, "epochs")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    for number, seed, name, images in ((8, 0, "scenes", "images"), (4, 5, "test", "test-images")):
        data = paring.scenes(number, seed=seed, size=(48, 64), folder=folder / images)
        data.write(folder / f"{name}.json", format="coco")
    path = folder / "compare.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def compared(recipe: Path, said: list[str]) -> Compared:
    """Seven cells of real, tiny trainings, two of which fail."""
    return compare(recipe, recipe.parent / "out", workers=2, say=said.append)


@pytest.fixture
def copy(compared: Compared, tmp_path: Path) -> Path:
    return Path(shutil.copytree(compared.folder, tmp_path / "out"))


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = (path for path in folder.rglob("cell.json"))
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def test_each_cell_has_its_subset_and_its_result(compared: Compared, recipe: Path) -> None:
    data = paring.read(recipe.parent / "scenes.json")
    everything = load_subset(compared.folder, FULL)
    assert everything is not None
    assert (len(everything), everything.dropped) == (8, [])
    for method in ("random", "aum"):
        subsets = []
        for budget in ("epochs", "steps"):
            place = Place(method, 0.5, 0, budget)
            subset, cell = (load(compared.folder, place) for load in (load_subset, load_cell))
            assert (cell.status, cell.images) == ("done", len(subset)) == ("done", 4)
            kept = data.instances.filter(pl.col("image_id").is_in(subset.kept))
            assert cell.instances == len(kept)
            assert 0 <= cell.metrics["dice_per_image"] <= 1
            assert cell.seconds_to_train > 0
            assert (cell.seconds_to_rank is None) == (method == "random")
            subsets.append(subset)
        assert subsets[0] == subsets[1]
    assert load_subset(compared.folder, CHANCE) == keep_random(data, rate=0.5, seed=0)


def test_budgets_are_fewer_steps_or_as_many_as_of_the_full_data(compared: Compared) -> None:
    steps = {
        (row["method"], row["budget"]): row["steps"]
        for row in compared.results.iter_rows(named=True)
    }
    assert steps["full", "epochs"] == 4  # eight images in batches of two
    assert {steps[name, "epochs"] for name in ("random", "aum")} == {2}
    assert {steps[name, "steps"] for name in ("random", "aum")} == {4}


def test_what_learns_from_the_full_run_counts_its_training_as_time_to_rank(
    compared: Compared,
) -> None:
    full = load_cell(compared.folder, FULL)
    aum = load_cell(compared.folder, Place("aum", 0.5, 0, "epochs"))
    assert aum.seconds_to_rank > full.seconds_to_train
    assert (compared.folder / "runs" / "full-0" / "record").is_dir()
    assert not (compared.folder / "runs" / "full-0" / "checkpoints").exists()


def test_a_cell_that_fails_says_why_and_the_others_go_on(
    compared: Compared, said: list[str]
) -> None:
    assert compared.failed.select("method", "budget").rows() == [
        ("ccs", "epochs"),
        ("ccs", "steps"),
    ]
    assert compared.failed["error"].str.contains("cut-off").all()
    assert len(said) == compared.made == 7
    assert said[0].startswith("full data, seed 0: dice_per_image 0.")
    assert said[-1].startswith("ccs at 50 %, seed 0, equal steps: failed, ")
    assert said[-1].endswith("(7 of 7)")


def test_tables_are_those_of_the_cells(compared: Compared) -> None:
    results = read_results(compared.folder / "results.csv")
    assert results.equals(compared.results)
    assert summarise(results, ["dice_per_image"]).equals(compared.table)
    assert set(compared.table["budget"]) == {"epochs", "steps"}
    text = (compared.folder / "table.md").read_text()
    assert text.count("**full data**") == 2
    assert not (compared.folder / ".training").exists()


def test_cells_that_are_there_are_not_made_again_and_failed_ones_on_request(
    recipe: Path, copy: Path
) -> None:
    before = files(copy)
    again = compare(recipe, copy)
    assert again.made == 0
    assert files(copy) == before
    retried = compare(recipe, copy, retry=True)
    assert retried.made == 2
    changed = {name for name, stored in files(copy).items() if stored != before[name]}
    assert changed == {f"cells/ccs/0.5/0-{budget}/cell.json" for budget in ("epochs", "steps")}


def test_a_comparison_that_was_stopped_goes_on_to_the_same_results(
    recipe: Path, compared: Compared, tmp_path: Path
) -> None:
    def stop(label: str, done: int, total: int) -> None:
        if label == str(CHANCE):
            raise KeyboardInterrupt

    def stop_within(label: str, done: int, total: int) -> None:
        if label.startswith(f"{CHANCE}: "):
            raise SystemExit(130)

    few = ["methods=[]", "budget=epochs", "train.record.keep=signs"]
    with pytest.raises(KeyboardInterrupt):
        compare(recipe, tmp_path / "out", few, progress=stop)
    assert load_cell(tmp_path / "out", FULL).status == "done"
    assert load_cell(tmp_path / "out", CHANCE) is None
    assert len(read_results(tmp_path / "out" / "results.csv")) == 1
    with pytest.raises(SystemExit):  # as the command line ends where it is interrupted
        compare(recipe, tmp_path / "out", few, progress=stop_within)
    assert load_cell(tmp_path / "out", CHANCE) is None
    labels: list[tuple[str, int, int]] = []
    done = compare(recipe, tmp_path / "out", few, progress=lambda *told: labels.append(told))
    assert done.made == 1
    assert labels[0] == (str(CHANCE), 1, 2)
    assert labels[-1] == ("all cells", 2, 2)
    for place in (FULL, CHANCE):
        one, other = (load_cell(folder, place) for folder in (done.folder, compared.folder))
        assert one.metrics == other.metrics


def test_another_recipe_is_refused_by_the_first_key_that_differs(recipe: Path, copy: Path) -> None:
    with pytest.raises(InputError, match=r"train.trainer.epochs is 2 and was 1.*--overwrite"):
        compare(recipe, copy, ["train.trainer.epochs=2"])
    with pytest.raises(InputError, match=r"rates is \[0.4\] and was \[0.5\]"):
        compare(recipe, copy, ["rates=[0.4]"])


def test_other_metrics_of_the_same_cells_are_shown_without_training(
    recipe: Path, copy: Path
) -> None:
    shown = compare(recipe, copy, ["metrics=[pixel_accuracy]"])
    assert shown.made == 0
    assert "pixel_accuracy" in shown.table.columns
    with pytest.raises(InputError, match=r"'AP' is not among .*dice_per_image"):
        compare(recipe, copy, ["metrics=[AP]"])


def test_changed_data_is_refused(recipe: Path, copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "data"
    shutil.copytree(recipe.parent, other, ignore=shutil.ignore_patterns("out"))
    compare(recipe, copy)
    text = (copy / "recipe.yaml").read_text().replace(str(recipe.parent), str(other))
    (copy / "recipe.yaml").write_text(text)
    data = paring.read(other / "scenes.json")
    (other / "scenes.json").unlink()
    data.subset(data.images["image_id"].to_list()[:6]).write(other / "scenes.json", format="coco")
    with pytest.raises(InputError, match="training data has changed"):
        compare(other / "compare.yaml", copy)


def test_a_training_that_diverges_fails_its_cell_and_those_that_rank_from_it(
    recipe: Path, tmp_path: Path
) -> None:
    wild = ["methods=[aum]", "train.optimiser.lr=1e30", "train.trainer.clip=null", "budget=steps"]
    wild += ["train.schedule.warmup_steps=0"]
    done = compare(recipe, tmp_path / "out", wild)
    errors = {row["method"]: row["error"] for row in done.failed.iter_rows(named=True)}
    assert done.table is None
    assert not (tmp_path / "out" / "table.csv").exists()
    assert "aum ranks from the training on the full data of seed 0" in errors["aum"]
    assert "full data of seed 0 failed, so its steps are not known" in errors["random"]
    assert "loss" in errors["full"]


def test_a_folder_of_something_else_is_left_alone(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"holds 'notes\.txt'"):
            compare(recipe, tmp_path, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_subset_of_a_cell_can_be_applied_to_the_data(compared: Compared, recipe: Path) -> None:
    path = compared.folder / CHANCE.folder / "subset.json"
    assert len(Subset.load(path).apply(paring.read(recipe.parent / "scenes.json"))) == 4
