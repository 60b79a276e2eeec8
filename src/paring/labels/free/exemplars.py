"""Exemplar objects: from images chosen without labels, or given (section 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from paring.dataset import rle
from paring.dataset.covering import k_centre
from paring.dataset.masks import MaskStore
from paring.dataset.table import Dataset
from paring.errors import InputError
from paring.labels.free.lesson import Exemplars
from paring.labels.free.looking import seen_at
from paring.labels.proposals.files import as_proposals
from paring.labels.proposals.image import resized
from paring.models.model import IMAGENET_MEAN
from paring.training.augment import rng_of
from paring.training.sections import Section, Share, Side, Whole

Refine = Callable[[NDArray[np.uint8]], "NDArray[np.bool_] | None"]
"""From a crop (h, w, 3) to the mask (h, w) of the object in it, or None where there is none."""


class Choosing(Section, frozen=True):
    """Which images become exemplars, and how their objects are cut out.

    Attributes
    ----------
    count : of exemplar images; 0 for none.
    choice : ``"random"``, as published, or ``"k-centre"`` on the means of their features.
    margin : share of each side that the rectangle of GrabCut leaves out.
    iterations : of GrabCut.
    size : longest side in pixels at which it is done.
    refine : whether the network of the first stage refines the object inside its crop.
    """

    count: int = 24
    choice: Literal["random", "k-centre"] = "random"
    margin: Share = 0.05
    iterations: Whole = 5
    size: Side = 320
    refine: bool = True


def choose_images(
    n: int, how: Choosing, *, seed: int, vectors: Callable[[], NDArray[np.float32]]
) -> list[int]:
    """Rows of the exemplar images, ascending; no label is needed.

    Parameters
    ----------
    n : number of images.
    vectors : gives a feature (n, d) of each, where they are asked for.
    """
    count = min(n, how.count)
    if not count:
        return []
    if how.choice == "random":
        chosen = rng_of(seed, 0, n).choice(n, count, replace=False)
    else:
        chosen, _ = k_centre(vectors(), count)
    return sorted(chosen.tolist())


def coarse_object(pixels: NDArray[np.uint8], how: Choosing, *, seed: int) -> NDArray[np.bool_]:
    """The foreground (h, w) of an image (h, w, 3) by GrabCut from a rectangle around its middle.

    Where GrabCut finds none, it is the rectangle.
    """
    import cv2

    small = resized(pixels, how.size)
    high, wide = small.shape[:2]
    top, left = round(high * how.margin), round(wide * how.margin)
    inner = max(1, high - 2 * top), max(1, wide - 2 * left)
    mask = np.zeros((high, wide), np.uint8)
    solid = np.zeros((high, wide), bool)
    if min(inner) > 1 and (top or left):
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(seed)
        cv2.grabCut(
            np.ascontiguousarray(small),
            mask,
            (left, top, inner[1], inner[0]),
            *models,
            how.iterations,
            cv2.GC_INIT_WITH_RECT,
        )
        solid = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if not solid.any():
        solid[top : top + inner[0], left : left + inner[1]] = True
    full = cv2.resize(solid.view(np.uint8), pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, bool)


def cut_exemplars(
    data: Dataset, rows: Sequence[int], how: Choosing, *, seed: int, refine: Refine | None
) -> tuple[Dataset, int]:
    """The object of each exemplar image, and in how many the refinement found one.

    GrabCut's foreground is coarse; the image is cropped to its box, and inside of it the object is
    found again. Where that finds nothing, the foreground stays.

    Parameters
    ----------
    data : the images.
    rows : of those that become exemplars.
    refine : unset, the foreground is the object.

    Returns
    -------
    exemplars : images with one category ``object`` and one instance in each exemplar image.
    refined : number of objects that were found again.
    """
    runs, ids, sizes = [], [], []
    refined = 0
    for row in rows:
        image_id = data.images["image_id"][row]
        pixels = data.read_image(image_id)
        mask = coarse_object(pixels, how, seed=seed)
        if refine is not None:
            down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            window = slice(down[0], down[-1] + 1), slice(across[0], across[-1] + 1)
            found = refine(pixels[window])
            if found is not None and found.any():
                mask = np.zeros_like(mask)
                mask[window] = found
                refined += 1
        runs.append(rle.encode_mask(mask))
        ids.append(image_id)
        sizes.append(mask.shape)
    masks = MaskStore.from_runs(
        runs, heights=[high for high, _ in sizes], widths=[wide for _, wide in sizes]
    )
    return as_proposals(data, ids, masks, [1.0] * len(ids)), refined


def with_masks(given: Dataset, where: str | Path) -> Dataset:
    """Exemplars that were given, boxes turned into masks; crowds and empty ones are left out.

    Raises `InputError` where none is left, or the folder of their images is not known.
    """
    if given.image_root is None:
        raise InputError(f"{where}: the folder of its images is not known")
    rows, runs, sizes = [], [], []
    images = given.images.select("image_id", "height", "width")
    sides = {image_id: (high, wide) for image_id, high, wide in images.iter_rows()}
    crowd = given.instances["iscrowd"].fill_null(False).to_list()
    for row, image_id in enumerate(given.instances["image_id"]):
        if crowd[row]:
            continue
        solid = _solid(given, row, sides[image_id])
        if solid.any():
            rows.append(row)
            runs.append(rle.encode_mask(solid))
            sizes.append(solid.shape)
    if not rows:
        raise InputError(f"{where}: holds no exemplar, that is no box or mask with a pixel")
    masks = MaskStore.from_runs(
        runs, heights=[high for high, _ in sizes], widths=[wide for _, wide in sizes]
    )
    owner = given.instances["image_id"].gather(rows).to_list()
    return as_proposals(given, owner, masks, [1.0] * len(rows))


def _solid(given: Dataset, row: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (h, w) of an instance, or its box where it has none."""
    solid = np.zeros(size, bool)
    if given.masks.is_empty[row]:
        x, y, wide, high = given.instances["bbox"][row]
        solid[max(0, round(y)) : round(y + high), max(0, round(x)) : round(x + wide)] = True
    else:
        top, left, crop = given.masks.crop(row)
        solid[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
    return solid


def looked_at(exemplars: Dataset, size: int) -> Exemplars:
    """Exemplars as the network looks at them: each object alone, in a square of so many pixels."""
    images, masks = [], []
    for row, image_id in enumerate(exemplars.instances["image_id"]):
        pixels = exemplars.read_image(image_id)
        top, left, crop = exemplars.masks.crop(row)
        window = pixels[top : top + crop.shape[0], left : left + crop.shape[1]]
        solid = torch.from_numpy(np.repeat(crop[:, :, None], 3, axis=2) * np.uint8(255))
        mask = (seen_at(solid.numpy(), (size, size))[0] >= 0.5).float()
        image = seen_at(np.ascontiguousarray(window), (size, size))
        beside = torch.tensor(IMAGENET_MEAN).view(3, 1, 1)
        images.append(torch.where(mask > 0, image, beside))
        masks.append(mask)
    none = torch.zeros(0, 3, size, size)
    return Exemplars(
        torch.stack(images) if images else none, torch.stack(masks) if masks else none[:, 0]
    )


def replaced_by_truth(
    labels: Dataset, truth: Dataset
) -> tuple[Dataset, NDArray[np.int64], NDArray[np.bool_]]:
    """Pseudo-labels, with the true instances in place of them in the images that have some.

    Parameters
    ----------
    labels : of the images to learn from.
    truth : exemplars that are the truth; images are told by their file name.

    Returns
    -------
    data : the images with both.
    rows : int64 (n,), of the pseudo-labels that are left, -1 for a true instance.
    true : bool (n,), which instances are true.
    """
    ids = dict(labels.images.select("file_name", "image_id").iter_rows())
    names = dict(truth.images.select("image_id", "file_name").iter_rows())
    owner = [ids.get(names[i]) for i in truth.instances["image_id"]]
    lost = next((k for k, one in enumerate(owner) if one is None), None)
    if lost is not None:
        name = names[truth.instances["image_id"][lost]]
        raise InputError(
            f"exemplars that are to be the truth must be of the images that are learnt from, and "
            f"{name} is not among them"
        )
    known = set(owner)
    left = np.flatnonzero([i not in known for i in labels.instances["image_id"]])
    masks = MaskStore.concat([labels.masks.take(left).to_rle(), truth.masks.to_rle()])
    image_ids = labels.instances["image_id"].gather(left).to_list() + owner
    scores = labels.instances["score"].gather(left).to_list() + [1.0] * len(owner)
    rows = np.concatenate([left, np.full(len(owner), -1)])
    data = replace(as_proposals(labels, image_ids, masks, scores), image_root=labels.image_root)
    return data, rows, rows < 0
