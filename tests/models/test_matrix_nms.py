"""Matrix NMS, against the loop that its text describes."""

from __future__ import annotations

import math

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.models.matrix_nms import matrix_nms, point_nms


def slow(masks, scores, labels, kernel, sigma):
    n = len(masks)
    order = sorted(range(n), key=lambda k: (-float(scores[k]), k))

    def iou(a, b):
        both = float((masks[a].bool() | masks[b].bool()).sum())
        return float((masks[a].bool() & masks[b].bool()).sum()) / both if both else 0.0

    def f(value):
        return 1 - value if kernel == "linear" else math.exp(-sigma * value**2)

    out = [0.0] * n
    for place, j in enumerate(order):
        decay = 1.0
        for rank, i in enumerate(order[:place]):
            if labels[i] != labels[j]:
                continue
            above = [iou(k, i) for k in order[:rank] if labels[k] == labels[i]]
            decay = min(decay, f(iou(i, j)) / max(f(max(above, default=0.0)), 1e-6))
        out[j] = float(scores[j]) * decay
    return out


@pytest.mark.parametrize("kernel", ["gaussian", "linear"])
@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_equal_to_the_loop(kernel: str, sigma: float) -> None:
    for seed in range(12):
        torch.manual_seed(seed)
        masks = torch.zeros(9, 12, 12)
        for one in masks:
            y, x = torch.randint(0, 8, (2,)).tolist()
            one[y : y + 5, x : x + 6] = 1
        scores = torch.rand(9)
        scores[4] = scores[2]
        labels = torch.randint(0, 2, (9,))
        found = matrix_nms(masks, scores, labels, kernel=kernel, sigma=sigma)
        assert found.tolist() == pytest.approx(slow(masks, scores, labels, kernel, sigma), abs=1e-5)
        one_class = matrix_nms(masks, scores, kernel=kernel, sigma=sigma)
        expected = slow(masks, scores, torch.zeros(9), kernel, sigma)
        assert one_class.tolist() == pytest.approx(expected, abs=1e-5)


def test_the_best_and_what_is_alone_keep_their_scores() -> None:
    masks = torch.zeros(3, 6, 6)
    masks[0, :3], masks[1, :3], masks[2, 4:] = 1, 1, 1
    found = matrix_nms(masks, torch.tensor([0.5, 0.9, 0.4]))
    assert found[1:].tolist() == pytest.approx([0.9, 0.4])
    assert float(found[0]) == pytest.approx(0.5 * math.exp(-2))


def test_a_suppressed_mask_suppresses_less() -> None:
    # three in a row that overlap their neighbours: the middle one hardly counts against the last
    masks = torch.zeros(3, 1, 16)
    masks[0, 0, :8], masks[1, 0, 1:9], masks[2, 0, 6:14] = 1, 1, 1
    scores = torch.tensor([0.9, 0.8, 0.7])
    alone = matrix_nms(masks[1:], scores[1:])[1]
    assert float(matrix_nms(masks, scores)[2]) > float(alone)


def test_nothing_and_empty_masks() -> None:
    assert matrix_nms(torch.zeros(0, 4, 4), torch.zeros(0)).tolist() == []
    assert matrix_nms(torch.zeros(2, 4, 4), torch.tensor([0.3, 0.2])).tolist() == pytest.approx(
        [0.3, 0.2]
    )


@pytest.mark.parametrize("size", [2, 3])
def test_cells_that_are_not_the_largest_go(size: int) -> None:
    torch.manual_seed(0)
    heat = torch.rand(2, 3, 6, 7)
    found = point_nms(heat, size=size)
    before, after = (1, 0) if size == 2 else (1, 1)
    for b, c, y, x in [
        (b, c, y, x) for b in range(2) for c in range(3) for y in range(6) for x in range(7)
    ]:
        window = heat[b, c, max(0, y - before) : y + after + 1, max(0, x - before) : x + after + 1]
        kept = bool(heat[b, c, y, x] == window.max())
        assert float(found[b, c, y, x]) == (float(heat[b, c, y, x]) if kept else 0.0)
