"""Grey pixels of all images, in memory or in a mapped file, and which of them are there."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.similarity.formula import Moments

_PIXELS, _DONE = "pixels.npy", "done.npy"


class PixelStore:
    """Pixels (n, size * size) of n images, 8- or 16-bit.

    With a folder they lie in a file there, which a later store of the same shape takes up again
    where the work was stopped; without, in memory.

    >>> store = PixelStore(2, size=8, bits=8)
    >>> store.put(0, np.full((8, 8), 7, np.uint8))
    >>> store.missing().tolist()
    [1]
    """

    def __init__(self, n_images: int, *, size: int, bits: int, folder: Path | None = None) -> None:
        self.size = size
        self.dtype = np.dtype(np.uint16 if bits == 16 else np.uint8)
        shape = (n_images, size * size)
        self.done = np.zeros(n_images, bool)
        self._noted: NDArray[Any] | None = None
        if folder is None:
            self.pixels: NDArray[Any] = np.zeros(shape, self.dtype)
            return
        folder.mkdir(parents=True, exist_ok=True)
        pixels = _held(folder / _PIXELS, shape, self.dtype)
        if pixels is None:  # none is there then, whatever the other file says
            (folder / _DONE).unlink(missing_ok=True)
            pixels = _made(folder / _PIXELS, shape, self.dtype)
        noted = _held(folder / _DONE, (n_images,), np.dtype(bool))
        if noted is None:
            noted = _made(folder / _DONE, (n_images,), np.dtype(bool))
        self.pixels, self._noted = pixels, noted
        self.done[:] = noted

    def __len__(self) -> int:
        return len(self.pixels)

    def put(self, row: int, grey: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
        """Keep an image (size, size); 8-bit pixels among 16-bit ones span their range (x 257)."""
        if grey.dtype == np.uint16 and self.dtype == np.uint8:
            raise ValueError("16-bit pixels in a store of 8-bit ones")
        flat = grey.reshape(-1)
        if flat.dtype != self.dtype:
            flat = flat.astype(np.uint16) * np.uint16(257)
        self.pixels[row] = flat
        self.done[row] = True

    def note(self) -> None:
        """Note in the folder which images are there: pixels go to the disk first, the note then."""
        if self._noted is not None and isinstance(self.pixels, np.memmap):
            done = self.done.copy()
            self.pixels.flush()
            self._noted[:] = done
            cast("np.memmap[Any, Any]", self._noted).flush()

    def missing(self) -> NDArray[np.int64]:
        """Rows of the images that are not there yet."""
        return np.flatnonzero(~self.done)

    def mark(self) -> str:
        """A short hash of which images are there."""
        return hashlib.blake2b(np.packbits(self.done).tobytes(), digest_size=6).hexdigest()

    def moments(self, progress: Callable[[int], None] | None = None) -> Moments:
        """Exact moments of all images."""
        n = len(self)
        sums, squares, step = np.empty(n, np.int64), np.empty(n, np.int64), 256
        for start in range(0, n, step):
            rows = np.arange(start, min(start + step, n))
            sums[rows] = self.pixels[start : start + step].sum(axis=1, dtype=np.int64)
            squares[rows] = self.products(rows, rows)
            if progress is not None:
                progress(int(rows[-1]) + 1)
        return Moments.of(self.size * self.size, sums, squares)

    def products(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """Exact sums of the pixel products of pairs of images, int64 (k,)."""
        from paring.images.similarity import kernel

        out = np.empty(len(first), np.int64)
        loop = kernel.products_16 if self.dtype == np.uint16 else kernel.products_8
        loop(np.asarray(self.pixels), first, second, out)
        return out

    def product_table(self, rows: slice, others: slice) -> NDArray[np.int64]:
        """The same for all pairs of a tile, int64 (a, b), as one matrix product.

        Double precision holds every whole number here exactly (below 2**53 for images of up to
        1,024 pixels a side), so the order of summation does not matter.
        """
        one, other = self.pixels[rows], self.pixels[others]
        total = np.zeros((len(one), len(other)))
        step = max(256, 2**24 // max(1, 8 * max(len(one), len(other))))
        for start in range(0, self.pixels.shape[1], step):
            part = slice(start, start + step)
            total += one[:, part].astype(np.float64) @ other[:, part].T.astype(np.float64)
        return total.astype(np.int64)


def _held(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """An array in a file that an earlier store left; None where it is not of that shape, or cut."""
    try:
        size = path.stat().st_size  # taken before: mapping would fill up what is cut off
        found = np.lib.format.open_memmap(path, mode="r+")
    except (OSError, ValueError):
        return None
    if found.shape != shape or found.dtype != dtype:
        return None
    return found if size == found.offset + found.nbytes else None


def _made(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array of zeros in a new file."""
    path.unlink(missing_ok=True)
    needed, free = math.prod(shape) * dtype.itemsize, shutil.disk_usage(path.parent).free
    if needed > 0.95 * free:
        raise InputError(
            f"{path.parent}: the pixels of {shape[0]:,} images take {needed / 2**30:.1f} GiB, and "
            f"{free / 2**30:.1f} GiB are free there"
        )
    try:
        return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from error
