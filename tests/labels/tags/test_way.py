"""The stages from tags to masks: gone on with, and told what cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from paring.labels import labels_from_tags, load_tag_recipe
from paring.labels.proposals.files import as_proposals
from paring.labels.tags import way
from paring.training.logs import TableLog
from paring.training.trained import LOG
from tagging import same, tiny


@pytest.mark.parametrize("after", [0, 3])
def test_work_that_was_stopped_goes_on(
    data, recipe, whole, proposals, tmp_path: Path, monkeypatch, after: int
) -> None:
    """Once amid the pseudo-labels, once amid the masks."""
    name = "assign_proposals" if after else "predict_image"
    real, calls = getattr(way, name), []

    def stopped(*arguments, **options):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(way, name, stopped)
    with pytest.raises(KeyboardInterrupt):
        labels_from_tags(data, recipe, tmp_path, proposals=proposals)
    counted = []
    monkeypatch.setattr(way, name, lambda *a, **o: (counted.append(1), real(*a, **o))[1])
    said = []
    again = labels_from_tags(data, recipe, tmp_path, proposals=proposals, say=said.append)
    assert same(whole, again)
    assert len(counted) == len(whole.tags.data) - 2
    if not after:
        assert again.trained == {**whole.trained, **again.trained}


def test_a_finished_run_is_read_and_not_done_again(
    data, recipe, whole, proposals, tmp_path: Path, monkeypatch
) -> None:
    labels_from_tags(data, recipe, tmp_path, proposals=proposals)
    monkeypatch.setattr(way, "fit", None)
    monkeypatch.setattr(way, "predict_image", None)
    assert same(whole, labels_from_tags(data, recipe, tmp_path, proposals=proposals))


def test_the_network_starts_from_the_classifier_and_keeps_its_first_layers(whole) -> None:
    from safetensors.torch import load_file

    network, classifier = load_file(whole.network), load_file(whole.classifier)
    stem = [key for key in network if key.startswith(("encoder.net.conv_stem", "encoder.net.bn1"))]
    assert len(stem) >= 5
    assert all((network[key] == classifier[key]).all() for key in stem)
    norms = [key for key in network if key.endswith("running_mean") and key in classifier]
    assert all((network[key] == classifier[key]).all() for key in norms)
    deep = "encoder.net.blocks.4.0.conv_pw.weight"
    assert not (network[deep] == classifier[deep]).all()


def test_empty_proposals_and_those_past_the_limit_are_passed_over(
    data, proposals, tmp_path: Path
) -> None:
    """What is found are then other proposals, with their own masks."""
    empty = paring.MaskStore.from_runs([np.array([60 * 80], np.uint32)], heights=[60], widths=[80])
    ids = data.images["image_id"].to_list()
    stores, owner = [], []
    for image_id in ids:
        own = np.flatnonzero(proposals.instances["image_id"].to_numpy() == image_id)
        stores += [empty, proposals.masks.take(own)]
        owner += [image_id] * (1 + len(own))
    more = as_proposals(data, owner, paring.MaskStore.concat(stores), [0.5] * len(owner))
    few = load_tag_recipe("small", tiny("network.limit=6"))
    said = []
    found = labels_from_tags(data, few, tmp_path, proposals=more, say=said.append)
    assert any("with more than 6 proposals; the first 6 of each count" in s for s in said)
    assert (found.predictions.masks.areas() > 0).all()
    for image_id, one in found.found.items():
        first = owner.index(image_id)
        assert set(one.rows.tolist()) <= set(range(first + 1, first + 6))


def test_proposals_of_another_size_name_the_image(data, recipe, proposals, tmp_path) -> None:
    small = paring.MaskStore.from_runs([np.array([0, 4], np.uint32)], heights=[2], widths=[2])
    bad = as_proposals(data, [data.images["image_id"][0]], small, [1.0])
    with pytest.raises(paring.InputError, match=r"000001\.jpg: has 60 x 80 pixels.*2 x 2"):
        labels_from_tags(data, recipe, tmp_path, proposals=bad)


def test_images_without_proposals_are_left_out_and_said(data, recipe, proposals, tmp_path) -> None:
    kept = np.flatnonzero(proposals.instances["image_id"].to_numpy() != 2)
    fewer = replace(
        proposals, instances=proposals.instances[kept], masks=proposals.masks.take(kept)
    )
    said = []
    found = labels_from_tags(data, recipe, tmp_path, proposals=fewer, say=said.append)
    assert any("1 image without a proposal left out, first 000002.jpg" in s for s in said)
    assert 2 not in found.tags.data.images["image_id"].to_list()
    none = replace(
        proposals,
        instances=proposals.instances.clear(),
        masks=proposals.masks.take(np.empty(0, np.int64)),
    )
    with pytest.raises(paring.InputError, match="no image has a proposal"):
        labels_from_tags(data, recipe, tmp_path / "b", proposals=none)


@pytest.mark.parametrize(
    ("value", "said"),
    [("encoder=resnet5x0", "did you mean resnet50"), ("weights=none.safetensors", "no such file")],
)
def test_what_cannot_be_built_is_said_before_anything_is_made(
    data, tmp_path: Path, value: str, said: str
) -> None:
    with pytest.raises(paring.InputError, match=said):
        labels_from_tags(data, load_tag_recipe("small", tiny(value)), tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_mixed_precision_learns_about_the_same(data, proposals, recipe, tmp_path: Path) -> None:
    sixteen = (f"{part}.fitting.precision=bf16-mixed" for part in ("classifier", "network"))
    losses = []
    for name, one in (("whole", recipe), ("mixed", load_tag_recipe("small", tiny(*sixteen)))):
        found = labels_from_tags(data, one, tmp_path / name, proposals=proposals)
        assert len(found.predictions.instances)
        losses.append(
            [
                float(row["epoch_loss"])
                for stage in ("classifier", "network")
                for row in TableLog(tmp_path / name / stage / "training" / LOG).rows
            ]
        )
    assert len(losses[0]) == 3
    assert losses[1] != losses[0]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
