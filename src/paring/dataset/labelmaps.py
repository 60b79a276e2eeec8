"""`LabelMaps`: the semantic view of a data set, one label image per picture, by path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

VOID = 255
"""Label of pixels that belong to no class, in what `LabelMaps.read` returns."""

LARGEST_SIDE, LARGEST_IMAGE = 100_000, 2**29
"""Pixels a side and in all of the largest label image that is believed."""


@dataclass(frozen=True, eq=False)
class LabelMaps:
    """Label images by path, and what their pixel values mean.

    Attributes
    ----------
    paths : frame (image_id, path), a row for each picture that has a label image.
    lookup : int64 (values,), the category id of each stored pixel value, `VOID` where a value
        belongs to no class; values past its end are an error when met.
    """

    paths: pl.DataFrame
    lookup: NDArray[np.int64]

    def take(self, image_ids: pl.Series) -> LabelMaps:
        """The label maps of the given pictures."""
        kept = self.paths.filter(pl.col("image_id").is_in(image_ids.implode()))
        return LabelMaps(kept, self.lookup)

    def path(self, image_id: int) -> Path:
        """Where the label image of a picture lies; `InputError` where it has none."""
        found = self.paths.filter(pl.col("image_id") == image_id)["path"]
        if not len(found):
            raise InputError(f"image {image_id} has no label map")
        return Path(found[0])

    def read(self, image_id: int) -> NDArray[np.int64]:
        """Category ids (H, W) of a picture's pixels, `VOID` where they belong to no class."""
        path = self.path(image_id)
        values = read_labels(path)
        if values.size and int(values.max()) >= len(self.lookup):
            raise InputError(
                f"{path}: pixel value {int(values.max())} is not in the class list "
                f"(0 to {len(self.lookup) - 1})"
            )
        return self.lookup[values]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelMaps):
            return NotImplemented
        return self.paths.equals(other.paths) and np.array_equal(self.lookup, other.lookup)

    __hash__ = None  # type: ignore[assignment]


def read_labels(path: Path) -> NDArray[np.int64]:
    """Stored pixel values (H, W) of a label image: indices of a palette, grey or 16-bit values.

    A colour image counts only where its three channels are equal. Raises `InputError` naming the
    file where it cannot be read or is in colour.
    """
    return stored_values(path).astype(np.int64)


def label_size(path: Path) -> tuple[int, int]:
    """Height and width in pixels of a label image, from its header alone."""
    with _opened(path) as picture:
        return picture.height, picture.width


def stored_values(path: Path) -> NDArray[Any]:
    """The same as `read_labels` in the type that the file holds, mostly uint8 or uint16."""
    values: NDArray[Any] | None = None
    with _opened(path) as picture:
        if picture.mode.startswith("I;16"):
            import cv2  # decodes 16 bits in two thirds of the time

            values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if values is None or values.ndim != 2:
            values = np.asarray(picture)
    if values.ndim == 3:
        grey = values[..., :1]
        if not (values[..., : 3 if values.shape[2] > 2 else 1] == grey).all():
            raise InputError(
                f"{path}: a label image holds one value per pixel (a class, not a colour); "
                "save it as a grey or palette PNG"
            )
        values = values[..., 0]
    return values.astype(np.uint8) if values.dtype == np.bool_ else values


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image with its header read; its size is checked before a pixel is decoded."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if max(width, height) > LARGEST_SIDE or width * height > LARGEST_IMAGE:
                raise InputError(
                    f"{path}: the label image is {width} x {height} pixels, more than is believed "
                    f"({LARGEST_SIDE:,} a side, {LARGEST_IMAGE:,} in all)"
                )
            yield picture
    except InputError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).replace(f" {str(path)!r}", "")
        raise InputError(f"{path}: the label image cannot be read ({reason})") from error
