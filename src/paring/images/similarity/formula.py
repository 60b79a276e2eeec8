"""SSIM and PCC of two images from their exact sums (PRIME, Eq. 2 and Eq. 3).

Pixels are whole numbers, so that sums over them and over their products are whole numbers too and
do not depend on the order of summation. With q the whole part of an image's mean and r the rest,
sum x = P q + r for P pixels, the covariance of two images is

    cov = (T - r_i r_j / P) / P,    T = sum (x_i - q_i) (x_j - q_j),

where T is exact in 64 bits: the subtraction that loses digits has been done in whole numbers.
A similarity is therefore the same number whichever way its pair was reached, and it is within a
few units in the last place (1e-13) of the value that exact rational numbers give.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["ssim", "pcc"]
K1, K2 = 0.01, 0.03
"""Constants of SSIM: C1 = (K1 L)^2, C2 = (K2 L)^2 (Wang et al. 2004)."""

Rows = NDArray[np.int64]  # (k,)
Values = NDArray[np.float64]  # (k,)


@dataclass(frozen=True)
class Moments:
    """Exact first and second moments of n images of P pixels.

    Attributes
    ----------
    n_pixels : P.
    whole, rest : int64 (n,), whole part of the mean, and what remains of the sum: P whole + rest.
    mean, variance : float64 (n,), in pixel values and their squares; variance over P, not P - 1.
    """

    n_pixels: int
    whole: Rows
    rest: Rows
    mean: Values
    variance: Values

    @classmethod
    def of(cls, n_pixels: int, sums: Rows, squares: Rows) -> Moments:
        """From the sum of the pixels and of their squares, int64 (n,)."""
        whole, rest = np.divmod(sums, n_pixels)
        product = squares - 2 * whole * sums + n_pixels * whole * whole
        variance = _over(product, rest * rest, n_pixels)
        return cls(n_pixels, whole, rest, sums / n_pixels, np.maximum(variance, 0.0))

    def covariance(self, first: Rows, second: Rows, products: Rows) -> Values:
        """Covariances of pairs of images from the exact sums of their pixel products (k,)."""
        qi, qj = self.whole[first], self.whole[second]
        ri, rj = self.rest[first], self.rest[second]
        n = self.n_pixels
        # T = S - q_j sum_i - q_i sum_j + P q_i q_j with sum = P q + r
        exact = products - n * qi * qj - qj * ri - qi * rj
        return _over(exact, ri * rj, n)


def _over(exact: Rows, rests: Rows, n_pixels: int) -> Values:
    """(T - r_i r_j / P) / P, its whole parts subtracted as such: both may be large and alike."""
    whole, left = np.divmod(rests, n_pixels)
    value: Values = (exact - whole - left / n_pixels) / n_pixels
    return value


def similarities(
    moments: Moments,
    first: Rows,
    second: Rows,
    products: Rows,
    *,
    metric: Metric,
    data_range: float,
) -> Values:
    """Similarity of pairs of images (k,) from the exact sums of their pixel products.

    SSIM = (2 m_i m_j + C1) (2 cov + C2) / ((m_i^2 + m_j^2 + C1) (v_i + v_j + C2)), and
    PCC = cov / sqrt(v_i v_j). PCC of a constant image is not defined; it is NaN here, and no
    threshold lets it pass.
    """
    covariance = moments.covariance(first, second, products)
    vi, vj = moments.variance[first], moments.variance[second]
    if metric == "pcc":
        scale = np.sqrt(vi * vj)
        found = np.full(len(covariance), np.nan)
        np.divide(covariance, scale, out=found, where=scale > 0)
        clipped: Values = np.clip(found, -1.0, 1.0)
        return clipped
    c1, c2 = constants(data_range)
    mi, mj = moments.mean[first], moments.mean[second]
    above = (2 * mi * mj + c1) * (2 * covariance + c2)
    below = (mi * mi + mj * mj + c1) * (vi + vj + c2)
    value: Values = above / below
    return value


def constants(data_range: float) -> tuple[float, float]:
    """C1 and C2 of SSIM for pixel values that span `data_range`.

    >>> [round(c, 4) for c in constants(255)]
    [6.5025, 58.5225]
    """
    return (K1 * data_range) ** 2, (K2 * data_range) ** 2
