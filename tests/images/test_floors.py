import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factory
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.floors import Floors
from paring.images.selection import keep_random


def random_data(seed: int, n_images: int, n_instances: int) -> Dataset:
    rng = np.random.default_rng(seed)
    side = rng.choice([10.0, 40.0, 150.0], n_instances)
    polygons = [[factory.rectangle(1, 1, s, s)] for s in side]
    size = [200] * n_instances
    masks = MaskStore.from_polygons(polygons, heights=size, widths=size)
    sizes = dict.fromkeys(range(1, n_images + 1), (200, 200))
    category = rng.choice([1, 2, 3, 4], n_instances, p=[0.7, 0.2, 0.07, 0.03])
    return factory.assemble(masks, rng.integers(1, n_images + 1, n_instances), category, sizes)


def kept_of_groups(data: Dataset, unit: str) -> dict[tuple[str, object], int]:
    """Instances or images of each category and size, counted plainly."""
    found: dict[tuple[str, object], set] = {}
    for row in data.instances.iter_rows(named=True):
        area = row["area"]
        size = "small" if area < 1024 else "medium" if area < 9216 else "large"
        member = row["instance_id"] if unit == "instances" else row["image_id"]
        found.setdefault(("category", row["category_id"]), set()).add(member)
        found.setdefault(("size", size), set()).add(member)
    return {group: len(members) for group, members in found.items()}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.integers(0, 6),
    st.integers(0, 6),
    st.sampled_from(["instances", "images"]),
    st.data(),
)
def test_floors_hold_at_the_count_or_the_error_says_a_count_that_does(
    seed: int, n: int, per_category: int, per_size: int, unit: str, draw: st.DataObject
) -> None:
    data = random_data(seed, n, 3 * n)
    count = draw.draw(st.integers(1, n))

    def choose(count: int) -> object:
        return keep_random(
            data,
            count=count,
            seed=seed,
            min_per_category=per_category,
            min_per_size=per_size,
            floor_unit=unit,  # type: ignore[arg-type]
        )

    try:
        subset = choose(count)
    except InputError as error:
        needed = int(str(error).rsplit(" ", 1)[1].replace(",", ""))
        assert needed > count
        subset, count = choose(needed), needed
    assert len(subset.kept) == count
    total = kept_of_groups(data, unit)
    kept = kept_of_groups(subset.apply(data), unit)
    for (kind, name), there in total.items():
        floor = per_category if kind == "category" else per_size
        assert kept.get((kind, name), 0) >= min(floor, there)


def test_a_selection_that_holds_already_is_left_alone() -> None:
    data = random_data(0, 10, 30)
    floors = Floors.of(data, per_category=1, unit="instances")
    chosen = np.ones(10, dtype=bool)
    after, changed = floors.enforce(chosen, np.arange(10))
    assert after.all()
    assert changed == {}


def test_the_best_image_that_serves_comes_in_and_the_worst_that_can_go_goes() -> None:
    masks = MaskStore.from_polygons(
        [[factory.rectangle(1, 1, 9, 9)]] * 6, heights=[50] * 6, widths=[50] * 6
    )
    sizes = dict.fromkeys(range(1, 7), (50, 50))
    # images 5 and 6 both have the rare class; 5 ranks better, and 3 is the worst of the kept
    data = factory.assemble(masks, [1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 2, 2], sizes)
    floors = Floors.of(data, per_category=1, unit="images")
    chosen = np.array([True, True, True, False, False, False])
    after, changed = floors.enforce(chosen, np.arange(6))
    assert np.flatnonzero(after).tolist() == [0, 1, 4]
    assert set(changed) == {4, 2}


def test_floors_of_what_cannot_be_are_refused() -> None:
    data = random_data(0, 5, 9)
    with pytest.raises(InputError, match="below 0"):
        Floors.of(data, per_category=-1, unit="images")
    with pytest.raises(InputError, match="'instances' or 'images'"):
        Floors.of(data, per_category=1, unit="pixels")  # type: ignore[arg-type]


def test_crowds_serve_no_floor() -> None:
    data = random_data(0, 5, 9)
    crowds = data.instances.with_columns(iscrowd=pl.lit(True))
    floors = Floors.of(
        Dataset(data.images, crowds, data.categories, data.masks), per_category=5, unit="instances"
    )
    assert floors.floors.tolist() == [0] * len(data.categories)


def squares(image: list[int], category: list[int]) -> Dataset:
    """Equal squares, each in the image and of the category given."""
    n = len(image)
    masks = MaskStore.from_polygons(
        [[factory.rectangle(1, 1, 9, 9)]] * n, heights=[50] * n, widths=[50] * n
    )
    return factory.assemble(masks, image, category, dict.fromkeys(sorted(set(image)), (50, 50)))


