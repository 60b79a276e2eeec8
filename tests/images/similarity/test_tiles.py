import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from paring.images.similarity.formula import Metric
from paring.images.similarity.store import PixelStore
from paring.images.similarity.tiles import Engine, Tile, Which, plan
from similarity_oracle import (
    METRICS,
    all_similarities,
    bursts,
    engine_of,
    find,
    images_of_all_kinds,
    pairs_of,
    rows_and_values,
)

Pair = tuple[int, int, float]


def whole(n: int) -> Tile:
    return Tile(slice(0, n), slice(0, n))


def every_pair(engine: Engine) -> list[Pair]:
    """All pairs with their values, from products in whole numbers of any size."""
    first, second = pairs_of(len(engine.store))
    pixels = engine.store.pixels.astype(np.int64)
    products = (pixels @ pixels.T)[first, second]
    value = engine.formula(first, second, products)
    return list(zip(first.tolist(), second.tolist(), value.tolist(), strict=True))


def at_least(pairs: list[Pair], low: float) -> list[Pair]:
    return [pair for pair in pairs if pair[2] >= low]


def on_and_around(pairs: list[Pair], count: int) -> Iterator[tuple[float, Pair, bool]]:
    """Thresholds on, just under and just above some pairs' values, and whether these pass."""
    defined = [pair for pair in pairs if not np.isnan(pair[2])]
    defined.sort(key=lambda pair: pair[2])
    for k in np.linspace(0, len(defined) - 1, count).astype(int):
        pair = defined[k]
        yield pair[2], pair, True
        yield np.nextafter(pair[2], -np.inf), pair, True
        yield np.nextafter(pair[2], np.inf), pair, False


# -- the plan ----------------------------------------------------------------------------------


def in_tile(tile: Tile) -> list[tuple[int, int]]:
    pairs = itertools.product(
        range(tile.rows.start, tile.rows.stop), range(tile.others.start, tile.others.stop)
    )
    return [(i, j) for i, j in pairs if i < j or not tile.diagonal]


@settings(max_examples=200)
@given(
    st.integers(0, 12),
    st.integers(1, 14),
    st.integers(0, 12),
    st.sampled_from(["all", "new", "across"]),
)
def test_tiles_hold_each_wanted_pair_once(n: int, block: int, new_from: int, which: Which) -> None:
    new_from = min(new_from, n)
    wanted = {
        "all": lambda i, j: True,
        "new": lambda i, j: j >= new_from,
        "across": lambda i, j: i < new_from <= j,
    }[which]
    tiles = plan(n, block, new_from=new_from, which=which)
    held = [pair for tile in tiles for pair in in_tile(tile)]
    assert sorted(held) == [(i, j) for i in range(n) for j in range(i + 1, n) if wanted(i, j)]
    assert sum(tile.n_pairs for tile in tiles) == len(held)
    assert len({tile.name for tile in tiles}) == len(tiles)


# -- pairs of a tile ---------------------------------------------------------------------------

