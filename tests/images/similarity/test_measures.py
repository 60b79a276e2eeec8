import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.similarity.formula import Metric
from paring.images.similarity.measures import GlobalSimilarities
from paring.images.similarity.store import PixelStore
from paring.images.similarity.tiles import Engine, Found, Which, plan
from paring.images.similarity.work import Work
from similarity_oracle import (
    METRICS,
    bursts,
    engine_of,
    find,
    images_of_all_kinds,
    pairs_of,
    rows_and_values,
)

PLENTY = 2**30


def measures_of(engine: Engine, **how: object) -> GlobalSimilarities:
    return GlobalSimilarities(engine, **{"workers": 2, "memory": PLENTY, "block": 16} | how)


def brute_force(engine: Engine, low: float) -> list[tuple[int, int, float]]:
    first, second = pairs_of(len(engine.store))
    value = engine.exact(first, second)
    pairs = zip(first.tolist(), second.tolist(), value.tolist(), strict=True)
    return [pair for pair in pairs if pair[2] >= low]


def forbid_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a pair was computed again")

    monkeypatch.setattr(PixelStore, "products", fail)
    monkeypatch.setattr(PixelStore, "product_table", fail)


# -- pairs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("block", [1, 7, 16, 100])
def test_pairs_are_all_those_above_the_threshold_and_no_others(block: int, metric: Metric) -> None:
    engine = engine_of(images_of_all_kinds(16), metric)
    for low in (-1.0, 0.0, 0.6, 0.99, 1.0, 1.5):
        found = measures_of(engine, block=block).pairs(low)
        assert list(zip(found.first, found.second, found.value, strict=True)) == brute_force(
            engine, low
        )
        assert found.low == low
        assert found.complete


@pytest.mark.parametrize("prune", [True, False])
def test_sinking_and_rising_give_what_a_fresh_search_gives(prune: bool) -> None:
    engine = engine_of(np.random.default_rng(1).permutation(bursts(70, spread=0.3)))
    measures = measures_of(engine, prune=prune)
    for low in (1.2, 0.9, 0.95, 0.5, -0.1, 0.8, -1.0, 0.9):
        assert rows_and_values(measures.pairs(low), -2) == brute_force(engine, low)


def test_a_threshold_that_was_passed_before_computes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = engine_of(bursts(50))
    measures = measures_of(engine)
    expected = brute_force(engine, 0.8)
    measures.pairs(0.5)
    forbid_computing(monkeypatch)
    assert rows_and_values(measures.pairs(0.8), -2) == expected


@pytest.mark.parametrize("which", ["all", "new", "across"])
@pytest.mark.parametrize("new_from", [0, 1, 16, 23, 59, 60])
def test_only_wanted_pairs_are_given(new_from: int, which: Which) -> None:
    engine = engine_of(bursts(60))
    wanted = {
        "all": lambda i, j: True,
        "new": lambda i, j: j >= new_from,
        "across": lambda i, j: i < new_from <= j,
    }[which]
    found = measures_of(engine, new_from=new_from, which=which).pairs(0.2)
    expected = [pair for pair in brute_force(engine, 0.2) if wanted(*pair[:2])]
    assert rows_and_values(found, -2) == expected


def test_more_pairs_than_memory_holds_are_refused_with_a_way_out() -> None:
    engine = engine_of(np.tile(bursts(1), (40, 1)))
    with pytest.raises(InputError, match=r"similarity of 0.5 .* at least 780 pairs .* threshold"):
        measures_of(engine, memory=200 * 779).pairs(0.5)
    measures = measures_of(engine, memory=200 * 780)
    assert len(measures.pairs(0.5).value) == 780  # 40 * 39 / 2


@pytest.mark.parametrize("block", [60, 100])
def test_only_pairs_above_the_threshold_count_against_memory(block: int) -> None:
    # one scene under strong noise: its bounds are high and its similarities low
    rng = np.random.default_rng(0)
    scene = bursts(1, size=64).astype(float)
    noisy = np.clip(scene / 3 + rng.normal(80, 70, (20, 64 * 64)), 0, 255).astype(np.uint8)
    engine = engine_of(np.concatenate((noisy, bursts(80, size=64, seed=1))))
    expected = brute_force(engine, 0.4)
    assert measures_of(engine, block=block).pairs(0.4).value.tolist() == [v for *_, v in expected]
    held = sum(len(found.value) for found in candidates(engine, 0.4, block))
    assert held > 1.5 * len(expected)
    tight = measures_of(engine, block=block, memory=200 * len(expected))
    assert rows_and_values(tight.pairs(0.4), -2) == expected
    sinking = measures_of(engine, block=block, memory=200 * len(expected))
    for low in (0.9, 0.7, 0.4, 0.5, 0.4):
        assert rows_and_values(sinking.pairs(low), -2) == [p for p in expected if p[2] >= low]
    with pytest.raises(InputError, match="pairs to hold"):
        measures_of(engine, block=block, memory=200 * len(expected) - 1).pairs(0.4)


