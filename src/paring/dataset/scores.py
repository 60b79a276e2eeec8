"""`Scores`: one number per image that says how much it matters, and which end is hard."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.errors import InputError

_META = "paring"


@dataclass(frozen=True, eq=False)
class Scores:
    """Importance scores of the images of one data set.

    Attributes
    ----------
    frame : frame (image_id, score, ...) in the order of the data set; further columns explain
        the score.
    method : how the scores were made.
    dataset : fingerprint of the data set that was scored.
    hard : which end is hard and is kept first, ``"high"`` or ``"low"``.
    parameters : what the method was given.

    Raises `InputError` where a score is missing or not a finite number.

    Example
    -------
    >>> frame = pl.DataFrame({"image_id": [7, 8, 9], "score": [0.5, 0.9, 0.5]})
    >>> Scores(frame, method="mine", dataset="").ranking().tolist()
    [1, 0, 2]
    """

    frame: pl.DataFrame
    method: str
    dataset: str
    hard: Literal["high", "low"] = "high"
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for column in ("image_id", "score"):
            if column not in self.frame.columns:
                raise InputError(f"scores have no column {column!r}")
        if not self.frame["score"].dtype.is_numeric():
            raise InputError("scores are not numbers")
        score = self.frame["score"]
        wrong = self.frame.filter(score.is_null() | ~score.cast(pl.Float64).is_finite())
        if len(wrong):
            raise InputError(f"image {wrong['image_id'][0]} has no score that is a finite number")

    def __len__(self) -> int:
        return len(self.frame)

    def ranking(self) -> NDArray[np.int64]:
        """Rows of the frame, hardest first; ties keep the order of the data set."""
        score = self.frame["score"].to_numpy().astype(np.float64)
        return np.argsort(-score if self.hard == "high" else score, kind="stable")

    def save(self, path: str | Path) -> None:
        """Write as Parquet, method and fingerprint within."""
        about = {"method": self.method, "dataset": self.dataset, "hard": self.hard}
        meta = json.dumps(about | {"parameters": self.parameters})
        self.frame.write_parquet(path, metadata={_META: meta})

    @classmethod
    def load(cls, path: str | Path) -> Scores:
        """Read what `save` wrote; `InputError` names a file that holds no scores."""
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file")
        try:
            frame = pl.read_parquet(path)
            about = json.loads(pl.read_parquet_metadata(path).get(_META, "null"))
        except (pl.exceptions.PolarsError, OSError, ValueError) as error:
            raise InputError(f"{path}: is not a Parquet file of scores ({error})") from error
        if about is None:
            raise InputError(f"{path}: was not written as scores (it names no method)")
        try:
            return cls(frame, **about)
        except (InputError, TypeError) as error:
            raise InputError(f"{path}: {error}") from error
