"""`paring labels from-images`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from freeing import tiny
from paring.labels import load_free_recipe


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    paring.scenes(6, seed=5, size=(60, 80), folder=tmp_path / "photos")
    return tmp_path / "photos"


def test_a_folder_of_photos_becomes_masks(photos: Path, paring_here, tmp_path: Path) -> None:
    done = paring_here("labels", "from-images", photos, *tiny(), "-o", "run")
    assert done.returncode == 0, done.stderr
    assert "pseudo-label" in done.stdout
    assert "starts from chance" in done.stderr
    run = tmp_path / "run"
    assert sorted(p.name for p in run.iterdir()) == [
        *("embeddings.npz", "exemplars.json", "free_examples.json", "free_masks.json"),
        *("network.safetensors", "predictions.json", "pseudo_labels.json", "recipe.yaml"),
        *("report", "run.json"),
    ]
    assert not list(tmp_path.glob(".run*"))
    facts = json.loads((run / "run.json").read_text())
    labels = paring.read(run / "pseudo_labels.json")
    assert facts["pseudo_labels"] == len(labels.instances) > 0
    assert labels.categories["name"].to_list() == ["object"]
    assert facts["quality"] == {}
    assert set(facts["trained"]) == {"first", "second"}
    assert len(paring.read(run / "exemplars.json").instances) == facts["exemplars"] == 3
    arrays = np.load(run / "embeddings.npz")
    assert arrays["instance_ids"].tolist() == labels.instances["instance_id"].to_list()
    assert arrays["embeddings"].shape == (len(labels.instances), 12)
    assert load_free_recipe(run / "recipe.yaml").masks.count == 10
    found = paring_here("labels", "predict", run, photos, "-o", "found.json", "--score", "0")
    assert found.returncode == 0, found.stderr
    mine = json.loads((tmp_path / "found.json").read_text())
    assert mine == json.loads((run / "predictions.json").read_text())


def test_what_it_writes_is_opened_by_cocos_own_tool(
    photos: Path, paring_here, tmp_path: Path
) -> None:
    done = paring_here(
        "labels", "from-images", photos, *tiny(), "--stage", "masks", "--no-report", "-o", "run"
    )
    assert done.returncode == 0, done.stderr
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO

    labels = COCO(str(tmp_path / "run" / "pseudo_labels.json"))
    found = labels.loadRes(str(tmp_path / "run" / "predictions.json"))
    assert len(found.anns) >= len(labels.anns) > 0
    one = labels.loadAnns(labels.getAnnIds())[0]
    assert coco_mask.area(labels.annToRLE(one)) == one["area"]
    assert not (tmp_path / "run" / "network.safetensors").exists()


def test_masks_of_the_data_measure_what_was_found(paring_here, tmp_path: Path) -> None:
    data = paring.scenes(4, seed=5, size=(60, 80), folder=tmp_path / "photos")
    data.write(tmp_path / "truth.json", format="coco")
    arguments = ("truth.json", "--images", "photos", *tiny(), "--stage", "masks", "--no-report")
    done = paring_here("labels", "from-images", *arguments, "--json", "-o", "run")
    about = json.loads(done.stdout)
    assert {"AP50", "AR100", "CorLoc", "APS"} <= set(about["quality"])
    shown = paring_here("labels", "from-images", *arguments, "--overwrite", "-o", "run")
    assert "AR100" in shown.stdout
    assert "AP counts those it lacks as wrong" in shown.stderr


def test_exemplars_that_are_given_are_the_exemplars(photos: Path, paring_here, tmp_path) -> None:
    data = paring.scenes(6, seed=5, size=(60, 80))
    some = data.subset(data.images["image_id"][:2].to_list())
    some.write(tmp_path / "some.json", format="coco")
    done = paring_here(
        *("labels", "from-images", photos, *tiny(), "--exemplars", "some.json"),
        *("--exemplar-images", photos, "--exemplars-as-truth", "--no-report", "--json"),
        *("-o", "run"),
    )
    assert done.returncode == 0, done.stderr
    solid = int((~some.instances["iscrowd"]).sum())
    assert json.loads(done.stdout)["exemplars"] == solid


def test_features_made_elsewhere_need_no_encoder(photos: Path, paring_here, tmp_path: Path) -> None:
    (tmp_path / "features").mkdir()
    for photo in photos.iterdir():
        array = np.random.default_rng(0).normal(size=(4, 6, 8))
        np.save(tmp_path / "features" / f"{photo.stem}.npy", array)
    done = paring_here(
        *("labels", "from-images", photos, *tiny(), "--features", "features"),
        *("--stage", "masks", "--no-report", "-o", "run"),
    )
    assert done.returncode == 0, done.stderr
    assert "starts from chance" not in done.stderr


def test_the_recipe_can_be_looked_at_first(photos: Path, paring_here, tmp_path: Path) -> None:
    done = paring_here("labels", "from-images", photos, "contrast.tau=0.5", "--show", "-o", "run")
    assert "tau: 0.5" in done.stdout
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recipe", "smal"), "did you mean small?"),
        (("--weights", "none.safetensors"), "none.safetensors: no such file of weights"),
        (("--features", "none"), "none: no such folder of features"),
        (("--exemplars", "none.json"), "none.json"),
        (("--exemplars-as-truth",), "no exemplars are given that could be the truth"),
        (("encoder=resnet18",), "'resnet18' has no SOLOv2 to train"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_nothing(
    photos: Path, paring_here, tmp_path: Path, arguments, words: str
) -> None:
    before = sorted(p.name for p in tmp_path.iterdir())
    done = paring_here("labels", "from-images", photos, *tiny(), *arguments, "-o", "run")
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == before
