"""Tallies of label maps: IoU, Dice and pixel accuracy, over the whole data set and image by image.

All counts are of hard labels: each pixel is one class in the prediction and one in the truth.
Dice of probabilities ("soft") is not offered; it is a loss, and depends on the calibration.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.errors import InputError

Counts = NDArray[np.int64]


class DenseTally:
    """Counts of predicted and true classes, image after image; nothing else of them is kept.

    With one class (task ``"binary"``) labels are 0 and 1, and only class 1, the foreground, is
    measured. An image with no foreground in truth and prediction has IoU and Dice 1: nothing was
    to be found and nothing was. With more classes labels are 0 to K - 1, and an image's mean is
    over the classes that occur in its truth or its prediction.

    Parameters
    ----------
    classes : names in the order of the labels; one name for binary masks.
    void : label of pixels in the truth that belong to no class and are skipped.

    Raises
    ------
    InputError
        Where labels are no classes, sizes differ or an image comes twice.

    Example
    -------
    >>> tally = DenseTally(["sky", "tree"])
    >>> tally.add(np.array([[0, 1]]), np.array([[0, 0]]), image_id=5)
    >>> tally.result()["miou_dataset"], tally.result()["pixel_accuracy"]
    (0.25, 0.5)
    """

    def __init__(self, classes: Sequence[str], void: int = 255) -> None:
        if isinstance(classes, str) or not len(classes):
            raise InputError(f"classes are a list of one name or more, not {classes!r}")
        self.classes = tuple(classes)
        self.void = void
        self._labels = max(len(classes), 2)  # a single class has the background beside it
        if 0 <= void < self._labels:
            raise InputError(f"void {void} is the label of a class; choose another")
        self.confusion: Counts = np.zeros((self._labels, self._labels), np.int64)
        """Pixels by true class (rows) and predicted class (columns)."""
        self._images: dict[Hashable, tuple[int, float, float, float]] = {}
        self._iou_sum, self._dice_sum = np.zeros(len(classes)), np.zeros(len(classes))
        self._seen: Counts = np.zeros(len(classes), np.int64)

    def __len__(self) -> int:
        return len(self._images)

    @property
    def binary(self) -> bool:
        """Whether only one class, the foreground, is measured."""
        return len(self.classes) == 1

    def add(self, predicted: NDArray[Any], truth: NDArray[Any], image_id: Hashable) -> None:
        """Count one image: predicted and true labels, both (H, W)."""
        if image_id in self._images:
            raise InputError(f"image {image_id} was counted already")
        predicted, truth = np.asarray(predicted), np.asarray(truth)
        if predicted.shape != truth.shape or predicted.ndim != 2:
            raise InputError(
                f"image {image_id}: the prediction has shape {predicted.shape} and the truth "
                f"{truth.shape}; both are (height, width)"
            )
        counted = truth != self.void
        guess = self._codes(predicted[counted], image_id, "prediction")
        right = self._codes(truth[counted], image_id, "truth")
        flat = np.bincount(right * self._labels + guess, minlength=self._labels**2)
        confusion = flat.reshape(self._labels, self._labels).astype(np.int64)
        self.confusion += confusion

        hits, truths, guesses = self._counts(confusion)
        pixels = int(confusion.sum())
        iou, dice = _ratios(hits, truths, guesses)
        if self.binary and pixels:
            iou, dice = np.nan_to_num(iou, nan=1.0), np.nan_to_num(dice, nan=1.0)
        there = ~np.isnan(iou)
        self._iou_sum[there] += iou[there]
        self._dice_sum[there] += dice[there]
        self._seen += there
        accuracy = int(np.trace(confusion)) / pixels if pixels else float("nan")
        self._images[image_id] = pixels, accuracy, _mean(iou), _mean(dice)

    def _codes(self, values: NDArray[Any], image_id: Hashable, what: str) -> Counts:
        """Labels as numbers, after a look at whether they are classes."""
        if values.dtype.kind not in "iub":
            raise InputError(
                f"image {image_id}: the {what} holds {values.dtype}, not whole labels; threshold "
                "or take the largest class first"
            )
        wrong = values[(values < 0) | (values >= self._labels)]
        if len(wrong):
            raise InputError(
                f"image {image_id}: the {what} holds label {wrong[0]}; labels are 0 to "
                f"{self._labels - 1}"
            )
        return values.astype(np.int64)

    def _counts(self, confusion: Counts) -> tuple[Counts, Counts, Counts]:
        """Pixels hit, true and predicted of each class that is measured (K,)."""
        measured = slice(1, 2) if self.binary else slice(None)
        hits, truths, guesses = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        return hits[measured], truths[measured], guesses[measured]

    # -- results ------------------------------------------------------------------------------

    def result(self) -> dict[str, float]:
        """The numbers of all that was added.

        Returns
        -------
        dict
            miou_dataset and dice_dataset: from one confusion matrix over all pixels, the mean over
            classes that occur in truth or prediction of IoU = hits / (truth + predicted - hits) and
            of Dice = 2 hits / (truth + predicted). iou_per_image and dice_per_image: the same in
            each image, then the mean over images. pixel_accuracy: share of all pixels that are
            right, of a binary mask with the background. Images that are void throughout count
            nowhere; NaN where nothing was counted.
        """
        iou, dice = self._by_class()
        frame = self.per_image()
        pixels = int(self.confusion.sum())
        return {
            "miou_dataset": _mean(iou),
            "iou_per_image": _mean(frame["iou"].to_numpy()),
            "dice_dataset": _mean(dice),
            "dice_per_image": _mean(frame["dice"].to_numpy()),
            "pixel_accuracy": int(np.trace(self.confusion)) / pixels if pixels else float("nan"),
        }

    def per_category(self) -> pl.DataFrame:
        """One row a class, in their order.

        Columns: name, images (in which it occurs in truth or prediction; of a binary mask all that
        have a pixel to count), truth_pixels, predicted_pixels, iou and dice over all pixels,
        precision, recall, iou_per_image and dice_per_image (means over those images). NaN where
        nothing is there to divide by.

        >>> tally = DenseTally(["sky", "tree"])
        >>> tally.add(np.array([[0, 1]]), np.array([[0, 0]]), image_id=5)
        >>> tally.per_category().select("name", "iou", "recall").rows()
        [('sky', 0.5, 0.5), ('tree', 0.0, nan)]
        """
        hits, truths, guesses = self._counts(self.confusion)
        iou, dice = self._by_class()
        return pl.DataFrame(
            {
                "name": list(self.classes),
                "images": self._seen,
                "truth_pixels": truths,
                "predicted_pixels": guesses,
                "iou": iou,
                "dice": dice,
                "precision": _share(hits, guesses),
                "recall": _share(hits, truths),
                "iou_per_image": _share(self._iou_sum, self._seen),
                "dice_per_image": _share(self._dice_sum, self._seen),
            }
        )

    def per_image(self) -> pl.DataFrame:
        """One row an image as added: image_id, pixels (not void), pixel_accuracy, iou, dice.

        NaN for an image that is void throughout.
        """
        rows = list(self._images.values())
        columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
        return pl.DataFrame(
            {
                "image_id": list(self._images),
                "pixels": pl.Series(columns[0], dtype=pl.Int64),
                **{
                    name: pl.Series(values, dtype=pl.Float64)
                    for name, values in zip(
                        ("pixel_accuracy", "iou", "dice"), columns[1:], strict=True
                    )
                },
            }
        )

    def _by_class(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """IoU and Dice of each class over all pixels (K,), NaN where it does not occur."""
        iou, dice = _ratios(*self._counts(self.confusion))
        if self.binary and self.confusion.any():
            return np.nan_to_num(iou, nan=1.0), np.nan_to_num(dice, nan=1.0)
        return iou, dice


def _ratios(
    hits: Counts, truths: Counts, guesses: Counts
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return _share(hits, truths + guesses - hits), _share(2 * hits, truths + guesses)


def _share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """What part of the whole, NaN where the whole is 0."""
    out = np.full(len(whole), np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of what is a number; NaN where nothing is."""
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")
