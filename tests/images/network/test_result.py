import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

import paring
from paring.dataset.scores import Scores
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.images.network.cut import keep_representatives
from paring.images.network.result import NetworkCut
from paring.images.selection import keep_top
from paring.images.similarity.opening import Comparing

SMALL = Comparing(size=32, workers=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("scenes") / "images"
    return paring.scenes(70, seed=2, size=(48, 64), folder=folder)


@pytest.fixture(scope="module")
def cut(data: Dataset) -> NetworkCut:
    groups = [f"burst {k}" for k in data.images["group"]]
    return keep_representatives(data, rate=0.6, how=SMALL, groups=groups)


def test_each_image_that_goes_names_the_kept_one_most_like_it(data, cut) -> None:
    name_of = dict(zip(data.images["image_id"], data.images["file_name"], strict=True))
    frame = cut.scores.frame
    assert set(cut.subset.dropped) <= set(cut.subset.reasons)
    for row in frame.iter_rows(named=True):
        image, by, similarity = row["image_id"], row["covered_by"], row["similarity"]
        assert row["file_name"] == name_of[image]
        if image in cut.subset.kept:
            assert (row["score"], by, similarity) == (1.0, None, None)
            assert cut.subset.reasons.get(image, "brought back").startswith("brought back")
            continue
        assert by in cut.subset.kept
        assert row["score"] == 1 - similarity
        assert cut.subset.reasons[image] == f"{name_of[by]} is {similarity:.3f} similar"


def test_the_frame_of_scores_has_a_row_for_each_image_and_its_place_in_the_network(data, cut):
    frame = cut.scores.frame
    assert frame.columns[:3] == ["image_id", "score", "file_name"]
    assert frame["image_id"].equals(data.images["image_id"])
    assert frame["community"].to_list() == cut.labels.tolist()
    assert (frame["degree_within"] <= frame["degree"]).all()
    table = cut.network.toarray()
    assert frame["degree"].to_list() == table.sum(axis=1).tolist()
    same = cut.labels[:, None] == cut.labels[None, :]
    assert frame["degree_within"].to_list() == (table * same).sum(axis=1).tolist()


def test_pairs_are_the_edges_of_the_network(data, cut) -> None:
    row = {image: k for k, image in enumerate(data.images["image_id"].to_list())}
    table = np.zeros((len(data), len(data)))
    for source, target, similarity in cut.pairs.iter_rows():
        assert similarity >= cut.threshold
        assert row[source] < row[target]
        table[row[source], row[target]] = table[row[target], row[source]] = 1
    assert (table == cut.network.toarray()).all()
    assert len(cut.pairs) == cut.statistics.edges
    assert cut.pairs["similarity"].min() == cut.threshold


def test_a_subset_comes_back_from_its_file_and_applies(data, cut, tmp_path: Path) -> None:
    cut.subset.save(tmp_path / "subset.json")
    again = Subset.load(tmp_path / "subset.json")
    assert again == cut.subset
    assert again.method == "representatives"
    assert again.parameters["threshold"] == cut.threshold
    applied = again.apply(data)
    assert applied.images["image_id"].to_list() == cut.subset.kept
    cut.scores.save(tmp_path / "scores.parquet")
    assert Scores.load(tmp_path / "scores.parquet").frame.equals(cut.scores.frame)


def test_what_is_told_is_ready_for_json(cut) -> None:
    for told in (cut.coverage, cut.points, cut.statistics.to_dict(), cut.subset.parameters):
        assert json.loads(json.dumps(told, allow_nan=False)) is not None
    similarity = cut.scores.frame["similarity"].drop_nulls()
    assert cut.coverage["dropped"] == len(cut.subset.dropped) == len(similarity)
    assert cut.coverage["min"] == similarity.min()
    assert cut.coverage["median"] == pytest.approx(similarity.median())


def test_groups_are_told_with_how_far_communities_agree_with_them(data, cut) -> None:
    groups = [f"burst {k}" for k in data.images["group"]]
    assert cut.groups["group"].to_list() == sorted(set(groups))
    assert cut.groups["images"].sum() == len(data)
    assert cut.groups["kept"].sum() == len(cut.subset.kept)
    most = [
        max(sum(groups[m] == g for m in members) for g in set(groups))
        for members in (np.flatnonzero(cut.labels == c) for c in set(cut.labels.tolist()))
    ]
    assert cut.purity == pytest.approx(sum(most) / len(data))
    assert keep_representatives(data, rate=0.6, how=SMALL).groups is None


def test_no_image_that_goes_scores_above_one_that_stays(tmp_path: Path) -> None:
    # an image and its negative: their similarity is below 0
    rng = np.random.default_rng(0)
    one = rng.integers(0, 256, (16, 16)).astype(np.uint8)
    for k in range(6):
        cv2.imwrite(str(tmp_path / f"{k}.png"), one if k < 5 else 255 - one)
    cut = keep_representatives(tmp_path, threshold=-1.0, how=Comparing(size=16, workers=1))
    frame = cut.scores.frame.with_columns(kept=pl.col("image_id").is_in(cut.subset.kept))
    assert frame["similarity"].min() < 0
    assert frame.filter(~pl.col("kept"))["score"].max() <= 1
    again = keep_top(cut.scores, count=len(cut.subset.kept))
    assert again.kept == cut.subset.kept
