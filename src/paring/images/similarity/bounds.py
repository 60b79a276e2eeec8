"""Bounds of every pair's covariance from a few low frequencies of each image.

Let a be an image minus its mean, Q an orthonormal set of low-frequency patterns (the first columns
and rows of the two-dimensional discrete cosine transform), c = Q a, and t what Q does not see, of
length |t|^2 = |a|^2 - |c|^2. For two images

    a_i . a_j = c_i . c_j + t_i . t_j,    |t_i . t_j| <= |t_i| |t_j|    (Cauchy and Schwarz),

so c_i . c_j + |t_i| |t_j| is an upper bound of their covariance (times the number of pixels). SSIM
(its first factor and its denominators are positive) and PCC rise with the covariance, hence the
bound carries over to them. With |t_i| as one more column, the bounds of a tile of pairs are one
matrix product of two thin tables.

Single precision is accounted for rather than hoped about. Where a computed product may be off by
e p_i p_j, with p_i^2 the mean square that went into the image's row, then

    |t_i| |t_j| + e p_i p_j <= sqrt(|t_i|^2 + e p_i^2) sqrt(|t_j|^2 + e p_j^2)

(Cauchy and Schwarz again), so widening |t_i|^2 by e p_i^2 keeps every bound above the truth. e sums
the worst cases of the transform and of the products, as in the classical analysis of dot products
(n terms lose at most n units of roundoff).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring.images.similarity.formula import Metric, Moments, constants

Table = NDArray[np.float32]  # (n, columns)

COARSE, FINE = 16, 32
"""Frequencies a side that the first and the second bound see: 256 and 1,024 numbers an image."""

_ROUNDOFF = 2.0**-24
_CHUNK = 48  # images transformed at a time
_EVALUATED = 1e-5  # far above what single precision loses in the formula of SSIM itself


@dataclass(frozen=True)
class Bounds:
    """Tables that bound the similarity of every pair of n images.

    Attributes
    ----------
    coarse : float32 (n, 256), coefficients and, last, the length of what they do not see.
    fine : float32 (n, 769), the further coefficients, and the length of what is still not seen.
    mean, variance : float32 (n,), as the formula of SSIM takes them; for PCC, whose tables are
        divided by the standard deviations, 0 and 1.
    c1, c2 : the constants of SSIM; for PCC 1 and 0, which make it the same formula.
    """

    coarse: Table
    fine: Table
    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    c1: np.float32
    c2: np.float32

    @classmethod
    def of(
        cls,
        pixels: NDArray[np.uint8] | NDArray[np.uint16],
        moments: Moments,
        *,
        size: int,
        metric: Metric,
        data_range: float,
        progress: Callable[[int], None] | None = None,
    ) -> Bounds:
        """From pixels (n, size * size)."""
        n = len(pixels)
        lowest, low = min(COARSE, size), min(FINE, size)
        coarse = np.empty((n, lowest * lowest), np.float32)
        fine = np.empty((n, low * low - lowest * lowest + 1), np.float32)
        basis = cosines(low, size)
        first = np.zeros((low, low), bool)
        first[:lowest, :lowest] = True
        second = ~first
        first[0, 0] = False  # the mean, which the moments have exactly
        rest = moments.rest / moments.n_pixels
        square = moments.variance + rest * rest
        lost = 2 * size * _ROUNDOFF * np.sqrt(low)
        slack = (4 * lost + 3 * lost * lost + 2 * (low * low + 8) * _ROUNDOFF) * square
        for start in range(0, n, _CHUNK):
            part = slice(start, min(start + _CHUNK, n))
            found = _transform(pixels[part], moments.whole[part], basis, size)
            coarse[part, :-1], fine[part, :-1] = found[:, first], found[:, second]
            left = moments.variance[part] - _squares(coarse[part, :-1])
            coarse[part, -1] = _length(left, slack[part])
            fine[part, -1] = _length(left - _squares(fine[part, :-1]), slack[part])
            if progress is not None:
                progress(part.stop)
        if metric == "ssim":
            c1, c2 = constants(data_range)
            mean, variance = moments.mean.astype(np.float32), moments.variance.astype(np.float32)
            return cls(coarse, fine, mean, variance, np.float32(c1), np.float32(c2))
        deviation = np.sqrt(moments.variance)
        scale = np.zeros_like(deviation)
        np.divide(1.0, deviation, out=scale, where=deviation > 0)
        for table in (coarse, fine):
            table *= scale.astype(np.float32)[:, None]
        zeros, ones = np.zeros(n, np.float32), np.ones(n, np.float32)
        return cls(coarse, fine, zeros, ones, np.float32(1), np.float32(0))

    def __len__(self) -> int:
        return len(self.coarse)

    def lowered(self, threshold: float) -> np.float32:
        """A threshold that no pair at or above it misses for the roundoff of the formula."""
        within = min(max(threshold, -2.0), 2.0)  # no similarity lies beyond 1
        return np.float32(within - _EVALUATED * max(1.0, abs(within)))

    def upper(self, rows: slice | NDArray[np.int64], others: slice | NDArray[np.int64]) -> Table:
        """Upper bounds of the similarities of some images (a,) to others (b,), float32 (a, b)."""
        covariance = self.coarse[rows] @ self.coarse[others].T
        return self._table(covariance, rows, others) + np.float32(_EVALUATED)

    def estimate(self, rows: slice | NDArray[np.int64], others: slice | NDArray[np.int64]) -> Table:
        """Likely similarities, float32 (a, b): as if what is not seen were not alike at all."""
        return self._table(self.coarse[rows, :-1] @ self.coarse[others, :-1].T, rows, others)

    def _table(
        self,
        covariance: Table,
        rows: slice | NDArray[np.int64],
        others: slice | NDArray[np.int64],
    ) -> Table:
        mean, variance = self.mean, self.variance
        sides = (mean[rows, None], mean[None, others], variance[rows, None], variance[None, others])
        return self._formula(covariance, *sides)

    def _formula(self, covariance: Table, mi: Table, mj: Table, vi: Table, vj: Table) -> Table:
        """Similarities, written over their covariances."""
        covariance *= 2
        covariance += self.c2
        covariance *= 2 * mi * mj + self.c1
        covariance /= (mi * mi + mj * mj + self.c1) * (vi + vj + self.c2)
        return covariance

    def refined(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
        """Upper bounds of the covariances of pairs of rows (k,) from all coefficients."""
        from paring.images.similarity import kernel

        coarse, fine = np.empty((2, len(first)), np.float32)
        kernel.dots(self.coarse, first, second, coarse)
        kernel.dots(self.fine, first, second, fine)
        # the length that the coarse product counted gives way to the finer one
        coarse -= self.coarse[first, -1] * self.coarse[second, -1]
        coarse += fine
        return coarse

    def upper_of_pairs(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float32]:
        """Upper bounds of the similarities of pairs of rows (k,) from all coefficients."""
        mean, variance = self.mean, self.variance
        sides = mean[first], mean[second], variance[first], variance[second]
        return self._formula(self.refined(first, second), *sides) + np.float32(_EVALUATED)

    def reach(
        self,
        limit: np.float32,
        first: NDArray[np.int32],
        second: NDArray[np.int32],
        covariance: NDArray[np.float32],
    ) -> NDArray[np.bool_]:
        """Which pairs (k,) have a similarity of at least the limit, were that their covariance."""
        mi, mj = self.mean[first], self.mean[second]
        above = (2 * mi * mj + self.c1) * (2 * covariance + self.c2)
        below = mi * mi + mj * mj + self.c1
        below *= self.variance[first] + self.variance[second] + self.c2
        passed: NDArray[np.bool_] = above >= limit * below
        return passed


def cosines(count: int, size: int) -> Table:
    """The first rows of the orthonormal discrete cosine transform (DCT-II), (count, size).

    >>> rows = cosines(4, 16)
    >>> np.allclose(rows @ rows.T, np.eye(4), atol=1e-6)
    True
    """
    frequency, place = np.arange(count)[:, None], np.arange(size)[None, :]
    rows = np.cos(np.pi * frequency * (2 * place + 1) / (2 * size)) * np.sqrt(2 / size)
    rows[0] /= np.sqrt(2)
    found: Table = rows.astype(np.float32)
    return found


def _transform(
    pixels: NDArray[np.uint8] | NDArray[np.uint16],
    whole: NDArray[np.int64],
    basis: Table,
    size: int,
) -> Table:
    """Low frequencies (b, low, low) of images, scaled so that squares sum to a mean square."""
    grey = pixels.astype(np.float32)
    grey -= whole.astype(np.float32)[:, None]  # whole numbers, so nothing is lost
    along = grey.reshape(-1, size) @ basis.T
    found: Table = np.matmul(basis, along.reshape(len(pixels), size, -1))
    found /= np.float32(size)
    return found


def _squares(table: Table) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.einsum("ij,ij->i", table, table, dtype=np.float64)
    return found


def _length(left: NDArray[np.float64], slack: NDArray[np.float64]) -> NDArray[np.float64]:
    """Length of what is not seen, widened by the slack and by its own rounding."""
    length: NDArray[np.float64] = np.sqrt(np.maximum(left, 0) + slack) * (1 + 4 * _ROUNDOFF)
    return length
