from pathlib import Path

import polars as pl
import pytest

import paring
from paring.dataset.record import RecordWriter, pack
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.experiment.methods import METHODS
from paring.experiment.ranking import Ranker
from paring.images.selection import keep_random, keep_stratified, keep_top
from paring.images.shape import count_scores, shape_scores

import numpy as np  # isort: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return paring.scenes(20, seed=3, size=(48, 64), folder=tmp_path_factory.mktemp("scenes"))


def ranker(data: Dataset, folder: Path, **options: dict) -> Ranker:
    return Ranker(data, data, folder / "rankings", options, workers=2)


def recorded(data: Dataset, run: Path, *, seed: int) -> Path:
    """A run whose record says something else of every image."""
    rng = np.random.default_rng(seed)
    n = len(data)
    units = pl.DataFrame(
        {
            "unit": range(n),
            "image_id": data.images["image_id"],
            "instance_id": pl.Series([None] * n, dtype=pl.Int64),
            "category_id": pl.Series([None] * n, dtype=pl.Int64),
            "cells": [16] * n,
        }
    )
    writer = RecordWriter(
        run / "record",
        dataset=data.fingerprint,
        model="x",
        task="binary",
        unit="image",
        keep="signs",
        epochs=2,
        units=units,
    )
    for epoch in range(2):
        margins = rng.normal(size=(n, 16)).astype(np.float32)
        writer.write(
            epoch,
            unit=np.arange(n),
            margin=margins.mean(axis=1),
            entropy=rng.uniform(0, 0.69, n),
            el2n=rng.uniform(0, 1.4, n),
            correct=(margins > 0).mean(axis=1),
            states=[pack(margin, "signs") for margin in margins],
        )
    return run


@pytest.mark.parametrize(
    ("method", "scale_invariant", "class_balanced"),
    [
        ("shape", False, False),
        ("shape-si", True, False),
        ("shape-cb", False, True),
        ("shape-si-cb", True, True),
    ],
)
def test_the_four_shapes_are_the_ablations_of_the_paper(
    data: Dataset, tmp_path: Path, method: str, scale_invariant: bool, class_balanced: bool
) -> None:
    subset, seconds = ranker(data, tmp_path).subset(method, 0.4, 0)
    scores = shape_scores(data, scale_invariant=scale_invariant, class_balanced=class_balanced)
    assert subset == keep_top(scores, rate=0.4)
    assert seconds > 0


def test_the_two_counts_weigh_categories_or_do_not(data: Dataset, tmp_path: Path) -> None:
    for method, balanced in (("count", False), ("count-balanced", True)):
        subset, _ = ranker(data, tmp_path).subset(method, 0.4, 0)
        assert subset == keep_top(count_scores(data, class_balanced=balanced), rate=0.4)


def test_chance_depends_on_the_seed_and_takes_no_time_to_rank(
    data: Dataset, tmp_path: Path
) -> None:
    made = ranker(data, tmp_path)
    for seed in (0, 1):
        assert made.subset("random", 0.5, seed) == (keep_random(data, rate=0.5, seed=seed), None)


@pytest.mark.parametrize("metric", ["ssim", "pcc"])
def test_similar_images_are_cut_to_the_count_with_the_options_given(
    data: Dataset, tmp_path: Path, metric: str
) -> None:
    method = f"similarity-{metric}"
    made = ranker(data, tmp_path, **{method: {"size": 16, "keep": 0.2}})
    subset, seconds = made.subset(method, 0.5, 1)
    assert len(subset.kept) == 10
    assert (subset.parameters["metric"], subset.parameters["size"]) == (metric, 16)
    assert (subset.parameters["keep"], subset.seed) == (0.2, 1)
    assert seconds > 0


@pytest.mark.parametrize("method", ["entropy", "el2n", "aum", "forgetting"])
def test_records_are_ranked_of_the_run_that_is_given(
    data: Dataset, tmp_path: Path, method: str
) -> None:
    from paring.dataset.record import Record
    from paring.images import dynamics

    made = ranker(data, tmp_path)
    kept = []
    for seed in (0, 1):
        run = recorded(data, tmp_path / f"run-{seed}", seed=seed)
        subset, _ = made.subset(method, 0.5, seed, run=run)
        scores = getattr(dynamics, f"{method}_scores")(Record.open(run), data)
        assert subset == keep_top(scores, rate=0.5)
        kept.append(subset.kept)
    assert kept[0] != kept[1]


def test_ccs_chooses_evenly_over_the_scores_it_is_told(data: Dataset, tmp_path: Path) -> None:
    made = ranker(
        data,
        tmp_path,
        ccs={"by": "shape", "cutoff": 0.2, "strata": 5},
        shape={"min_image_side": 32},
    )
    subset, _ = made.subset("ccs", 0.5, 2)
    scores = shape_scores(data, scale_invariant=False, class_balanced=False, min_image_side=32)
    assert subset == keep_stratified(scores, rate=0.5, seed=2, cutoff=0.2, strata=5)


def test_a_ranking_is_made_once_and_its_time_is_kept(data: Dataset, tmp_path: Path) -> None:
    first, seconds = ranker(data, tmp_path).subset("shape", 0.4, 0)
    kept = tmp_path / "rankings" / "shape"
    before = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    again, again_seconds = ranker(data, tmp_path).subset("shape", 0.4, 1)
    assert again == first
    assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == before
    assert again_seconds == pytest.approx(seconds, abs=0.5 * seconds + 0.05)
    other, _ = ranker(data, tmp_path).subset("shape", 0.8, 0)
    assert set(other.kept) < set(first.kept)


def test_what_was_kept_of_other_data_is_refused(data: Dataset, tmp_path: Path) -> None:
    for method, options in (("shape", {}), ("similarity-ssim", {"size": 16})):
        ranker(data, tmp_path, **{method: options}).subset(method, 0.5, 0)
        smaller = data.subset(data.images["image_id"].to_list()[:10])
        with pytest.raises(InputError, match="ranks another data set"):
            ranker(smaller, tmp_path, **{method: options}).subset(method, 0.5, 0)


def test_a_kept_time_that_is_none_is_refused(data: Dataset, tmp_path: Path) -> None:
    ranker(data, tmp_path).subset("shape", 0.4, 0)
    (tmp_path / "rankings" / "shape" / "time.json").write_text("[]")
    with pytest.raises(InputError, match=r"time\.json: is not what a comparison wrote; remove"):
        ranker(data, tmp_path).subset("shape", 0.4, 0)


def test_a_method_that_learns_does_not_rank_without_a_run(data: Dataset, tmp_path: Path) -> None:
    for method in METHODS:
        if METHODS[method].trains:
            with pytest.raises(ValueError, match="ranks from a training run"):
                ranker(data, tmp_path).subset(method, 0.5, 0)
