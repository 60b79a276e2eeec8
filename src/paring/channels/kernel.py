"""Sums of (p + q) ln(p + q) over the pixels of many pairs of maps, compiled.

The logarithm is a polynomial over the mantissa of a number, so that the compiler does many pixels
at once; the library's would be called for each. Maps come with a mean of 1, which keeps the sums
small where they would cancel: ln(HW) is not in them.
"""

# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,call-arg,unreachable"

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

Maps: TypeAlias = NDArray[np.float32]  # (C, N), none below 0
Number: TypeAlias = Any  # a machine number, which is of one kind to numba and of another to Python

_TILE = 32  # channels on each side of a square of pairs
_PIXELS = 512  # of a map that are summed in single precision; both sides of a tile are 128 KiB
_HALF = 0x3F3504F3  # the bits of the root of 1/2, below which a mantissa is taken twice as large

_LOW, _HIGH = np.sqrt(0.5) - 1, np.sqrt(2.0) - 1
_LOG = (
    Chebyshev.interpolate(lambda t: np.log1p(t) / t, 9, domain=[_LOW, _HIGH])
    .convert(kind=Polynomial)
    .coef.astype(np.float32)
)
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9 = _LOG
_ONE, _LN2 = np.float32(1), np.float32(np.log(2))


def entropy_sums(maps: Maps, *, workers: int = 1) -> NDArray[np.float64]:
    """For each pair of maps the sum over pixels of s ln s with s = p + q, (C, C).

    The diagonal holds the sum of p ln p of each map by itself. Whatever the number of threads, the
    sums are the same.

    >>> sums = entropy_sums(np.array([[1, 1], [2, 0], [0, 2]], np.float32))
    >>> np.round(sums, 5).tolist()
    [[0.0, 3.29584, 3.29584], [3.29584, 1.38629, 2.77259], [3.29584, 2.77259, 1.38629]]
    """
    maps = np.ascontiguousarray(maps, np.float32)
    sums = np.zeros((len(maps), len(maps)))
    workers = max(1, workers)

    def work(share: int) -> None:
        for row, column in islice(_tiles(len(maps)), share, None, workers):
            _tile(maps, row, column, sums)

    if workers == 1:
        work(0)
    else:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(work, range(workers)))
    return np.triu(sums) + np.triu(sums, 1).T


def _tiles(n: int) -> Iterator[tuple[int, int]]:
    """First row and column of each square of pairs that has any above the diagonal or on it."""
    for row in range(0, n, _TILE):
        for column in range(row, n, _TILE):
            yield row, column


@intrinsic
def _exponent(_, _number):
    """The power of two of a number, as a number."""

    def code(_context, builder, _signature, given):
        return builder.sitofp(_power(builder, given[0])[0], ir.FloatType())

    return types.float32(types.float32), code


@intrinsic
def _mantissa(_, _number):
    """A number without its power of two: from the root of 1/2 to the root of 2."""

    def code(_context, builder, _signature, given):
        power, bits = _power(builder, given[0])
        lowered = builder.sub(bits, builder.shl(power, ir.Constant(ir.IntType(32), 23)))
        return builder.bitcast(lowered, ir.FloatType())

    return types.float32(types.float32), code


def _power(builder, number):
    """The power of two in the bits of a number, and the bits."""
    whole = ir.IntType(32)
    bits = builder.bitcast(number, whole)
    above = builder.sub(bits, ir.Constant(whole, _HALF))
    return builder.ashr(above, ir.Constant(whole, 23)), bits


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"}, inline="always")
def _s_ln_s(s: Number) -> Number:
    """S ln s in single precision, to about 2e-7 of it; 0 for 0."""
    t = _mantissa(s) - _ONE
    log = _C8 + t * _C9
    log = _C7 + t * log
    log = _C6 + t * log
    log = _C5 + t * log
    log = _C4 + t * log
    log = _C3 + t * log
    log = _C2 + t * log
    log = _C1 + t * log
    log = _C0 + t * log
    return s * (_exponent(s) * _LN2 + t * log)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _sum_of_two(p: Number, q: Number) -> Number:
    """Sum of s ln s over a few pixels of two maps."""
    total = np.float32(0)
    for k in range(len(p)):
        total += _s_ln_s(p[k] + q[k])
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _sum_of_one(p: Number) -> Number:
    """Sum of p ln p over a few pixels of a map."""
    total = np.float32(0)
    for k in range(len(p)):
        total += _s_ln_s(p[k])
    return total


@njit(nogil=True, cache=True, error_model="numpy")
def _tile(maps: Number, row: Number, column: Number, sums: Number) -> None:
    """Fill the sums of one square of pairs, as far as it lies above the diagonal or on it."""
    n, pixels = maps.shape
    for start in range(0, pixels, _PIXELS):
        end = min(start + _PIXELS, pixels)
        for i in range(row, min(row + _TILE, n)):
            p = maps[i, start:end]
            if row == column:
                sums[i, i] += _sum_of_one(p)
            for j in range(max(column, i + 1), min(column + _TILE, n)):
                sums[i, j] += _sum_of_two(p, maps[j, start:end])
