"""`paring labels from-tags`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from paring.labels import load_tag_recipe
from paring.labels.tags.network import load_network
from tagging import tiny


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    data = paring.scenes(6, seed=5, size=(60, 80), folder=tmp_path / "photos")
    rows = ["file_name,tag"]
    names = dict(data.categories.select("category_id", "name").iter_rows())
    files = dict(data.images.select("image_id", "file_name").iter_rows())
    pairs = data.instances.select("image_id", "category_id").unique(maintain_order=True)
    rows += [f"{files[i]},{names[c]}" for i, c in pairs.iter_rows()]
    (tmp_path / "tags.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "photos"


def test_a_folder_and_a_csv_become_masks(photos: Path, paring_here, tmp_path: Path) -> None:
    arguments = (photos, *tiny(), "--tags", "tags.csv", "-o", "run")
    done = paring_here("labels", "from-tags", *arguments)
    assert done.returncode == 0, done.stderr
    assert "pseudo-label" in done.stdout
    assert "starts from chance" in done.stderr
    run = tmp_path / "run"
    assert sorted(p.name for p in run.iterdir()) == [
        *("classifier.safetensors", "examples.json", "network.safetensors", "predictions.json"),
        *("proposals", "pseudo_labels.json", "recipe.yaml", "report", "run.json"),
    ]
    assert not list(tmp_path.glob(".run*"))
    facts = json.loads((run / "run.json").read_text())
    assert facts["pseudo_labels"] == len(paring.read(run / "pseudo_labels.json").instances) > 0
    assert facts["quality"] == {}
    assert set(facts["seconds_of"]) >= {"classifier", "network"}
    assert load_network(run / "network.safetensors").shape.classes
    assert load_tag_recipe(run / "recipe.yaml").proposals.count == 25


def test_what_it_writes_is_opened_by_cocos_own_tool(
    photos: Path, paring_here, tmp_path: Path
) -> None:
    paring_here(
        "labels", "from-tags", photos, *tiny(), "--tags", "tags.csv", "--no-report", "-o", "run"
    )
    from pycocotools import mask as coco_mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    labels = COCO(str(tmp_path / "run" / "pseudo_labels.json"))
    assert all(0 <= one["score"] <= 1 for one in labels.dataset["annotations"])
    found = labels.loadRes(str(tmp_path / "run" / "predictions.json"))
    measured = COCOeval(labels, found, "segm")
    measured.evaluate()
    measured.accumulate()
    measured.summarize()
    assert measured.stats[1] > 0.3  # pseudo-labels are among the predictions
    one = labels.loadAnns(labels.getAnnIds())[0]
    assert coco_mask.area(labels.annToRLE(one)) == one["area"]


def test_a_mask_rcnn_learns_from_the_pseudo_labels(
    photos: Path, paring_here, tmp_path: Path
) -> None:
    """The second step of the paper's daggers (Tables 1 and 2)."""
    paring_here(
        "labels", "from-tags", photos, *tiny(), "--tags", "tags.csv", "--no-report", "-o", "run"
    )
    from paring.training.run import train
    from trainings import tiny as tiny_training

    labels = tmp_path / "pseudo_labels.json"
    labels.write_bytes((tmp_path / "run" / "pseudo_labels.json").read_bytes())
    photos.rename(tmp_path / "pseudo_labels-images")
    trained = train(
        tiny_training(labels, model="maskrcnn_mobilenet_v2_fpn", trainer={"epochs": 1}),
        tmp_path / "trained",
    )
    assert trained.instances > 0
    assert (tmp_path / "trained" / "model.safetensors").is_file()


def test_annotated_data_tells_how_good_the_masks_are(
    photos: Path, paring_here, tmp_path: Path
) -> None:
    paring.scenes(6, seed=5, size=(60, 80)).write(tmp_path / "scenes.json", format="coco")
    done = paring_here(
        *("labels", "from-tags", "scenes.json", *tiny(), "--images", photos),
        *("--json", "--no-report", "-o", "run"),
    )
    about = json.loads(done.stdout)
    assert set(about["quality"]) == {"mAP25", "mAP50", "mAP70", "mAP75"}


def test_proposals_of_an_earlier_run(photos: Path, paring_here, tmp_path: Path) -> None:
    paring_here("labels", "proposals", photos, "--count", 9, "-o", "made")
    done = paring_here(
        *("labels", "from-tags", photos, *tiny(), "--tags", "tags.csv", "--proposals", "made"),
        *("--json", "--no-report", "-o", "run"),
    )
    assert json.loads(done.stdout)["proposals"] == 9 * 6


def test_the_recipe_can_be_seen(paring_here, photos: Path) -> None:
    done = paring_here("labels", "from-tags", photos, "--seed", 7, "--show", "-o", "run")
    assert "seed: 7" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tags", "none.csv"), "none.csv: no such file of tags"),
        ((), "no image has a tag"),
        (("--tags", "bad.csv"), "bad.csv: line 2: names the image 'x.jpg'"),
        (("--tags", "tags.csv", "network.widht=3"), "did you mean network.width"),
        (("--tags", "tags.csv", "--recipe", "smal"), "did you mean small"),
        (("--tags", "tags.csv", "--weights", "none.safetensors"), "no such file of weights"),
    ],
)
def test_bad_input_ends_in_one_sentence(
    photos: Path, paring_here, tmp_path: Path, arguments, said: str
) -> None:
    (tmp_path / "bad.csv").write_text("file_name,tag\nx.jpg,star\n")
    done = paring_here("labels", "from-tags", photos, *tiny(), *arguments, "-o", "run")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "run").exists()
