"""Cells that tell instances, against the rule of SOLO cell by cell."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.models.solo_cells import Told, ask, small_masks, telling_cells

GRIDS, RANGES = (8, 4), ((1.0, 30.0), (20.0, 200.0))


def rectangle(top: int, left: int, high: int, wide: int, size=(64, 96)):
    mask = torch.zeros(size)
    mask[top : top + high, left : left + wide] = 1
    return mask, torch.tensor([left, top, left + wide, top + high], dtype=torch.float32)


def slow(mask, box, size, side, centre):
    """The cells of one instance on one grid, by the text."""
    points = torch.nonzero(mask).double() + 0.5
    y, x = points.mean(dim=0).tolist()
    high, wide = float(box[3] - box[1]), float(box[2] - box[0])
    cell_high, cell_wide = size[0] / side, size[1] / side
    half_high, half_wide = centre * high / 2, centre * wide / 2
    rows = range(int((y - half_high) // cell_high), int((y + half_high) // cell_high) + 1)
    columns = range(int((x - half_wide) // cell_wide), int((x + half_wide) // cell_wide) + 1)
    row, column = int(y // cell_high), int(x // cell_wide)
    return {
        (r, c)
        for r in rows
        for c in columns
        if abs(r - row) <= 1 and abs(c - column) <= 1 and 0 <= r < side and 0 <= c < side
    }


@pytest.mark.parametrize("centre", [0.2, 0.9])
@pytest.mark.parametrize(
    "where", [(3, 5, 20, 30), (40, 60, 24, 36), (0, 0, 64, 96), (10, 2, 4, 80)]
)
def test_the_cells_are_those_about_the_centre_of_mass(where, centre: float) -> None:
    mask, box = rectangle(*where)
    mask[where[0] : where[0] + where[2] // 2, where[1] : where[1] + where[3] // 3] = 0  # off centre
    found = telling_cells(
        mask[None], box[None], (64, 96), grids=GRIDS, ranges=RANGES, centre=centre
    )
    scale = (where[2] * where[3]) ** 0.5
    expected, first = set(), 0
    for side, (low, high) in zip(GRIDS, RANGES, strict=True):
        if low <= scale <= high:
            expected |= {first + r * side + c for r, c in slow(mask, box, (64, 96), side, centre)}
        first += side**2
    assert expected
    assert found.cells.tolist() == sorted(expected)
    assert set(found.instances.tolist()) == {0}


def test_of_two_at_one_place_the_smaller_box_has_the_cell() -> None:
    masks, boxes = zip(rectangle(16, 24, 32, 48), rectangle(28, 42, 8, 12), strict=True)
    for order in ([0, 1], [1, 0]):
        found = telling_cells(
            torch.stack([masks[k] for k in order]),
            torch.stack([boxes[k] for k in order]),
            (64, 96),
            grids=(8,),
            ranges=((1.0, 200.0),),
            centre=0.9,
        )
        told = zip(found.cells.tolist(), found.instances.tolist(), strict=True)
        at = {cell: order[k] for cell, k in told}
        assert at[4 * 8 + 4] == 1  # of the middle, which both want
        assert 0 in at.values()


def test_a_mask_without_a_pixel_is_told_by_no_cell() -> None:
    found = telling_cells(
        torch.zeros(1, 64, 96),
        torch.tensor([[3.0, 3, 20, 20]]),
        (64, 96),
        grids=GRIDS,
        ranges=RANGES,
        centre=0.2,
    )
    assert len(found.cells) == 0


def test_small_masks_hold_what_is_half_covered_and_lose_none() -> None:
    masks = torch.zeros(3, 8, 10)
    masks[0, :4, :2] = 1  # half of the first
    masks[0, 4, 4] = 1  # a sixteenth of another
    masks[1, 7, 9] = 1  # all there is of it
    small = small_masks(masks, (16, 16))
    assert small.shape == (3, 4, 4)
    assert torch.nonzero(small[0]).tolist() == [[0, 0]]
    assert torch.nonzero(small[1]).tolist() == [[1, 2]]
    assert small[2].sum() == 0


def test_what_is_asked_names_image_instance_and_category() -> None:
    torch.manual_seed(0)
    n = sum(side**2 for side in GRIDS)
    told = Told(
        torch.zeros(2, n, 3), torch.randn(2, n, 5), torch.randn(2, n, 4), torch.randn(2, 5, 16, 24),
        (64, 96),
    )  # fmt: skip
    none = torch.zeros(0, dtype=torch.int64)
    empty = {"masks": torch.zeros(0, 64, 96), "boxes": torch.zeros(0, 4), "labels": none}
    mask, box = rectangle(30, 50, 20, 25)
    one = {"masks": mask[None], "boxes": box[None], "labels": torch.tensor([3])}
    asked = ask(told, [empty, one], grids=GRIDS, ranges=RANGES, centre=0.2)
    assert set(asked.images.tolist()) == {1}
    assert set(asked.instances.tolist()) == {0}
    cells = torch.nonzero(asked.categories[1, :, 2])[:, 0]
    assert asked.categories.sum() == len(cells) == len(asked.logits)
    for place, cell in enumerate(cells):
        by_hand = torch.einsum("k,khw->hw", told.kernels[1, cell], told.features[1])
        assert torch.allclose(asked.logits[place], by_hand, atol=1e-5)
        assert torch.equal(asked.embeddings[place], told.embeddings[1, cell])
    assert torch.equal(asked.masks[0], small_masks(mask[None], (64, 96))[0])
