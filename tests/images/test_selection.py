import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import factory
import paring
from paring.dataset.scores import Scores
from paring.errors import InputError
from paring.images.selection import (
    fill_evenly,
    keep_random,
    keep_stratified,
    keep_top,
    kept_count,
)


def scores(values: list[float], hard: str = "high") -> Scores:
    frame = pl.DataFrame({"image_id": range(10, 10 + len(values)), "score": values})
    return Scores(frame, "test", "print", hard)  # type: ignore[arg-type]


rates = st.integers(0, 99).map(lambda p: p / 100)
values = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=60)


def test_the_number_pruned_is_the_floor_of_rate_times_images() -> None:
    # 0.29 * 100 is 28.999... in binary; the share asked for is 29 images
    assert [kept_count(n, rate=p) for n, p in ((100, 0.29), (7, 0.5), (1, 0.99), (5, 0.0))] == [
        *(71, 4, 1, 5)
    ]


@given(st.integers(1, 10_000), rates)
def test_nobody_loses_more_than_asked(n: int, rate: float) -> None:
    kept = kept_count(n, rate=rate)
    percent = round(rate * 100)
    assert (n - kept) * 100 <= percent * n < (n - kept + 1) * 100


@pytest.mark.parametrize("rate", [1.0, -0.1, 1.5, float("nan"), float("inf")])
def test_a_rate_outside_zero_to_one_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="0 <= rate < 1"):
        keep_top(scores([1, 2]), rate=rate)


@pytest.mark.parametrize("count", [0, -1, 3])
def test_a_count_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(InputError, match="between 1 and 2"):
        keep_top(scores([1, 2]), count=count)


@pytest.mark.parametrize("amount", [{}, {"rate": 0.5, "count": 1}])
def test_either_rate_or_count_must_be_given(amount: dict) -> None:
    with pytest.raises(InputError, match="either the rate"):
        keep_top(scores([1, 2]), **amount)


def test_the_hard_end_is_kept_and_the_data_set_order_with_it() -> None:
    assert keep_top(scores([1, 5, 3, 4]), count=2).kept == [11, 13]
    assert keep_top(scores([1, 5, 3, 4], "low"), count=2).kept == [10, 12]
    subset = keep_top(scores([1, 5, 3, 4]), rate=0.5)
    assert (subset.dropped, subset.rate, subset.dataset) == ([10, 12], 0.5, "print")


def test_ties_keep_data_set_order() -> None:
    assert keep_top(scores([2, 2, 2, 2]), count=2).kept == [10, 11]


@given(values, rates, rates)
def test_a_smaller_rate_keeps_all_that_a_larger_one_keeps(
    numbers: list[float], one: float, other: float
) -> None:
    few, many = (keep_top(scores(numbers), rate=r).kept for r in sorted((one, other), reverse=True))
    assert set(few) <= set(many)


def test_images_without_score_can_be_dropped_as_published() -> None:
    mixed = scores([0, 3, 0, 2])
    assert keep_top(mixed, count=3).kept == [10, 11, 13]
    assert keep_top(mixed, count=3, unscored="drop").kept == [11, 13]
    with pytest.raises(InputError, match="no image has a score above 0"):
        keep_top(scores([0, 0]), count=1, unscored="drop")


def test_chance_is_decided_by_the_seed_alone() -> None:
    data = paring.scenes(50, seed=0)
    assert keep_random(data, rate=0.5, seed=3) == keep_random(data, rate=0.5, seed=3)
    assert keep_random(data, rate=0.5, seed=3).kept != keep_random(data, rate=0.5, seed=4).kept
    assert len(keep_random(data, rate=0.5).kept) == 25


# -- stratified ----------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.data())
def test_even_filling_gives_the_total_and_no_stratum_more_than_it_has(
    sizes: list[int], data: st.DataObject
) -> None:
    total = data.draw(st.integers(0, sum(sizes)))
    shares = fill_evenly(np.array(sizes), total)
    assert shares.sum() == total
    assert (shares <= sizes).all()
    cut_short = [int(s) for s, size in zip(shares, sizes, strict=True) if s < size]
    assert not cut_short or max(cut_short) - min(cut_short) <= 1
    full = [size for s, size in zip(shares, sizes, strict=True) if s == size]
    assert not cut_short or not full or max(full) <= max(cut_short) + 1


@given(values, rates, st.integers(1, 9), st.integers(0, 3), st.sampled_from(["high", "low"]))
def test_a_stratified_choice_keeps_the_count_and_leaves_the_hardest_out(
    numbers: list[float], rate: float, strata: int, seed: int, hard: str
) -> None:
    given_scores = scores(numbers, hard)
    n_cut = len(numbers) - kept_count(len(numbers), rate=0.2)
    if kept_count(len(numbers), rate=rate) > len(numbers) - n_cut:
        with pytest.raises(InputError, match="the cut-off can be at most"):
            keep_stratified(given_scores, rate=rate, strata=strata, cutoff=0.2, seed=seed)
        return
    subset = keep_stratified(given_scores, rate=rate, strata=strata, cutoff=0.2, seed=seed)
    assert len(subset.kept) == kept_count(len(numbers), rate=rate)
    hardest = {10 + int(k) for k in given_scores.ranking()[:n_cut]}
    assert not hardest & set(subset.kept)
    assert subset == keep_stratified(given_scores, rate=rate, strata=strata, cutoff=0.2, seed=seed)


