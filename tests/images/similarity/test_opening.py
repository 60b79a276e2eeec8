import gc
import itertools
import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from paring.dataset.formats import read
from paring.dataset.formats.pictures import images_alone
from paring.dataset.table import IMAGES, Dataset
from paring.errors import InputError
from paring.images.similarity import opening
from paring.images.similarity.formula import Metric
from paring.images.similarity.measures import GlobalSimilarities
from paring.images.similarity.opening import Comparing, Opened, Window, open_images, physical_memory
from paring.images.similarity.store import PixelStore
from paring.images.similarity.windows import WindowedSimilarities
from similarity_oracle import all_similarities, bursts, pairs_of, rows_and_values, write_images

SIZE = 16
MIB = 2**20


def pictures(folder: Path, n: int = 12, bits: int = 8) -> Dataset:
    images = bursts(n, SIZE, bits=bits).reshape(n, SIZE, SIZE)
    return read(write_images(folder, {f"{k:03d}.png": image for k, image in enumerate(images)}))


def open_small(data: Dataset, **how: object) -> Opened:
    keys = ("new_from", "which", "folder", "progress")
    more = {key: how.pop(key) for key in keys if key in how}
    return open_images(data, Comparing(**{"size": SIZE, "workers": 2} | how), **more)


def pairs(opened: Opened, low: float = 0.2) -> list[tuple[int, int, float]]:
    return rows_and_values(opened.measures.pairs(low), -2)


def brute_force(pixels: NDArray, metric: Metric, span: float, low: float) -> list[tuple[int, int]]:
    table = all_similarities(pixels, metric, span)
    return [(i, j) for i, j in zip(*pairs_of(len(pixels)), strict=True) if table[i, j] >= low]


# -- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"metric": "mse"}, "metric 'mse' is not known; it is ssim or pcc"),
        ({"window": "box"}, "window 'box' is not known; it is global or gaussian"),
        ({"on_error": "ignore"}, "on_error 'ignore' is not known; it is refuse or skip"),
        (
            {"metric": "pcc", "window": "gaussian"},
            "PCC has no window; the gaussian window is for ssim",
        ),
        ({"size": 7}, "the size must lie between 8 and 1024, not 7"),
        ({"size": 1025}, "the size must lie between 8 and 1024, not 1025"),
        (
            {"size": 10, "window": "gaussian"},
            "a window of 11 pixels does not fit into a size of 10",
        ),
        *(
            (
                {"data_range": span},
                f"the data range must lie between 1e-06 and 1e+09, not {span:g}",
            )
            for span in (0, -1.0, 1e-7, 1e200, float("inf"), float("nan"))
        ),
        ({"workers": 0}, "there must be at least one worker, not 0"),
        ({"memory": 255 * MIB}, "255 MiB of memory are too few; give at least 256 MiB"),
    ],
)
def test_options_that_cannot_be_are_refused_in_one_sentence(options: dict, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        Comparing(**options)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    "options",
    [
        {"size": 8},
        {"size": 1024},
        {"size": 11, "window": "gaussian"},
        {"data_range": 1e-6},
        {"data_range": 1e9},
        {"memory": 256 * MIB, "workers": 1},
    ],
)
def test_options_at_their_limits_are_taken(options: dict) -> None:
    how = Comparing(**options)
    assert how.budget >= 256 * MIB
    assert how.threads >= 1


def test_unset_options_come_from_the_machine() -> None:
    how = Comparing()
    assert how.threads <= (os.cpu_count() or 1)
    assert how.budget == physical_memory() // 4
    assert physical_memory() > 256 * MIB


def test_the_record_of_a_run_holds_what_decides_it() -> None:
    shown = Comparing(size=64, workers=3).parameters(255.0)
    assert shown == {"metric": "ssim", "size": 64, "window": "global", "data_range": 255.0}
    assert Comparing(metric="pcc").parameters(255.0) == {"metric": "pcc", "size": 352}


# -- what is opened ----------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["ssim", "pcc"])
@pytest.mark.parametrize("bits", [8, 16])
def test_opened_images_are_compared_as_they_lie_in_their_files(
    bits: int, metric: Metric, tmp_path: Path
) -> None:
    opened = open_small(pictures(tmp_path, bits=bits), metric=metric)
    span = 2.0**bits - 1
    assert isinstance(opened.measures, GlobalSimilarities)
    assert opened.data_range == span
    assert opened.readable.all()
    assert not opened.faults
    found = [(i, j) for i, j, _ in pairs(opened, 0.4)]
    assert found == brute_force(bursts(12, SIZE, bits=bits), metric, span, 0.4)
    assert 0 < len(found) < 66


