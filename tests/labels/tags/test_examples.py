"""Images that show how tags became masks."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

import paring
from paring.labels.proposals.files import as_proposals
from paring.labels.tags.examples import FILE, Example, write_examples
from paring.labels.tags.given import tags_of
from paring.labels.tags.predicting import Found, gathered
from paring.labels.tags.running import Mined


@pytest.fixture
def mined() -> Mined:
    data = paring.scenes(9, seed=0)
    tags = tags_of(data)
    proposals = as_proposals(
        data, data.instances["image_id"].to_list(), data.masks.to_rle(), [0.0] * len(data.masks)
    )
    owner = data.instances["image_id"].to_numpy()
    found = {}
    for place, image_id in enumerate(tags.data.images["image_id"]):
        rows = np.flatnonzero(owner == image_id)[:4]
        c = int(np.flatnonzero(tags.present[place])[0])
        classes, scores = np.full(len(rows), c), np.linspace(0.1 * place + 0.05, 0, len(rows))
        peaks = np.array([[0.5, 0.25, c, 3.0]])
        found[image_id] = Found(rows, classes, scores, rows[:1], classes[:1], rows[1:3], peaks)
    predictions, labels = gathered(found, tags, proposals, 0.04)
    nothing = Path("none")
    return Mined(tags, proposals, predictions, labels, found, nothing, nothing, {}, {}, [])


def test_examples_hold_all_that_is_to_be_seen(mined: Mined, tmp_path: Path) -> None:
    write_examples(mined, tmp_path, most=99)
    examples = msgspec.json.decode((tmp_path / FILE).read_bytes(), type=list[Example])
    assert {one.image_id for one in examples} == set(mined.found)
    for one in examples:
        found = mined.found[one.image_id]
        own = mined.pseudo_labels.instances.filter(pl.col("image_id") == one.image_id)
        assert [shape.score for shape in one.labels] == own["score"].to_list()
        assert len(one.truth) == 1
        assert len(one.seeds) == len(found.seeds)
        assert one.truth[0].tag == one.peaks[0].tag == mined.tags.classes[found.truth_classes[0]]
        assert one.truth[0].size == (one.height, one.width)
        assert (one.peaks[0].row, one.peaks[0].column) == (0.5, 0.25)


def test_they_go_from_the_surest_to_the_least_sure_image(mined: Mined, tmp_path: Path) -> None:
    write_examples(mined, tmp_path, most=3)
    chosen = [
        one.image_id
        for one in msgspec.json.decode((tmp_path / FILE).read_bytes(), type=list[Example])
    ]
    n_tags = dict(
        zip(mined.tags.data.images["image_id"], mined.tags.present.sum(axis=1), strict=True)
    )
    best = {i: float(one.scores.max()) / n_tags[i] for i, one in mined.found.items()}
    ranked = sorted(best, key=lambda i: -best[i])
    assert chosen == [ranked[0], ranked[round((len(ranked) - 1) / 2)], ranked[-1]]