SETS = {
    "of all kinds": lambda: images_of_all_kinds(20),
    "of 16 bits": lambda: images_of_all_kinds(20, 16),
    "in bursts": lambda: bursts(60),
    "too small for the bounds": lambda: images_of_all_kinds(8),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", SETS)
def test_values_are_those_of_doubles_over_all_pairs(kind: str, metric: Metric) -> None:
    engine = engine_of(SETS[kind](), metric)
    first, second = pairs_of(len(engine.store))
    expected = all_similarities(engine.store.pixels, metric, engine.data_range)[first, second]
    found = [value for _, _, value in every_pair(engine)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", SETS)
def test_pruned_and_unpruned_find_the_pairs_on_their_thresholds(kind: str, metric: Metric) -> None:
    engine = engine_of(SETS[kind](), metric)
    pairs = every_pair(engine)
    for low, pair, passes in on_and_around(pairs, 12):
        expected = at_least(pairs, low)
        assert (pair in expected) == passes
        for prune in (True, False):
            found = find(engine, whole(len(engine.store)), low, prune=prune)
            assert rows_and_values(found, low) == expected
            assert found.low == low


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("block", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("prune", [True, False])
def test_blocks_and_workers_change_no_bit(block: int, workers: int, prune: bool) -> None:
    engine = engine_of(bursts(23, size=17))
    pairs = every_pair(engine)
    for low in (-1.0, 0.3, sorted(value for _, _, value in pairs)[-10], 1.0, 1.5):
        found = [
            rows_and_values(find(engine, tile, low, workers=workers, prune=prune), low)
            for tile in plan(23, block)
        ]
        assert sorted(itertools.chain(*found)) == at_least(pairs, low)
        assert all(part == sorted(part) for part in found)


@pytest.mark.parametrize("workers", [1, 5])
def test_a_tile_beside_the_diagonal_holds_its_pairs_only(workers: int) -> None:
    engine = engine_of(bursts(30))
    pairs = [pair for pair in every_pair(engine) if 3 <= pair[0] < 12 <= pair[1] < 27]
    tile = Tile(slice(3, 12), slice(12, 27))
    for low, _, _ in on_and_around(pairs, 15):
        for prune in (True, False):
            found = find(engine, tile, low, workers=workers, prune=prune)
            assert rows_and_values(found, low) == at_least(pairs, low)


def test_a_threshold_that_all_pairs_reach_is_one_dense_product() -> None:
    engine = engine_of(bursts(40))
    found = find(engine, whole(40), -1.0)
    assert found.complete
    assert rows_and_values(found, -1.0) == every_pair(engine)


def test_most_pairs_of_bursts_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(bursts(100, size=64))
    computed = count_pairs(monkeypatch)
    found = find(engine, whole(100), 0.9)
    n_similar = len(rows_and_values(found, 0.9))
    assert 0 < n_similar <= sum(computed) < 0.1 * 4950


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("metric", METRICS)
def test_one_image_has_no_pair_and_two_have_one(n: int, metric: Metric) -> None:
    engine = engine_of(bursts(n), metric)
    for low, prune in itertools.product((-1.0, 0.0, 0.5), (True, False)):
        found = find(engine, whole(n), low, prune=prune)
        assert rows_and_values(found, low) == at_least(every_pair(engine), low)


@pytest.mark.parametrize("low", [0.0, 1.0])
def test_identical_images_are_all_pairs(low: float) -> None:
    engine = engine_of(np.tile(bursts(1), (13, 1)))
    assert rows_and_values(find(engine, whole(13), low), low) == every_pair(engine)
    assert {value for _, _, value in every_pair(engine)} == {1.0}


@pytest.mark.parametrize("metric", METRICS)
def test_constant_images_have_pairs_where_they_are_defined(metric: Metric) -> None:
    levels = np.repeat([0, 0, 1, 128, 128, 255], 64).reshape(6, 64).astype(np.uint8)
    engine = engine_of(np.concatenate((levels, bursts(3, size=8))), metric)
    pairs = every_pair(engine)
    for low, prune in itertools.product((-1.5, -1.0, 0.0, 0.999, 1.0), (True, False)):
        found = rows_and_values(find(engine, whole(9), low, prune=prune), low)
        assert found == at_least(pairs, low)
    if metric == "pcc":
        assert all(i >= 6 for i, _, _ in at_least(pairs, -1.0))


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.sampled_from([8, 16]),
    st.sampled_from(METRICS),
    st.sampled_from([None, 1e-3]),
)
def test_any_images_have_the_same_pairs_pruned_and_unpruned(
    seed: int, n: int, bits: int, metric: Metric, data_range: float | None
) -> None:
    rng = np.random.default_rng(seed)
    top = int(rng.choice([1, 3, 2**bits - 1]))
    levels = rng.integers(0, top, (4, 64), endpoint=True)
    pixels = levels[rng.integers(0, 4, n)]
    flips = rng.integers(0, 64, n), rng.random(n) < 0.5
    pixels[np.arange(n), flips[0]] ^= flips[1]
    engine = engine_of(pixels.astype(np.uint16 if bits == 16 else np.uint8), metric, data_range)
    pairs = every_pair(engine)
    for low, _, _ in on_and_around(pairs, 3) if at_least(pairs, -1) else ():
        found = find(engine, whole(n), low)
        assert rows_and_values(found, low) == at_least(pairs, low)


# -- sinking -----------------------------------------------------------------------------------


def count_pairs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs each product was asked for, one by one or as a table."""
    computed: list[int] = []
    products, table = PixelStore.products, PixelStore.product_table

    def counted(self: PixelStore, first: NDArray, second: NDArray) -> NDArray:
        computed.append(len(first))
        return products(self, first, second)

    def counted_table(self: PixelStore, rows: slice, others: slice) -> NDArray:
        found = table(self, rows, others)
        computed.append(found.size)
        return found

    monkeypatch.setattr(PixelStore, "products", counted)
    monkeypatch.setattr(PixelStore, "product_table", counted_table)
    return computed


@pytest.mark.parametrize("tile", [whole(80), Tile(slice(0, 40), slice(40, 80))])
@pytest.mark.parametrize("metric", METRICS)
def test_sinking_step_by_step_ends_where_one_step_does(
    metric: Metric, tile: Tile, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_of(np.random.default_rng(0).permutation(bursts(80, spread=0.3)), metric)
    steps = (1.1, 0.97, 0.9, 0.8, 0.7, 0.6)
    fresh = {low: find(engine, tile, low) for low in steps}
    computed = count_pairs(monkeypatch)
    known, held, grown = None, 0, 0
    for low in steps:
        computed.clear()
        known = find(engine, tile, low, known=known)
        assert not known.complete
        assert sum(computed) == len(known.value) - held  # only pairs that were not there yet
        grown += held < len(known.value)
        held = len(known.value)
        assert rows_and_values(known, low) == rows_and_values(fresh[low], low)
        pairs = list(zip(known.first.tolist(), known.second.tolist(), strict=True))
        assert pairs == sorted(set(pairs))
    assert grown >= 3


def test_sinking_to_where_all_pass_and_below_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(bursts(30))
    pairs = every_pair(engine)
    known = None
    for low in (0.9, 0.2, -0.2, -0.9, -1.0):
        known = find(engine, whole(30), low, known=known)
        assert rows_and_values(known, low) == at_least(pairs, low)


def test_a_complete_result_sinks_to_a_pruned_one() -> None:
    engine = engine_of(bursts(80))
    pairs = every_pair(engine)
    known = find(engine, whole(80), 0.95, prune=False)
    assert known.complete
    found = find(engine, whole(80), 0.8, known=known)
    assert rows_and_values(found, 0.8) == at_least(pairs, 0.8)


def test_rising_computes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(bursts(30))
    known = find(engine, whole(30), 0.5)
    computed = count_pairs(monkeypatch)
    for low in (0.5, 0.8):
        assert find(engine, whole(30), low, known=known) is known
    assert not computed