def test_strata_give_alike_by_hand() -> None:
    # after the cut of the two hardest: strata [0, 5) with 6 images and [5, 10] with 2
    numbers = [0.0, 1, 1, 2, 2, 3, 9, 10, 50, 60]
    subset = keep_stratified(scores(numbers), count=4, strata=2, cutoff=0.2)
    assert {16, 17} <= set(subset.kept)
    assert len(set(subset.kept) & set(range(10, 16))) == 2


def test_the_largest_score_is_drawn_from_even_when_all_are_negative() -> None:
    numbers = [-9.0, -8.0, -1.0]
    subset = keep_stratified(scores(numbers), count=3, strata=4, cutoff=0.0)
    assert len(subset.kept) == 3


@pytest.mark.parametrize("option", [{"strata": 0}, {"cutoff": 1.0}, {"cutoff": -0.1}])
def test_strata_and_cutoff_that_cannot_be_are_refused(option: dict) -> None:
    with pytest.raises(InputError):
        keep_stratified(scores([1, 2, 3]), count=1, **option)


# -- floors ---------------------------------------------------------------------------------------


def test_floors_need_the_data_set_of_the_scores() -> None:
    data = paring.scenes(20, seed=0)
    found = paring.images.count_scores(data)
    with pytest.raises(InputError, match="need the data set"):
        keep_top(found, rate=0.5, min_per_category=1)
    with pytest.raises(InputError, match="another data set"):
        keep_top(found, rate=0.5, min_per_category=1, data=paring.scenes(20, seed=1))


def test_floors_are_recorded_with_the_reason_of_each_change() -> None:
    polygons = [[factory.rectangle(5, 5, 9, 9)]] * 5
    masks = paring.MaskStore.from_polygons(polygons, heights=[50] * 5, widths=[50] * 5)
    sizes = dict.fromkeys(range(1, 6), (50, 50))
    data = factory.assemble(masks, [1, 2, 3, 4, 5], [1, 1, 1, 1, 2], sizes)
    frame = pl.DataFrame({"image_id": [1, 2, 3, 4, 5], "score": [5.0, 4.0, 3.0, 2.0, 1.0]})
    ranked = Scores(frame, "mine", data.fingerprint)
    subset = keep_top(ranked, count=2, data=data, min_per_category=1)
    assert subset.kept == [1, 5]
    assert subset.reasons == {
        5: "kept for the floor of category 'class 2'",
        2: "gave way to a floor",
    }
    assert subset.parameters["min_per_category"] == 1


def test_nothing_can_be_selected_from_no_images() -> None:
    with pytest.raises(InputError, match="there are no images to select from"):
        kept_count(0, rate=0.5)


def test_a_subset_holds_the_seed_and_every_parameter_that_made_it() -> None:
    assert keep_top(scores([1, 2]), count=1, unscored="drop").parameters == {
        "scores": "test",
        "unscored": "drop",
    }
    assert keep_random(paring.scenes(10, seed=0), count=3, seed=7).seed == 7
    subset = keep_stratified(scores([1, 2]), count=1, strata=3, cutoff=0.25, seed=7)
    assert subset.seed == 7
    assert subset.parameters == {"scores": "test", "strata": 3, "cutoff": 0.25}


def test_strata_and_cutoff_are_the_published_ones_unless_told() -> None:
    found = keep_stratified(scores([1, 2, 3]), count=1).parameters
    assert (found["strata"], found["cutoff"]) == (50, 0.1)


@pytest.mark.parametrize("floor", ["min_per_category", "min_per_size"])
def test_floors_hold_in_a_stratified_choice(floor: str) -> None:
    data = paring.scenes(40, seed=0)
    found = paring.images.count_scores(data)
    subset = keep_stratified(found, count=30, data=data, **{floor: 4})
    before, after = data.summary(), subset.apply(data).summary()
    for was, now in ((before.categories, after.categories), (before.sizes, after.sizes)):
        if ("size" in was.columns) == (floor == "min_per_size"):
            pairs = zip(was["instances"], now["instances"], strict=True)
            assert all(n >= min(4, w) for w, n in pairs)
    assert subset.parameters[floor] == 4


def test_the_largest_score_shares_the_last_stratum_with_the_others() -> None:
    kept = [
        keep_stratified(scores(list(range(9))), count=2, strata=1, cutoff=0, seed=s).kept
        for s in range(9)
    ]
    assert not all(18 in one for one in kept)


def test_images_of_score_0_are_dropped_though_they_rank_first() -> None:
    assert keep_top(scores([0, 3, 0, 2], "low"), count=3, unscored="drop").kept == [11, 13]


def test_any_number_of_strata_takes_no_longer_than_the_images_are_many() -> None:
    many = keep_stratified(scores(list(range(40))), rate=0.5, strata=10**12, cutoff=0.0)
    assert len(many.kept) == 20


def test_scores_of_the_widest_range_are_cut_into_strata() -> None:
    subset = keep_stratified(scores([1e308, -1e308, 0.0, 5.0]), count=3, strata=4, cutoff=0.0)
    assert {10, 11} <= set(subset.kept)


def test_options_that_are_not_known_are_refused() -> None:
    with pytest.raises(InputError, match="'last' or 'drop'"):
        keep_top(scores([1, 2]), count=1, unscored="never")  # type: ignore[arg-type]
    for count in (1.5, True):
        with pytest.raises(InputError, match="the count to keep"):
            keep_top(scores([1, 2]), count=count)  # type: ignore[arg-type]