def test_an_image_that_can_go_is_found_however_many_there_are() -> None:
    # the worst 1,100 of the kept are all held by a floor, those before them are not
    n = 1200
    data = squares([*range(1, n + 1), n + 1], [1] * 100 + [2] * 1100 + [3])
    floors = Floors.of(data, per_category=1100, unit="images")
    assert floors.floors.tolist() == [100, 1100, 1]
    floors.floors[0] = 50
    chosen = np.arange(n + 1) < n
    after, changed = floors.enforce(chosen, np.arange(n + 1))
    assert sorted(changed) == [99, n]
    assert after.sum() == n


def by_hand(floors: list[int], members: list[list[tuple[int, int]]]) -> Floors:
    return Floors([f"group {k}" for k in range(len(floors))], np.array(floors), members, {})


def test_the_group_that_lacks_the_largest_share_is_served_first() -> None:
    # group 0 lacks 3 of 10, group 1 all of 1; image 8 would serve both
    members = [[(0, 1)]] * 7 + [[(1, 1)], [(0, 1), (1, 1)]] + [[(0, 1)]] * 2 + [[]] * 4
    chosen = np.array([True] * 7 + [False] * 4 + [True] * 4)
    after, changed = by_hand([10, 1], members).enforce(chosen, np.arange(15))
    assert np.flatnonzero(after).tolist() == list(range(11))
    assert changed[7] == "kept for the floor of group 1"


def test_an_image_can_go_where_its_floor_then_holds_exactly() -> None:
    members = [[(0, 1)]] * 3 + [[(1, 1)]]
    after, _ = by_hand([1, 1], members).enforce(np.array([False, True, True, False]), np.arange(4))
    assert np.flatnonzero(after).tolist() == [1, 3]


def test_where_no_image_can_go_the_needed_ones_are_filled_up_by_rank() -> None:
    members = [[(0, 1), (1, 1), (2, 1)], [], [(0, 1)], [(1, 1)], [(2, 1)], [], [(3, 1)]]
    chosen = np.isin(np.arange(7), [2, 3, 4])
    after, changed = by_hand([1] * 4, members).enforce(chosen, np.arange(7))
    assert np.flatnonzero(after).tolist() == [0, 1, 6]
    assert changed[1] == "kept for its rank"


def test_an_image_that_serves_several_groups_is_found_where_the_best_ranked_are_too_many() -> None:
    members = [[(0, 1)], [(1, 1)], [(0, 1), (1, 1)]]
    chosen = np.array([True, False, False])
    after, _ = by_hand([1, 1], members).enforce(chosen, np.arange(3))
    assert np.flatnonzero(after).tolist() == [2]


def test_a_floor_past_all_counting_asks_for_all_there_are() -> None:
    data = random_data(0, 5, 9)
    floors = Floors.of(data, per_category=10**30, unit="instances")
    assert floors.floors.sum() == 9


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 5), st.data())
def test_floors_of_groups_hold_at_the_count_or_the_error_says_a_count_that_does(
    seed: int, n: int, per_group: int, draw: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    data = random_data(seed, n, 2 * n)
    groups = [f"site {k}" for k in rng.choice(12, n)]
    floors = Floors.of(data, per_category=1, unit="images", groups=groups, per_group=per_group)
    chosen = np.zeros(n, dtype=bool)
    chosen[rng.permutation(n)[: draw.draw(st.integers(1, n))]] = True
    order = rng.permutation(n)
    try:
        after, changed = floors.enforce(chosen, order)
    except InputError as error:
        needed = int(str(error).rsplit(" ", 1)[1].replace(",", ""))
        assert needed > chosen.sum()
        chosen[np.flatnonzero(~chosen)[: needed - chosen.sum()]] = True
        after, changed = floors.enforce(chosen, order)
    assert after.sum() == chosen.sum()
    assert sorted(changed) == np.flatnonzero(after != chosen).tolist()
    for group in set(groups):
        members = [row for row in range(n) if groups[row] == group]
        assert sum(after[row] for row in members) >= min(per_group, len(members))


def test_an_image_counts_once_for_its_group_whatever_the_unit() -> None:
    data = squares([1, 1, 1, 2, 3], [1, 1, 1, 1, 1])
    for unit in ("instances", "images"):
        floors = Floors.of(data, unit=unit, groups=["a", "a", "b"], per_group=2)
        assert floors.names == ["group 'a'", "group 'b'"]
        assert floors.floors.tolist() == [2, 1]
        assert floors.members == [[(0, 1)], [(0, 1)], [(1, 1)]]
        assert floors.parameters["min_per_group"] == 2
    with pytest.raises(InputError, match="they hold with a count of 3"):
        floors.enforce(np.array([True, True, False]), np.arange(3))


def test_without_a_floor_groups_change_nothing() -> None:
    data = squares([1, 2], [1, 1])
    floors = Floors.of(data, per_category=1, unit="images", groups=["a", "b"])
    assert floors.names == ["category 'class 1'"]
    assert "min_per_group" not in floors.parameters
