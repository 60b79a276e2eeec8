import numpy as np
import pytest
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.similarity import windowed
from paring.images.similarity.tiles import Which
from paring.images.similarity.windowed import windowed_ssim
from paring.images.similarity.windows import WindowedSimilarities
from paring.images.similarity.work import Work
from similarity_oracle import bursts, images_of_all_kinds, pairs_of, rows_and_values, store_of

SIZE = 16


def measures_of(pixels: NDArray, *, gone: tuple[int, ...] = (), **how: object) -> object:
    store = store_of(pixels)
    store.done[list(gone)] = False
    return WindowedSimilarities(store, **{"data_range": 255, "workers": 2, "memory": 2**30} | how)


def table_of(pixels: NDArray, data_range: float = 255) -> NDArray[np.float64]:
    """All images with all, straight from the function that has tests of its own."""
    n = len(pixels)
    first, second = np.indices((n, n)).reshape(2, -1)
    images = pixels.reshape(n, SIZE, SIZE)
    return windowed_ssim(images, first, second, data_range=data_range).reshape(n, n)


def brute_force(pixels: NDArray, low: float) -> list[tuple[int, int, float]]:
    table = table_of(pixels)
    first, second = pairs_of(len(pixels))
    pairs = zip(first.tolist(), second.tolist(), table[first, second].tolist(), strict=True)
    return [pair for pair in pairs if pair[2] >= low]


def forbid_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a pair was computed again")

    monkeypatch.setattr(windowed, "windowed_ssim", fail)


def test_pairs_are_all_those_above_the_threshold_sorted() -> None:
    pixels = images_of_all_kinds(SIZE)
    pixels = np.concatenate((pixels, bursts(70, SIZE)))  # more than a tile a side
    measures = measures_of(pixels)
    for low in (0.6, -1.0, 0.99, 1.0, 1.5):
        assert rows_and_values(measures.pairs(low), -2) == brute_force(pixels, low)


@pytest.mark.parametrize("which", ["all", "new", "across"])
@pytest.mark.parametrize("new_from", [0, 20, 69, 70])
def test_only_wanted_pairs_are_given(new_from: int, which: Which) -> None:
    pixels = bursts(70, SIZE)
    wanted = {
        "all": lambda i, j: True,
        "new": lambda i, j: j >= new_from,
        "across": lambda i, j: i < new_from <= j,
    }[which]
    measures = measures_of(pixels, new_from=new_from, which=which)
    expected = [pair for pair in brute_force(pixels, 0.3) if wanted(*pair[:2])]
    assert rows_and_values(measures.pairs(0.3), -2) == expected


def test_single_pairs_have_a_value_even_where_no_one_wanted_them() -> None:
    pixels = bursts(10, SIZE)
    measures = measures_of(pixels, new_from=8, which="across")
    first, second = np.indices((10, 10)).reshape(2, -1)
    assert (measures.exact(first, second) == table_of(pixels).reshape(-1)).all()


def test_the_nearest_is_that_of_all_and_of_equals_the_first() -> None:
    pixels = np.tile(images_of_all_kinds(SIZE), (2, 1))
    n = len(pixels)
    table = table_of(pixels)
    np.fill_diagonal(table, -np.inf)
    best, value = measures_of(pixels).nearest(np.arange(n), np.arange(n))
    assert best.tolist() == table.argmax(axis=1).tolist()
    assert value.tolist() == table.max(axis=1).tolist()
    among = np.array([2, 5, 9])
    best, value = measures_of(pixels).nearest(np.array([5, 0]), among)
    assert best.tolist() == [among[table[k, among].argmax()] for k in (5, 0)]


def test_what_exceeds_a_value_is_exact_and_the_rest_stays_below() -> None:
    pixels = bursts(12, SIZE)
    exact = table_of(pixels)[3]
    least = np.roll(exact, 1)
    found = measures_of(pixels).exceeding(3, np.arange(12), least)
    np.testing.assert_array_equal(found, np.where(exact > least, exact, -1.0))


def test_images_that_are_gone_have_no_pairs_and_are_no_ones_nearest() -> None:
    pixels = bursts(10, SIZE)
    measures = measures_of(pixels, gone=(3, 9))
    found = measures.pairs(-1.0)
    assert len(found.value) == 28  # 8 * 7 / 2
    assert not {3, 9} & {*found.first.tolist(), *found.second.tolist()}
    assert np.isnan(measures.exact(np.array([3, 3]), np.array([3, 4]))).all()
    best, value = measures.nearest(np.arange(10), np.arange(10))
    assert not {3, 9} & set(best.tolist())
    assert (best[[3, 9]] == -1).all()
    assert (value[[3, 9]] == -np.inf).all()
    estimates = measures.estimates(np.array([2, 3]))
    assert (estimates[1] == -1).all()
    assert estimates[0, [3, 9]].tolist() == [-1, -1]


def test_estimates_are_the_values() -> None:
    pixels = bursts(8, SIZE)
    found = measures_of(pixels).estimates(np.array([2, 7]))
    expected = table_of(pixels)[[2, 7]]
    expected[[0, 1], [2, 7]] = -1  # an image with itself is no pair
    np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize("n", [1, 2])
def test_one_image_has_no_pair_and_two_have_one(n: int) -> None:
    assert len(measures_of(bursts(n, SIZE)).pairs(-1.0).value) == n - 1


def test_a_table_larger_than_half_the_memory_is_refused_with_a_way_out() -> None:
    pixels = bursts(10, SIZE)
    with pytest.raises(InputError, match=r"windowed SSIM of 10 images .* global window"):
        measures_of(pixels, memory=1599)
    measures_of(pixels, memory=1600)  # twice 8 * 10 * 10


def test_all_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = bursts(70, SIZE)
    told: list[int] = []
    measures = measures_of(pixels)
    expected = rows_and_values(measures.pairs(0.5, progress=lambda *s: told.append(s[1])), -2)
    assert told[-1] == 70 * 69 // 2
    forbid_computing(monkeypatch)
    assert [p for p in rows_and_values(measures.pairs(-1.0), -2) if p[2] >= 0.5] == expected


def test_tiles_that_are_done_are_taken_up(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = bursts(70, SIZE)
    expected = rows_and_values(measures_of(pixels, work=Work(tmp_path, {})).pairs(0.5), -2)
    other = measures_of(pixels, work=Work(tmp_path, {}), data_range=255.000001)
    assert rows_and_values(other.pairs(0.5), -2) != expected
    forbid_computing(monkeypatch)
    again = measures_of(pixels, work=Work(tmp_path, {}))
    assert rows_and_values(again.pairs(0.5), -2) == expected
