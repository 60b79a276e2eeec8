import numpy as np
import polars as pl
import pytest

import paring
from paring.dataset.table import Dataset
from paring.images.network import curve
from paring.images.network import cut as cut_module
from paring.images.network.community import share_up
from paring.images.network.cut import keep_representatives
from paring.images.network.result import NetworkCut
from paring.images.network.search import Partition, Rule, ThresholdSearch
from paring.images.similarity.opening import Comparing, open_images

SMALL = Comparing(size=32, workers=2)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Dataset:
    folder = tmp_path_factory.mktemp("scenes") / "images"
    return paring.scenes(60, seed=1, size=(48, 64), folder=folder)


def subsets(cut: NetworkCut) -> dict[float, list[int]]:
    """The images that stay at each stored threshold, the highest first."""
    assert cut.curve.schema == {"threshold": pl.Float64, "image_id": pl.Int64}
    runs = cut.curve["threshold"].rle().struct.field("value").to_list()
    assert runs == sorted(set(runs), reverse=True)
    return {
        threshold: cut.curve.filter(pl.col("threshold") == threshold)["image_id"].to_list()
        for threshold in runs
    }


@pytest.mark.parametrize("communities", ["louvain", "leiden"])
def test_a_search_stores_who_stays_by_the_rule_at_every_threshold_it_tried(
    scenes: Dataset, communities
) -> None:
    groups = [f"site {k % 3}" for k in range(60)]
    cut = keep_representatives(
        scenes,
        rate=0.75,
        communities=communities,
        how=SMALL,
        groups=groups,
        curve=False,
        min_per_group=5,  # of 15 images, so the rule's choice is changed
    )
    kept = subsets(cut)
    assert list(kept) == [point["threshold"] for point in cut.points if point["stored"]]
    assert len(kept) == len(cut.points) == cut.search["thresholds_tried"] > 3
    assert kept[cut.threshold] != cut.subset.kept
    for threshold in kept:
        typed = float(repr(threshold))
        given = keep_representatives(scenes, threshold=typed, communities=communities, how=SMALL)
        assert given.subset.kept == kept[threshold]


def test_to_store_subsets_takes_no_network_more(scenes: Dataset, monkeypatch) -> None:
    tried = []
    original = ThresholdSearch.at

    def counted(search: ThresholdSearch, threshold: float) -> Partition:
        tried.append(threshold)
        return original(search, threshold)

    monkeypatch.setattr(ThresholdSearch, "at", counted)
    cut = keep_representatives(scenes, rate=0.75, how=SMALL, curve=False)
    search = ThresholdSearch(open_images(scenes, SMALL).measures, np.arange(60), Rule())
    with_subsets, tried[:] = list(tried), []
    search.keeping(15)
    assert with_subsets == tried
    assert [{**point, "stored": True} for point in search.curve_points()] == cut.points
    assert len(subsets(cut)) == len(set(tried)) > 1


def test_a_threshold_alone_stores_its_own_subset(scenes: Dataset) -> None:
    cut = keep_representatives(scenes, threshold=0.8, how=SMALL, curve=False)
    assert subsets(cut) == {0.8: cut.subset.kept}
    assert [(point["threshold"], point["stored"]) for point in cut.points] == [(0.8, True)]


def test_where_nothing_was_to_go_there_is_no_curve_unless_asked(scenes: Dataset) -> None:
    cut = keep_representatives(scenes, rate=0, how=SMALL, curve=False)
    assert (cut.curve, cut.points) == (None, [])
    asked = keep_representatives(scenes, rate=0, how=SMALL, curve=True)
    assert asked.threshold is None
    assert len(subsets(asked)) == len(asked.points) > 1


def test_a_small_set_has_the_whole_range_without_asking(scenes: Dataset, monkeypatch) -> None:
    asked = keep_representatives(scenes, rate=0.5, how=SMALL, curve=True)
    assert keep_representatives(scenes, rate=0.5, how=SMALL).points == asked.points
    assert asked.search["thresholds_tried"] < 20 < len(asked.points)
    monkeypatch.setattr(cut_module, "CURVE_IMAGES", 59)
    fewer = keep_representatives(scenes, rate=0.5, how=SMALL)
    assert len(fewer.points) == fewer.search["thresholds_tried"]


@pytest.mark.parametrize("most", [1, 100, 400, 1_000])
def test_too_many_rows_are_thinned_evenly_and_never_lose_the_own_threshold(
    scenes: Dataset, monkeypatch, most: int
) -> None:
    whole = keep_representatives(scenes, rate=0.55, how=SMALL, curve=True)
    assert len(whole.curve) > 1_000
    monkeypatch.setattr(curve, "CURVE_ROWS", most)
    cut = keep_representatives(scenes, rate=0.55, how=SMALL, curve=True)
    kept = subsets(cut)
    assert len(cut.curve) <= most or list(kept) == [cut.threshold]
    assert cut.threshold in kept
    assert all(images == subsets(whole)[threshold] for threshold, images in kept.items())
    assert list(kept) == [point["threshold"] for point in cut.points if point["stored"]]
    assert [point | {"stored": True} for point in cut.points] == whole.points
    assert cut.subset == whole.subset


def test_places_left_by_thinning_are_spread_and_as_many_as_fit(monkeypatch) -> None:
    monkeypatch.setattr(curve, "CURVE_ROWS", 55)
    assert curve._thinned([10] * 5, [3]) == {0, 1, 2, 3, 4}
    places = sorted(curve._thinned([10] * 41, [3]))
    assert places == [0, 3, 13, 27, 40]
    assert curve._thinned([60] * 9, [3]) == {3}
    assert curve._thinned([60] * 9, []) == set()
    assert curve._thinned([], []) == set()


@pytest.mark.parametrize("curve_of", [{"rate": 0.5}, {"threshold": 0.8}])
def test_each_point_of_the_curve_is_what_that_threshold_keeps(scenes: Dataset, curve_of) -> None:
    cut = keep_representatives(scenes, **curve_of, curve=True, how=SMALL)
    plain = keep_representatives(scenes, **curve_of, curve=False, how=SMALL)
    assert cut.subset == plain.subset
    assert cut.threshold == plain.threshold
    assert cut.pairs.equals(plain.pairs)
    kept = subsets(cut)
    thresholds = list(kept)
    assert thresholds[0] == 1.0
    assert {round(1 - k / 100, 4) for k in range(20)} <= set(thresholds)
    assert set(subsets(plain)) < set(thresholds)
    assert all(kept[threshold] == images for threshold, images in subsets(plain).items())
    counts = {point["threshold"]: point["kept"] for point in cut.points}
    assert list(counts) == sorted(counts, reverse=True)
    assert counts == {threshold: len(kept[threshold]) for threshold in thresholds}
    fewest = int(share_up(np.array([60]), 0.1)[0])
    assert thresholds[-1] == 0 or len(kept[thresholds[-1]]) <= 1.1 * fewest
    for threshold in thresholds[:: max(1, len(thresholds) // 6)]:
        given = keep_representatives(scenes, threshold=threshold, how=SMALL)
        assert given.subset.kept == kept[threshold]
