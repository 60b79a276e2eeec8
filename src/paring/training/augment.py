"""Changes of training images by chance, targets with them."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from paring.training.resizing import PAD_COLOUR
from paring.training.sections import Augment

_COLOURS = (
    ("brightness", F.adjust_brightness),
    ("contrast", F.adjust_contrast),
    ("saturation", F.adjust_saturation),
)


class Augmentation:
    """The changes that a recipe asks for, in a fixed order.

    Colours first, then mirroring, rotation, and last a window of the image, enlarged by a factor
    drawn from `scale`, at a place drawn by chance. What lies beside the image has the mean colour,
    no instance, and void as its label.

    Parameters
    ----------
    wished : the section `augment` of a recipe.
    size : (height, width) in pixels of the sample; the result has the size of `crop` if given.

    Example
    -------
    >>> import torch
    >>> image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    >>> target = torch.arange(64, dtype=torch.uint8).reshape(1, 8, 8)
    >>> mirror = Augmentation(Augment(flip=1.0), (8, 8))
    >>> _, mirrored = mirror(image, target, np.random.default_rng(0), beside=255)
    >>> mirrored[0, 0].tolist()
    [7, 6, 5, 4, 3, 2, 1, 0]
    """

    def __init__(self, wished: Augment, size: tuple[int, int]) -> None:
        self._wished = wished
        self.size = wished.crop or size
        """(height, width) in pixels of what it gives."""

    def __call__(
        self, image: Tensor, target: Tensor, rng: np.random.Generator, *, beside: int
    ) -> tuple[Tensor, Tensor]:
        """Image and target after the changes that `rng` draws.

        Parameters
        ----------
        image : uint8 (3, H, W).
        target : uint8 (n, H, W), masks or one map of labels; takes the values it has, no others
            but `beside`.
        beside : value of the target where there is no image: 0 for masks, `VOID` for labels.
        """
        if not target.shape[0]:  # a picture without instances; torchvision wants one mask
            image, one = self(image, target.new_zeros(1, *image.shape[1:]), rng, beside=beside)
            return image, one[:0]
        pixels = self._colour(tv_tensors.Image(image), rng)
        labels = tv_tensors.Mask(target)
        wished = self._wished
        if wished.flip and rng.random() < wished.flip:
            pixels, labels = F.horizontal_flip(pixels), F.horizontal_flip(labels)
        if wished.vflip and rng.random() < wished.vflip:
            pixels, labels = F.vertical_flip(pixels), F.vertical_flip(labels)
        if wished.rotate:
            angle = rng.uniform(-wished.rotate, wished.rotate)
            pixels = F.rotate(pixels, angle, InterpolationMode.BILINEAR, fill=list(PAD_COLOUR))
            labels = F.rotate(labels, angle, fill=beside)
        pixels, labels = self._window(pixels, labels, rng, beside)
        return pixels.as_subclass(Tensor), labels.as_subclass(Tensor)

    def _colour(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        for name, adjust in _COLOURS:
            strength = getattr(self._wished, name)
            if strength:
                image = adjust(image, rng.uniform(max(0.0, 1 - strength), 1 + strength))
        hue = self._wished.hue
        return F.adjust_hue(image, rng.uniform(-hue, hue)) if hue else image

    def _window(
        self, image: Tensor, target: Tensor, rng: np.random.Generator, beside: int
    ) -> tuple[Tensor, Tensor]:
        """A part of both at a place by chance, resized to what is asked for."""
        low, high = self._wished.scale
        factor = rng.uniform(low, high) if low < high else low
        there = image.shape[-2:]
        window = [max(1, round(side / factor)) for side in self.size]
        if list(there) == window == list(self.size):
            return image, target
        places = [
            int(rng.integers(min(0, has - want), max(0, has - want) + 1))
            for has, want in zip(there, window, strict=True)
        ]
        (top, left), (bottom, right) = places, (p + w for p, w in zip(places, window, strict=True))
        around = [max(0, -left), max(0, -top), max(0, right - there[1]), max(0, bottom - there[0])]
        if any(around):
            image = F.pad(image, around, fill=list(PAD_COLOUR))
            target = F.pad(target, around, fill=beside)
        top, left = max(0, top), max(0, left)
        rows, columns = slice(top, top + window[0]), slice(left, left + window[1])
        image, target = image[..., rows, columns], target[..., rows, columns]
        if window == list(self.size):
            return image, target
        return (
            F.resize_image(image.as_subclass(Tensor), list(self.size), antialias=True),
            F.resize_image(
                target.as_subclass(Tensor), list(self.size), InterpolationMode.NEAREST_EXACT
            ),
        )


def never(wished: Augment) -> bool:
    """Whether no change is asked for.

    >>> never(Augment(flip=0.0)), never(Augment())
    (True, False)
    """
    return wished == Augment(flip=0.0)


def rng_of(seed: int, epoch: int, row: int) -> np.random.Generator:
    """Chance for one image in one epoch, whoever asks, and in whichever order.

    >>> rng_of(0, 1, 2).random() == rng_of(0, 1, 2).random()
    True
    """
    return np.random.default_rng([seed, epoch, row])