@pytest.mark.parametrize("metric", ["ssim", "pcc"])
def test_8_bits_among_16_are_compared_on_their_scale(metric: Metric, tmp_path: Path) -> None:
    shallow, deep = bursts(6, SIZE), bursts(6, SIZE, bits=16, seed=1)
    images = [*shallow, *deep]
    names = {f"{k:03d}.png": image.reshape(SIZE, SIZE) for k, image in enumerate(images)}
    opened = open_small(read(write_images(tmp_path, names)), metric=metric)
    pixels = np.concatenate((shallow.astype(np.uint16) * 257, deep))
    assert opened.data_range == 65_535
    found = pairs(opened, -1.0)
    expected = all_similarities(pixels, metric, 65_535)
    assert len(found) == 66
    assert [v for *_, v in found] == pytest.approx([expected[i, j] for i, j, _ in found], abs=1e-12)


def test_a_data_range_that_is_given_is_used(tmp_path: Path) -> None:
    data = pictures(tmp_path)
    wide = open_small(data, data_range=1000.0)
    assert wide.data_range == 1000
    assert [(i, j) for i, j, _ in pairs(wide, 0.9)] == brute_force(
        bursts(12, SIZE), "ssim", 1000, 0.9
    )


def test_the_gaussian_window_has_measures_of_its_own(tmp_path: Path) -> None:
    assert isinstance(
        open_small(pictures(tmp_path), window="gaussian").measures, WindowedSimilarities
    )


@pytest.mark.parametrize("window", ["global", "gaussian"])
@pytest.mark.parametrize("which", ["all", "new", "across"])
def test_new_images_may_be_compared_with_old_ones_only(
    which: str, window: Window, tmp_path: Path
) -> None:
    data = pictures(tmp_path)
    wanted = {
        "all": lambda i, j: True,
        "new": lambda i, j: j >= 7,
        "across": lambda i, j: i < 7 <= j,
    }[which]
    opened = open_small(data, window=window, new_from=7, which=which)
    everything = pairs(open_small(data, window=window))
    assert pairs(opened) == [pair for pair in everything if wanted(*pair[:2])]


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("window", ["global", "gaussian"])
def test_one_image_has_no_pair_and_two_have_one(n: int, window: Window, tmp_path: Path) -> None:
    assert len(pairs(open_small(pictures(tmp_path, n), window=window), -1.0)) == n - 1


