from __future__ import annotations

from itertools import combinations
from math import log

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from paring.dataset.labelmaps import VOID
from paring.training.losses import (
    cross_entropy,
    outline_weight,
    rebalanced_loss,
    structure_loss,
    supervise,
    supervise_aside,
)

pytestmark = pytest.mark.torch


def random_case(seed: int, classes: int = 3, size: int = 12):
    draws = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, classes, size, size, generator=draws)
    target = torch.randint(0, max(classes, 2), (2, size, size), generator=draws)
    return logits, target


def test_cross_entropy_is_the_mean_over_pixels_that_have_a_class() -> None:
    logits, target = random_case(0)
    target[0, :4] = VOID
    known = target != VOID
    by_hand = -logits.log_softmax(1).permute(0, 2, 3, 1)[known].gather(1, target[known][:, None])
    assert torch.allclose(cross_entropy(logits, target), by_hand.mean())


@pytest.mark.parametrize("loss", [cross_entropy, rebalanced_loss])
def test_an_image_of_void_alone_costs_nothing_and_has_gradients_of_zero(loss) -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    cost = loss(logits, torch.full((1, 4, 4), VOID))
    cost.backward()
    assert cost == 0
    assert (logits.grad == 0).all()


def structure_by_hand(logits, target, window: int = 31) -> float:
    """Pixel by pixel, in plain Python, from the formula."""
    total = 0.0
    for image, truth in zip(logits[:, 0].double().tolist(), target.tolist(), strict=True):
        height, width = len(truth), len(truth[0])
        known = [(r, c) for r in range(height) for c in range(width) if truth[r][c] != VOID]
        weighted = weights = both = either = 0.0
        for r, c in known:
            near = [
                truth[y][x]
                for y in range(r - window // 2, r + window // 2 + 1)
                for x in range(c - window // 2, c + window // 2 + 1)
                if 0 <= y < height and 0 <= x < width and truth[y][x] != VOID
            ]
            m = truth[r][c]
            w = 1 + 5 * abs(sum(near) / len(near) - m)
            p = 1 / (1 + 2.718281828459045 ** -image[r][c])
            weighted += w * -(log(p) if m else log(1 - p))
            weights += w
            both += w * p * m
            either += w * (p + m)
        total += weighted / weights + 1 - (both + 1) / (either - both + 1)
    return total / len(target)


@pytest.mark.parametrize("void", [False, True])
@pytest.mark.parametrize("window", [3, 31])
def test_structure_loss_is_the_formula_pixel_by_pixel(void: bool, window: int) -> None:
    logits, target = random_case(1, classes=1)
    if void:
        target[0, :, 5:9] = VOID
    found = structure_loss(logits, target, weight=outline_weight(target, window=window))
    assert float(found) == pytest.approx(structure_by_hand(logits, target, window), abs=1e-5)


def test_a_pixel_on_the_outline_costs_more_than_one_amid_the_object() -> None:
    target = torch.zeros(1, 41, 41, dtype=torch.long)
    target[:, :, :20] = 1
    sure = torch.where(target == 1, 8.0, -8.0)[:, None]
    amid, outline = sure.clone(), sure.clone()
    amid[0, 0, 20, 2] = outline[0, 0, 20, 19] = -8.0
    weight = outline_weight(target, window=5)
    costs = [structure_loss(logits, target, weight=weight) for logits in (outline, amid)]
    assert costs[0] > costs[1]


def test_the_cross_entropy_within_is_weighted_and_not_averaged_first() -> None:
    """The published code loses the weights: there, moving an error does not change this part."""
    target = torch.zeros(1, 1, 40, dtype=torch.long)
    target[..., :20] = 1
    even = torch.zeros(1, 1, 1, 40)
    near, far = even.clone(), even.clone()
    near[..., 19], far[..., 0] = -6.0, -6.0
    weight = outline_weight(target, window=9)
    costs = [structure_loss(logits, target, weight=weight) for logits in (near, far)]
    assert costs[0] > costs[1] + 0.1


def test_the_weight_of_the_outline_is_the_one_that_the_loss_takes_by_itself() -> None:
    logits, target = random_case(4, classes=1)
    given = structure_loss(logits, target, weight=outline_weight(target))
    assert structure_loss(logits, target) == given


def test_gsrl_without_rareness_and_hardness_is_cross_entropy() -> None:
    logits, target = random_case(2)
    flat = rebalanced_loss(logits, target, beta=0.0, hardness=0.0)
    assert torch.allclose(flat, cross_entropy(logits, target))


def test_gsrl_weighs_a_class_by_its_effective_number_and_spreads_it_over_its_surroundings() -> None:
    target = torch.zeros(1, 1, 12, dtype=torch.long)
    target[..., 0] = 1  # one pixel of the rare class, eleven of the other
    logits = torch.zeros(1, 2, 1, 12)
    common = (1 - 0.9**1) / (1 - 0.9**11)
    for pool, near in ((1, 1), (3, 2)):
        found = rebalanced_loss(logits, target, beta=0.9, pool=pool, hardness=0.0)
        assert float(found) == pytest.approx(log(2) * (near + (12 - near) * common) / 12, abs=1e-6)


def test_gsrl_weighs_unsure_pixels_up_to_ten_times() -> None:
    target = torch.zeros(1, 1, 2, dtype=torch.long)
    unsure = torch.zeros(1, 2, 1, 2)
    assert torch.allclose(
        rebalanced_loss(unsure, target), 10 * rebalanced_loss(unsure, target, hardness=0.0)
    )


@given(st.integers(0, 1000))
def test_losses_are_finite_with_logits_of_any_size_in_half_precision_range(seed: int) -> None:
    logits, target = random_case(seed)
    for scale in (0.0, 1.0, 1e4):
        assert torch.isfinite(cross_entropy(logits * scale, target))
        assert torch.isfinite(rebalanced_loss(logits * scale, target))
        assert torch.isfinite(structure_loss(logits[:, :1] * scale, target.clamp(max=1)))


def test_outputs_are_put_together_as_the_two_decoders_do() -> None:
    stages = [torch.full((1, 1, 1, 1), float(2**k)) for k in range(4)]
    value = lambda logits, _: logits.sum()
    target = torch.zeros(1, 1, 1)
    subsets = [sum(2**k for k in c) for n in range(1, 5) for c in combinations(range(4), n)]
    assert supervise(stages, target, value) == 15
    assert supervise(stages, target, value, "additive") == 30
    assert supervise(stages, target, value, "mutation") == sum(subsets) == 120


def test_one_output_is_never_counted_twice() -> None:
    one = [torch.ones(1, 1, 1, 1)]
    for how in ("sum", "additive", "mutation"):
        assert supervise(one, torch.zeros(1, 1, 1), lambda logits, _: logits.sum(), how) == 1


def test_auxiliary_outputs_weigh_what_is_said() -> None:
    stages = [torch.full((1, 1, 1, 1), 10.0), torch.full((1, 1, 1, 1), 1.0)]
    value = lambda logits, _: logits.sum()
    assert supervise_aside(stages, torch.zeros(1, 1, 1), value, 0.25) == 3.5
