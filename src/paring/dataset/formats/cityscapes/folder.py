"""Cityscapes folders: ``gtFine`` or ``gtCoarse`` with masks, ``leftImg8bit`` with pictures.

Instances come from ``*_instanceIds.png``, or are painted from ``*_polygons.json`` where there is
none; categories are label ids (24 person to 33 bicycle). The semantic view is that of
``*_labelIds.png`` in the 19 classes that networks are trained on.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from paring.dataset.formats.cityscapes.labels import (
    INSTANCE_CLASSES,
    SPAN,
    TRAIN_CLASSES,
    semantic_lookup,
)
from paring.dataset.formats.cityscapes.polygons import paint_polygons
from paring.dataset.formats.coco import file as coco
from paring.dataset.formats.indexed import (
    IndexRuns,
    Unusable,
    index_runs,
    instance_frame,
    mask_store,
    open_map,
    usable,
)
from paring.dataset.labelmaps import LabelMaps, label_size
from paring.dataset.masks import MaskStore
from paring.dataset.origin import Origin, Records
from paring.dataset.reading import Reading, find_images
from paring.dataset.table import CATEGORIES, IMAGES, Dataset
from paring.dataset.writing import Images, place_images
from paring.errors import InputError

KINDS = ("gtFine", "gtCoarse")
PICTURES = "leftImg8bit"
INSTANCES, LABELS, POLYGONS = "instanceIds.png", "labelIds.png", "polygons.json"
FILES = (
    *(INSTANCES, LABELS, POLYGONS),
    *("color.png", "labelTrainIds.png", "instanceTrainIds.png"),
)
"""What may lie beside each other for one picture."""


@dataclass(frozen=True)
class _Scene:
    """The annotation files of one picture: ``folder / (prefix + one of FILES)``."""

    folder: Path
    prefix: str

    def path(self, file: str) -> Path:
        return self.folder / f"{self.prefix}{file}"

    @property
    def record(self) -> str:
        return f"image {self.file_name}"

    @property
    def file_name(self) -> str:
        """Name of the picture below the split's folder of pictures."""
        stem = self.prefix[: -len(f"_{self.folder.parts[-3]}_")]
        return f"{self.folder.name}/{stem}_{PICTURES}.png"


# -- finding ---------------------------------------------------------------------------------


def recognise(path: Path) -> bool:
    """A folder with ``gtFine`` or ``gtCoarse`` in it, one of these, or a split in one of these."""
    return _place(path) is not None


def _place(path: Path) -> tuple[Path, tuple[str, ...], str | None] | None:
    """The root that a path means, the kinds of annotation to look for, and the split it names."""
    path = path.absolute()
    if not path.is_dir():
        return None
    if path.name in KINDS:
        return path.parent, (path.name,), None
    if path.parent.name in KINDS:
        return path.parents[1], (path.parent.name,), path.name
    kinds = tuple(kind for kind in KINDS if _folders(path / kind))
    return (path, kinds, None) if kinds else None


def _folders(path: Path) -> list[Path]:
    return sorted(f for f in path.iterdir() if f.is_dir()) if path.is_dir() else []


def _choose(reading: Reading) -> tuple[Path, str, str]:
    """Root, kind of annotation and split that a reading means."""
    place = _place(reading.path)
    if place is None:
        raise InputError(f"{reading.path}: holds no {' and no '.join(KINDS)} folder")
    root, kinds, named = place
    split = named or reading.split or "train"
    kind = next((kind for kind in kinds if (root / kind / split).is_dir()), None)
    if kind is None:
        there = sorted({f.name for kind in kinds for f in _folders(root / kind)})
        raise InputError(
            f"{reading.path}: has no split {split!r}; choose one of: {', '.join(there) or 'none'}"
        )
    if reading.split is None and named is None:
        reading.say(f"split {split!r} of {kind} taken")
    return root, kind, split


def _scenes(folder: Path, kind: str) -> list[_Scene]:
    """The annotated pictures of a split, by city and name."""
    scenes = []
    for city in _folders(folder):
        names = os.listdir(city)
        ends = [f"_{kind}_{file}" for file in (INSTANCES, LABELS, POLYGONS)]
        stems = {name.removesuffix(end) for end in ends for name in names if name.endswith(end)}
        scenes += [_Scene(city, f"{stem}_{kind}_") for stem in sorted(stems)]
    return scenes


# -- reading ---------------------------------------------------------------------------------


def read(reading: Reading) -> Dataset:
    """Read a split: instances of the 8 classes that have them, or label maps of 19 classes.

    Values under 1000 of an instance map, and labels that end in "group", are crowd regions.
    """
    root, kind, split = _choose(reading)
    scenes = _scenes(root / kind / split, kind)
    if not scenes:
        raise InputError(f"{root / kind / split}: holds no CITY/*_{kind}_* annotation files")
    semantic = reading.task == "semantic"
    maps: list[IndexRuns] = []
    if semantic:
        found = list(usable(_read_size, scenes, reading, "label maps"))
        places, sizes = [place for place, _ in found], [size for _, size in found]
    else:
        read_maps = list(usable(_read_instances, scenes, reading, "masks"))
        places, maps = [place for place, _ in read_maps], [runs for _, runs in read_maps]
        sizes = [runs.size for runs in maps]
        _say_painted(reading, [scenes[place] for place in places])
    if not places:
        raise InputError(f"{reading.path}: holds no images that can be used")
    ids, kept = [place + 1 for place in places], [scenes[place] for place in places]
    images = pl.DataFrame(
        {
            "image_id": ids,
            "file_name": [scene.file_name for scene in kept],
            "width": [width for _, width in sizes],
            "height": [height for height, _ in sizes],
        },
        schema=IMAGES,
    )
    masks = mask_store(maps)
    instances = _instances(masks, ids, maps)
    classes = dict(enumerate(TRAIN_CLASSES.values())) if semantic else INSTANCE_CLASSES
    categories = pl.DataFrame(
        {"category_id": list(classes), "name": list(classes.values())}, schema=CATEGORIES
    )
    paths = pl.DataFrame({"image_id": ids, "path": [str(s.path(LABELS)) for s in kept]})
    return Dataset(
        images,
        instances,
        categories,
        masks,
        label_maps=LabelMaps(paths, semantic_lookup()) if semantic else None,
        image_root=_image_root(reading, root / PICTURES / split, images["file_name"][0]),
        origin=_origin(root, split, kept).bind(images, instances, categories, masks),
    )


