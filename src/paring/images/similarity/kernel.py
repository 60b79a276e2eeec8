"""Compiled loops over pairs of images: sums of pixel products, and tests of bounds.

All loops are free of Python's lock, so that threads share them. The casts of the products look
idle and are not: numba widens whole numbers to 64 bits wherever it may, and then no compiler finds
the instructions that multiply and add many small numbers at once.
"""

# mypy: disable-error-code="untyped-decorator"

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_PART = 8_192  # pixels of an image at a time: few enough that many images' parts stay in cache


@njit(nogil=True, cache=True, error_model="numpy")
def _product_8(one: Any, other: Any) -> Any:
    total = np.uint32(0)  # holds 66,000 products of 255 * 255
    for k in range(len(one)):
        total = np.uint32(total + np.uint32(np.uint16(one[k]) * np.uint16(other[k])))
    return np.int64(total)


@njit(nogil=True, cache=True, error_model="numpy")
def _product_16(one: Any, other: Any) -> Any:
    total = np.uint64(0)
    for k in range(len(one)):
        total += np.uint64(one[k]) * np.uint64(other[k])
    return np.int64(total)


@njit(nogil=True, cache=True, error_model="numpy")
def products_8(pixels: Any, first: Any, second: Any, out: Any) -> None:
    """Sums of pixel products of pairs of 8-bit images: uint8 (n, P), rows (k,), out int64 (k,)."""
    out[:] = 0
    for start in range(0, pixels.shape[1], _PART):
        stop = min(start + _PART, pixels.shape[1])
        for k in range(len(first)):
            out[k] += _product_8(pixels[first[k], start:stop], pixels[second[k], start:stop])


@njit(nogil=True, cache=True, error_model="numpy")
def products_16(pixels: Any, first: Any, second: Any, out: Any) -> None:
    """The same for 16-bit images: uint16 (n, P)."""
    out[:] = 0
    for start in range(0, pixels.shape[1], _PART):
        stop = min(start + _PART, pixels.shape[1])
        for k in range(len(first)):
            out[k] += _product_16(pixels[first[k], start:stop], pixels[second[k], start:stop])


@njit(nogil=True, cache=True, error_model="numpy")
def screen(
    bound: Any,
    mean_i: Any,
    mean_j: Any,
    variance_i: Any,
    variance_j: Any,
    c1: Any,
    c2: Any,
    low: Any,
    diagonal: bool,
    first: Any,
    second: Any,
) -> int:
    """Pairs of a tile whose bound on the covariance lets their SSIM reach `low`.

    Parameters
    ----------
    bound : float32 (a, b), upper bounds of the covariances.
    mean_i, mean_j, variance_i, variance_j : float32 (a,) and (b,).
    low : float32, the threshold, lowered by what single precision may lose.
    diagonal : the tile lies on the diagonal, so that only pairs with row < column count.
    first, second : int32, receive places in the tile as far as they reach.

    Returns how many pairs there are, which may be more than had room.
    """
    height, width = bound.shape
    passes = np.empty(width, np.uint8)
    found = 0
    for i in range(height):
        mi, vi = mean_i[i], variance_i[i]
        some = np.uint8(0)
        for j in range(width):
            mj = mean_j[j]
            above = (np.float32(2) * mi * mj + c1) * (np.float32(2) * bound[i, j] + c2)
            below = (mi * mi + mj * mj + c1) * (vi + variance_j[j] + c2)
            passed = np.uint8(above >= low * below)
            passes[j] = passed
            some |= passed
        if some == 0:
            continue
        for j in range(i + 1 if diagonal else 0, width):
            if passes[j] != 0:
                if found < len(first):
                    first[found], second[found] = i, j
                found += 1
    return found


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _dot(one: Any, other: Any) -> Any:
    total = np.float32(0)
    for k in range(len(one)):
        total += one[k] * other[k]
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def dots(table: NDArray[np.float32], first: Any, second: Any, out: Any) -> None:
    """Dot products of pairs of rows: float32 (n, m), rows (k,), out float32 (k,)."""
    for k in range(len(first)):
        out[k] = _dot(table[first[k]], table[second[k]])
