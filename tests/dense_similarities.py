"""Similarities that a whole matrix gives, as `Similarities` promises them; slow and obvious."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paring.images.similarity.measures import Progress, Rows
from paring.images.similarity.tiles import Found


class DenseSimilarities:
    """Of a symmetric matrix (n, n), NaN where undefined; `asked` has the floors of all calls."""

    def __init__(self, matrix: NDArray[np.float64]) -> None:
        self.matrix = matrix
        self.asked: list[float] = []

    def pairs(self, low: float, *, progress: Progress | None = None) -> Found:
        self.asked.append(low)
        n = len(self.matrix)
        found = [(i, j) for i in range(n) for j in range(i + 1, n) if self.matrix[i, j] >= low]
        first, second = np.array(found, dtype=np.int32).reshape(-1, 2).T
        return Found(low, True, first, second, self.matrix[first, second])

    def exact(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        return self.matrix[first, second]

    def nearest(self, rows: Rows, among: Rows) -> tuple[Rows, NDArray[np.float64]]:
        best, value = np.full(len(rows), -1), np.full(len(rows), -np.inf)
        for k, row in enumerate(rows.tolist()):
            for other in among.tolist():
                if other != row and self.matrix[row, other] > value[k]:
                    best[k], value[k] = other, self.matrix[row, other]
        return best, value

    def exceeding(self, row: int, rows: Rows, least: NDArray[np.float64]) -> NDArray[np.float64]:
        found = self.matrix[row, rows]
        return np.where(found > least, found, -1.0)

    def estimates(self, rows: Rows) -> NDArray[np.float32]:
        return self.matrix[rows].astype(np.float32)


def random_matrix(n: int, seed: int, *, levels: int | None = None) -> NDArray[np.float64]:
    """Similarities in (-1, 1] of n points; odd seeds give clusters with exact duplicates.

    With `levels` they are rounded to so many steps a unit, so that many are equal.
    """
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, int(rng.integers(1, 6))))
    if seed % 2:
        noise = 0.3 * rng.normal(size=points.shape) * (rng.random((n, 1)) < 0.8)
        points = points[rng.integers(0, max(1, n // 3), n)] + noise
    distance = ((points[:, None] - points[None, :]) ** 2).sum(axis=2)
    matrix = 2 * np.exp(-distance / 2) - 1
    return matrix if levels is None else np.round(matrix * levels) / levels
