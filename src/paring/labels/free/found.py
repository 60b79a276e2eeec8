"""Pseudo-labels without classes: masks with a score and an embedding each, image by image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.labels.arrays import read_arrays, write_arrays
from paring.labels.proposals.files import as_proposals


@dataclass(frozen=True)
class Found:
    """Masks of one image, the best first.

    Attributes
    ----------
    counts, lengths : run lengths of all masks in a row, and how many each has.
    size : int64 (2,), height and width of the image in pixels.
    scores : float64 (n,).
    maskness : float64 (n,), the mean soft value inside; of what a network found, its score.
    embeddings : float32 (n, d).
    """

    counts: NDArray[np.uint32]
    lengths: NDArray[np.int64]
    size: NDArray[np.int64]
    scores: NDArray[np.float64]
    maskness: NDArray[np.float64]
    embeddings: NDArray[np.float32]

    @classmethod
    def of(cls, solid: Tensor, scores: Tensor, maskness: Tensor, embeddings: Tensor) -> Found:
        """From masks bool (n, H, W) and what is known of each."""
        high, wide = solid.shape[1:]
        runs = [rle.encode_mask(mask) for mask in solid.cpu().numpy()]
        return cls(
            counts=np.concatenate(runs) if runs else np.empty(0, np.uint32),
            lengths=np.array([len(one) for one in runs], np.int64),
            size=np.array([high, wide], np.int64),
            scores=scores.double().cpu().numpy(),
            maskness=maskness.double().cpu().numpy(),
            embeddings=embeddings.float().cpu().numpy(),
        )

    def save(self, path: Path) -> None:
        """Write it as one file."""
        write_arrays(path, **{one.name: getattr(self, one.name) for one in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Found:
        """Read it back; `InputError` where the file is broken."""
        return cls(**read_arrays(path, *(one.name for one in fields(cls))))


@dataclass(frozen=True)
class FreeLabels:
    """Pseudo-labels of a data set.

    Attributes
    ----------
    data : its images with one category ``object``, and the masks as instances with a `score`, the
        best first in each image.
    maskness : float64 (n,), of each instance.
    embeddings : float32 (n, d), of each instance.
    """

    data: Dataset
    maskness: NDArray[np.float64]
    embeddings: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.data.instances)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> FreeLabels:
        """Some of the instances, by their rows; all images stay."""
        chosen = np.asarray(rows, np.int64)
        data = replace(
            self.data,
            instances=self.data.instances[chosen],
            masks=self.data.masks.take(chosen),
        )
        return FreeLabels(data, self.maskness[chosen], self.embeddings[chosen])


def gathered(data: Dataset, found: Mapping[int, Found], width: int) -> FreeLabels:
    """What was found in the images of a data set, by image id.

    Parameters
    ----------
    width : numbers of an embedding, also where nothing was found.
    """
    ids = data.images["image_id"].to_list()
    parts = [found[i] for i in ids]
    runs = [
        one
        for part in parts
        for one in np.split(part.counts, np.cumsum(part.lengths)[:-1])[: len(part.lengths)]
    ]
    counts = [len(part.lengths) for part in parts]
    masks = MaskStore.from_runs(
        runs,
        heights=np.repeat([int(part.size[0]) for part in parts], counts).tolist(),
        widths=np.repeat([int(part.size[1]) for part in parts], counts).tolist(),
    )
    scores = [score for part in parts for score in part.scores.tolist()]
    owner = np.repeat(np.array(ids, np.int64), counts).tolist()
    return FreeLabels(
        as_proposals(data, owner, masks, scores),
        np.concatenate([part.maskness for part in parts] or [np.empty(0)]),
        np.concatenate(
            [part.embeddings for part in parts if len(part.embeddings)]
            or [np.empty((0, width), np.float32)]
        ),
    )