def _read_size(scene: _Scene) -> tuple[int, int]:
    path = scene.path(LABELS)
    if not path.is_file():
        message = "does not exist; label maps cannot be made from instances or polygons"
        raise Unusable(path, scene.record, message)
    try:
        return label_size(path)
    except InputError as error:
        raise Unusable(path, scene.record, str(error).removeprefix(f"{path}: ")) from error


def _read_instances(scene: _Scene) -> IndexRuns:
    if scene.path(INSTANCES).is_file():
        values = open_map(scene.path(INSTANCES), scene.record)
    elif scene.path(POLYGONS).is_file():
        values = paint_polygons(scene.path(POLYGONS), scene.record)
    else:
        message = f"does not exist, and {scene.path(POLYGONS).name} neither"
        raise Unusable(scene.path(INSTANCES), scene.record, message)
    return index_runs(values, lambda numbers: np.isin(_labels(numbers), list(INSTANCE_CLASSES)))


def _labels(numbers: NDArray[np.integer]) -> NDArray[np.integer]:
    """Label id of each value of an instance map."""
    wide = numbers.astype(np.int64)  # a map with low values alone may have 8 bits
    return np.where(wide >= SPAN, wide // SPAN, wide)


def _say_painted(reading: Reading, scenes: Sequence[_Scene]) -> None:
    painted = sum(not scene.path(INSTANCES).is_file() for scene in scenes)
    if painted:
        reading.say(f"masks of {painted:,} images painted from their polygons")


def _instances(masks: MaskStore, ids: Sequence[int], maps: Sequence[IndexRuns]) -> pl.DataFrame:
    numbers = np.concatenate([np.empty(0, np.int64), *(runs.numbers for runs in maps)])
    owners = [i for i, runs in zip(ids, maps, strict=False) for _ in range(len(runs))]
    return instance_frame(masks, owners, _labels(numbers).tolist(), (numbers < SPAN).tolist())


def _image_root(reading: Reading, folder: Path, name: str) -> Path | None:
    """Where the split's pictures lie; the folder of all splits will do as well."""
    if reading.images is not None and (reading.images / folder.name / name).is_file():
        return reading.images / folder.name
    return find_images(reading, folder, [name])


def _origin(root: Path, split: str, scenes: Sequence[_Scene]) -> Origin:
    records = [os.fsencode(s.folder) + b"\0" + os.fsencode(s.prefix) for s in scenes]
    header = {"split": os.fsencode(split)}
    return Origin("cityscapes", root, images=Records.of(records), header=header)


# -- writing ---------------------------------------------------------------------------------


def write(data: Dataset, target: Path, images: Images = "none") -> Counter[str]:
    """Write a folder with the annotation files as they came, and the same as COCO JSON.

    Beside ``gtFine/SPLIT/CITY`` lie ``annotations.json`` and ``SPLIT.txt``, the list of pictures.
    Raises `InputError` for data that was not read from Cityscapes.
    """
    origin = data.origin
    if origin is None or origin.format != "cityscapes" or origin.images is None:
        raise InputError("only Cityscapes data can be written as Cityscapes; use coco, voc or yolo")
    target.mkdir()
    losses = _write_lists(data, target)
    del losses["label maps"]  # they are among the files
    for record in origin.images:
        folder, prefix = map(os.fsdecode, record.split(b"\0"))
        if not _copy(_Scene(Path(folder), prefix), target):
            losses["annotation files that are gone"] += 1
    place_images(data, target / PICTURES / _split(data), images)
    return +losses


def write_part(data: Dataset, folder: Path) -> list[str]:
    """The pictures of a part as a list, and its annotations as COCO JSON."""
    _write_lists(data, folder)
    return [f"{_split(data)}.txt", "annotations.json"]


def _write_lists(data: Dataset, folder: Path) -> Counter[str]:
    text = "".join(f"{name}\n" for name in data.images["file_name"])
    (folder / f"{_split(data)}.txt").write_text(text, encoding="utf-8", newline="\n")
    return coco.write(data, folder / "annotations.json", "none")


def _split(data: Dataset) -> str:
    came = data.origin is not None and data.origin.format == "cityscapes"
    return os.fsdecode(data.origin.header["split"]) if came and data.origin else "train"


def _copy(scene: _Scene, target: Path) -> bool:
    """Copy the annotation files of a picture that are there; whether there were any."""
    there = [f for f in FILES if scene.path(f).is_file()]
    folder = target.joinpath(*scene.folder.parts[-3:])
    folder.mkdir(parents=True, exist_ok=True)
    for file in there:
        shutil.copyfile(scene.path(file), folder / scene.path(file).name)
    return bool(there)