def test_progress_counts_images_and_ends_with_all(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    open_small(pictures(tmp_path), progress=lambda *step: told.append(step))
    for label in ("reading images", "summing up images"):
        done = [step[1] for step in told if step[0] == label]
        assert done == sorted(done)
        assert done[-1] == 12
    assert {step[2] for step in told} == {12}


def test_no_images_and_no_folder_are_refused(tmp_path: Path) -> None:
    none = pl.DataFrame(schema=IMAGES)
    with pytest.raises(InputError, match="there are no images to compare"):
        open_small(images_alone(none, tmp_path))
    one = pl.DataFrame([(1, "a.png", 9, 9)], schema=IMAGES, orient="row")
    with pytest.raises(InputError, match=r"the folder of image 'a.png' is not known; give"):
        open_small(images_alone(one, None))


# -- images that cannot be read ----------------------------------------------------------------


def spoil(data: Dataset, *rows: int) -> list[str]:
    names = data.images["file_name"].gather(list(rows)).to_list()
    for name in names:
        (data.image_root / name).write_bytes(b"")
    return names


@pytest.mark.parametrize(
    ("rows", "more"),
    [((4,), ""), ((4, 7), "; 1 more cannot be read"), ((4, 7, 11), "; 2 more cannot be read")],
)
def test_unreadable_images_are_refused_by_name_and_number(
    rows: tuple[int, ...], more: str, tmp_path: Path
) -> None:
    data = pictures(tmp_path)
    spoil(data, *rows)
    with pytest.raises(InputError) as error:
        open_small(data)
    assert str(error.value) == (
        f"{tmp_path}/004.png: is empty (0 bytes){more}; --on-error skip leaves such images out"
    )


@pytest.mark.parametrize(
    "how", [{"metric": "ssim"}, {"metric": "pcc"}, {"window": "gaussian"}], ids=str
)
def test_skipped_images_have_no_pairs_and_change_no_others(how: dict, tmp_path: Path) -> None:
    data = pictures(tmp_path)
    expected = [pair for pair in pairs(open_small(data, **how), -1.0) if not {0, 4} & {*pair[:2]}]
    spoil(data, 0, 4)
    opened = open_small(data, on_error="skip", **how)
    assert opened.faults == dict.fromkeys((0, 4), "is empty (0 bytes)")
    assert np.flatnonzero(~opened.readable).tolist() == [0, 4]
    for low in (-1.0, 0.3, 0.9):
        assert pairs(opened, low) == [pair for pair in expected if pair[2] >= low]
    best, value = opened.measures.nearest(np.arange(12), np.arange(12))
    assert best[[0, 4]].tolist() == [-1, -1]
    assert not {0, 4} & set(best.tolist())
    assert np.isfinite(value).tolist() == opened.readable.tolist()


@pytest.mark.parametrize("on_error", ["skip", "refuse"])
def test_a_set_without_a_readable_image_is_refused(on_error: str, tmp_path: Path) -> None:
    data = pictures(tmp_path)
    spoil(data, *range(12))
    expected = {
        "skip": "no image can be read; the first of 12: .*000.png: is empty",
        "refuse": "000.png: is empty .*; 11 more cannot be read",
    }
    with pytest.raises(InputError, match=expected[on_error]):
        open_small(data, on_error=on_error)


# -- pixels in files ---------------------------------------------------------------------------


def test_pixels_in_a_folder_give_the_same_pairs_bit_for_bit(tmp_path: Path) -> None:
    data = pictures(tmp_path / "images")
    held, mapped = open_small(data), open_small(data, folder=tmp_path / "work")
    assert isinstance(mapped.measures.engine.store.pixels, np.memmap)
    assert not isinstance(held.measures.engine.store.pixels, np.memmap)
    for low in (0.9, 0.2, -1.0):
        assert pairs(held, low) == pairs(mapped, low)


def test_pixels_beyond_memory_lie_in_a_temporary_file_that_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "room"
    room.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    data = pictures(tmp_path / "images")
    expected = pairs(open_small(data))
    assert not list(room.iterdir())
    tables = 12 * 4164
    monkeypatch.setattr(Comparing, "budget", property(lambda _: 2 * (tables + 12 * 256) - 1))
    opened = open_small(data)
    assert isinstance(opened.measures.engine.store.pixels, np.memmap)
    assert len(list(room.glob("paring-*/pixels.npy"))) == 1
    assert pairs(opened) == expected
    del opened
    gc.collect()
    assert not list(room.iterdir())
    monkeypatch.setattr(Comparing, "budget", property(lambda _: 2 * (tables + 12 * 256)))
    assert not isinstance(open_small(data).measures.engine.store.pixels, np.memmap)


def test_tables_beyond_memory_are_refused_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Comparing, "budget", property(lambda _: 50_000))
    with pytest.raises(InputError, match=r"12 images need .* GiB besides .* give more --memory"):
        open_small(pictures(tmp_path))


# -- taking up work ----------------------------------------------------------------------------


def count_decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    decoded: list[int] = []
    put = PixelStore.put
    monkeypatch.setattr(
        PixelStore, "put", lambda store, row, grey: decoded.append(row) or put(store, row, grey)
    )
    return decoded


def forbid_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a tile was computed again")

    monkeypatch.setattr("paring.images.similarity.tiles.Engine.find", fail)


def test_work_that_is_done_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pictures(tmp_path / "images")
    expected = pairs(open_small(data, folder=tmp_path / "work"))
    decoded = count_decoded(monkeypatch)
    forbid_computing(monkeypatch)
    assert pairs(open_small(data, folder=tmp_path / "work")) == expected
    assert not decoded


def test_reading_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictures(tmp_path / "images")
    expected = pairs(open_small(data))
    decoded: list[int] = []
    put = PixelStore.put

    def stopped(store: PixelStore, row: int, grey: NDArray) -> None:
        if len(decoded) == 5:
            raise KeyboardInterrupt
        decoded.append(row)
        put(store, row, grey)

    monkeypatch.setattr(PixelStore, "put", stopped)
    with pytest.raises(KeyboardInterrupt):
        open_small(data, folder=tmp_path / "work", workers=1)
    monkeypatch.setattr(PixelStore, "put", put)
    again = count_decoded(monkeypatch)
    assert pairs(open_small(data, folder=tmp_path / "work")) == expected
    assert sorted(decoded + again) == list(range(12))


def change_time(data: Dataset) -> Dataset:
    os.utime(data.image_root / "003.png", ns=(0, 10**18))
    return data


