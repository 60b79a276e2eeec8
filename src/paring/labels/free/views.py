"""What the network learns from: two views of an image, with things of another pasted in."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as T

from paring.dataset.table import Dataset
from paring.labels.free.losses import colour_likeness
from paring.models.solo_cells import STRIDE
from paring.training.augment import rng_of
from paring.training.samples import Sample, Samples
from paring.training.sections import Augment, Section, Share
from paring.training.targets import boxes_of

_TARGETS = ("boxes", "labels", "masks", "instance_rows")


class Viewing(Section, frozen=True):
    """The two views of an image.

    Attributes
    ----------
    both : changes of the weak and of the strong view.
    strong : those of colours, of the strong view alone.
    grey, blur : chances that the strong view loses its colours, and is blurred.
    paste : chance that things of another image are pasted into the strong view.
    covered : things of which more than that share is covered by them are no longer there.
    """

    both: Augment = Augment(flip=0.5, scale=(1.0, 1.5))
    strong: Augment = Augment(
        flip=0.5, scale=(1.0, 1.5), brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1
    )
    grey: Share = 0.2
    blur: Share = 0.5
    paste: Share = 0.5
    covered: Share = 0.5


class Views(torch.utils.data.Dataset[Sample]):
    """Weak and strong views of images with pseudo-labels.

    A sample has `row`, and a list of two, the weak view and the strong one, of each: `image`
    float32 (3, H, W) in [0, 1]; `boxes`, `labels`, `masks`, `instance_rows` as `Samples` has them,
    the rows those of the pseudo-labels; `likeness` float32 (8, H / 4, W / 4), see
    `colour_likeness`.

    Parameters
    ----------
    data : images with pseudo-labels.
    size : (height, width) in pixels of a view.
    how : see `Viewing`.
    seed : decides it all, with the epoch and the row.
    """

    def __init__(
        self, data: Dataset, size: tuple[int, int], how: Viewing, *, seed: int = 0, cache: int = 0
    ) -> None:
        classes = data.categories["name"].to_list()
        self.seed, self.how = seed, how
        # the weak view and the strong one are drawn apart, from one store of resized images
        self.weak = Samples(
            data, "instance", classes, size=size, augment=how.both, seed=2 * seed, cache=cache
        )
        self.strong = Samples(
            data, "instance", classes, size=size, augment=how.strong, seed=2 * seed + 1, cache=cache
        )

    def __len__(self) -> int:
        return len(self.weak)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The views of (epoch, row)."""
        epoch, row = key
        rng = rng_of(self.seed, epoch, row)
        weak, strong = self.weak[key], self.strong[key]
        strong["image"] = disturbed(strong["image"], self.how, rng)
        other = int(rng.integers(len(self)))
        if other != row and rng.random() < self.how.paste:
            strong = pasted(strong, self.weak[epoch, other], covered=self.how.covered)
        views = (weak, strong)
        sample: Sample = {name: [view[name] for view in views] for name in ("image", *_TARGETS)}
        sample["likeness"] = [likeness_of(view["image"]) for view in views]
        return {"row": row, **sample}


def disturbed(image: Tensor, how: Viewing, rng: np.random.Generator) -> Tensor:
    """An image (3, H, W) without its colours or blurred, by chance."""
    if rng.random() < how.grey:
        image = T.rgb_to_grayscale(image, num_output_channels=3)
    if rng.random() < how.blur:
        width = float(rng.uniform(0.1, 2.0)) * min(image.shape[1:]) / 640  # published at 640 pixels
        image = T.gaussian_blur(image, [5, 5], [max(width, 0.1)] * 2)
    return image


def pasted(onto: Sample, other: Sample, *, covered: float) -> Sample:
    """A view with the things of another one on top of it.

    Things of which more than a share is covered are left out, the others lose what is covered.
    """
    front = other["masks"]
    if not len(front):
        return onto
    mask = front.amax(dim=0) > 0
    back = onto["masks"]
    areas = back.flatten(1).sum(dim=1).float()
    left = back * ~mask
    stays = left.flatten(1).sum(dim=1) > (1 - covered) * areas
    masks = torch.cat((left[stays], front))
    return onto | {
        "image": torch.where(mask, other["image"], onto["image"]),
        "masks": masks,
        "boxes": torch.from_numpy(boxes_of(masks.numpy())),
        "labels": torch.cat((onto["labels"][stays], other["labels"])),
        "instance_rows": torch.cat((onto["instance_rows"][stays], other["instance_rows"])),
    }


def likeness_of(image: Tensor) -> Tensor:
    """Colour likeness (8, H / 4, W / 4) of an image (3, H, W) in [0, 1], in CIE Lab."""
    import cv2

    small = F.avg_pool2d(image[None], STRIDE)[0].permute(1, 2, 0).contiguous().numpy()
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB))
    return colour_likeness(torch.from_numpy(lab).permute(2, 0, 1))
