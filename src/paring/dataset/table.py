"""`Dataset`: what a segmentation data set is. Three small frames and one mask store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset import fingerprint
from paring.dataset.labelmaps import LabelMaps
from paring.dataset.masks import MaskStore
from paring.dataset.origin import Origin, Records
from paring.errors import InputError

if TYPE_CHECKING:
    from collections import Counter

    from paring.dataset.summary import Summary

Schema: TypeAlias = dict[str, pl.DataType | type[pl.DataType]]

IMAGES: Schema = {
    "image_id": pl.Int64,
    "file_name": pl.String,
    "width": pl.Int64,
    "height": pl.Int64,
}
INSTANCES: Schema = {
    "instance_id": pl.Int64,
    "image_id": pl.Int64,
    "category_id": pl.Int64,
    "iscrowd": pl.Boolean,
    "bbox": pl.Array(pl.Float64, 4),
    "area": pl.Float64,
}
CATEGORIES: Schema = {"category_id": pl.Int64, "name": pl.String}
TAGS: Schema = {"image_id": pl.Int64, "category_id": pl.Int64}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images, the instances in them, their categories and masks.

    Attributes
    ----------
    images : frame (image_id, file_name, width, height), sizes in pixels.
    instances : frame (instance_id, image_id, category_id, iscrowd, bbox, area), and `score` or
        `ignore` where the data has them; bbox is x, y, width, height in pixels, area is in square
        pixels, both as annotated (`masks` gives them from the geometry).
    categories : frame (category_id, name).
    masks : the mask of each row of `instances`.
    tags : frame (image_id, category_id) of image-level labels, or None.
    label_maps : semantic label images by path, or None.
    image_root : folder that the file names start from, or None where no images were found.
    origin : where it was read from and its records as they came; dropped by itself as soon as a
        frame is replaced.
    sources : the files or folders it was read from, which are never written over.

    Raises
    ------
    InputError
        Where an id occurs twice or an instance names an image or category that is not there.

    Example
    -------
    >>> import paring
    >>> data = paring.scenes(20, seed=0)
    >>> len(data), len(data.subset([1, 2]))
    (20, 2)
    """

    images: pl.DataFrame
    instances: pl.DataFrame
    categories: pl.DataFrame
    masks: MaskStore
    tags: pl.DataFrame | None = None
    label_maps: LabelMaps | None = None
    image_root: Path | None = None
    origin: Origin | None = None
    sources: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        self._conform("images", IMAGES)
        self._conform("instances", INSTANCES)
        self._conform("categories", CATEGORIES)
        if self.tags is not None:
            self._conform("tags", TAGS)
        if len(self.masks) != len(self.instances):
            raise ValueError(f"{len(self.masks)} masks for {len(self.instances)} instances")
        _refuse_twice(self.images["image_id"], "image")
        _refuse_twice(self.instances["instance_id"], "instance")
        _refuse_twice(self.categories["category_id"], "category")
        for frame, what in ((self.instances, "instance"), (self.tags, "tag")):
            if frame is not None:
                _refuse_unknown(frame, self.images["image_id"], "image_id", what)
                _refuse_unknown(frame, self.categories["category_id"], "category_id", what)
        if self.origin is not None and not self.origin.describes(*self._frames):
            object.__setattr__(self, "origin", None)

    def _conform(self, name: str, schema: Schema) -> None:
        frame: pl.DataFrame = getattr(self, name)
        missing = [column for column in schema if column not in frame.columns]
        if missing:
            raise ValueError(f"the {name} frame lacks {', '.join(missing)}")
        if any(frame.schema[column] != dtype for column, dtype in schema.items()):
            object.__setattr__(self, name, frame.cast(cast("Any", schema)))

    @property
    def _frames(self) -> tuple[object, ...]:
        return (self.images, self.instances, self.categories, self.masks)

    # -- identity -------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.images)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Dataset):
            return NotImplemented
        return (
            self.images.equals(other.images)
            and self.instances.equals(other.instances)
            and self.categories.equals(other.categories)
            and self.masks == other.masks
            and _same_frame(self.tags, other.tags)
            and self.label_maps == other.label_maps
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Dataset({len(self.images):,} images, {len(self.instances):,} instances, "
            f"{len(self.categories):,} categories)"
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content (32 hexadecimal digits); record order and folders do not count."""
        tables = {
            "images": fingerprint.of_frame(self.images),
            "instances": fingerprint.of_frame(self.instances, fingerprint.of_masks(self.masks)),
            "categories": fingerprint.of_frame(self.categories),
        }
        if self.tags is not None:
            tables["tags"] = fingerprint.of_frame(self.tags)
        if self.label_maps is not None:
            names = self.label_maps.paths.with_columns(
                pl.col("path").map_elements(lambda p: Path(p).name, return_dtype=pl.String)
            )
            tables["label_maps"] = fingerprint.of_frame(names)
        return fingerprint.combine(tables)

    # -- parts and wholes -----------------------------------------------------------------

    @cached_property
    def image_rows(self) -> NDArray[np.int64]:
        """Row in `images` of each instance's image (n,)."""
        return rows_of_ids(self.images["image_id"], self.instances["image_id"])

    def subset(self, image_ids: Iterable[int]) -> Dataset:
        """The given images with their instances and tags, in the order of this data set.

        Raises `InputError` naming the first id that is not here.
        """
        wanted = pl.Series("image_id", list(image_ids), dtype=pl.Int64)
        unknown = wanted.filter(~wanted.is_in(self.images["image_id"].implode()))
        if len(unknown):
            raise InputError(f"image id {unknown[0]} is not in the data set")
        return self._keep(self.images["image_id"].is_in(wanted.implode()).to_numpy())

    def _keep(self, kept: NDArray[np.bool_]) -> Dataset:
        image_rows = np.flatnonzero(kept)
        instance_rows = np.flatnonzero(kept[self.image_rows])
        images, instances = self.images[image_rows], self.instances[instance_rows]
        masks, ids = self.masks.take(instance_rows), images["image_id"]
        origin = self.origin
        if origin is not None:
            origin = origin.take(image_rows, instance_rows)
            origin = origin.bind(images, instances, self.categories, masks)
        return replace(
            self,
            images=images,
            instances=instances,
            masks=masks,
            tags=None
            if self.tags is None
            else self.tags.filter(pl.col("image_id").is_in(ids.implode())),
            label_maps=None if self.label_maps is None else self.label_maps.take(ids),
            origin=origin,
        )

    @staticmethod
    def concat(datasets: Sequence[Dataset]) -> Dataset:
        """All images of all data sets, in turn; categories of one id must have one name.

        Records that came from files keep what those said where all came from one format.
        Raises `InputError` where an image or instance id occurs in two of them.
        """
        if not datasets:
            raise InputError("nothing to put together: no data set was given")
        categories = pl.concat([d.categories for d in datasets], how="diagonal")
        categories = categories.unique(("category_id", "name"), keep="first", maintain_order=True)
        twice = categories.filter(pl.col("category_id").is_duplicated())["category_id"]
        if len(twice):
            raise InputError(f"category id {twice[0]} has two names in the data sets put together")
        roots = {d.image_root for d in datasets}
        tags = [d.tags for d in datasets if d.tags is not None]
        if any(d.label_maps is not None for d in datasets):
            raise InputError("data sets with label maps cannot be put together")
        parts = {
            "images": pl.concat([d.images for d in datasets], how="diagonal"),
            "instances": pl.concat([d.instances for d in datasets], how="diagonal"),
            "categories": categories,
            "masks": MaskStore.concat([d.masks for d in datasets]),
        }
        return Dataset(
            **parts,  # type: ignore[arg-type]
            tags=pl.concat(tags, how="diagonal") if tags else None,
            image_root=roots.pop() if len(roots) == 1 else None,
            sources=tuple(s for d in datasets for s in d.sources),
            origin=_concat_origins(datasets, tuple(parts.values())),
        )

    def recomputed(self) -> Dataset:
        """The same with area and bbox of every instance from its mask, not as annotated.

        Instances without a mask keep what was annotated. Records that came from a COCO file keep
        all else that they said.
        """
        empty = self.masks.is_empty
        annotated = self.instances["bbox"].to_numpy().reshape(-1, 4)
        box = np.where(empty[:, None], annotated, self.masks.boxes())
        area = np.where(empty, self.instances["area"].to_numpy(), self.masks.areas())
        instances = self.instances.with_columns(
            pl.Series("bbox", box, dtype=pl.Array(pl.Float64, 4)), pl.Series("area", area)
        )
        origin = self.origin
        if origin is not None:
            texts = origin.instances
            if texts is not None and origin.format == "coco":
                texts = texts.with_fields({"bbox": box.tolist(), "area": area.tolist()})
            origin = replace(origin, instances=texts)
            origin = origin.bind(self.images, instances, self.categories, self.masks)
        return replace(self, instances=instances, origin=origin)

    # -- pixels ---------------------------------------------------------------------------

    def image_path(self, image_id: int) -> Path:
        """Where an image lies; `InputError` where the images folder is not known."""
        found = self.images.filter(pl.col("image_id") == image_id)["file_name"]
        if not len(found):
            raise InputError(f"image id {image_id} is not in the data set")
        if self.image_root is None:
            raise InputError(f"the folder of image {found[0]!r} is not known; give images=DIR")
        return self.image_root / str(found[0])

    def read_image(self, image_id: int) -> NDArray[np.uint8]:
        """Pixels (height, width, 3) of an image or video frame as RGB, read when asked for."""
        from paring.dataset.pixels import read_pixels

        return read_pixels(self.image_path(image_id))

    # -- words ----------------------------------------------------------------------------

    def summary(self) -> Summary:
        """Counts of images, instances, categories and sizes."""
        from paring.dataset.summary import summarise

        return summarise(self)

    def write(
        self, path: str | Path, *, format: str | None = None, strict: bool = False, **options: Any
    ) -> Counter[str]:
        """Write in a format (by default the one it came in); see `paring.dataset.formats.write`."""
        from paring.dataset.formats import write

        return write(self, path, format=format, strict=strict, **options)


def rows_of_ids(ids: pl.Series, wanted: pl.Series) -> NDArray[np.int64]:
    """Row in `ids` of each wanted id, all of which are there."""
    table = ids.to_numpy()
    order = np.argsort(table, kind="stable")
    return order[np.searchsorted(table[order], wanted.to_numpy())].astype(np.int64)


def _refuse_twice(ids: pl.Series, what: str) -> None:
    if ids.n_unique() < len(ids):
        raise InputError(f"{what} id {ids.filter(ids.is_duplicated())[0]} occurs twice")


def _refuse_unknown(frame: pl.DataFrame, known: pl.Series, column: str, what: str) -> None:
    lost = frame.filter(~pl.col(column).is_in(known.implode()))
    if len(lost):
        named = f" {lost[f'{what}_id'][0]}" if f"{what}_id" in frame.columns else ""
        raise InputError(f"{what}{named} names {column} {lost[column][0]}, which is not there")


def _same_frame(one: pl.DataFrame | None, other: pl.DataFrame | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.equals(other)


def _concat_origins(datasets: Sequence[Dataset], frames: tuple[object, ...]) -> Origin | None:
    origins = [d.origin for d in datasets]
    first = origins[0]
    if first is None or any(o is None or o.format != first.format for o in origins):
        return None

    def joined(name: str) -> Records | None:
        records = [getattr(o, name) for o in origins]
        return None if any(r is None for r in records) else Records.concat(records)

    all_categories = joined("categories")
    if all_categories is not None:
        ids = pl.concat([d.categories for d in datasets])["category_id"]
        rows = ids.arg_unique().sort().to_numpy().astype(np.int64)
        all_categories = all_categories.take(rows)
    return replace(
        first, images=joined("images"), instances=joined("instances"), categories=all_categories
    ).bind(*frames)