def candidates(engine: Engine, low: float, block: int) -> list[Found]:
    return [find(engine, tile, low) for tile in plan(len(engine.store), block)]


def test_progress_ends_with_the_number_of_pairs() -> None:
    told: list[tuple[str, int, int]] = []
    engine = engine_of(bursts(50))
    measures_of(engine).pairs(0.5, progress=lambda *step: told.append(step))
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})
    assert told[-1] == ("comparing images (pairs)", 1225, 1225)


def test_single_pairs_may_be_asked_for_in_any_order_and_none_at_all() -> None:
    engine = engine_of(bursts(12))
    first, second = np.array([3, 11, 5, 5]), np.array([4, 0, 5, 3])
    measures = measures_of(engine)
    assert measures.exact(first, second).tolist() == engine.exact(first, second).tolist()
    assert measures.exact(first, second)[2] == 1
    assert measures.exact(first[:0], second[:0]).shape == (0,)


# -- nearest images ----------------------------------------------------------------------------


def nearest(engine: Engine, rows: NDArray, among: NDArray) -> list[tuple[int, float]]:
    found = []
    for row in rows:
        value = engine.exact(np.full(len(among), row), among)
        others = [
            (-v, other)
            for v, other in zip(value.tolist(), among.tolist(), strict=True)
            if other != row and not np.isnan(v)
        ]
        best = min(others, default=(np.inf, -1))
        found.append((best[1], -best[0]))
    return found


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "pixels",
    [
        images_of_all_kinds(20),
        np.tile(images_of_all_kinds(8), (2, 1)),
        bursts(60),
        np.tile(bursts(3), (5, 1)),  # ties everywhere
        np.random.default_rng(0).integers(0, 255, (40, 256)).astype(np.uint8),  # bounds say little
    ],
    ids=["all kinds", "twice", "bursts", "copies", "noise"],
)
def test_the_nearest_is_that_of_all_and_of_equals_the_first(
    pixels: NDArray, metric: Metric
) -> None:
    engine = engine_of(pixels, metric)
    n = len(pixels)
    rng = np.random.default_rng(2)
    for among in (np.arange(n), np.sort(rng.choice(n, n // 2, replace=False)), np.array([1, 2])):
        for rows in (np.arange(n), np.sort(rng.choice(n, 5, replace=False))):
            found = measures_of(engine).nearest(rows, among)
            pairs = list(zip(*(part.tolist() for part in found), strict=True))
            assert pairs == nearest(engine, rows, among)


def test_of_equals_the_first_is_nearest_whatever_their_bounds() -> None:
    # multiples of one pattern correlate perfectly, in doubles too; their bounds are rounded
    rng = np.random.default_rng(0)
    pattern = rng.permutation(np.repeat([0, 2], 128))
    pixels = np.outer(rng.permutation(np.arange(1, 60)), pattern).astype(np.uint8)
    engine = engine_of(pixels, "pcc")
    assert len(np.unique(engine.bounds.upper(slice(None), slice(None)))) > 1
    best, value = measures_of(engine).nearest(np.arange(59), np.arange(59))
    assert (value == 1).all()
    assert best.tolist() == [1] + [0] * 58


def test_little_memory_changes_no_nearest_image() -> None:
    engine = engine_of(bursts(30))
    rows = np.arange(30)
    expected = nearest(engine, rows, rows)
    for memory in (1, 24 * 30 * 7):
        best, value = measures_of(engine, memory=memory).nearest(rows, rows)
        assert list(zip(best.tolist(), value.tolist(), strict=True)) == expected


def test_an_image_without_similarities_has_no_nearest() -> None:
    flat = np.full((2, 64), 9, np.uint8)
    engine = engine_of(np.concatenate((flat, bursts(2, size=8))), "pcc")
    best, value = measures_of(engine).nearest(np.array([0, 2]), np.arange(4))
    assert best.tolist() == [-1, 3]
    assert value[0] == -np.inf


def test_no_rows_have_no_nearest() -> None:
    best, value = measures_of(engine_of(bursts(4))).nearest(np.arange(0), np.arange(4))
    assert best.shape == value.shape == (0,)


@pytest.mark.parametrize("metric", METRICS)
def test_what_exceeds_a_value_is_exact_and_the_rest_stays_below(metric: Metric) -> None:
    engine = engine_of(np.tile(images_of_all_kinds(16), (2, 1)), metric)
    rows = np.arange(1, len(engine.store))
    exact = engine.exact(np.zeros(len(rows), int), rows)
    for least in (np.full(len(rows), 0.5), exact, np.nextafter(exact, -2), np.roll(exact, 3)):
        found = measures_of(engine).exceeding(0, rows, least)
        assert ((found > least) == (exact > least)).all()
        assert (found[found > least] == exact[exact > least]).all()


def test_few_pairs_are_computed_to_see_what_exceeds(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(bursts(50))
    asked: list[int] = []
    exact = Engine.exact
    monkeypatch.setattr(
        Engine, "exact", lambda self, one, other: asked.append(len(one)) or exact(self, one, other)
    )
    found = measures_of(engine).exceeding(7, np.arange(50), np.full(50, 0.9))
    assert set(np.flatnonzero(found > 0.9)) == {5, 6, 7, 8, 9}  # its burst
    assert sum(asked) < 15


@pytest.mark.parametrize("metric", METRICS)
def test_estimates_are_guesses_at_all_similarities(metric: Metric) -> None:
    engine = engine_of(bursts(20), metric)
    rows = np.array([2, 19])
    found = measures_of(engine).estimates(rows)
    expected = [
        [engine.exact(np.array([i]), np.array([j])).item() for j in range(20)] for i in rows
    ]
    np.testing.assert_allclose(found, expected, atol=0.2)


# -- a working folder --------------------------------------------------------------------------


def test_tiles_that_are_done_are_taken_up(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_of(bursts(60))
    expected = brute_force(engine, 0.7)
    measures_of(engine, work=Work(tmp_path, {})).pairs(0.5)
    forbid_computing(monkeypatch)
    again = measures_of(engine, work=Work(tmp_path, {})).pairs(0.7)
    assert rows_and_values(again, -2) == expected


def test_only_tiles_that_were_stopped_are_computed(tmp_path, monkeypatch) -> None:
    engine = engine_of(bursts(60))
    expected = brute_force(engine, 0.7)

    def stop(label: str, done: int, total: int) -> None:
        if 3 * done > total:
            raise KeyboardInterrupt

    measures = measures_of(engine, work=Work(tmp_path, {}))
    with pytest.raises(KeyboardInterrupt):
        measures.pairs(0.7, progress=stop)
    done = {path.name for path in tmp_path.glob("*.npz")}
    tiles = {f"ssim-255.0-{engine.store.mark()}-pairs-{tile.name}.npz" for tile in measures._tiles}
    assert set() < done < tiles
    computed: list[str] = []
    find = Engine.find
    monkeypatch.setattr(
        Engine, "find", lambda *of, **how: computed.append(of[1].name) or find(*of, **how)
    )
    again = measures_of(engine, work=Work(tmp_path, {})).pairs(0.7)
    assert rows_and_values(again, -2) == expected
    assert {
        f"ssim-255.0-{engine.store.mark()}-pairs-{name}.npz" for name in computed
    } == tiles - done


def test_work_sinks_from_where_it_was_left(tmp_path) -> None:
    engine = engine_of(np.random.default_rng(1).permutation(bursts(60, spread=0.3)))
    for low in (0.9, 0.6, 0.8, -0.5):
        found = measures_of(engine, work=Work(tmp_path, {})).pairs(low)
        assert rows_and_values(found, -2) == brute_force(engine, low)


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_tile_that_was_cut_off_is_computed_again(share: float, tmp_path) -> None:
    engine = engine_of(bursts(60))
    measures_of(engine, work=Work(tmp_path, {})).pairs(0.5)
    for path in tmp_path.glob("*.npz"):
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
    found = measures_of(engine, work=Work(tmp_path, {})).pairs(0.5)
    assert rows_and_values(found, -2) == brute_force(engine, 0.5)


def test_other_formulas_do_not_take_up_each_others_tiles(tmp_path) -> None:
    pixels = bursts(40)
    spans = (255.0, 255.000001, 65_535.0, 65_535.25)
    for (metric, span), low in itertools.product(
        [*(("ssim", span) for span in spans), ("pcc", 255.0)], (0.5,)
    ):
        engine = engine_of(pixels, metric, span)
        found = measures_of(engine, work=Work(tmp_path, {})).pairs(low)
        assert rows_and_values(found, -2) == brute_force(engine, low)


def test_tiles_of_other_blocks_and_plans_do_not_mix(tmp_path) -> None:
    engine = engine_of(bursts(40))
    for block, new_from, which in ((16, 0, "all"), (16, 8, "new"), (5, 8, "across"), (7, 0, "all")):
        how = {"block": block, "new_from": new_from, "which": which}
        found = measures_of(engine, work=Work(tmp_path, {}), **how).pairs(0.5)
        assert rows_and_values(found, -2) == rows_and_values(
            measures_of(engine, **how).pairs(0.5), -2
        )
