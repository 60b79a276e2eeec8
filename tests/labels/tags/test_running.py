"""From tags to masks, all the way on a few generated scenes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from paring.labels import labels_from_tags, load_tag_recipe
from paring.labels.tags.predicting import Found
from tagging import same, tiny


def test_instances_are_proposals_with_scores_and_classes(data, whole, proposals) -> None:
    found = whole.predictions
    assert found.images.equals(whole.tags.data.images)
    assert set(found.instances["category_id"]) <= set(data.categories["category_id"])
    assert found.instances["score"].is_between(0, 1).all()
    assert found.instances.group_by("image_id").len()["len"].max() <= 10
    areas = dict(enumerate(proposals.masks.areas().tolist()))
    assert set(found.instances["area"]) <= set(areas.values())
    assert set(whole.seconds) == {"proposals", "classifier", "regions", "network", "predictions"}
    assert whole.trained["network"].steps > 0


def test_pseudo_labels_are_of_the_tags(whole) -> None:
    tags = whole.tags
    for image_id, category_id in whole.pseudo_labels.instances.select(
        "image_id", "category_id"
    ).iter_rows():
        row = tags.data.images["image_id"].to_list().index(image_id)
        assert tags.present[row, tags.category_ids.index(category_id)]
    assert len(whole.pseudo_labels.instances) < len(whole.predictions.instances)


def test_the_same_seed_gives_the_same_masks(data, recipe, whole, proposals, tmp_path) -> None:
    again = labels_from_tags(data, recipe, tmp_path, proposals=proposals)
    assert same(whole, again)
    other = labels_from_tags(data, replace_seed(recipe), tmp_path / "b", proposals=proposals)
    assert not same(whole, other)


def replace_seed(recipe):
    import msgspec

    return msgspec.structs.replace(recipe, seed=1)


def test_peaks_seeds_and_truth_are_told_of_each_image(whole) -> None:
    assert set(whole.found) == set(whole.tags.data.images["image_id"])
    n = len(whole.proposals.instances)
    for found in whole.found.values():
        assert isinstance(found, Found)
        assert ((found.peaks[:, :2] >= 0) & (found.peaks[:, :2] < 1)).all()
        assert (found.truth < n).all()
        assert len(found.truth) == len(found.truth_classes)


def test_images_that_are_nowhere_are_refused(data, recipe, tmp_path) -> None:
    with pytest.raises(paring.InputError, match="folder of the images"):
        labels_from_tags(replace(data, image_root=None), recipe, tmp_path)


def test_no_pseudo_label_is_said(data, proposals, tmp_path) -> None:
    strict = load_tag_recipe("small", tiny("inference.keep=1.0"))
    said = []
    found = labels_from_tags(data, strict, tmp_path, proposals=proposals, say=said.append)
    assert len(found.pseudo_labels.instances) == 0
    assert any("no instance of a tag reached a score of 1" in sentence for sentence in said)


def test_one_pixel_images_and_a_single_image(recipe, tmp_path: Path) -> None:
    import cv2

    for name in ("a.png", "b.png", "c.png"):
        size = (1, 1) if name == "a.png" else (40, 50)
        cv2.imwrite(
            str(tmp_path / name), np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
        )
    (tmp_path / "tags.csv").write_text("file_name,tag\na.png,cat\nb.png,dog\nc.png,cat\n")
    data = paring.read(tmp_path)
    found = labels_from_tags(data, recipe, tmp_path / "work", workers=1)
    assert isinstance(found.predictions.instances, pl.DataFrame)
    assert set(found.found) == set(data.images["image_id"])
