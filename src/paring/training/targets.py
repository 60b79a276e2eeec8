"""What a model is to say of an image: instances, or a class for every pixel.

All is made at the size of the sample from the masks inside their boxes or from the label image;
nothing of the size of the picture is made of a mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.formats.pairs.values import BACKGROUND, BACKGROUNDS
from paring.dataset.labelmaps import VOID
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.training.nearest import nearest
from paring.training.resizing import Geometry

Task: TypeAlias = Literal["instance", "semantic", "binary"]

PLACE_BYTES = 16
"""Bytes of the place of a mask."""

FOREGROUND = "foreground"
"""Name of the class of a binary model that tells all categories from the rest."""


def choose_classes(
    data: Dataset,
    task: Task,
    *,
    wanted: Sequence[str] | None = None,
    background: Literal["auto", "none"] = "auto",
) -> list[str]:
    """The classes of a model for a data set, in order.

    Instance and semantic models have those of the data, or those `wanted`; where semantic targets
    are painted from instances, a background comes first unless it is not asked for. Binary models
    have one class: the one wanted, the only one of the data, or `FOREGROUND` for all together.

    Raises `InputError` where a wanted name is no category, or there are more than a map can hold.

    >>> import paring
    >>> data = paring.scenes(5, seed=0)
    >>> choose_classes(data, "semantic", wanted=["star", "disc"])
    ['background', 'star', 'disc']
    >>> choose_classes(data, "binary")
    ['foreground']
    """
    names = list(dict.fromkeys(data.categories["name"].to_list()))
    for name in wanted or ():
        if name not in names:
            better = nearest(name, names)
            hint = f"did you mean {better!r}?" if better else f"it has {', '.join(names)}"
            raise InputError(f"{_place(data)}: has no category {name!r}; {hint}")
    chosen = list(wanted) if wanted else names
    if not chosen:
        raise InputError(f"{_place(data)}: has no categories, so there is nothing to learn")
    if task == "binary":
        shown = [name for name in chosen if name not in BACKGROUNDS]
        return shown if len(shown) == 1 else [FOREGROUND]
    if task == "semantic":
        if data.label_maps is None and background == "auto" and BACKGROUND not in chosen:
            chosen.insert(0, BACKGROUND)
        if len(chosen) > VOID:
            raise InputError(f"{_place(data)}: {len(chosen)} classes are more than {VOID}")
    return chosen


def _place(data: Dataset) -> str:
    return str(data.sources[0]) if data.sources else "the data set"


def class_of_categories(data: Dataset, task: Task, classes: Sequence[str]) -> dict[int, int]:
    """Class index of each category id that has one, by name.

    Instance: 1 and up. Semantic: the channel. Binary: 1 for what is the class, 0 for what is not
    (a background, or other categories where the class is one of the data's own names).
    """
    rows = data.categories.select("category_id", "name").iter_rows()
    if task == "binary":
        one = classes[0] if classes[0] in data.categories["name"] else None
        return {
            i: int(name == one if one is not None else name not in BACKGROUNDS) for i, name in rows
        }
    index = {name: k + (task == "instance") for k, name in enumerate(classes)}
    return {i: index[name] for i, name in rows if name in index}


@dataclass(frozen=True)
class Crops:
    """Masks of one sample, each inside its box.

    Attributes
    ----------
    places : int32 (n, 4), top, left, height and width in pixels of the sample.
    bitmaps : n bitmaps (height, width) of 0 and 1; (0, 0) where nothing is left of a mask.
    """

    places: NDArray[np.int32]
    bitmaps: list[NDArray[np.uint8]]

    def pack(self) -> list[NDArray[np.uint8]]:
        """As bytes, a bit for a pixel; `unpack` reads them joined."""
        return [self.places.reshape(-1).view(np.uint8), *map(np.packbits, self.bitmaps)]

    @classmethod
    def unpack(cls, packed: NDArray[np.uint8], n: int) -> Crops:
        """From the bytes of n masks, which may be followed by others."""
        places = packed[: n * PLACE_BYTES].view(np.int32).reshape(n, 4)
        lengths = (places[:, 2].astype(np.int64) * places[:, 3] + 7) // 8
        bounds = n * PLACE_BYTES + ragged.offsets_of(lengths)
        bitmaps = [
            np.unpackbits(packed[a:b], count=h * w).reshape(h, w)
            for (a, b), (h, w) in zip(
                pairwise(bounds.tolist()), places[:, 2:].tolist(), strict=True
            )
        ]
        return cls(places, bitmaps)

    def paint(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """All masks over the sample (n, H, W)."""
        masks = np.zeros((len(self.bitmaps), *size), np.uint8)
        for mask, (top, left, high, wide), bitmap in zip(
            masks, self.places.tolist(), self.bitmaps, strict=True
        ):
            mask[top : top + high, left : left + wide] = bitmap
        return masks

    def paint_classes(
        self, values: Sequence[int], size: tuple[int, int], ground: int
    ) -> NDArray[np.uint8]:
        """One map (H, W) with the value of each mask, later ones over earlier; `ground` below."""
        painted = np.full(size, ground, np.uint8)
        for value, (top, left, high, wide), bitmap in zip(
            values, self.places.tolist(), self.bitmaps, strict=True
        ):
            part = painted[top : top + high, left : left + wide]
            part[bitmap != 0] = value
        return painted


def crops_of(masks: MaskStore, rows: Sequence[int], geometry: Geometry) -> Crops:
    """The masks of some rows in a sample, made from their bitmaps inside their boxes.

    >>> masks = MaskStore.from_polygons([[[0, 0, 4, 0, 4, 4, 0, 4]]], heights=[8], widths=[8])
    >>> crops_of(masks, [0], Geometry.fit((8, 8), (4, 4), "stretch")).places.tolist()
    [[0, 0, 2, 2]]
    """
    places = np.zeros((len(rows), 4), np.int32)
    bitmaps = []
    for k, row in enumerate(rows):
        top, left, bitmap = geometry.resize_crop(*masks.crop(row))
        bitmap = bitmap if bitmap.any() else np.zeros((0, 0), np.uint8)
        places[k] = (top, left, *bitmap.shape)
        bitmaps.append(bitmap)
    return Crops(places, bitmaps)


def crowds(data: Dataset) -> NDArray[np.bool_]:
    """Which instances are crowds, or are to be ignored for another reason (n,)."""
    marked = data.instances["iscrowd"]
    if "ignore" in data.instances.columns:
        marked = marked | data.instances["ignore"].cast(pl.Boolean).fill_null(False)
    return np.asarray(marked.to_numpy(), bool)


def painting_order(
    areas: NDArray[np.float64], crowd: NDArray[np.bool_], rows: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Rows in the order of painting: crowds, then the larger before the smaller, which stay seen.

    >>> areas, crowd = np.array([4.0, 9.0, 1.0]), np.array([False, False, True])
    >>> painting_order(areas, crowd, np.array([0, 1, 2])).tolist()
    [2, 1, 0]
    """
    return rows[np.lexsort((rows, -areas[rows], ~crowd[rows]))]


def boxes_of(masks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Boxes (n, 4) x1, y1, x2, y2 about masks (n, H, W), the last pixel included; 0 where empty.

    >>> boxes_of(np.array([[[0, 0, 0], [0, 1, 1]]], np.uint8)).tolist()
    [[1.0, 1.0, 3.0, 2.0]]
    """
    boxes = np.zeros((len(masks), 4), np.float32)
    for at, axis in ((0, 1), (1, 2)):  # x from the columns, y from the rows
        there: NDArray[np.bool_] = np.any(masks, axis=axis)
        length = there.shape[1]
        some = there.any(axis=1)
        boxes[:, at] = np.where(some, there.argmax(axis=1), 0)
        boxes[:, at + 2] = np.where(some, length - there[:, ::-1].argmax(axis=1), 0)
    return boxes
