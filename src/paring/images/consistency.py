"""Image importance from how a trained model's predictions differ between passes.

MC-dropout predicts each image several times with dropout on; consistency predicts several views
of it. Both need a model, and neither needs a record of its training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from paring.dataset.scores import Scores
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.images.aggregation import Cells, Instances, refuse_unknown, scores_of_units
from paring.images.measures import entropy

How = Literal["pairs", "majority", "first"]

Pass: TypeAlias = tuple[int, int | None, NDArray[np.floating[Any]]]
"""Image id, instance id (None where the whole image is predicted) and the probabilities of T
passes: of the foreground (T, h, w) or (T, cells), or of classes (T, C, h, w)."""


def predictive_entropy(probabilities: ArrayLike, *, axis: int | None = None) -> NDArray[np.float64]:
    """Entropy in nats of the mean prediction over T passes; high is hard.

    Parameters
    ----------
    probabilities : of the passes along the first axis and of the classes along `axis`, or of the
        foreground where `axis` is None.

    Returns
    -------
    array
        As `probabilities`, without the first axis and `axis`.

    References
    ----------
    Gal and Ghahramani, Dropout as a Bayesian Approximation, ICML 2016.

    Example
    -------
    >>> predictive_entropy([[1.0, 0.9], [0.0, 0.9]]).round(4)
    array([0.6931, 0.3251])
    """
    p = np.asarray(probabilities)
    if axis is not None and axis % p.ndim == 0:
        raise ValueError("the first axis is that of the passes, not of the classes")
    inner = None if axis is None else axis % p.ndim - 1
    return entropy(p.mean(axis=0, dtype=np.float64), axis=inner)


def disagreement(labels: ArrayLike, *, how: How = "pairs") -> NDArray[np.float64]:
    """How far N views disagree on each cell; high is hard.

    Knowing What to Label selects images by the consistency of predictions under augmentations,
    least consistent first. How the views are compared is not told in what is public here, so
    there are three ways: ``"pairs"``, the share of pairs of views that differ, ``"majority"``, the
    share of views that differ from the most frequent label, and ``"first"``, the share of the
    other views that differ from the first.

    Parameters
    ----------
    labels : predicted labels (N, ...), views brought back to the place of the image, N at least 2.

    References
    ----------
    Dawoud et al., Knowing What to Label for Few Shot Microscopy Image Cell Segmentation, WACV 2023.

    Example
    -------
    >>> labels = [[1, 0], [1, 1], [1, 1], [1, 1]]
    >>> disagreement(labels), disagreement(labels, how="majority")
    (array([0. , 0.5]), array([0.  , 0.25]))
    """
    views = np.asarray(labels)
    n = len(views)
    if n < 2:
        raise InputError(f"views are compared with each other, so two are needed, not {n}")
    if how == "first":
        return np.asarray((views[1:] != views[0]).mean(axis=0))
    if how not in ("pairs", "majority"):
        raise InputError(f"how {how!r} is not known; it is 'pairs', 'majority' or 'first'")
    most = np.zeros(views.shape[1:], np.int64)
    alike = np.zeros(views.shape[1:], np.int64)  # ordered pairs of views of one label
    for label in np.unique(views):
        number = (views == label).sum(axis=0)
        most = np.maximum(most, number)
        alike += number * (number - 1)
    return np.asarray(1 - alike / (n * (n - 1)) if how == "pairs" else 1 - most / n)


def dropout_scores(
    passes: Iterable[Pass],
    data: Dataset,
    *,
    parameters: Mapping[str, Any] | None = None,
    cells: Cells = "mean",
    instances: Instances = "sum",
) -> Scores:
    """Score images by the predictive entropy of passes with dropout; high is hard.

    Parameters
    ----------
    passes : for each unit its image id, its instance id (None where it is the image) and its
        probabilities in T passes: of the foreground, (T, h, w) or (T, cells), or of C classes,
        (T, C, h, w).
    parameters : what the passes were made with, as the scores will say it.
    cells, instances : how cells make units and units images; see
        `paring.images.aggregation.scores_of_units`.

    Raises `InputError` where a unit is not of the data set.
    """

    def uncertain(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        return predictive_entropy(probabilities, axis=_class_axis(probabilities))

    return _scores(passes, data, uncertain, "mc-dropout", parameters, cells, instances)


def consistency_scores(
    passes: Iterable[Pass],
    data: Dataset,
    *,
    how: How = "pairs",
    parameters: Mapping[str, Any] | None = None,
    cells: Cells = "mean",
    instances: Instances = "sum",
) -> Scores:
    """Score images by how far predictions of augmented views disagree; high is hard.

    A view's label is its most probable class, or the foreground where that has more than half.

    Parameters
    ----------
    passes : as in `dropout_scores`, each pass a view, brought back to the place of the image.
    how : what is compared; see `disagreement`.
    parameters, cells, instances : as in `dropout_scores`.
    """

    def split(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        axis = _class_axis(probabilities)
        labels = probabilities > 0.5 if axis is None else probabilities.argmax(axis=axis)
        return disagreement(labels, how=how)

    said = {**(parameters or {}), "how": how}
    return _scores(passes, data, split, "consistency", said, cells, instances)


def _class_axis(probabilities: NDArray[np.floating[Any]]) -> int | None:
    """Axis of the classes of passes, None where they are of the foreground."""
    if probabilities.ndim not in (2, 3, 4):
        raise ValueError(f"probabilities of passes have 2 to 4 axes, not {probabilities.ndim}")
    return 1 if probabilities.ndim == 4 else None


def _scores(
    passes: Iterable[Pass],
    data: Dataset,
    measure: Callable[[NDArray[np.floating[Any]]], NDArray[np.float64]],
    method: str,
    parameters: Mapping[str, Any] | None,
    cells: Cells,
    instances: Instances,
) -> Scores:
    rows = [
        (image, instance, float(measure(found).mean()) if found.size else None)
        for image, instance, found in passes
    ]
    schema = {"image_id": pl.Int64, "instance_id": pl.Int64, "mean": pl.Float64}
    units = pl.DataFrame(rows, schema=schema, orient="row")
    refuse_unknown(data, units, "predictions")
    if units.select("image_id", "instance_id").is_duplicated().any():
        raise ValueError("an image or instance was predicted twice")
    return scores_of_units(
        data,
        units,
        method=method,
        parameters=parameters or {},
        cells=cells,
        instances=instances,
    )
