"""Views of images: what is drawn, what is pasted, and which colours are alike."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from skimage.color import rgb2lab

from paring.labels.free.losses import colour_likeness
from paring.labels.free.views import Viewing, Views, disturbed, likeness_of, pasted
from paring.training.augment import rng_of
from paring.training.sections import Augment


def one_category(data):
    from paring.labels.proposals.files import as_proposals

    n = len(data.instances)
    return as_proposals(data, data.instances["image_id"].to_list(), data.masks.to_rle(), [0.5] * n)


def test_a_sample_has_two_views_with_targets_in_their_pixels(data) -> None:
    views = Views(one_category(data), (64, 96), Viewing(), seed=3)
    sample = views[1, 2]
    assert sample["row"] == 2
    for image, boxes, masks, rows, likeness in zip(
        *(sample[name] for name in ("image", "boxes", "masks", "instance_rows", "likeness")),
        strict=True,
    ):
        assert image.shape == (3, 64, 96)
        assert likeness.shape == (8, 16, 24)
        assert len(boxes) == len(masks) == len(rows)
        for box, mask in zip(boxes.tolist(), masks, strict=True):
            ys, xs = torch.nonzero(mask, as_tuple=True)
            assert box == [int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1]


def test_the_same_epoch_and_row_give_the_same_views_and_others_do_not(data) -> None:
    one, other = (Views(one_category(data), (64, 96), Viewing(), seed=3) for _ in range(2))
    other[0, 4]
    assert torch.equal(one[1, 2]["image"][1], other[1, 2]["image"][1])
    assert not torch.equal(one[1, 2]["image"][0], one[2, 2]["image"][0])
    assert not torch.equal(one[1, 2]["image"][0], one[1, 2]["image"][1])


def test_without_changes_both_views_are_the_image(data) -> None:
    still = Augment(flip=0.0)
    how = Viewing(both=still, strong=still, grey=0.0, blur=0.0, paste=0.0)
    sample = Views(one_category(data), (64, 96), how)[0, 1]
    assert torch.equal(sample["image"][0], sample["image"][1])
    assert torch.equal(sample["masks"][0], sample["masks"][1])


def test_the_two_views_are_drawn_apart(data) -> None:
    turned = Augment(flip=0.5, scale=(1.0, 2.0))
    how = Viewing(both=turned, strong=turned, grey=0.0, blur=0.0, paste=0.0)
    sample = Views(one_category(data), (64, 96), how)[0, 1]
    assert not torch.equal(sample["image"][0], sample["image"][1])


def test_an_image_is_not_pasted_into_itself(data) -> None:
    alone = one_category(data.subset(data.images["image_id"][:1].to_list()))
    still = Augment(flip=0.0)
    how = Viewing(both=still, strong=still, grey=0.0, blur=0.0, paste=1.0)
    for epoch in range(3):
        weak, strong = Views(alone, (64, 96), how)[epoch, 0]["instance_rows"]
        assert weak.tolist() == strong.tolist()
    owners = data.instances["image_id"].unique(maintain_order=True)[:2].to_list()
    two = one_category(data.subset(owners))
    views = Views(two, (64, 96), how)
    seen = {tuple(views[epoch, 0]["instance_rows"][1].tolist()) for epoch in range(8)}
    assert len(seen) == 2  # with things of the other, and without


def view(*boxes: tuple[int, int, int, int], colour: float, first: int) -> dict:
    masks = torch.zeros(len(boxes), 10, 10, dtype=torch.uint8)
    for mask, (top, left, high, wide) in zip(masks, boxes, strict=True):
        mask[top : top + high, left : left + wide] = 1
    return {
        "image": torch.full((3, 10, 10), colour),
        "masks": masks,
        "boxes": torch.zeros(len(boxes), 4),
        "labels": torch.ones(len(boxes), dtype=torch.int64),
        "instance_rows": torch.arange(first, first + len(boxes)),
    }


def test_what_is_pasted_lies_on_top_and_what_it_covers_too_much_is_gone() -> None:
    onto = view((0, 0, 4, 4), (6, 6, 2, 2), (8, 0, 2, 2), colour=0.2, first=0)
    other = view((2, 2, 2, 2), (6, 6, 2, 1), colour=0.8, first=10)
    found = pasted(onto, other, covered=0.4)
    assert found["instance_rows"].tolist() == [0, 2, 10, 11]
    assert int(found["masks"][0].sum()) == 12  # 16 less the 4 that are covered
    assert found["boxes"][2].tolist() == [2, 2, 4, 4]
    assert found["labels"].tolist() == [1, 1, 1, 1]
    covered = other["masks"].any(0)
    assert torch.equal(found["image"][0] == 0.8, covered)
    kept = pasted(onto, other, covered=0.5)["instance_rows"].tolist()
    assert 1 not in kept  # exactly half of it is covered, which does not count as less
    assert pasted(onto, other, covered=0.6)["instance_rows"].tolist() == [0, 1, 2, 10, 11]


def test_nothing_is_pasted_of_an_image_without_things() -> None:
    onto = view((0, 0, 4, 4), colour=0.2, first=0)
    assert pasted(onto, view(colour=0.8, first=9), covered=0.5) is onto


def test_a_strong_view_loses_its_colours_or_its_edges_by_chance() -> None:
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    grey = disturbed(image, Viewing(grey=1.0, blur=0.0), rng_of(0, 0, 0))
    assert torch.allclose(grey[0], grey[1])
    assert torch.allclose(grey[1], grey[2])
    soft = disturbed(
        torch.nn.functional.interpolate(image[None], scale_factor=20)[0],
        Viewing(grey=0.0, blur=1.0),
        rng_of(0, 0, 1),
    )
    assert len(soft.unique()) > len(image.unique())
    assert disturbed(image, Viewing(grey=0.0, blur=0.0), rng_of(0, 0, 2)) is image


def test_likeness_is_that_of_cielab_at_a_quarter_of_the_size() -> None:
    image = torch.rand(3, 16, 24, generator=torch.Generator().manual_seed(0))
    small = torch.nn.functional.avg_pool2d(image[None], 4)[0]
    lab = torch.from_numpy(rgb2lab(small.permute(1, 2, 0).numpy())).permute(2, 0, 1).float()
    assert torch.allclose(likeness_of(image), colour_likeness(lab), atol=2e-3)
