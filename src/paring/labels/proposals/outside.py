"""Proposals made elsewhere: COCO results, annotation files, label maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from paring.dataset import rle
from paring.dataset.masks import MaskStore
from paring.dataset.reading import Reading
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.proposals.files import as_proposals, is_saved, load_proposals

Say = Callable[[str], None]

_NONE = np.empty(0, np.int64)
_INSIDE = "proposals"  # of a run of ours
_MAPS = (".png", ".tif", ".tiff", ".bmp")


def read_proposals(
    path: str | Path, data: Dataset, *, count: int | None = None, say: Say | None = None
) -> Dataset:
    """Proposals for the images of a data set, made elsewhere or by an earlier run.

    Parameters
    ----------
    path : one of

        - the folder of a run of ``paring labels proposals`` or ``from-tags``;
        - COCO results, a JSON list of records with image_id, segmentation and score, as tools
          like SAM write them; categories do not matter;
        - a COCO annotation file, whose images are told by file name; without scores their order
          counts;
        - a folder of label maps, an image file of one channel for each image, called as it is but
          for the ending; every value but 0 is a proposal, in rising order.
    data : the images.
    count : proposals of an image at most, the best.
    say : called with a sentence on images without any.

    Raises
    ------
    InputError
        Naming the file and the record: an image that is not in the data set, a mask of another
        size than its image, a file that cannot be read.

    Example
    -------
    >>> import cv2, paring, tempfile
    >>> data = paring.scenes(1, seed=0)
    >>> folder, map = Path(tempfile.mkdtemp()), np.zeros((240, 320), np.uint8)
    >>> map[:50, :50], map[100:, 100:] = 1, 7
    >>> _ = cv2.imwrite(str(folder / "000001.png"), map)
    >>> read_proposals(folder, data).instances["area"].to_list()
    [2500.0, 30800.0]
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder of proposals")
    if path.is_dir():
        saved = [one for one in (path, path / _INSIDE) if is_saved(one)]
        found = load_proposals(saved[0], data) if saved else _label_maps(path, data)
    else:
        found = _coco(path, data)
    found = _best(found, count)
    _refuse_other_size(path, found)
    if not len(found.instances):
        raise InputError(f"{path}: holds no proposal for any image of the data set")
    without = data.images.join(found.instances, on="image_id", how="anti")
    if say is not None and len(without):
        say(f"{len(without):,} images have no proposal, first {without['file_name'][0]}")
    return found


def _coco(path: Path, data: Dataset) -> Dataset:
    """From a JSON file: results where it is a list, else annotations."""
    with path.open("rb") as file:
        head = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"["):
        return _results(path, data)
    from paring.dataset.formats.coco import file as coco

    theirs = coco.read(Reading(path=path, images=data.image_root))
    ids = dict(data.images.select("file_name", "image_id").iter_rows())
    names = dict(theirs.images.select("image_id", "file_name").iter_rows())
    owner = []
    for instance_id, image_id in theirs.instances.select("instance_id", "image_id").iter_rows():
        if names[image_id] not in ids:
            raise InputError(
                f"{path}: annotation {instance_id}: is of {names[image_id]!r}, which is no image "
                "of the data set"
            )
        owner.append(ids[names[image_id]])
    scores = (
        theirs.instances["score"].fill_null(0.0).to_list()
        if "score" in theirs.instances.columns
        else [0.0] * len(owner)
    )
    return _ordered(as_proposals(data, owner, theirs.masks.to_rle(), scores), data)


def _results(path: Path, data: Dataset) -> Dataset:
    from paring.evaluation.results import read_results

    found = read_results(
        path, as_proposals(data, [], data.masks.take(_NONE), []), class_agnostic=True
    )
    return _ordered(found, data)


def _ordered(found: Dataset, data: Dataset) -> Dataset:
    """By image in the order of the data set, then by falling score; empty masks are left out."""
    place = {image_id: row for row, image_id in enumerate(data.images["image_id"])}
    owner = np.array([place[i] for i in found.instances["image_id"]], np.int64)
    scores = found.instances["score"].to_numpy()
    order = np.lexsort((np.arange(len(owner)), -scores, owner))
    order = order[found.masks.areas()[order] > 0]
    return replace(found, instances=found.instances[order], masks=found.masks.take(order))


def _best(found: Dataset, count: int | None) -> Dataset:
    if count is None:
        return found
    place = found.instances.select(pl.int_range(pl.len()).over("image_id"))
    kept = np.flatnonzero(place.to_series().to_numpy() < count)
    return replace(found, instances=found.instances[kept], masks=found.masks.take(kept))


def _label_maps(folder: Path, data: Dataset) -> Dataset:
    """From a folder of label maps."""
    import cv2

    maps = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix.lower() in _MAPS}
    if not maps:
        raise InputError(
            f"{folder}: holds neither the proposals of a run nor label maps (such as PNG)"
        )
    runs, owner, heights, widths, scores = [], [], [], [], []
    for image_id, name in data.images.select("image_id", "file_name").iter_rows():
        path = maps.get(Path(name).stem)
        if path is None:
            continue
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if values is None:
            raise InputError(f"{path}: cannot be decoded")
        if values.ndim != 2:
            raise InputError(f"{path}: is no label map, it has {values.shape[2]} channels")
        found = [value for value in np.unique(values).tolist() if value]
        for rank, value in enumerate(found):
            inside = (values == value).astype(np.uint8)
            runs.append(rle.encode_bitmap(inside, 0, 0, *values.shape))
            scores.append(1.0 - rank / len(found))
        owner += [image_id] * len(found)
        heights += [values.shape[0]] * len(found)
        widths += [values.shape[1]] * len(found)
    masks = MaskStore.from_runs(runs, heights=heights, widths=widths)
    return as_proposals(data, owner, masks, scores)


def _refuse_other_size(path: Path, found: Dataset) -> None:
    """Raise `InputError` at the first mask that is of another size than its image."""
    sizes = found.images.select("image_id", "file_name", "height", "width")
    beside = found.instances.select("instance_id", "image_id").join(
        sizes, on="image_id", how="left", maintain_order="left"
    )
    high, wide = (beside[side].to_numpy() for side in ("height", "width"))
    other = (found.masks.heights != high) | (found.masks.widths != wide)
    if other.any():
        row = int(np.flatnonzero(other)[0])
        raise InputError(
            f"{path}: a proposal of {beside['file_name'][row]} is of {found.masks.heights[row]} x "
            f"{found.masks.widths[row]} pixels, the image of {high[row]} x {wide[row]}"
        )
