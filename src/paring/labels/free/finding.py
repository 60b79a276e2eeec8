"""Free masks of all images of a data set, kept image by image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from paring.dataset.reading import Progress
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.free.found import Found, FreeLabels, gathered
from paring.labels.free.looking import Features
from paring.labels.free.masks import Masking, free_masks

_LABEL = "finding masks"


def find_masks(
    data: Dataset,
    features: Features,
    how: Masking | None = None,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> FreeLabels:
    """Class-agnostic masks of the images of a data set, without any training.

    Parameters
    ----------
    data : images; what is annotated is not looked at.
    features : `EncoderFeatures`, or `FeatureFolder` for such that were made elsewhere.
    how : see `Masking`.
    folder : keeps what is found in each image; a call with the same goes on from there.
    progress : called with a label, images done and images to do.

    Raises
    ------
    InputError
        Where the folder of the images is not known, or an image or its features cannot be read.

    Example
    -------
    >>> import paring, tempfile
    >>> from paring.labels.free.looking import FeatureFolder
    >>> data = paring.scenes(2, seed=0)
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in data.images["file_name"]:
    ...     path = (folder / name).with_suffix(".npy")
    ...     path.parent.mkdir(parents=True, exist_ok=True)
    ...     np.save(path, np.random.default_rng(0).normal(size=(8, 6, 8)))
    >>> found = find_masks(data, FeatureFolder(folder))
    >>> found.data.categories["name"].to_list(), found.embeddings.shape[1]
    (['object'], 128)
    """
    how = how or Masking()
    ids = data.images["image_id"].to_list()
    found: dict[int, Found] = {}
    ahead = []
    for row, image_id in enumerate(ids):
        if folder is not None and found_file(folder, image_id).is_file():
            found[image_id] = Found.load(found_file(folder, image_id))
        else:
            ahead.append(row)
    for rows, sizes, batch in features.batches(data, ahead):
        with torch.inference_mode():
            masks = free_masks(batch, sizes, how)
        for row, one in zip(rows, masks, strict=True):
            made = Found.of(one.solid, one.scores, one.maskness, one.embeddings)
            found[ids[row]] = made
            if folder is not None:
                made.save(found_file(folder, ids[row]))
        if progress is not None:
            progress(_LABEL, len(found), len(ids))
    return gathered(data, found, how.embedding)


def found_file(folder: Path, image_id: int) -> Path:
    """Where what was `Found` in an image lies."""
    return folder / f"{image_id}.npz"


def image_vectors(data: Dataset, features: Features) -> NDArray[np.float32]:
    """The mean feature (n, C) of each image."""
    vectors: dict[int, NDArray[np.float32]] = {}
    for rows, _, batch in features.batches(data, list(range(len(data)))):
        means = batch.float().mean(dim=(2, 3)).cpu().numpy()
        vectors |= dict(zip(rows, means, strict=True))
    if len({len(one) for one in vectors.values()}) > 1:
        raise InputError("the features of the images have different numbers of channels")
    return np.stack([vectors[row] for row in range(len(data))])
