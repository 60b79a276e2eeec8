"""Exemplars: chosen, cut out, given, and as the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.dataset.masks import MaskStore
from paring.errors import InputError
from paring.labels.free.exemplars import (
    Choosing,
    choose_images,
    coarse_object,
    cut_exemplars,
    looked_at,
    replaced_by_truth,
    with_masks,
)
from paring.labels.proposals.files import as_proposals


def disc(size: int = 100, radius: int = 22) -> tuple[np.ndarray, np.ndarray]:
    """A red disc before green, and where it is."""
    rows, columns = np.mgrid[:size, :size]
    inside = (rows - 45) ** 2 + (columns - 55) ** 2 < radius**2
    noise = np.random.default_rng(0).integers(0, 20, (size, size, 3))
    pixels = np.where(inside[..., None], (200, 30, 30), (40, 150, 60)) + noise
    return pixels.astype(np.uint8), inside


def test_a_choice_by_chance_depends_on_the_seed_alone() -> None:
    def chosen(seed: int, count: int = 5) -> list[int]:
        return choose_images(40, Choosing(count=count), seed=seed, vectors=lambda: 1 / 0)

    assert chosen(1) == chosen(1) == sorted(set(chosen(1)))
    assert chosen(1) != chosen(2)
    assert chosen(0, 90) == list(range(40))
    assert chosen(0, 0) == []


def test_a_choice_by_centres_covers_the_features() -> None:
    vectors = np.array([[0.0], [0.1], [9.0], [0.2], [5.0]], np.float32)
    how = Choosing(count=3, choice="k-centre")
    assert choose_images(5, how, seed=0, vectors=lambda: vectors) == [0, 2, 4]


def test_grabcut_finds_a_disc_before_another_colour() -> None:
    pixels, inside = disc()
    found = coarse_object(pixels, Choosing(), seed=0)
    assert (found & inside).sum() / (found | inside).sum() > 0.9
    assert np.array_equal(found, coarse_object(pixels, Choosing(), seed=0))
    smaller = coarse_object(pixels, Choosing(size=50), seed=0)
    assert smaller.shape == (100, 100)
    assert (smaller & inside).sum() / (smaller | inside).sum() > 0.8


@pytest.mark.parametrize("size", [(60, 80), (2, 200), (1, 1)])
def test_where_grabcut_finds_nothing_the_rectangle_stands_for_it(size) -> None:
    found = coarse_object(np.full((*size, 3), 90, np.uint8), Choosing(), seed=0)
    assert found.shape == size
    assert found.any()


def test_the_object_is_found_again_within_its_crop(data) -> None:
    seen = []

    def refine(crop):
        seen.append(crop.shape)
        if len(seen) == 2:
            return None
        mask = np.zeros(crop.shape[:2], bool)
        mask[0, 0] = len(seen) == 1
        return mask

    plain, none = cut_exemplars(data, [0, 3, 4], Choosing(), seed=0, refine=None)
    found, refined = cut_exemplars(data, [0, 3, 4], Choosing(), seed=0, refine=refine)
    assert (none, refined) == (0, 1)
    ids = data.images["image_id"].to_list()
    assert found.instances["image_id"].to_list() == [ids[0], ids[3], ids[4]]
    boxes = plain.instances["bbox"].to_list()
    assert [list(shape[:2]) for shape in seen] == [[b[3], b[2]] for b in boxes]
    assert found.instances["bbox"][0].to_list() == [*boxes[0][:2], 1, 1]
    assert found.masks.take([1, 2]) == plain.masks.take([1, 2])  # GrabCut's foreground stays


def test_boxes_that_are_given_become_masks_and_crowds_do_not(data) -> None:
    one = data.subset(data.images["image_id"][:1].to_list())
    n = len(one.instances)
    assert n >= 2
    empty = MaskStore.from_runs([], heights=[], widths=[])
    boxes = replace(
        one,
        masks=type(one.masks).from_polygons(
            [[] for _ in range(n)], heights=[60] * n, widths=[80] * n
        ),
        instances=one.instances.with_columns(iscrowd=pl.Series([True] + [False] * (n - 1))),
    )
    found = with_masks(boxes, "given.json")
    assert len(found.instances) == n - 1
    expected = one.instances["bbox"].to_list()[1:]
    for mine, box in zip(found.instances["bbox"].to_list(), expected, strict=True):
        assert mine == pytest.approx(box, abs=1.01)
    with pytest.raises(InputError, match=r"given.json: holds no exemplar"):
        with_masks(replace(one, instances=one.instances[:0], masks=empty), "given.json")
    with pytest.raises(InputError, match="the folder of its images is not known"):
        with_masks(replace(one, image_root=None), "given.json")


def test_an_exemplar_is_looked_at_alone_in_a_square(data) -> None:
    given = with_masks(data, "these")
    seen = looked_at(given, 24)
    assert seen.images.shape == (len(given.instances), 3, 24, 24)
    assert seen.masks.shape == (len(given.instances), 24, 24)
    assert set(seen.masks.unique().tolist()) == {0.0, 1.0}
    outside = seen.images[0][:, seen.masks[0] == 0]
    assert torch.allclose(outside[:, 0], torch.tensor([0.485, 0.456, 0.406]))
    assert len(seen) == len(given.instances)
    none = replace(given, instances=given.instances[:0], masks=given.masks.take([]))
    assert looked_at(none, 24).images.shape == (0, 3, 24, 24)


def test_the_truth_stands_in_for_the_pseudo_labels_of_its_images(data) -> None:
    ids = data.images["image_id"].to_list()
    masks = data.masks.to_rle()
    owner = [ids[0], ids[1], ids[1], ids[2]]
    labels = as_proposals(data, owner, masks.take([0, 1, 2, 3]), [0.9, 0.8, 0.7, 0.6])
    truth = as_proposals(data, [ids[1], ids[1], ids[1]], masks.take([4, 5, 6]), [1.0] * 3)
    found, rows, true = replaced_by_truth(labels, truth)
    assert rows.tolist() == [0, 3, -1, -1, -1]
    assert true.tolist() == [False, False, True, True, True]
    assert found.instances["image_id"].to_list() == [ids[0], ids[2], ids[1], ids[1], ids[1]]
    assert found.masks == masks.take([0, 3, 4, 5, 6])


def test_a_truth_of_other_images_is_refused_by_name(data, tmp_path) -> None:
    labels = as_proposals(data, [data.images["image_id"][0]], data.masks.take([0]).to_rle(), [0.9])
    other = replace(data, images=data.images.with_columns(file_name="x_" + pl.col("file_name")))
    with pytest.raises(InputError, match=r"must be of the images that are learnt from, and x_"):
        replaced_by_truth(labels, with_masks(other, "these"))
