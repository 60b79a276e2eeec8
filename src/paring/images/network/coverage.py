"""How well the images that stay show those that went: the kept image most like each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring.images.similarity.measures import Similarities

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 1.0)

Rows = NDArray[np.int64]  # (k,)


@dataclass
class Coverage:
    """Dropped rows (k,), the kept row most like each (k,), and their similarity (k,).

    The similarity is exact: it is the greatest over all kept images, not over those with an edge.
    Where none is defined (PCC of a constant image) it is minus infinity, and the row means nothing.
    """

    rows: Rows
    by: Rows
    similarity: NDArray[np.float64]

    @classmethod
    def of(cls, measures: Similarities, kept: Rows, dropped: Rows) -> Coverage:
        """The nearest kept image of each dropped one; both sorted."""
        by, similarity = measures.nearest(dropped, kept)
        return cls(dropped, by, similarity)

    def summary(self) -> dict[str, Any]:
        """Quantiles of the similarity, the worst covered first."""
        defined = self.similarity[np.isfinite(self.similarity)]
        shown: dict[str, Any] = {"dropped": len(self.rows)}
        if len(defined) < len(self.rows):
            shown["not comparable"] = len(self.rows) - len(defined)
        if not len(defined):
            return shown
        found = np.quantile(defined, QUANTILES).tolist()
        names = ("min", "5 %", "25 %", "median", "75 %", "max")
        return shown | dict(zip(names, found, strict=True))

    def return_worst(self, measures: Similarities, count: int) -> Rows:
        """Take back the `count` worst covered images, one at a time, and give their rows.

        Each covers others from then on. Of equally covered images the first in the data set
        comes back.
        """
        back = []
        for _ in range(count):
            worst = int(self.similarity.argmin())
            row = int(self.rows[worst])
            back.append(row)
            left = np.arange(len(self.rows)) != worst
            self.rows, self.by = self.rows[left], self.by[left]
            self.similarity = self.similarity[left]
            if len(self.rows):
                found = measures.exceeding(row, self.rows, self.similarity)
                better = found > self.similarity
                self.by[better], self.similarity[better] = row, found[better]
        return np.array(back, dtype=np.int64)
