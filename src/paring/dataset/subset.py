"""`Subset`: which images were kept, which were cut, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paring.dataset.table import Dataset
from paring.dataset.writing import beside
from paring.errors import InputError


@dataclass(frozen=True)
class Subset:
    """The outcome of a selection.

    Attributes
    ----------
    kept, dropped : image ids, each in the order of the data set.
    method : how the images were chosen.
    rate : the share that was removed, dropped / (kept + dropped).
    dataset : fingerprint of the data set it was made from.
    parameters : what the method was given.
    seed : of the random choice, or None where nothing was random.
    reasons : by image id, in words, where a decision was not the plain rule.

    Example
    -------
    >>> subset = Subset(kept=[1, 3], dropped=[2], method="mine", rate=1 / 3, dataset="")
    >>> subset.compare(Subset(kept=[3], dropped=[1, 2], method="other", rate=2 / 3, dataset=""))
    {'kept by both': 1, 'kept only here': 1, 'kept only there': 0}
    """

    kept: list[int]
    dropped: list[int]
    method: str
    rate: float
    dataset: str
    parameters: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    reasons: dict[int, str] = field(default_factory=dict)
    version: str = ""

    @classmethod
    def of(
        cls,
        image_ids: Sequence[int],
        kept: Sequence[bool],
        *,
        method: str,
        dataset: str,
        parameters: dict[str, Any],
        seed: int | None = None,
        reasons: dict[int, str] | None = None,
    ) -> Subset:
        """From a flag per image."""
        from paring import __version__

        stay = [i for i, k in zip(image_ids, kept, strict=True) if k]
        gone = [i for i, k in zip(image_ids, kept, strict=True) if not k]
        return cls(
            kept=stay,
            dropped=gone,
            method=method,
            rate=len(gone) / len(image_ids),
            dataset=dataset,
            parameters=parameters,
            seed=seed,
            reasons=reasons or {},
            version=__version__,
        )

    def __len__(self) -> int:
        return len(self.kept)

    def apply(self, data: Dataset, *, force: bool = False) -> Dataset:
        """The kept images of a data set, with their instances.

        Raises `InputError` where the data set is not the one that the subset was made from;
        `force` applies it all the same, as long as it has every kept image.
        """
        if self.dataset != data.fingerprint and not force:
            raise InputError(
                f"the subset was made from another data set (fingerprint {self.dataset[:12]}, "
                f"this one has {data.fingerprint[:12]}); force it if you know they belong together"
            )
        return data.subset(self.kept)

    def compare(self, other: Subset) -> dict[str, int]:
        """How many images both keep, and each alone."""
        here, there = set(self.kept), set(other.kept)
        return {
            "kept by both": len(here & there),
            "kept only here": len(here - there),
            "kept only there": len(there - here),
        }

    def to_json(self) -> str:
        """As JSON text; `from_json` reads it back."""
        plain = dict(vars(self)) | {"reasons": {str(k): v for k, v in self.reasons.items()}}
        return json.dumps(plain, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Subset:
        """From what `to_json` gave; `ValueError` where it is something else."""
        plain = json.loads(text)
        needed = ("kept", "dropped", "method", "rate", "dataset")
        if not isinstance(plain, dict) or any(name not in plain for name in needed):
            raise ValueError(f"it is no object with {', '.join(needed)}")
        try:
            plain["reasons"] = {int(k): v for k, v in plain.get("reasons", {}).items()}
            subset = cls(**plain)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"not a subset ({error})") from error
        for ids in (subset.kept, subset.dropped):
            if not isinstance(ids, list) or not all(type(i) is int for i in ids):
                raise ValueError("kept and dropped are not lists of whole numbers")
            if any(not -(2**63) <= i < 2**63 for i in ids):
                raise ValueError("an image id is out of range")
        if not subset.kept:
            raise ValueError("it keeps no image")
        if type(subset.rate) not in (int, float) or not 0 <= subset.rate <= 1:
            raise ValueError("the rate is no share")
        if not all(isinstance(reason, str) for reason in subset.reasons.values()):
            raise ValueError("the reasons are no texts")
        if not isinstance(subset.parameters, dict) or not isinstance(subset.reasons, dict):
            raise ValueError("parameters and reasons are not objects")
        if not isinstance(subset.dataset, str) or not isinstance(subset.method, str):
            raise ValueError("dataset and method are not texts")
        return subset

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write as JSON."""
        with beside(Path(path), overwrite=overwrite) as fresh:
            fresh.write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Subset:
        """Read what `save` wrote; `InputError` names a file that is no subset."""
        try:
            return cls.from_json(Path(path).read_bytes())
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise InputError(f"{path}: is not a subset ({error})") from error
