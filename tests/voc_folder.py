"""Small VOC folders for tests, written map by map."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

CAT, DOG, PERSON = 8, 12, 15

# one cat (1) with a void border, one dog (2); the last column of classes is void
OBJECTS = [
    [1, 1, 255, 2, 2],
    [1, 1, 255, 2, 2],
    [0, 0, 0, 0, 2],
]
CLASSES = [
    [CAT, CAT, 255, DOG, 255],
    [CAT, CAT, 255, DOG, 255],
    [0, 0, 0, 0, 255],
]


def save(path: Path, values: ArrayLike) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(values, np.uint8)).save(path)


def voc(
    root: Path,
    pictures: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    lists: Mapping[str, list[str]] | None = None,
) -> Path:
    """A VOC folder of the given maps of objects and classes, by stem."""
    for stem, (objects, classes) in pictures.items():
        save(root / "SegmentationObject" / f"{stem}.png", objects)
        save(root / "SegmentationClass" / f"{stem}.png", classes)
        save(root / "JPEGImages" / f"{stem}.jpg", np.zeros((*np.shape(objects), 3)))
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True)
    for name, stems in (lists or {"train": list(pictures)}).items():
        (folder / f"{name}.txt").write_text("".join(f"{stem}\n" for stem in stems))
    return root
