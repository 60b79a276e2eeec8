"""Windowed SSIM between many pairs of equally large grey images (Wang et al. 2004).

What belongs to one image, its local means and variances, is made once for each image; what is left
for a pair is to filter the product of its two images and to apply the formula. Three facts keep
the numbers apart from how the work is cut:

* A pair is done in cells of `_ROWS` x `_COLUMNS` windows, in an order that depends on the size of
  the images only. Workers, memory and the company of other pairs change nothing, bit for bit.
* Every step treats the two images alike, so SSIM(x, y) and SSIM(y, x) are the same number. The
  product of an image with itself is filtered as its square is for its variance, so SSIM(x, x) is 1.
* Pixels are whole numbers, and a whole number near its mean is taken from each image, so products
  are exact, and little is lost where the variance is the difference of two large numbers.

Cells are small enough to stay in the fastest memory from the product to the sum, and their rows
lie at a constant distance, without which the compiler cannot tell that many pixels can be
done at once.
"""

# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numba import njit
from numpy import uint64 as u
from numpy.typing import NDArray

from paring.errors import InputError
from paring.images.similarity.formula import K1, K2

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]  # (n, h, w)
Grey: TypeAlias = NDArray[np.float32]  # (h, w): whole numbers, which are exact below 2**24
Maps: TypeAlias = NDArray[np.float64]  # (n, h - 10, w - 10)
Rows: TypeAlias = NDArray[np.int64]  # (k,)
Values: TypeAlias = NDArray[np.float64]  # (k,)
Number: TypeAlias = Any  # a machine number, which is of one kind to numba and of another to Python
T = TypeVar("T")
R = TypeVar("R")

WINDOW, SIGMA = 11, 1.5
"""Side of the window in pixels, and the standard deviation of its Gaussian weights."""

