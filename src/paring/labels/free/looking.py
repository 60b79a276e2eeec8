"""Features of images: by an encoder, or made elsewhere and read from a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paring.dataset.pixels import read_pixels
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.models.stride import StrideEncoder
from paring.training.sections import Section, Side, Whole

_FEWEST = 2  # cells of a side of the features


class Looking(Section, frozen=True):
    """How an encoder looks at images.

    Attributes
    ----------
    size, longest : pixels of the shorter side, and of the longer one at most.
    stride : of the features.
    batch_size : images of one size that are looked at together.
    """

    size: Side = 384
    longest: Side = 1333
    stride: Literal[8, 16, 32] = 32
    batch_size: Whole = 4

    def seen(self, high: int, wide: int) -> tuple[int, int]:
        """(height, width) in pixels at which an image is looked at: whole cells, two at least.

        >>> Looking(size=128, longest=256).seen(100, 300)
        (96, 256)
        """
        factor = min(self.size / min(high, wide), self.longest / max(high, wide))
        cells = (max(_FEWEST, round(side * factor / self.stride)) for side in (high, wide))
        down, across = cells
        return down * self.stride, across * self.stride


class Features(Protocol):
    """Where features of images come from.

    Attributes
    ----------
    name : tells them from others, for work that is kept.
    """

    name: str

    def batches(
        self, data: Dataset, rows: list[int]
    ) -> Iterator[tuple[list[int], list[tuple[int, int]], Tensor]]:
        """Rows of images, their sizes in pixels, and features (B, C, h, w) of them; all rows."""


class EncoderFeatures:
    """Features by an encoder, of images of one size together.

    Parameters
    ----------
    encoder : in evaluation mode.
    how : see `Looking`.
    """

    def __init__(self, encoder: StrideEncoder, how: Looking) -> None:
        self.encoder, self.how = encoder, how
        self.name = f"{encoder.name} at stride {encoder.stride}"

    @torch.inference_mode()
    def batches(
        self, data: Dataset, rows: list[int]
    ) -> Iterator[tuple[list[int], list[tuple[int, int]], Tensor]]:
        """See `Features`."""
        device = next(self.encoder.parameters()).device
        waiting: dict[tuple[int, int], list[tuple[int, tuple[int, int], Tensor]]] = {}
        names = data.images["file_name"]
        assert data.image_root is not None
        for row in rows:
            pixels = read_pixels(data.image_root / names[row])
            size = pixels.shape[0], pixels.shape[1]
            seen = self.how.seen(*size)
            group = waiting.setdefault(seen, [])
            group.append((row, size, seen_at(pixels, seen)))
            if len(group) == self.how.batch_size:
                yield self._looked_at(waiting.pop(seen), device)
            elif sum(map(len, waiting.values())) >= 8 * self.how.batch_size:
                # so that images of many sizes do not all wait in memory
                fullest = max(waiting, key=lambda one: len(waiting[one]))
                yield self._looked_at(waiting.pop(fullest), device)
        for group in waiting.values():
            yield self._looked_at(group, device)

    def _looked_at(
        self, group: list[tuple[int, tuple[int, int], Tensor]], device: torch.device
    ) -> tuple[list[int], list[tuple[int, int]], Tensor]:
        rows, sizes, images = zip(*group, strict=True)
        return list(rows), list(sizes), self.encoder(torch.stack(images).to(device))


class FeatureFolder:
    """Features made elsewhere: for the image ``a/b.jpg`` the file ``a/b.npy``, (C, h, w).

    Parameters
    ----------
    folder : of the files.

    Raises
    ------
    InputError
        Naming the file that is missing or holds no such array.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.name = str(self.folder.resolve())
        if not self.folder.is_dir():
            raise InputError(f"{folder}: no such folder of features")

    def batches(
        self, data: Dataset, rows: list[int]
    ) -> Iterator[tuple[list[int], list[tuple[int, int]], Tensor]]:
        """See `Features`."""
        images = data.images.select("file_name", "height", "width")
        for row in rows:
            name, high, wide = images.row(row)
            features = torch.from_numpy(self.of(name))
            yield [row], [(high, wide)], features[None]

    def of(self, name: str) -> NDArray[np.float32]:
        """The features (C, h, w) of an image by its file name."""
        path = (self.folder / name).with_suffix(".npy")
        if not path.is_file():
            raise InputError(f"{path}: there are no features of image {name}")
        try:
            found = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{path}: is not a NumPy array ({error})") from error
        if found.ndim != 3 or not found.size or not np.issubdtype(found.dtype, np.floating):
            raise InputError(
                f"{path}: features are an array of numbers (C, h, w), not of shape "
                f"{found.shape} and kind {found.dtype}"
            )
        if not np.isfinite(found).all():
            raise InputError(f"{path}: holds values that are not finite numbers")
        numbers: NDArray[np.float32] = found.astype(np.float32, copy=False)
        return numbers


def seen_at(pixels: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
    """An image (h, w, 3) as float32 (3, H, W) in [0, 1] of a size (height, width).

    >>> seen_at(np.full((4, 4, 3), 255, np.uint8), (2, 8)).shape
    torch.Size([3, 2, 8])
    """
    import cv2

    if pixels.shape[:2] != size:
        smaller = size[0] < pixels.shape[0] or size[1] < pixels.shape[1]
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(pixels, size[::-1], interpolation=way), np.uint8)
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float().div_(255)
