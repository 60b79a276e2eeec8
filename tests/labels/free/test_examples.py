"""Images that a page shows of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from paring.labels.free.examples import FILE, write_free_examples


def test_images_go_from_the_best_maskness_to_the_worst(whole, data, tmp_path: Path) -> None:
    write_free_examples(whole, tmp_path, most=10)
    shown = json.loads((tmp_path / FILE).read_text())
    assert len(shown) == len(data)
    values = [one["maskness"] for one in shown]
    assert values == sorted(values, reverse=True)
    assert values[0] == pytest.approx(whole.masks.maskness.max(), abs=1e-4)
    owner = whole.masks.data.instances["image_id"].to_list()
    for one in shown:
        assert len(one["masks"]) == min(10, owner.count(one["image_id"]))
        assert one["masks"][0]["size"] == [60, 80]
    assert sum(len(one["exemplars"]) for one in shown) == 3


def test_images_of_exemplars_come_along(whole, tmp_path: Path) -> None:
    write_free_examples(whole, tmp_path, most=3)
    shown = json.loads((tmp_path / FILE).read_text())
    assert [len(one["exemplars"]) for one in shown] == [1, 1, 1]


def test_free_masks_alone_have_no_other_layer(whole, tmp_path: Path) -> None:
    alone = replace(whole, updated=None, exemplars=None)
    write_free_examples(alone, tmp_path, most=2)
    shown = json.loads((tmp_path / FILE).read_text())
    assert [(one["updated"], one["exemplars"]) for one in shown] == [([], []), ([], [])]