_MARGIN = WINDOW - 1  # rows, and columns, by which an image is larger than its maps
_WEIGHTS = np.exp(-0.5 * (np.arange(WINDOW // 2 + 1) / SIGMA) ** 2)
_WEIGHTS /= 2 * _WEIGHTS.sum() - _WEIGHTS[0]
_W0, _W1, _W2, _W3, _W4, _W5 = _WEIGHTS.tolist()  # from the centre outwards

_ROWS, _COLUMNS = 16, 352  # windows in a cell
_STRIDE = _COLUMNS + _MARGIN
_TILE = 8  # images on each side of a square of pairs; what a cell needs of 16 images is 2 MiB
_CHUNK = _TILE * _TILE  # pairs handed to a thread at a time


def windowed_ssim(
    pixels: Pixels,
    first: Rows,
    second: Rows,
    *,
    data_range: float,
    workers: int = 1,
    memory: int = 2**30,
    progress: Callable[[int], None] | None = None,
) -> Values:
    """Mean structural similarity of pairs of images, (k,), without unit, at most 1.

    With m, v and c the means, variances and covariance of x and y in a window of 11 x 11 pixels,
    under Gaussian weights of standard deviation 1.5 that sum to 1, C1 = (0.01 L)^2 and
    C2 = (0.03 L)^2 for the data range L::

        SSIM = mean of (2 m_x m_y + C1) (2 c + C2) / ((m_x^2 + m_y^2 + C1) (v_x + v_y + C2))

    over all windows that lie inside the image. Source: Wang, Bovik, Sheikh and Simoncelli, Image
    quality assessment: from error visibility to structural similarity, 2004, Eq. 13 to 17.

    It is `skimage.metrics.structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False` to 1e-12. The results depend neither on `workers` nor on `memory`
    nor on which other pairs there are.

    Parameters
    ----------
    pixels : grey images (n, h, w), 8- or 16-bit, h and w at least 11; a mapped file will do.
    first, second : the numbers of the images of each pair (k,), in any order.
    data_range : L, the difference between the largest and the smallest possible pixel.
    workers : threads.
    memory : bytes that pixels, means and variances of images may take while they are worked on,
        20 for each pixel of an image. More memory makes for fewer repetitions.
    progress : called from time to time with the number of pairs done so far.

    Raises
    ------
    InputError : for arrays of another shape or kind, images that are too small, pairs of images
        that do not exist, and a memory that does not hold two images.

    Example
    -------
    >>> ramp = np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8)
    >>> images = np.stack((ramp, ramp, 255 - ramp))
    >>> windowed_ssim(images, np.array([0, 0]), np.array([1, 2]), data_range=255).round(4)
    array([1.    , 0.0916])
    """
    _check(pixels, first, second, data_range, workers)
    values = np.zeros(len(first))
    if len(first) == 0:
        return values
    height, width = pixels.shape[1:]
    room = memory // _bytes_per_image(height, width)
    used, rank = np.unique(np.concatenate((first, second)), return_inverse=True)
    if room < min(2, len(used)):
        raise InputError(
            f"memory is {memory} bytes, but two images of {height} x {width} pixels need "
            f"{2 * _bytes_per_image(height, width)}; give at least that"
        )
    ranks = rank.reshape(2, -1)
    jobs, order = _jobs(ranks.min(axis=0), ranks.max(axis=0), min(room, len(used)))
    images = _Images(pixels, min(room, len(used)))
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    report = progress or (lambda _: None)

    def measure(pairs: Rows) -> int:
        totals = np.zeros(len(pairs))
        one, other = images.slots(first[pairs]), images.slots(second[pairs])
        _add_up(images.grey, images.shift, images.mean, images.variance, one, other, c1, c2, totals)
        values[pairs] = totals / images.mean[0].size
        return len(pairs)

    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for start, stop in jobs:
            pairs = order[start:stop]
            wanted = images.make_room(np.union1d(first[pairs], second[pairs]))
            for _ in _each(pool, workers, images.load, wanted):
                pass
            chunks = [pairs[k : k + _CHUNK] for k in range(0, len(pairs), _CHUNK)]
            for size in _each(pool, workers, measure, chunks):
                done += size
                report(done)
    return values


def _check(pixels: Pixels, first: Rows, second: Rows, data_range: float, workers: int) -> None:
    if pixels.ndim != 3 or pixels.dtype.kind != "u" or pixels.dtype.itemsize > 2:
        raise InputError(
            f"pixels are {pixels.dtype} of shape {pixels.shape}; give grey images as uint8 or "
            "uint16 of shape (images, height, width)"
        )
    if min(pixels.shape[1:]) < WINDOW:
        raise InputError(
            f"images are {pixels.shape[1]} x {pixels.shape[2]} pixels, but the window takes "
            f"{WINDOW} x {WINDOW}; give larger images"
        )
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(
            f"first has shape {first.shape} and second {second.shape}; give one number of an "
            "image for each pair in both"
        )
    for name, rows in (("first", first), ("second", second)):
        if rows.dtype.kind not in "iu":
            raise InputError(f"{name} is {rows.dtype}; give the numbers of images as integers")
        wrong = np.flatnonzero((rows < 0) | (rows >= len(pixels)))
        if len(wrong):
            raise InputError(
                f"pair {wrong[0]} names image {rows[wrong[0]]} in {name}, but there are "
                f"{len(pixels)} images, counted from 0; correct or remove it"
            )
    if not (np.isfinite(data_range) and data_range > 0):
        raise InputError(f"data_range is {data_range}; give a positive number, such as 255")
    if workers < 1:
        raise InputError(f"workers is {workers}; it must be 1 or more")


def _bytes_per_image(height: int, width: int) -> int:
    """Bytes of an image's pixels (4 each), means and variances (8 each)."""
    return 4 * height * width + 16 * (height - _MARGIN) * (width - _MARGIN)


def _jobs(low: Rows, high: Rows, room: int) -> tuple[list[tuple[int, int]], Rows]:
    """Ranges of an order of the pairs (k,), such that no range needs more than `room` images.

    `low` and `high` (k,) are the smaller and the larger image of each pair, counted without gaps.
    """
    n_images = int(high.max()) + 1
    block = n_images if n_images <= room else room // 2
    keys = [part // side for side in (block, _TILE, 1) for part in (low, high)]
    order = np.lexsort(keys[::-1])
    blocks = np.stack((low[order] // block, high[order] // block))
    starts = np.flatnonzero((np.diff(blocks, axis=1) != 0).any(axis=0)) + 1
    bounds = [0, *starts.tolist(), len(low)]
    return list(pairwise(bounds)), order


def _each(
    pool: ThreadPoolExecutor, workers: int, work: Callable[[T], R], items: Iterable[T]
) -> Iterable[R]:
    return map(work, items) if workers == 1 else pool.map(work, items)


class _Images:
    """What the pairs need of the images that are being worked on, in a fixed number of slots."""

    def __init__(self, pixels: Pixels, room: int) -> None:
        n, height, width = pixels.shape
        self.pixels = pixels
        self.image = np.full(room, -1)  # the image in each slot
        self.slot = np.full(n, -1)  # the slot of each image
        self.grey = np.empty((room, height, width), np.float32)  # pixels less the shift
        self.shift = np.zeros(room)
        self.mean = np.empty((room, height - _MARGIN, width - _MARGIN))  # less the shift, too
        self.variance = np.empty_like(self.mean)
        self.ones = np.ones((height, width), np.float32)

    def slots(self, rows: Rows) -> Rows:
        """Where the images (k,) are."""
        found: Rows = self.slot[rows]
        return found

    def make_room(self, wanted: Rows) -> list[int]:
        """Give every image a slot; which of them are not there and must be loaded."""
        missing = wanted[self.slot[wanted] < 0]
        free = np.flatnonzero(~np.isin(self.image, wanted))[: len(missing)]
        dropped = self.image[free]
        self.slot[dropped[dropped >= 0]] = -1
        self.image[free], self.slot[missing] = missing, free
        rows: list[int] = missing.tolist()
        return rows

    def load(self, row: int) -> None:
        """Read an image and make its means and variances."""
        slot = self.slot[row]
        pixels = np.asarray(self.pixels[row])
        self.shift[slot] = shift = np.rint(pixels.mean())
        grey, mean, variance = self.grey[slot], self.mean[slot], self.variance[slot]
        np.subtract(pixels, np.float32(shift), out=grey, dtype=np.float32)
        _filter(grey, self.ones, mean)
        _filter(grey, grey, variance)
        variance -= mean * mean


# -- compiled ---------------------------------------------------------------------------------
# Only the two filters may be contracted (a product and a sum rounded once): the formula must not,
# or it would no longer treat the two images alike. Only the sum of windows may be reordered.


@njit(nogil=True, cache=True, error_model="numpy")
def _multiply(
    x: Grey, y: Grey, top: Number, left: Number, rows: Number, columns: Number, cell: Values
) -> None:
    """Products of the pixels of a part of two images, into rows of a cell."""
    for i in range(rows):
        x_row, y_row = x[u(top + i)], y[u(top + i)]
        for j in range(columns):
            product = np.float64(x_row[u(left + j)]) * np.float64(y_row[u(left + j)])
            cell[u(i * _STRIDE + j)] = product


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _filter_down(cell: Values, row: Number, columns: Number, line: Values) -> None:
    """Weighted sums of eleven rows of a cell, from `row` on."""
    for j in range(columns):
        k = row * _STRIDE + j
        line[u(j)] = (
            _W0 * cell[u(k + 5 * _STRIDE)]
            + _W1 * (cell[u(k + 4 * _STRIDE)] + cell[u(k + 6 * _STRIDE)])
            + _W2 * (cell[u(k + 3 * _STRIDE)] + cell[u(k + 7 * _STRIDE)])
            + _W3 * (cell[u(k + 2 * _STRIDE)] + cell[u(k + 8 * _STRIDE)])
            + _W4 * (cell[u(k + _STRIDE)] + cell[u(k + 9 * _STRIDE)])
            + _W5 * (cell[u(k)] + cell[u(k + 10 * _STRIDE)])
        )


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _filter_along(line: Values, j: Number) -> Number:
    """Weighted sum of eleven pixels of a line, from `j` on."""
    return (
        _W0 * line[u(j + 5)]
        + _W1 * (line[u(j + 4)] + line[u(j + 6)])
        + _W2 * (line[u(j + 3)] + line[u(j + 7)])
        + _W3 * (line[u(j + 2)] + line[u(j + 8)])
        + _W4 * (line[u(j + 1)] + line[u(j + 9)])
        + _W5 * (line[u(j)] + line[u(j + 10)])
    )


@njit(nogil=True, cache=True, error_model="numpy")
def _filter(x: Grey, y: Grey, filtered: NDArray[np.float64]) -> None:
    """Weighted sums of the product of two images (h, w) over all windows (h - 10, w - 10)."""
    cell, line = np.empty((_ROWS + _MARGIN) * _STRIDE), np.empty(_STRIDE)
    height, width = filtered.shape
    for top in range(0, height, _ROWS):
        rows = min(_ROWS, height - top)
        for left in range(0, width, _COLUMNS):
            columns = min(_COLUMNS, width - left)
            _multiply(x, y, top, left, rows + _MARGIN, columns + _MARGIN, cell)
            for i in range(rows):
                _filter_down(cell, i, columns + _MARGIN, line)
                row = filtered[u(top + i)]
                for j in range(columns):
                    row[u(left + j)] = _filter_along(line, j)


@njit(nogil=True, cache=True, error_model="numpy")
def _similarity(
    product: Number,
    x_mean: Number,
    y_mean: Number,
    x_shift: Number,
    y_shift: Number,
    variances: Number,
    c1: Number,
    c2: Number,
) -> Number:
    """SSIM of one window from the mean product and the means of shifted pixels."""
    covariance = product - x_mean * y_mean
    x, y = x_mean + x_shift, y_mean + y_shift
    return ((2 * (x * y) + c1) * (2 * covariance + c2)) / ((x * x + y * y + c1) * (variances + c2))


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc"})
def _sum_line(
    line: Values,
    x_mean: Values,
    y_mean: Values,
    x_shift: Number,
    y_shift: Number,
    x_variance: Values,
    y_variance: Values,
    left: Number,
    columns: Number,
    c1: Number,
    c2: Number,
) -> Number:
    """Sum of SSIM over a line of windows."""
    total = 0.0
    for j in range(columns):
        k = u(left + j)
        means = x_mean[k], y_mean[k], x_shift, y_shift
        total += _similarity(_filter_along(line, j), *means, x_variance[k] + y_variance[k], c1, c2)
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _add_up(
    grey: NDArray[np.float32],
    shift: Values,
    mean: Maps,
    variance: Maps,
    first: Rows,
    second: Rows,
    c1: Number,
    c2: Number,
    totals: Values,
) -> None:
    """Add SSIM of all windows of each pair of slots (k,) to its total (k,).

    Cell after cell for all pairs, so that the few images of a chunk are read once from afar.
    """
    cell, line = np.empty((_ROWS + _MARGIN) * _STRIDE), np.empty(_STRIDE)
    height, width = mean.shape[1:]
    for top in range(0, height, _ROWS):
        rows = min(_ROWS, height - top)
        for left in range(0, width, _COLUMNS):
            columns = min(_COLUMNS, width - left)
            for pair in range(len(first)):
                x, y = first[pair], second[pair]
                _multiply(grey[x], grey[y], top, left, rows + _MARGIN, columns + _MARGIN, cell)
                total = 0.0
                for i in range(rows):
                    at = top + i
                    _filter_down(cell, i, columns + _MARGIN, line)
                    total += _sum_line(
                        line,
                        mean[x, at],
                        mean[y, at],
                        shift[x],
                        shift[y],
                        variance[x, at],
                        variance[y, at],
                        left,
                        columns,
                        c1,
                        c2,
                    )
                totals[pair] += total
