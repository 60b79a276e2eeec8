"""`paring labels proposals`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import paring
from paring.labels import load_proposals


@pytest.fixture
def images(tmp_path: Path) -> Path:
    paring.scenes(4, seed=0, size=(60, 80), folder=tmp_path / "images")
    return tmp_path / "images"


def test_a_folder_of_images_becomes_a_run(images: Path, paring_here, tmp_path: Path) -> None:
    done = paring_here("labels", "proposals", images, "--count", 12, "--coco", "-o", "run")
    assert done.returncode == 0
    assert "48 proposals in 4 images" in done.stdout
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (facts["method"], facts["proposals"], facts["quality"]) == ("proposals", 48, {})
    data = paring.read(images)
    found = load_proposals(tmp_path / "run" / "proposals", data)
    assert len(found.instances) == 48
    records = json.loads((tmp_path / "run" / "proposals.json").read_text())
    assert len(records) == 48
    from pycocotools import mask as coco_mask

    areas = [int(coco_mask.area(one["segmentation"])) for one in records]
    assert areas == found.masks.areas().astype(int).tolist()
    assert not list(tmp_path.glob(".run*"))


def test_where_masks_are_known_it_says_how_good_proposals_are(
    images: Path, paring_here, tmp_path: Path
) -> None:
    paring.scenes(4, seed=0, size=(60, 80)).write(images.parent / "scenes.json", format="coco")
    arguments = ("scenes.json", "--images", images, "--count", 30, "--json", "-o", "run")
    done = paring_here("labels", "proposals", *arguments)
    about = json.loads(done.stdout)
    assert set(about["quality"]) == {"AR100", "AR1000", "ABO"}
    assert 0.2 < about["quality"]["ABO"] <= 1


def test_a_broken_image_is_refused_or_skipped(images: Path, paring_here, tmp_path: Path) -> None:
    (images / "000002.jpg").write_bytes(b"none")
    done = paring_here("labels", "proposals", images, "--count", 5, "-o", "run")
    assert done.returncode == 2
    assert "000002.jpg" in done.stderr
    assert not (tmp_path / "run").exists()
    done = paring_here(
        "labels", "proposals", images, "--count", 5, "--on-error", "skip", "-o", "run"
    )
    assert done.returncode == 0
    assert "15 proposals in 3 images" in done.stdout
    assert "1 image left out" in done.stderr


def test_a_run_is_not_replaced_unless_asked(images: Path, paring_here, tmp_path: Path) -> None:
    assert paring_here("labels", "proposals", images, "--count", 5, "-o", "run").returncode == 0
    done = paring_here("labels", "proposals", images, "--count", 5, "-o", "run")
    assert done.returncode == 2
    assert "exists already" in done.stderr
    done = paring_here("labels", "proposals", images, "--count", 6, "--overwrite", "-o", "run")
    assert done.returncode == 0


def test_without_the_library_it_says_what_to_install(
    images: Path, paring_here, monkeypatch
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "skimage" else real(name, *a)
    )
    done = paring_here("labels", "proposals", images, "-o", "run")
    assert done.returncode == 2
    assert "pip install 'paring[labels]'" in done.stderr
