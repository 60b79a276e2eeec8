import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import paring
from commands import Paring, written
from paring.cli import extras
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset

TRAIN = """
import sys
from pathlib import Path
from paring.training.recipe import load_recipe
from paring.training.run import train
train(load_recipe(sys.argv[1], sys.argv[2:]), Path("trained"))
"""

EXAMPLES = {
    "mc-dropout": "demo/scenes.json --from trained",
    "consistency": "demo/scenes.json --from trained",
    "k-centre": "demo/images --encoder resnet50 --weights hub",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scenes, and a model that was trained on them for a moment."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("passes")
    scenes = paring.scenes(6, seed=3, size=(64, 48), folder=folder / "images")
    scenes.write(folder / "scenes.json", format="coco")
    recipe = ["small-instances", "data.train=scenes.json", "data.size=[64,64]", "data.workers=0"]
    recipe += ["trainer.epochs=1", "trainer.threads=1", "trainer.accelerator=cpu"]
    recipe += ["record.keep=signs"]
    command = [sys.executable, "-c", TRAIN, *recipe]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of that folder, and one thread for its small model."""
    torch = pytest.importorskip("torch")
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.mark.torch
def test_dropout_ranks_the_images_alike_under_a_seed_and_otherwise_with_another_share(
    paring_here: Paring, here: Path
) -> None:
    more = ["--from", "trained", "--rate", 0.5, "--no-report", "--passes", 3, "-o"]
    for run, p in (("one", 0.3), ("two", 0.3), ("three", 0.9)):
        done = paring_here("images", "mc-dropout", "scenes.json", *more, run, "--p", p)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("6 images, 3 removed; ")
    scores = Scores.load(here / "one" / "scores.parquet")
    assert {"passes": 3, "p": 0.3, "seed": 0}.items() <= scores.parameters.items()
    assert (scores.method, scores.hard) == ("mc-dropout", "high")
    assert scores.frame["instances"].sum() > 0
    kept = Subset.load(here / "one" / "subset.json").kept
    assert kept == paring.images.keep_top(scores, rate=0.5).kept
    assert "torch" in json.loads((here / "one" / "run.json").read_text())["versions"]
    assert written(here / "one") == written(here / "two")
    other = Scores.load(here / "three" / "scores.parquet")
    assert not other.frame["score"].equals(scores.frame["score"])


@pytest.mark.torch
def test_views_rank_the_images_by_how_they_are_predicted(paring_here: Paring, here: Path) -> None:
    more = ["--from", "trained", "--rate", 0.5, "--no-report", "--views", 3, "--how", "first"]
    done = paring_here("images", "consistency", "scenes.json", *more, "-o", "run")
    assert done.returncode == 0, done.stderr
    scores = Scores.load(here / "run" / "scores.parquet")
    assert {"views": 3, "seed": 0, "how": "first"}.items() <= scores.parameters.items()
    assert (scores.method, scores.hard) == ("consistency", "high")
    kept = Subset.load(here / "run" / "subset.json").kept
    assert kept == paring.images.keep_top(scores, rate=0.5).kept


@pytest.mark.torch
def test_a_folder_that_holds_no_model_is_refused(paring_here: Paring, here: Path) -> None:
    more = ["--from", "images", "--rate", 0.5, "-o", "run"]
    for name in ("mc-dropout", "consistency"):
        done = paring_here("images", name, "scenes.json", *more)
        assert done.returncode == 2
        assert "images: is no finished training run" in done.stderr.replace("\n", " ")
        assert not (here / "run").exists()


@pytest.mark.torch
@pytest.mark.parametrize("name", ["entropy", "el2n", "aum", "forgetting"])
def test_what_a_training_records_ranks_its_images(
    paring_here: Paring, here: Path, name: str
) -> None:
    more = ["--from", "trained", "--rate", 0.5, "--no-report", "-o", "run"]
    done = paring_here("images", name, "scenes.json", *more)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("6 images, 3 removed; ")
    assert Scores.load(here / "run" / "scores.parquet").frame["instances"].sum() > 0


@pytest.mark.torch
def test_centres_are_kept_without_any_annotation(paring_here: Paring, here: Path) -> None:
    more = ["--encoder", "mobilenet_v2", "--weights", "none", "--size", 32, "--no-report"]
    for run in ("one", "two"):
        done = paring_here("images", "k-centre", "images", *more, "--count", 3, "-o", run)
        assert done.returncode == 0, done.stderr
    subset = Subset.load(here / "one" / "subset.json")
    assert len(subset.kept) == 3
    said = {"encoder": "mobilenet_v2", "weights": "none", "size": 32, "mean": None}
    assert said.items() <= subset.parameters.items()
    assert subset.parameters["radius"] > 0
    assert written(here / "one") == written(here / "two")
    more[-1:] = ["--no-report", "--rate", 0.2]
    assert paring_here("images", "k-centre", "images", *more, "-o", "more").returncode == 0
    assert set(subset.kept) <= set(Subset.load(here / "more" / "subset.json").kept)


@pytest.mark.torch
@pytest.mark.parametrize("mean", ["0.5", "a,b,c", "1,2,3,4", ""])
def test_a_mean_that_is_not_three_numbers_is_refused(
    paring_here: Paring, here: Path, mean: str
) -> None:
    more = ["--encoder", "mobilenet_v2", "--weights", "none", "--count", 3, "-o", "run"]
    done = paring_here("images", "k-centre", "images", *more, "--mean", mean)
    assert done.returncode == 2
    assert "is not three numbers like 0.5,0.5,0.5" in done.stderr


@pytest.mark.parametrize("p", [0, 1, 1.5, -0.1, "nan"])
def test_a_share_of_dropout_that_cannot_be_is_refused(
    paring_here: Paring, tmp_path: Path, p: object
) -> None:
    options = ["--from", "trained", "--rate", 0.5, "-o", "run"]
    done = paring_here("images", "mc-dropout", "d.json", *options, f"--p={p}")
    assert done.returncode == 2
    assert "0 < p < 1" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", EXAMPLES)
def test_where_torch_is_missing_the_extra_is_named(
    paring_here: Paring, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    option = (
        ["--encoder", "resnet50", "--weights", "hub"]
        if name == "k-centre"
        else ["--from", "trained"]
    )
    done = paring_here("images", name, "d.json", *option, "--rate", 0.5, "-o", "run")
    assert done.returncode == 2
    assert "pip install 'paring[torch]'" in done.stderr.replace("\n", " ")


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_help_page_shows_an_example(paring_here: Paring, name: str) -> None:
    done = paring_here("images", name, "--help")
    said = " ".join(done.stdout.split())
    assert f"Example: paring images {name} {EXAMPLES[name]}" in said