def change_pixels(data: Dataset) -> Dataset:
    assert cv2.imwrite(str(data.image_root / "003.png"), np.zeros((40, 40), np.uint8))
    return data


def change_names(data: Dataset) -> Dataset:
    (data.image_root / "003.png").rename(data.image_root / "other.png")
    return read(data.image_root)


@pytest.mark.parametrize("change", [change_time, change_pixels, change_names])
def test_changed_images_are_read_and_compared_anew(
    change: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictures(tmp_path / "images")
    pairs(open_small(data, folder=tmp_path / "work"))
    data = change(data)
    expected = pairs(open_small(data))
    decoded = count_decoded(monkeypatch)
    assert pairs(open_small(data, folder=tmp_path / "work")) == expected
    assert sorted(decoded) == list(range(12))


def test_another_size_is_read_anew(tmp_path: Path) -> None:
    data = pictures(tmp_path / "images")
    for size in (SIZE, 11, 8, SIZE):
        found = pairs(open_small(data, size=size, folder=tmp_path / "work"))
        assert found == pairs(open_small(data, size=size))


@pytest.mark.parametrize("window", ["global", "gaussian"])
def test_formulas_take_turns_in_one_folder(window: Window, tmp_path: Path) -> None:
    data = pictures(tmp_path / "images")
    hows = [{"metric": "pcc"}, {"window": window}, {"data_range": 9.0}, {"window": window}]
    for how, low in itertools.product(hows, (0.8, 0.2)):
        found = pairs(open_small(data, folder=tmp_path / "work", **how), low)
        assert found == pairs(open_small(data, **how), low)


@pytest.mark.parametrize("window", ["global", "gaussian"])
def test_an_image_that_can_be_read_later_gets_its_pairs(
    window: Window, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as by rights that were missing, which changes neither size nor time of a file
    data = pictures(tmp_path / "images")
    how = {"window": window, "folder": tmp_path / "work", "on_error": "skip"}
    decode = opening.decode

    def without_the_last(*of: object, rows: NDArray, **more: object) -> dict[int, str]:
        return decode(*of, rows=rows[:-1], **more) | {int(rows[-1]): "may not be read"}

    monkeypatch.setattr(opening, "decode", without_the_last)
    first = open_small(data, **how)
    assert first.faults == {11: "may not be read"}
    pairs(first)
    monkeypatch.setattr(opening, "decode", decode)
    assert pairs(open_small(data, **how)) == pairs(open_small(data, window=window))


def test_pixels_that_were_lost_are_read_again(tmp_path: Path) -> None:
    data = pictures(tmp_path / "images")
    expected = pairs(open_small(data, folder=tmp_path / "work"))
    path = tmp_path / "work" / "pixels.npy"
    path.write_bytes(path.read_bytes()[:1000])
    opened = open_small(data, folder=tmp_path / "work")
    assert pairs(opened) == expected
    assert (opened.measures.engine.store.pixels == bursts(12, SIZE)).all()


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = pictures(tmp_path / "images")
    before = {path: path.read_bytes() for path in data.image_root.iterdir()}
    with pytest.raises(InputError, match="holds something else"):
        open_small(data, folder=data.image_root)
    assert {path: path.read_bytes() for path in data.image_root.iterdir()} == before


def test_pairs_of_images_that_became_readable_are_found_also_where_the_reading_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, work = pictures(tmp_path / "images"), tmp_path / "work"
    whole = open_images(data, Comparing(size=16, workers=1)).measures.pairs(-1.0)

    decode = opening.decode

    def unreadable(*rows: int) -> None:
        def decode_but(data, size, put, *, rows: np.ndarray, workers, progress=None):
            left = np.setdiff1d(rows, gone)
            bad = decode(data, size, put, rows=left, workers=workers, progress=progress)
            return bad | dict.fromkeys(np.intersect1d(rows, gone).tolist(), "is busy")

        gone = np.array(rows)
        monkeypatch.setattr(opening, "decode", decode_but)

    unreadable(0, 4)
    first = open_images(data, Comparing(size=16, workers=1, on_error="skip"), folder=work)
    assert len(first.measures.pairs(-1.0).value) < len(whole.value)
    del first
    unreadable()

    def stopped(data, size, put, **options):
        decode(data, size, put, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, "decode", stopped)
    with pytest.raises(KeyboardInterrupt):
        open_images(data, Comparing(size=16, workers=1), folder=work)
    unreadable()
    again = open_images(data, Comparing(size=16, workers=1), folder=work).measures.pairs(-1.0)
    assert again.value.tolist() == whole.value.tolist()
