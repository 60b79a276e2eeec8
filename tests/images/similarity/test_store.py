import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.similarity.store import PixelStore
from similarity_oracle import images_of_all_kinds, store_of


def drawn(n: int, bits: int = 8, size: int = 8) -> NDArray:
    kind = np.uint16 if bits == 16 else np.uint8
    rng = np.random.default_rng(0)
    return rng.integers(0, 2**bits, (n, size, size)).astype(kind)


def test_what_is_put_is_kept_and_no_longer_missing() -> None:
    store = PixelStore(3, size=8, bits=8)
    images = drawn(3)
    assert store.missing().tolist() == [0, 1, 2]
    for row in (2, 0):
        store.put(row, images[row])
    assert store.missing().tolist() == [1]
    assert (store.pixels[[0, 2]] == images[[0, 2]].reshape(2, -1)).all()
    assert len(store) == 3


def test_8_bits_among_16_span_their_range() -> None:
    store = PixelStore(1, size=8, bits=16)
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    levels[-1, -1] = 255
    store.put(0, levels)
    assert store.pixels.dtype == np.uint16
    assert store.pixels[0].tolist() == [257 * k for k in range(63)] + [65_535]


def test_16_bits_are_never_squeezed_into_8() -> None:
    with pytest.raises(ValueError, match="16-bit"):
        PixelStore(1, size=8, bits=8).put(0, np.zeros((8, 8), np.uint16))


@pytest.mark.parametrize("bits", [8, 16])
def test_moments_are_those_of_whole_numbers(bits: int) -> None:
    pixels = np.tile(images_of_all_kinds(8, bits), (20, 1))  # more than are summed up at a time
    told: list[int] = []
    moments = store_of(pixels).moments(told.append)
    whole = pixels.astype(object)
    assert (moments.whole * 64 + moments.rest).tolist() == whole.sum(axis=1).tolist()
    np.testing.assert_array_equal(moments.mean, pixels.mean(axis=1))
    np.testing.assert_allclose(moments.variance, pixels.var(axis=1), rtol=1e-9, atol=0)
    assert told == sorted(set(told))
    assert told[-1] == len(pixels)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("size", [8, 33, 91])  # 91 * 91 is more than a part of the loop
def test_a_table_of_products_holds_the_products_of_its_pairs(size: int, bits: int) -> None:
    pixels = images_of_all_kinds(size, bits)
    store = store_of(pixels)
    table = store.product_table(slice(2, 9), slice(0, 20))
    whole = pixels.astype(np.int64)
    assert (table == whole[2:9] @ whole[:20].T).all()
    first, second = np.repeat(np.arange(2, 9), 20), np.tile(np.arange(20), 7)
    assert (store.products(first, second) == table.reshape(-1)).all()
    assert store.products(first[:0], second[:0]).shape == (0,)


def test_a_table_of_large_white_images_is_exact() -> None:
    store = PixelStore(2, size=1024, bits=16)
    store.pixels[:] = 65_535
    assert (store.product_table(slice(0, 2), slice(1, 2)) == 65_535**2 * 1024 * 1024).all()


# -- in a file ---------------------------------------------------------------------------------


def half_full(folder: Path, images: NDArray) -> None:
    store = PixelStore(len(images), size=8, bits=8, folder=folder)
    for row in (0, 2):
        store.put(row, images[row])
    store.note()


def test_what_was_not_noted_is_not_believed(tmp_path: Path) -> None:
    store = PixelStore(2, size=8, bits=8, folder=tmp_path)
    store.put(0, drawn(2)[0])
    assert PixelStore(2, size=8, bits=8, folder=tmp_path).missing().tolist() == [0, 1]
    store.note()
    assert PixelStore(2, size=8, bits=8, folder=tmp_path).missing().tolist() == [1]


def test_a_later_store_takes_up_what_an_earlier_one_left(tmp_path: Path) -> None:
    images = drawn(4)
    half_full(tmp_path / "work", images)
    again = PixelStore(4, size=8, bits=8, folder=tmp_path / "work")
    assert again.missing().tolist() == [1, 3]
    assert (again.pixels[[0, 2]] == images[[0, 2]].reshape(2, -1)).all()


def test_memory_and_file_give_the_same(tmp_path: Path) -> None:
    pixels = images_of_all_kinds(16)
    held, mapped = store_of(pixels), store_of(pixels, tmp_path)
    assert isinstance(mapped.pixels, np.memmap)
    part = slice(3, 9)
    assert (held.product_table(part, part) == mapped.product_table(part, part)).all()
    assert held.moments().variance.tobytes() == mapped.moments().variance.tobytes()


@pytest.mark.parametrize(
    "other", [{"size": 9}, {"bits": 16}, {"n_images": 5}], ids=lambda other: next(iter(other))
)
def test_a_store_of_another_shape_starts_afresh(other: dict, tmp_path: Path) -> None:
    half_full(tmp_path, drawn(4))
    how = {"n_images": 4, "size": 8, "bits": 8} | other
    again = PixelStore(how["n_images"], size=how["size"], bits=how["bits"], folder=tmp_path)
    assert again.missing().tolist() == list(range(how["n_images"]))
    assert not again.pixels.any()


@pytest.mark.parametrize("left", [None, 0, 5, 127, 128, 200, -1])
def test_pixels_that_were_cut_off_are_not_there(left: int | None, tmp_path: Path) -> None:
    half_full(tmp_path, drawn(4))
    path = tmp_path / "pixels.npy"
    content = path.read_bytes()
    path.unlink()
    if left is not None:
        path.write_bytes(content[:left])
    again = PixelStore(4, size=8, bits=8, folder=tmp_path)
    assert again.missing().tolist() == [0, 1, 2, 3]
    assert again.pixels.shape == (4, 64)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"nothing of the kind", b"PK\x03\x04"])
@pytest.mark.parametrize("name", ["pixels.npy", "done.npy"])
def test_files_of_another_kind_are_written_anew(name: str, content: bytes, tmp_path: Path) -> None:
    half_full(tmp_path, drawn(4))
    (tmp_path / name).write_bytes(content)
    assert PixelStore(4, size=8, bits=8, folder=tmp_path).missing().tolist() == [0, 1, 2, 3]


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(InputError, match=r"the pixels of 1,000 images take .* GiB, and .* free"):
        PixelStore(1000, size=8, bits=8, folder=tmp_path)
    assert not list(tmp_path.iterdir())
