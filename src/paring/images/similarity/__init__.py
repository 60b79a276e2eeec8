"""Similarities between images, without a table of all by all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from paring.images.similarity.formula import Metric
    from paring.images.similarity.measures import Progress
    from paring.images.similarity.opening import Images, OnError, Window


def similar_pairs(
    images: Images,
    *,
    threshold: float,
    metric: Metric = "ssim",
    window: Window = "global",
    size: int = 352,
    data_range: float | None = None,
    memory: int | None = None,
    workers: int | None = None,
    on_error: OnError = "refuse",
    frame_step: int = 1,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """All pairs of images with a similarity of at least a threshold (PRIME, section 3.2).

    Images are turned grey and resized to a square. With m, v and c the means, variances and
    covariance of the whole images, C1 = (0.01 L)^2 and C2 = (0.03 L)^2::

        SSIM = (2 m_i m_j + C1) (2 c_ij + C2) / ((m_i^2 + m_j^2 + C1) (v_i + v_j + C2))   (Eq. 2)
        PCC  = c_ij / sqrt(v_i v_j)                                                       (Eq. 3)

    The result is that of computing every pair: sums over pixels are exact whole numbers, and pairs
    are only passed over where a proven bound is under the threshold. Nothing of the size of all
    pairs is held. PCC of a constant image is not defined; such an image has no pairs.

    Parameters
    ----------
    images : a `Dataset`, the path of one (annotation file, folder, video, list of files), or a
        list of image files, which then have the ids 1, 2, ... in their order.
    threshold : pairs at or above it are given.
    metric, window : ``"ssim"`` or ``"pcc"``; moments of whole images (``"global"``, as Eq. 2 has
        them) or the mean over Gaussian windows of 11 x 11 pixels (``"gaussian"``, SSIM only).
    size : side in pixels that images are resized to (the paper's 352).
    data_range : L; unset, 255, or 65,535 where an image has 16 bits.
    memory : bytes to stay within; unset, a quarter of the machine's. Pixels beyond it go to a
        mapped temporary file.
    workers : threads; unset, all cores. The result does not depend on it.
    on_error : ``"refuse"`` images that cannot be read, or ``"skip"`` them with a warning.
    frame_step : of a video, every so many frames.
    progress : called with a label, steps done and steps to do.

    Returns
    -------
    pl.DataFrame
        (source, target, similarity), image ids and Float64, each pair once, in data set order.

    Raises
    ------
    InputError
        For an image that cannot be read, named; for values that cannot be; where more pairs reach
        the threshold than memory holds.

    References
    ----------
    Rahman and Marculescu, Training-Free Dataset Pruning for Polyp Segmentation via Community
    Detection in Similarity Networks, MIDL 2025.

    Example
    -------
    >>> import paring, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> data = paring.scenes(12, seed=0, folder=folder)
    >>> pairs = similar_pairs(folder, threshold=0.9)
    >>> pairs.columns, pairs["similarity"].min() >= 0.9
    (['source', 'target', 'similarity'], True)
    """
    from paring.images.similarity.opening import Comparing, open_images
    from paring.images.similarity.sources import (
        as_dataset,
        images_count,
        pair_frame,
        refuse_threshold,
    )

    refuse_threshold(threshold)
    how = Comparing(metric, window, size, data_range, memory, workers, on_error)
    data = as_dataset(images, frame_step=frame_step, on_error=on_error)
    opened = open_images(data, how, progress=progress)
    if opened.faults:
        row, message = next(iter(opened.faults.items()))
        warnings.warn(
            f"{images_count(len(opened.faults))} cannot be read, so without pairs; the first: "
            f"{data.images['file_name'][row]}: {message}",
            stacklevel=2,
        )
    return pair_frame(data, opened.measures.pairs(threshold, progress=progress))


__all__ = ["similar_pairs"]
