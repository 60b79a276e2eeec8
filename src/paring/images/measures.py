"""Measures of how much a cell has to teach, from what a model predicts for it.

A cell is a pixel of a prediction: of an instance's mask on the grid of its region, or of an image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def entropy(probability: ArrayLike, *, axis: int | None = None) -> NDArray[np.float64]:
    """Entropy in nats of predicted distributions, ``-sum_c p_c ln p_c``; high is hard.

    Parameters
    ----------
    probability : of the classes along `axis`, or of the foreground where `axis` is None (the other
        class then has 1 - p).

    Returns
    -------
    array
        As `probability`, without `axis`.

    References
    ----------
    Shannon 1948; as a measure of importance Coleman et al., Selection via Proxy, ICLR 2020.

    Example
    -------
    >>> entropy([0.5, 1.0]).round(4)
    array([0.6931, 0.    ])
    >>> entropy([[0.25, 0.25, 0.5]], axis=-1).round(4)
    array([1.0397])
    """
    p = np.asarray(probability, np.float64)
    if axis is None:
        p, axis = np.stack((p, 1 - p)), 0
    terms = p * np.log(np.where(p > 0, p, 1.0))
    return np.asarray(np.maximum(-terms.sum(axis=axis), 0.0))


def el2n(
    probability: ArrayLike, truth: ArrayLike, *, axis: int | None = None
) -> NDArray[np.float64]:
    """Distance of predicted distributions to the truth, ``||p - onehot(y)||_2``; high is hard.

    Parameters
    ----------
    probability : of the classes along `axis`, or of the foreground where `axis` is None; the
        distance is then ``sqrt(2) |p - y|``, as that of the two classes is.
    truth : class of each cell, of the shape of `probability` without `axis`.

    References
    ----------
    Paul et al., Deep Learning on a Data Diet, NeurIPS 2021.

    Example
    -------
    >>> el2n([0.9, 0.9], [1, 0]).round(4)
    array([0.1414, 1.2728])
    >>> el2n([[0.1, 0.9]], [0], axis=-1).round(4)
    array([1.2728])
    """
    p, y = np.asarray(probability, np.float64), np.asarray(truth)
    if axis is None:
        return np.asarray(np.sqrt(2.0) * np.abs(p - y))
    classes = np.moveaxis(p, axis, -1)
    wanted = y[..., None] == np.arange(classes.shape[-1])
    return np.asarray(np.linalg.norm(classes - wanted, axis=-1))


def area_under_margin(margins: ArrayLike) -> NDArray[np.float64]:
    """Mean margin of each cell (cells,) over the epochs, of margins (epochs, cells); low is hard.

    The margin is the logit of the true class less the largest other one. A cell that is labelled
    wrong is pulled away from its label by all cells like it, so that its margin stays low.

    References
    ----------
    Pleiss et al., Identifying Mislabeled Data using the Area Under the Margin Ranking, NeurIPS
    2020.

    Example
    -------
    >>> area_under_margin([[1.0, -3.0], [2.0, -1.0]])
    array([ 1.5, -2. ])
    """
    return np.asarray(np.mean(np.asarray(margins, np.float64), axis=0))


def forgetting_counts(correct: ArrayLike, *, never: int | None = None) -> NDArray[np.int64]:
    """How often each cell (cells,) went from right to wrong between epochs; high is hard.

    Parameters
    ----------
    correct : whether each epoch predicted each cell right (epochs, cells).
    never : the count of cells that no epoch got right; the number of epochs by default, which is
        more than any other cell can have, as such cells count as forgotten without end.

    References
    ----------
    Toneva et al., An Empirical Study of Example Forgetting during Deep Neural Network Learning,
    ICLR 2019.

    Example
    -------
    >>> forgetting_counts([[1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 1, 0]])
    array([2, 0, 4])
    """
    right = np.asarray(correct, bool)
    forgotten = (right[:-1] & ~right[1:]).sum(axis=0)
    worst = len(right) if never is None else never
    return np.where(right.any(axis=0), forgotten, worst).astype(np.int64)
