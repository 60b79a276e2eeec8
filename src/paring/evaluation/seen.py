"""What a model says of images, batch by batch, as predictions and as metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.table import INSTANCES, Dataset
from paring.errors import InputError
from paring.evaluation.detection import coco_metrics

Size = tuple[int, int]


def labels_of(logits: Tensor, task: str) -> NDArray[np.int64]:
    """Labels (B, H, W) of logits (B, C, H, W): the largest class, or 1 where one logit is above 0.

    Example
    -------
    >>> import torch
    >>> labels_of(torch.tensor([[[[0.5, -0.5]]]]), "binary").tolist()
    [[[1, 0]]]
    """
    labels = (logits[:, 0] > 0).long() if task == "binary" else logits.argmax(1)
    found: NDArray[np.int64] = labels.cpu().numpy()
    return found


def resized(maps: Tensor, content: Size, size: Size) -> Tensor:
    """Maps (..., h, w) at another size (height, width), without what pads them.

    Parameters
    ----------
    content : (height, width) of the part that shows the image, from the upper left corner on.
    size : of the image itself.

    Example
    -------
    >>> import torch
    >>> resized(torch.ones(1, 1, 4, 4), (4, 2), (8, 4)).shape
    torch.Size([1, 1, 8, 4])
    """
    shown = maps[..., : content[0], : content[1]]
    if tuple(shown.shape[-2:]) == tuple(size):
        return shown
    return F.interpolate(shown, size, mode="bilinear", align_corners=False)


class Collected:
    """What an instance model finds, as scored instances of a data set.

    Parameters
    ----------
    truth : the images and categories; results name them by their ids.
    classes : names of the model's classes in order, all of them categories of the truth.

    Raises `InputError` where a class of the model is no category of the truth.
    """

    def __init__(self, truth: Dataset, classes: Sequence[str]) -> None:
        by_name = dict(truth.categories.select("name", "category_id").iter_rows())
        lost = [name for name in classes if name not in by_name]
        if lost:
            raise InputError(
                f"the model finds {lost[0]!r}, which is no category of the data set "
                f"({', '.join(by_name)})"
            )
        self.truth = truth
        self.ids = np.array([by_name[name] for name in classes], np.int64)
        self._images: list[int] = []
        self._categories: list[int] = []
        self._scores: list[float] = []
        self._boxes: list[list[float]] = []
        self._runs: list[NDArray[np.uint32]] = []
        self._sizes: list[Size] = []

    def add(self, found: Mapping[str, Tensor], image_id: int, *, content: Size, size: Size) -> None:
        """Add what was found in one image.

        Parameters
        ----------
        found : boxes (n, 4) as x0, y0, x1, y1 in pixels of the sample, labels (n,) from 1 on,
            scores (n,), and masks (n, 1, h, w) of probabilities at the size of the sample.
        content : (height, width) of the part of the sample that shows the image.
        size : (height, width) of the image.
        """
        factor = np.array([size[1] / content[1], size[0] / content[0]] * 2)
        limit = np.array([size[1], size[0]] * 2, np.float64)
        corners = found["boxes"].double().cpu().numpy() * factor
        corners = np.clip(corners, 0, limit)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        labels = found["labels"].cpu().numpy()
        self._images += [image_id] * len(boxes)
        self._categories += self.ids[labels - 1].tolist()
        self._scores += found["scores"].double().cpu().tolist()
        self._boxes += boxes.tolist()
        self._sizes += [size] * len(boxes)
        some = max(1, _AT_ONCE // (size[0] * size[1]))
        every = found["masks"].float()
        for first in range(0, len(every), some):
            masks = every[first : first + some]
            solid = resized(masks, content, size)[:, 0] >= 0.5
            self._runs += [rle.encode_mask(mask) for mask in solid.cpu().numpy()]

    def predictions(self) -> Dataset:
        """All that was found: instances with a score, numbered from 1 on."""
        masks = MaskStore.from_runs(
            self._runs,
            heights=[height for height, _ in self._sizes],
            widths=[width for _, width in self._sizes],
        )
        instances = pl.DataFrame(
            {
                "instance_id": range(1, len(self._images) + 1),
                "image_id": self._images,
                "category_id": self._categories,
                "iscrowd": [False] * len(self._images),
                "bbox": self._boxes,
                "area": masks.areas(),
                "score": self._scores,
            },
            schema=INSTANCES | {"score": pl.Float64},
        )
        return Dataset(
            images=self.truth.images,
            instances=instances,
            categories=self.truth.categories,
            masks=masks,
            image_root=self.truth.image_root,
        )

    def result(self) -> dict[str, float]:
        """COCO metrics of masks and, with ``box_`` before their names, of boxes."""
        predictions = self.predictions()
        masks = coco_metrics(self.truth, predictions, kind="segm")
        boxes = coco_metrics(self.truth, predictions, kind="bbox")
        return masks | {f"box_{name}": value for name, value in boxes.items()}


_AT_ONCE = 2**24
"""Pixels of masks that are brought to the size of their image in one go."""
