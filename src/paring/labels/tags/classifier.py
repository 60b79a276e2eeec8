"""The classifier of tags, and its class activation maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from paring.dataset.pixels import read_pixels
from paring.dataset.table import Dataset
from paring.models.stride import StrideEncoder
from paring.training.augment import rng_of
from paring.training.fitting import FittedLesson, Fitting
from paring.training.samples import Sample


class TagClassifier(nn.Module):
    """An encoder, the mean over space and one linear layer; several tags an image.

    Parameters
    ----------
    encoder : see `StrideEncoder`.
    n_classes : number of tags.

    Example
    -------
    >>> classifier = TagClassifier(StrideEncoder("mobilenet_v2", 32), 3).eval()
    >>> classifier.maps(torch.zeros(1, 3, 64, 96)).shape
    torch.Size([1, 3, 2, 3])
    """

    def __init__(self, encoder: StrideEncoder, n_classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.linear = nn.Linear(encoder.width, n_classes)

    def maps(self, images: Tensor) -> Tensor:
        """Class activation maps (B, c, h, w): the logit that each place would give alone."""
        features = self.encoder(images)
        return F.conv2d(features, self.linear.weight[:, :, None, None], self.linear.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, c) of the tags of images (B, 3, H, W) in [0, 1]."""
        return self.maps(images).mean(dim=(2, 3))


def build_classifier(
    encoder: str,
    n_classes: int,
    *,
    stride: int = 32,
    weights: str | Path | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> TagClassifier:
    """A new classifier; parameters as in `StrideEncoder`."""
    net = StrideEncoder(encoder, stride, weights=weights, mean=mean, std=std)
    return TagClassifier(net, n_classes)


class TaggedImages(torch.utils.data.Dataset[Sample]):
    """Images with their tags, stretched to one size and mirrored by chance.

    A sample has `row`, `image` float32 (3, H, W) in [0, 1] and `present` float32 (c,).

    Parameters
    ----------
    data : the images.
    present : bool (n, c).
    size : (height, width) in pixels.
    flip : chance of mirroring.
    seed : decides it, with the epoch and the row.
    """

    def __init__(
        self,
        data: Dataset,
        present: NDArray[np.bool_],
        *,
        size: tuple[int, int],
        flip: float = 0.5,
        seed: int = 0,
    ) -> None:
        assert data.image_root is not None
        self.paths = [data.image_root / name for name in data.images["file_name"]]
        self.present, self.size, self.flip, self.seed = present, size, flip, seed

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The sample of (epoch, row)."""
        epoch, row = key
        image = image_tensor(read_pixels(self.paths[row]), self.size)
        if rng_of(self.seed, epoch, row).random() < self.flip:
            image = image.flip(2)
        present = torch.from_numpy(self.present[row].astype(np.float32))
        return {"row": row, "image": image, "present": present}


def image_tensor(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """Pixels (h, w, 3) stretched to a size, as float32 (3, H, W) in [0, 1]."""
    import cv2

    shrinks = size[0] < pixels.shape[0] or size[1] < pixels.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(pixels, size[::-1], interpolation=way)
    return torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1))).float().div_(255)


class ClassifierLesson(FittedLesson):
    """Binary cross-entropy of each tag.

    Parameters
    ----------
    model : what learns.
    fitting, seed, file_names : see `FittedLesson`.
    """

    def __init__(
        self, model: TagClassifier, fitting: Fitting, seed: int, file_names: Sequence[str]
    ) -> None:
        super().__init__(fitting, seed, file_names)
        self.model = model

    def loss_of(self, batch: dict[str, object]) -> Tensor:  # type: ignore[override]
        """The mean over images and tags."""
        logits = self.model(batch["image"]).float()
        present = torch.stack(list(batch["present"]))  # type: ignore[call-overload]
        return F.binary_cross_entropy_with_logits(logits, present)


@torch.no_grad()
def activation_maps(
    model: TagClassifier, image: Tensor, *, enlarge: int = 8
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps (c, h, w) of one image (3, H, W), enlarged bilinearly, and the logits of its tags (c,).

    The mean of the image and its mirror image.
    """
    both = torch.stack((image, image.flip(2)))
    maps = model.maps(both).float()
    mean = (maps[0] + maps[1].flip(2)) / 2
    sides = [side * enlarge for side in mean.shape[1:]]
    large = F.interpolate(mean[None], sides, mode="bilinear", align_corners=False)[0]
    return large.cpu().numpy(), mean.mean(dim=(1, 2)).cpu().numpy()
