"""`Truth`: what is annotated of each image of a data set, at any size, without a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.formats.pairs.values import BACKGROUND
from paring.dataset.labelmaps import VOID, stored_values
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.training.resizing import Geometry, Resize
from paring.training.targets import (
    PLACE_BYTES,
    Crops,
    Task,
    class_of_categories,
    crops_of,
    crowds,
    painting_order,
)


class Truth:
    """Targets by row of the images: crops of masks, or a map of labels.

    All that frames tell is taken out of them here; workers use none, as the threads of a frame do
    not live through a fork.

    Parameters
    ----------
    data, task, classes : see `paring.training.samples.Samples`.

    Example
    -------
    >>> import paring
    >>> data = paring.scenes(3, seed=0)
    >>> truth = Truth(data, "binary", ["foreground"])
    >>> truth.of(0, truth.whole(0)).shape
    (240, 320)
    """

    def __init__(
        self,
        data: Dataset,
        task: Task,
        classes: Sequence[str],
    ) -> None:
        self._task, self._masks = task, data.masks
        self._names: list[str] = data.images["file_name"].to_list()
        self._sizes: list[tuple[int, int]] = data.images.select("height", "width").rows()
        self._ground = 0 if task == "binary" else VOID
        if task == "semantic" and BACKGROUND in classes:
            self._ground = list(classes).index(BACKGROUND)
        self._labels: list[Path | None] | None = None
        of_category = class_of_categories(data, task, classes)
        if task != "instance" and data.label_maps is not None:
            self._index_maps(data, of_category)
        self._index_instances(data, of_category)

    def _index_maps(self, data: Dataset, of_category: dict[int, int]) -> None:
        assert data.label_maps is not None
        found = dict(data.label_maps.paths.select("image_id", "path").iter_rows())
        ids = data.images["image_id"].to_list()
        self._labels = [Path(found[i]) if i in found else None for i in ids]
        meaning = [of_category.get(c, VOID) for c in data.label_maps.lookup.tolist()]
        self._lookup = np.array(meaning, np.uint8)

    def _index_instances(self, data: Dataset, of_category: dict[int, int]) -> None:
        """Rows of instances with their values, image after image, in the order of painting."""
        category, crowd = data.instances["category_id"].to_numpy(), crowds(data)
        wanted = np.isin(category, list(of_category)) & ~data.masks.is_empty
        if self._task == "instance":
            rows = np.flatnonzero(wanted & ~crowd)
        else:
            rows = painting_order(data.masks.areas(), crowd, np.flatnonzero(wanted))
        owner = data.image_rows[rows]
        self._rows = rows[np.argsort(owner, kind="stable")]
        self._offsets = ragged.offsets_of(np.bincount(owner, minlength=len(data)))
        values = [of_category[c] for c in category[self._rows].tolist()]
        self._values = np.where(crowd[self._rows], VOID, np.array(values, np.int64))
        self._boxes = data.masks.boxes()[self._rows]

    def instances(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows in ``data.instances`` (n,) of an image's masks, and the class of each (n,)."""
        part = slice(self._offsets[row], self._offsets[row + 1])
        return self._rows[part], self._values[part]

    def whole(self, row: int) -> Geometry:
        """The geometry of an image at the size that the data set says it has."""
        size = self._sizes[row]
        return Geometry(size, size, size)

    def of(self, row: int, geometry: Geometry) -> NDArray[np.uint8] | Crops:
        """The target of an image: the crops of `instances`, or labels (H, W).

        Raises `InputError` naming the image where its masks or its label map are of another size
        than the picture, or it has no label map.
        """
        if self._labels is not None:
            return self._mapped(row, self._labels[row], geometry)
        rows, values = self.instances(row)
        for mask in rows.tolist():
            size = int(self._masks.heights[mask]), int(self._masks.widths[mask])
            self._compare(row, geometry, size, "its masks are")
        crops = crops_of(self._masks, rows.tolist(), geometry)
        if self._task == "instance":
            return crops
        painted = crops.paint_classes(values.tolist(), geometry.size, self._ground)
        high, wide = geometry.inner
        painted[high:] = VOID
        painted[:, wide:] = VOID
        return painted

    def _mapped(self, row: int, path: Path | None, geometry: Geometry) -> NDArray[np.uint8]:
        if path is None:
            raise InputError(
                f"{self._names[row]}: has no label map, so it cannot be learnt from; leave it out"
            )
        values = stored_values(path)
        self._compare(row, geometry, (values.shape[0], values.shape[1]), "its label map is")
        if values.size and int(values.max()) >= len(self._lookup):
            raise InputError(
                f"{path}: pixel value {int(values.max())} is not in the class list "
                f"(0 to {len(self._lookup) - 1})"
            )
        return geometry.resize_labels(values, self._lookup, beside=VOID)

    def _compare(self, row: int, geometry: Geometry, size: tuple[int, int], what: str) -> None:
        """Raise `InputError` where a mask is of another size than its picture."""
        if size == geometry.original:
            return
        (high, wide), (height, width) = size, geometry.original
        raise InputError(
            f"{self._names[row]}: the picture is {width} x {height} pixels, but {what} "
            f"{wide} x {high}; annotate the picture as it is shown"
        )

    def most_bytes(self, size: tuple[int, int], resize: Resize) -> NDArray[np.int64]:
        """Most bytes that the target of each image takes at a size (n,), masks packed."""
        n = len(self._names)
        if self._task != "instance":
            return np.full(n, size[0] * size[1])
        fits = (Geometry.fit((max(h, 1), max(w, 1)), size, resize) for h, w in self._sizes)
        scale = np.array([fit.scale for fit in fits]).reshape(-1, 2)
        scale = np.repeat(scale, np.diff(self._offsets), axis=0)
        # a bitmap spans a few pixels more than the points of its polygon
        span = np.minimum(np.ceil((self._boxes[:, [3, 2]] + 5) * scale) + 1, size)
        packed = PLACE_BYTES + (span.astype(np.int64).prod(axis=1) + 7) // 8
        return ragged.reduce(np.add, packed, self._offsets)
