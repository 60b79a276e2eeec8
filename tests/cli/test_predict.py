"""`paring labels predict`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from freeing import tiny
from paring.labels import load_free_recipe
from paring.models import build, save


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run as far as predicting needs it, its network new."""
    folder = tmp_path / "run"
    folder.mkdir()
    recipe = load_free_recipe("small", tiny())
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    save(
        build(recipe.model, ["object"], seed=0, **recipe.options()), folder / "network.safetensors"
    )
    return folder


def test_things_in_other_images_are_a_result_file(run: Path, paring_here, tmp_path: Path) -> None:
    data = paring.scenes(3, seed=7, size=(50, 70), folder=tmp_path / "photos")
    data.write(tmp_path / "truth.json", format="coco")
    arguments = ("labels", "predict", "run", "truth.json", "--images", "photos", "--score", "0")
    done = paring_here(*arguments, "-o", "found.json", "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)
    found = json.loads((tmp_path / "found.json").read_text())
    assert about["predictions"] == len(found) > 0
    assert {one["category_id"] for one in found} == {1}
    assert {tuple(one["segmentation"]["size"]) for one in found} == {(50, 70)}
    assert "CorLoc" in about["quality"]
    shown = paring_here(*arguments, "-o", "found.json", "--overwrite")
    assert "CorLoc" in shown.stdout
    assert paring_here(*arguments, "-o", "found.json").returncode == 2
    none = paring_here(*arguments[:-1], "1", "-o", "none.json")
    assert none.returncode == 0
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_a_run_without_a_network_is_refused(run: Path, paring_here, tmp_path: Path) -> None:
    paring.scenes(1, seed=7, size=(50, 70), folder=tmp_path / "photos")
    (run / "network.safetensors").unlink()
    done = paring_here("labels", "predict", "run", "photos", "-o", "found.json")
    assert done.returncode == 2
    assert "name a run of `paring labels from-images`" in " ".join(done.stderr.split())
    assert not (tmp_path / "found.json").exists()


def test_the_network_of_another_run_is_refused(run: Path, paring_here, tmp_path: Path) -> None:
    from paring.labels.tags.network import Shape, TagNetwork, save_network

    paring.scenes(1, seed=7, size=(50, 70), folder=tmp_path / "photos")
    network = TagNetwork(Shape("mobilenet_v2", ["a"], width=4, hidden=4))
    (run / "network.safetensors").unlink()
    save_network(network, run / "network.safetensors")
    done = paring_here("labels", "predict", "run", "photos", "-o", "found.json")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "network.safetensors" in done.stderr
