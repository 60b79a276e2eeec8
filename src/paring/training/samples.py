"""`Samples`: a data set as a model sees it, one image with its target at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.utils.data
from numpy.typing import NDArray
from torch import Tensor

from paring.dataset.labelmaps import VOID
from paring.dataset.pixels import read_pixels
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.training.augment import Augmentation, never, rng_of
from paring.training.cache import ByteCache
from paring.training.resizing import Geometry, Resize
from paring.training.sections import Augment
from paring.training.targets import Crops, Task, boxes_of
from paring.training.truth import Truth

Sample: TypeAlias = dict[str, Any]
Key: TypeAlias = "int | tuple[int, int]"


class Samples(torch.utils.data.Dataset[Sample]):
    """Images of a data set with their targets, resized, changed by chance, ready for a model.

    A sample is a dict: `image` float32 (3, H, W) in [0, 1]; `row` in ``data.images``; `image_id`;
    `geometry`, which maps predictions back to the picture where nothing was changed by chance; and

    - instance: `boxes` float32 (n, 4) x1, y1, x2, y2 in pixels of the sample, about the masks;
      `labels` int64 (n,) from 1; `masks` uint8 (n, H, W); `instance_rows` int64 (n,) in
      ``data.instances``. Crowds, instances without a mask, and what vanishes are left out.
    - semantic, binary: `target` int64 (H, W), class index (0 or 1) or `VOID`.

    The order of asking, the number of workers, and what was asked before never matter.

    Parameters
    ----------
    data : with images; its label maps are the targets of semantic models where it has them, and
        of binary ones; otherwise targets are painted from the instances, the larger first. Crowds
        are void. Pixels of no instance are of the class ``background`` if there is one, else void.
    task, classes : of the model, see `paring.training.targets.choose_classes`.
    size, resize : (height, width) in pixels, and how pictures are brought to it.
    augment : changes by chance; None for none.
    seed : decides them, with the epoch and the row of the image.
    cache : bytes of memory for resized images and targets, shared by forked workers.
    targets : whether samples have targets; prediction does without.

    Raises
    ------
    InputError
        Where the folder of the images is not known; later, naming the image, where a picture
        cannot be read or its masks are of another size.

    Example
    -------
    >>> import paring, tempfile
    >>> data = paring.scenes(3, seed=0, folder=tempfile.mkdtemp())
    >>> samples = Samples(data, "binary", ["foreground"], size=(64, 96))
    >>> samples[0]["image"].shape, samples[0]["target"].unique()
    (torch.Size([3, 64, 96]), tensor([0, 1]))
    """

    def __init__(
        self,
        data: Dataset,
        task: Task,
        classes: Sequence[str],
        *,
        size: tuple[int, int],
        resize: Resize = "stretch",
        augment: Augment | None = None,
        seed: int = 0,
        cache: int = 0,
        targets: bool = True,
    ) -> None:
        if data.image_root is None:
            raise InputError("the folder of the images is not known; give images=DIR")
        self.data, self.task, self.classes = data, task, tuple(classes)
        self.size, self.resize, self.seed = size, resize, seed
        changes = augment is not None and not never(augment)
        self._augment = Augmentation(augment, size) if augment is not None and changes else None
        self._epoch = 0
        # plain lists and arrays: workers use no frame, as its threads do not live through a fork
        self._paths = [data.image_root / name for name in data.images["file_name"]]
        self._ids: list[int] = data.images["image_id"].to_list()
        self._truth = Truth(data, task, classes) if targets else None
        self._cache = ByteCache(self._most_bytes(), budget=cache)

    def _most_bytes(self) -> NDArray[np.int64]:
        """Most bytes that each image and its target can take in the cache (n,)."""
        image = _HEAD_BYTES + 3 * self.size[0] * self.size[1]
        if self._truth is None:
            return np.full(len(self), image)
        return image + self._truth.most_bytes(self.size, self.resize)

    def __len__(self) -> int:
        return len(self._ids)

    def set_epoch(self, epoch: int) -> None:
        """The epoch of samples that are asked for by their row alone."""
        self._epoch = epoch

    def __getitem__(self, key: Key) -> Sample:
        """The sample of a row, or of (epoch, row)."""
        epoch, row = key if isinstance(key, tuple) else (self._epoch, key)
        row = range(len(self))[row]
        pixels, target, geometry = self._resized(row)
        image = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))
        rng = rng_of(self.seed, epoch, row)
        sample: Sample = {"row": row, "image_id": self._ids[row], "geometry": geometry}
        if isinstance(target, Crops):
            masks = torch.from_numpy(target.paint(self.size))
            if self._augment is not None:
                image, masks = self._augment(image, masks, rng, beside=0)
            sample |= self._instances(row, masks)
        elif target is not None:
            labels = torch.from_numpy(target.copy())[None]
            if self._augment is not None:
                image, labels = self._augment(image, labels, rng, beside=VOID)
            sample["target"] = labels[0].long()
        return {"image": image.contiguous().float().div_(255), **sample}

    def _instances(self, row: int, masks: Tensor) -> Sample:
        """The target of an instance model from masks (n, H, W), without those that vanished."""
        assert self._truth is not None
        rows, labels = self._truth.instances(row)
        left = masks.flatten(1).any(1).bool()  # of bytes it gives bytes
        masks = masks[left].contiguous()
        return {
            "boxes": torch.from_numpy(boxes_of(masks.numpy())),
            "labels": torch.from_numpy(labels.copy())[left],
            "masks": masks,
            "instance_rows": torch.from_numpy(rows.copy())[left],
        }

    def truth(self, row: int) -> NDArray[np.uint8]:
        """The target (h, w) of a dense model at the size of the picture, as annotated."""
        if self._truth is None or self.task == "instance":
            raise ValueError("these samples have no map of labels")
        labels = self._truth.of(row, self._truth.whole(row))
        assert not isinstance(labels, Crops)
        return labels

    # -- resized, kept ---------------------------------------------------------------------

    def _resized(
        self, row: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | Crops | None, Geometry]:
        """Image (H, W, 3) and target at the size of the sample, before any change by chance."""
        kept = self._cache.get(row)
        if kept is not None:
            return self._unpacked(row, kept)
        pixels = read_pixels(self._paths[row])
        original = (pixels.shape[0], pixels.shape[1])
        geometry = Geometry.fit(original, self.size, self.resize)
        image = geometry.resize_picture(pixels)
        target = None if self._truth is None else self._truth.of(row, geometry)
        if self._cache.has_place(row):
            head = np.array(original, np.int32).view(np.uint8)
            self._cache.put(row, head, image, *_packed(target))
        return image, target, geometry

    def _unpacked(
        self, row: int, kept: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | Crops | None, Geometry]:
        """The same from the bytes that were kept."""
        high, wide = kept[:_HEAD_BYTES].view(np.int32).tolist()
        geometry = Geometry.fit((high, wide), self.size, self.resize)
        stop = _HEAD_BYTES + 3 * self.size[0] * self.size[1]
        image, rest = kept[_HEAD_BYTES:stop].reshape(*self.size, 3), kept[stop:]
        if self._truth is None:
            return image, None, geometry
        if self.task != "instance":
            return image, rest.reshape(self.size), geometry
        return image, Crops.unpack(rest, len(self._truth.instances(row)[0])), geometry


_HEAD_BYTES = 8  # height and width of the picture


def _packed(target: NDArray[np.uint8] | Crops | None) -> list[NDArray[np.uint8]]:
    if target is None:
        return []
    return target.pack() if isinstance(target, Crops) else [target]
