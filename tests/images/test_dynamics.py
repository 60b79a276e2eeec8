import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import paring
from paring.dataset.record import Keep, Record
from paring.dataset.scores import Scores
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images import dynamics
from paring.images.dynamics import (
    aum_scores,
    el2n_scores,
    entropy_scores,
    forgetting_scores,
    half_epoch,
)
from paring.images.measures import area_under_margin, el2n, entropy, forgetting_counts
from paring.images.selection import keep_stratified, keep_top
from records import drawn_margins, image_units, write_epoch, write_record, writer

MEASURES = {
    "entropy": entropy_scores,
    "el2n": el2n_scores,
    "aum": aum_scores,
    "forgetting": forgetting_scores,
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Scenes of which some have no instance."""
    scenes = paring.scenes(40, seed=3)
    counts = np.bincount(scenes.image_rows, minlength=len(scenes))
    assert (counts == 0).any()
    return scenes


@pytest.fixture(scope="module")
def margins(data: Dataset) -> list[list[np.ndarray]]:
    return drawn_margins(len(data.instances), 5, seed=1, cells=21)


@pytest.fixture(scope="module")
def record(data: Dataset, margins: list, tmp_path_factory: pytest.TempPathFactory) -> Record:
    folder = tmp_path_factory.mktemp("record")
    write_record(folder, data, margins)
    return Record.open(folder)


def sums(data: Dataset, means: np.ndarray) -> np.ndarray:
    """Sum over the instances of each image."""
    return np.bincount(data.image_rows, means, minlength=len(data))


def right(cells: np.ndarray) -> np.ndarray:
    """Probability of the true class of margins of one logit."""
    return 1 / (1 + np.exp(-np.asarray(cells)))


def test_entropy_is_that_of_the_last_epoch(data: Dataset, record: Record, margins: list) -> None:
    scores = entropy_scores(record, data)
    means = np.array([entropy(right(m)).mean() for m in margins[4]])
    assert np.allclose(scores.frame["score"], sums(data, means), rtol=1e-6)
    assert (scores.method, scores.hard, scores.dataset) == ("entropy", "high", data.fingerprint)
    assert scores.parameters == {
        "model": "maskrcnn_mobilenet_v2_fpn",
        "epoch": 4,
        "cells": "mean",
        "instances": "sum",
    }


def test_el2n_is_that_of_half_of_the_training(data: Dataset, record: Record, margins: list) -> None:
    scores = el2n_scores(record, data)
    means = np.array([el2n(right(m), np.ones(21)).mean() for m in margins[2]])
    assert np.allclose(scores.frame["score"], sums(data, means), rtol=1e-6)
    assert scores.parameters["epoch"] == 2
    assert scores.hard == "high"


def test_aum_is_the_mean_margin_over_all_epochs(
    data: Dataset, record: Record, margins: list
) -> None:
    scores = aum_scores(record, data)
    means = area_under_margin(margins).mean(axis=1)
    filled = scores.frame["instances"].to_numpy() > 0
    found = scores.frame["score"].to_numpy()
    assert np.allclose(found[filled], sums(data, means)[filled], rtol=1e-5, atol=1e-6)
    assert scores.hard == "low"
    assert scores.parameters["epochs"] == 5


@pytest.mark.parametrize("keep", ["signs", "margins"])
@pytest.mark.parametrize("block", [1, 2**20])
def test_forgetting_is_counted_cell_by_cell_whatever_is_kept(
    data: Dataset,
    margins: list,
    tmp_path: Path,
    keep: Keep,
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dynamics, "_BLOCK", block)
    write_record(tmp_path, data, margins, keep=keep)
    scores = forgetting_scores(Record.open(tmp_path), data)
    means = forgetting_counts(np.array(margins) > 0).mean(axis=1)
    assert np.allclose(scores.frame["score"], sums(data, means))
    assert (scores.hard, scores.parameters["never"]) == ("high", 5)
    fewer = forgetting_scores(Record.open(tmp_path), data, never=0)
    means = forgetting_counts(np.array(margins) > 0, never=0).mean(axis=1)
    assert np.allclose(fewer.frame["score"], sums(data, means))


@pytest.mark.parametrize("name", MEASURES)
def test_an_earlier_epoch_gives_the_scores_of_a_shorter_training(
    data: Dataset, record: Record, margins: list, tmp_path: Path, name: str
) -> None:
    write_record(tmp_path, data, margins[:2])
    short, measure = Record.open(tmp_path), MEASURES[name]
    one, other = measure(record, data, epoch=1), measure(short, data, epoch=1)
    assert one.frame.equals(other.frame)
    assert one.parameters == other.parameters
    assert not one.frame.equals(measure(record, data, epoch=4).frame)


@pytest.mark.parametrize("name", MEASURES)
def test_what_was_never_learnt_ranks_before_what_was_learnt_at_once(
    data: Dataset, tmp_path: Path, name: str
) -> None:
    # all instances are learnt at once but those of one image, which are labelled wrong: the model
    # goes against their labels, without being sure of it
    bad = int(data.image_rows[7])
    epochs = [
        [np.full(8, -0.4 if row == bad else 3.0 + epoch) for row in data.image_rows]
        for epoch in range(4)
    ]
    write_record(tmp_path, data, epochs)
    scores = MEASURES[name](Record.open(tmp_path), data)
    assert scores.ranking()[0] == bad
    assert keep_top(scores, count=1).kept == [data.images["image_id"][bad]]


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("how", ["sum", "mean", "max"])
def test_images_without_instances_come_last_and_none_is_left_out(
    data: Dataset, record: Record, name: str, how: str
) -> None:
    scores = MEASURES[name](record, data, instances=how)  # type: ignore[arg-type]
    assert scores.frame["image_id"].to_list() == data.images["image_id"].to_list()
    empty = np.flatnonzero(np.bincount(data.image_rows, minlength=len(data)) == 0)
    last = scores.ranking()[-len(empty) :]
    if name == "forgetting":  # an image whose cells were never forgotten is as easy
        value = scores.frame["score"].to_numpy()
        assert value[empty].max() <= value.min()
    else:
        assert sorted(last.tolist()) == empty.tolist()


@pytest.mark.parametrize("name", MEASURES)
def test_scores_can_be_selected_from_evenly_and_come_back_from_their_file(
    data: Dataset, record: Record, name: str, tmp_path: Path
) -> None:
    scores = MEASURES[name](record, data)
    scores.save(tmp_path / "s.parquet")
    again = Scores.load(tmp_path / "s.parquet")
    assert again.frame.equals(scores.frame)
    subset = keep_stratified(again, rate=0.5, strata=10, cutoff=0.1, seed=0)
    hardest = data.images["image_id"].gather(scores.ranking()[:4]).to_list()
    assert len(subset.kept) == 20
    assert not set(hardest) & set(subset.kept)  # the cut-off takes the hard end, low or high


def test_sums_over_cells_weigh_by_the_area_of_the_mask(
    data: Dataset, record: Record, margins: list
) -> None:
    scores = aum_scores(record, data, cells="sum")
    means = area_under_margin(margins).mean(axis=1) * data.masks.areas()
    filled = scores.frame["instances"].to_numpy() > 0
    found = scores.frame["score"].to_numpy()
    assert np.allclose(found[filled], sums(data, means)[filled], rtol=1e-4, atol=1e-2)


def test_whole_images_are_scored_by_all_their_cells(data: Dataset, tmp_path: Path) -> None:
    margins = drawn_margins(len(data), 3, seed=5, cells=9)
    write_record(tmp_path, data, margins, images=True)
    record = Record.open(tmp_path)
    counts = forgetting_counts(np.array(margins) > 0).mean(axis=1)
    assert np.allclose(forgetting_scores(record, data).frame["score"], counts)
    aum = np.array(margins).mean(axis=(0, 2))
    assert np.allclose(aum_scores(record, data).frame["score"], aum, rtol=1e-5, atol=1e-6)


def test_units_of_different_numbers_of_cells_are_each_counted_by_their_own(
    data: Dataset, tmp_path: Path
) -> None:
    rng = np.random.default_rng(6)
    cells = rng.integers(1, 30, len(data))
    epochs = [[rng.normal(size=n) for n in cells] for _ in range(4)]
    write_record(tmp_path, data, epochs, images=True)
    found = forgetting_scores(Record.open(tmp_path), data).frame["score"]
    expected = [
        forgetting_counts(np.array([e[u] for e in epochs]) > 0).mean() for u in range(len(cells))
    ]
    assert np.allclose(found, expected)


def test_epochs_that_did_not_see_a_unit_are_passed_over(data: Dataset, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    n = len(data)
    epochs = [
        [rng.normal(size=9) if rng.random() < 0.6 else None for _ in range(n)] for _ in "abcd"
    ]
    for epoch in epochs:
        epoch[5] = None  # never seen
        epoch[6] = np.ones(9)
    record = writer(tmp_path, data, image_units(data, [9] * n))
    for number, epoch in enumerate(epochs):
        write_epoch(record, number, epoch)
    forgotten = forgetting_scores(Record.open(tmp_path), data)
    aum = aum_scores(Record.open(tmp_path), data)
    for unit in range(n):
        shown = [np.array(e[unit]) for e in epochs if e[unit] is not None]
        if not shown:
            assert forgotten.frame["unseen"][unit] == 1
            continue
        cells = np.array(shown) > 0
        walked = sum(a & ~b for a, b in pairwise(cells)) + np.where(cells.any(axis=0), 0, 4)
        assert np.isclose(forgotten.frame["score"][unit], np.mean(walked))
        assert np.isclose(aum.frame["score"][unit], np.mean(shown), rtol=1e-5, atol=1e-6)
    assert forgotten.frame["score"][5] == 0
    assert aum.ranking()[-1] in np.flatnonzero(aum.frame["unseen"].to_numpy())


@pytest.mark.parametrize(
    ("planned", "recorded", "half"),
    [(10, 10, 4), (5, 5, 2), (1, 1, 0), (2, 2, 0), (10, 3, 2), (12, 12, 5)],
)
def test_half_of_the_training_is_the_epoch_that_ends_its_first_half(
    data: Dataset, tmp_path: Path, planned: int, recorded: int, half: int
) -> None:
    margins = drawn_margins(len(data), recorded, seed=0, cells=2)
    write_record(tmp_path, data, margins, planned=planned, images=True)
    assert half_epoch(Record.open(tmp_path)) == half


def test_where_half_was_not_recorded_the_one_before_is_taken_or_none(
    data: Dataset, tmp_path: Path
) -> None:
    margins = drawn_margins(len(data), 1, seed=0, cells=2)[0]
    record = writer(tmp_path, data, image_units(data, [2] * len(data)), epochs=10)
    for epoch in (2, 5, 8):
        write_epoch(record, epoch, margins)
    assert half_epoch(Record.open(tmp_path)) == 2
    assert el2n_scores(Record.open(tmp_path), data).parameters["epoch"] == 2
    record.drop_from(0)
    write_epoch(record, 5, margins)
    with pytest.raises(InputError, match=r"no epoch up to 4, half of .*; name .*first is 5"):
        el2n_scores(Record.open(tmp_path), data)
    assert el2n_scores(Record.open(tmp_path), data, epoch=5).parameters["epoch"] == 5


@pytest.mark.parametrize("name", MEASURES)
def test_another_data_set_and_epochs_that_are_not_there_are_refused(
    data: Dataset, record: Record, name: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="was recorded on another data set"):
        MEASURES[name](record, paring.scenes(8, seed=4))
    if name in ("entropy", "el2n"):
        with pytest.raises(InputError, match=r"epoch 9 was not recorded \(recorded: 0, 1, 2, 3, 4"):
            MEASURES[name](record, data, epoch=9)
    else:
        with pytest.raises(InputError, match="no epoch up to -1 was recorded; the first is 0"):
            MEASURES[name](record, data, epoch=-1)
    writer(tmp_path, data, image_units(data, [2] * len(data)))
    with pytest.raises(InputError, match="no epoch was recorded yet"):
        MEASURES[name](Record.open(tmp_path), data)


def test_units_that_the_data_set_has_not_are_refused(data: Dataset, tmp_path: Path) -> None:
    units = image_units(data, [2] * len(data)).with_columns(image_id=pl.col("image_id") + 9999)
    write_epoch(writer(tmp_path, data, units), 0, [np.ones(2)] * len(data))
    with pytest.raises(InputError, match=r"units\.parquet: names image_id \d+, which the data set"):
        entropy_scores(Record.open(tmp_path), data)


def test_forgetting_needs_no_more_memory_for_more_epochs(data: Dataset, tmp_path: Path) -> None:
    n, cells = len(data), 2**18
    rng = np.random.default_rng(0)
    record = writer(tmp_path, data, image_units(data, [cells] * n), epochs=12)
    columns = {name: np.full(n, 0.5) for name in ("margin", "entropy", "el2n")}
    for epoch in range(12):
        state = rng.bytes(cells // 8)
        ones = int(np.bitwise_count(np.frombuffer(state, np.uint8)).sum())
        correct = np.full(n, ones / cells)
        record.write(epoch, np.arange(n), **columns, correct=correct, states=[state] * n)
    opened = Record.open(tmp_path)
    peaks = []
    for last in (2, 2, 11):  # the first time brings in what is imported late
        tracemalloc.start()
        forgetting_scores(opened, data, epoch=last)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    one_epoch = n * cells // 8
    assert peaks[2] < peaks[1] + one_epoch
