"""Leaks: images of a test set that are all but images of the training set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from paring.images.similarity.measures import Progress
from paring.images.similarity.opening import Comparing, Images, open_images
from paring.images.similarity.sources import as_dataset, joined, refuse_threshold


@dataclass(frozen=True, eq=False)
class Leaks:
    """Pairs across two data sets.

    Attributes
    ----------
    pairs : frame (cluster, similarity, train_id, train_file, test_id, test_file), the worst
        cluster first and the worst pair of a cluster first. Pairs that share an image, directly or
        over others, are one cluster; clusters count from 1 on.
    n_train, n_test : images compared.
    faults : what is wrong with images that were skipped, by file name.
    """

    pairs: pl.DataFrame
    n_train: int
    n_test: int
    faults: dict[str, str]


def find_leaks(
    train: Images,
    test: Images,
    *,
    threshold: float = 0.95,
    how: Comparing | None = None,
    frame_step: int = 1,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Leaks:
    """Pairs of a training and a test image with a similarity of at least a threshold.

    Images that repeat each other across the two sets make a test look better than it is: frames
    of one video, one patient's pictures, one file under two names.

    Parameters
    ----------
    train, test : data sets, their paths, or lists of files, as in `similar_pairs`.
    threshold : of similarity.
    how : how images are compared, by default global SSIM at 352 x 352.
    frame_step : of videos, every so many frames.
    folder : where to keep what is done, so that stopped work goes on.
    progress : called with a label, steps done and steps to do.

    Raises `InputError` for an image that cannot be read, named.

    Example
    -------
    >>> import paring, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> data = paring.scenes(12, seed=0, folder=folder)
    >>> halves = data.subset(range(1, 7)), data.subset(range(7, 13))
    >>> find_leaks(*halves, threshold=0.8).pairs.columns
    ['cluster', 'similarity', 'train_id', 'train_file', 'test_id', 'test_file']
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    refuse_threshold(threshold)
    how = how or Comparing()
    old, new = (
        as_dataset(images, frame_step=frame_step, on_error=how.on_error) for images in (train, test)
    )
    both, n_train = joined(old, new), len(old)
    opened = open_images(
        both,
        how,
        new_from=n_train,
        which="across",
        folder=folder,
        progress=progress,
    )
    found = opened.measures.pairs(threshold, progress=progress)
    ones = np.ones(len(found.value), np.int8)
    links = coo_array((ones, (found.first, found.second)), (len(both), len(both)))
    _, component = connected_components(links, directed=False)
    of_test = found.second - n_train
    pairs = pl.DataFrame(
        {
            "component": component[found.first].astype(np.int64),
            "similarity": found.value,
            "train_id": old.images["image_id"].gather(pl.Series(found.first)),
            "train_file": old.images["file_name"].gather(pl.Series(found.first)),
            "test_id": new.images["image_id"].gather(pl.Series(of_test)),
            "test_file": new.images["file_name"].gather(pl.Series(of_test)),
        }
    )
    worst = pl.col("similarity").max().over("component")
    pairs = pairs.with_columns(worst=worst).sort(
        "worst", "component", "similarity", descending=[True, False, True], maintain_order=True
    )
    cluster = pl.col("component").rle_id().cast(pl.Int64) + 1
    names = both.images["file_name"]
    return Leaks(
        pairs.select(
            cluster.alias("cluster"),
            "similarity",
            "train_id",
            "train_file",
            "test_id",
            "test_file",
        ),
        int(opened.readable[:n_train].sum()),
        int(opened.readable[n_train:].sum()),
        {str(names[row]): message for row, message in opened.faults.items()},
    )
