"""Losses of learning from coarse masks: known minima, loops over the formulas, gradients."""

from __future__ import annotations

import math

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.labels.free.losses import (
    HEARD,
    average_projection_loss,
    colour_likeness,
    exemplar_contrast,
    largest_contrast,
    max_projection_loss,
    pairwise_loss,
    semantic_loss,
    shifted,
    warmed_up,
)


def box(n: int = 8, top: int = 2, left: int = 1, high: int = 4, wide: int = 5) -> torch.Tensor:
    out = torch.zeros(1, n, n, dtype=torch.float64)
    out[0, top : top + high, left : left + wide] = 1
    return out


# -- projections ---------------------------------------------------------------------------


def dice(a, b) -> float:
    return 1 - 2 * sum(x * y for x, y in zip(a, b, strict=True)) / (
        sum(x * x for x in a) + sum(y * y for y in b) + 1e-5
    )


@pytest.mark.parametrize("loss", [max_projection_loss, average_projection_loss])
def test_projections_equal_the_formula(loss) -> None:
    torch.manual_seed(0)
    masks = torch.rand(3, 6, 7, dtype=torch.float64)
    coarse = (torch.rand(3, 6, 7) > 0.6).double()
    reduce = max if loss is max_projection_loss else lambda values: sum(values) / len(values)
    expected = 0.0
    for mask, other in zip(masks.tolist(), coarse.tolist(), strict=True):
        rows = [[reduce(row) for row in one] for one in (mask, other)]
        columns = [[reduce(column) for column in zip(*one, strict=True)] for one in (mask, other)]
        expected += dice(*rows) + dice(*columns)
    assert float(loss(masks, coarse)) == pytest.approx(expected / 3)


def test_projections_are_least_where_the_boxes_agree() -> None:
    coarse = box()
    assert float(max_projection_loss(coarse, coarse)) == pytest.approx(0, abs=1e-5)
    assert float(average_projection_loss(coarse, coarse)) == pytest.approx(0, abs=1e-4)
    hollow = coarse.clone()
    hollow[0, 3:5, 2:5] = 0  # a frame has the same box, and less in each row
    assert float(max_projection_loss(hollow, coarse)) == pytest.approx(0, abs=1e-5)
    assert float(average_projection_loss(hollow, coarse)) > 0.01
    for other in (box(top=3), box(wide=6), torch.zeros_like(coarse)):
        assert float(max_projection_loss(other, coarse)) > 0.05


def test_without_masks_losses_are_zero() -> None:
    none = torch.zeros(0, 4, 4, requires_grad=True)
    for loss in (max_projection_loss, average_projection_loss):
        assert float(loss(none, none.detach()).detach()) == 0
    assert float(pairwise_loss(none, torch.ones(8, 4, 4), none.detach()).detach()) == 0
    assert float(semantic_loss(torch.zeros(0, 3), torch.zeros(0, 3))) == 0


# -- colours -------------------------------------------------------------------------------


def test_likeness_equals_a_loop_over_pixels() -> None:
    torch.manual_seed(1)
    lab = torch.rand(3, 5, 6, dtype=torch.float64) * 4
    found = colour_likeness(lab, dilation=2)
    offsets = [(-2, -2), (-2, 0), (-2, 2), (0, -2), (0, 2), (2, -2), (2, 0), (2, 2)]
    for k, (dy, dx) in enumerate(offsets):
        for y in range(5):
            for x in range(6):
                v, u = y + dy, x + dx
                if 0 <= v < 5 and 0 <= u < 6:
                    difference = math.dist(lab[:, y, x].tolist(), lab[:, v, u].tolist())
                    assert float(found[k, y, x]) == pytest.approx(math.exp(-difference / 2))
                else:
                    assert float(found[k, y, x]) == 0


def test_the_pairwise_loss_equals_a_loop_over_pairs() -> None:
    torch.manual_seed(2)
    logits = torch.randn(2, 5, 6, dtype=torch.float64)
    likeness = colour_likeness(torch.rand(3, 5, 6, dtype=torch.float64) * 3, dilation=1)
    inside = (torch.rand(2, 5, 6) > 0.4).double()
    p = logits.sigmoid().tolist()
    total, number = 0.0, 0
    offsets = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    for n in range(2):
        for k, (dy, dx) in enumerate(offsets):
            for y in range(5):
                for x in range(6):
                    if inside[n, y, x] and likeness[k, y, x] >= 0.5:
                        a, b = p[n][y][x], p[n][y + dy][x + dx]
                        total -= math.log(a * b + (1 - a) * (1 - b))
                        number += 1
    found = pairwise_loss(logits, likeness, inside, least=0.5, dilation=1)
    assert float(found) == pytest.approx(total / number)


def test_the_pairwise_loss_is_least_where_masks_follow_colours() -> None:
    lab = torch.zeros(3, 8, 8, dtype=torch.float64)
    lab[:, :, 4:] = 50
    likeness, inside = colour_likeness(lab, dilation=1), torch.ones(1, 8, 8)
    along = torch.full((1, 8, 8), -20.0, dtype=torch.float64)
    along[:, :, 4:] = 20
    against = along.transpose(1, 2)
    assert float(pairwise_loss(along, likeness, inside, dilation=1)) == pytest.approx(0, abs=1e-6)
    assert float(pairwise_loss(against, likeness, inside, dilation=1)) > 1
    huge = torch.full((1, 8, 8), 1e4, dtype=torch.float64)
    assert math.isfinite(float(pairwise_loss(huge * torch.sign(against), likeness, inside)))


def test_neighbours_are_those_at_the_distance() -> None:
    values = torch.arange(20.0).reshape(1, 4, 5)
    found = shifted(values, 2)
    assert found.shape == (8, 1, 4, 5)
    assert float(found[0, 0, 2, 2]) == 0.0  # two up, two left
    assert float(found[7, 0, 1, 2]) == 19.0
    assert float(found[3, 0, 0, 1]) == 0.0  # outside


def test_the_pairwise_loss_warms_up() -> None:
    assert [warmed_up(step, 10) for step in (0, 5, 10, 20)] == [0, 0.5, 1, 1]


# -- embeddings ----------------------------------------------------------------------------


def test_semantic_loss_is_least_for_the_same_direction() -> None:
    given = torch.tensor([[1.0, 2.0], [0.0, 3.0]])
    assert float(semantic_loss(given * torch.tensor([[2.0], [0.1]]), given)) == pytest.approx(-1)
    assert float(semantic_loss(-given, given)) == pytest.approx(1)


# -- exemplars -----------------------------------------------------------------------------


def unit(*degrees: float) -> torch.Tensor:
    angles = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return torch.stack((angles.cos(), angles.sin()), dim=1)


def test_the_contrast_equals_eqs_5_to_7() -> None:
    pool = unit(10, 85, 120, 200) * 0.5
    expected = 0.0
    for angle in (0, 45):  # each has one positive, so nothing is left to chance
        cosine = [math.cos(math.radians(angle - other)) for other in (10, 85, 120, 200)]
        (positive,) = [c for c in cosine if c > 0.8]
        negatives = [math.exp(c / 0.5) for c in cosine if c < 0.3]
        p, n = math.exp(positive / 0.5), sum(negatives) / len(negatives)
        expected -= math.log(p / (p + n))
    found = exemplar_contrast(unit(0, 45, 48) * 3, pool, alpha=0.8, beta=0.3, tau=0.5)
    assert found.active == 2  # the third is near to none of them
    assert float(found.loss) == pytest.approx(expected)


def test_positives_are_drawn_evenly_and_by_the_generator() -> None:
    images, pool = unit(0), unit(5, 30, 180)
    values = {}
    for seed in range(200):
        generator = torch.Generator().manual_seed(seed)
        loss = float(exemplar_contrast(images, pool, tau=0.5, generator=generator).loss)
        values[round(loss, 9)] = values.get(round(loss, 9), 0) + 1
    assert len(values) == 2
    assert min(values.values()) > 60
    twice = [
        float(
            exemplar_contrast(
                images, pool, tau=0.5, generator=torch.Generator().manual_seed(3)
            ).loss
        )
        for _ in range(2)
    ]
    assert twice[0] == twice[1]


def test_without_a_positive_or_a_negative_it_is_zero() -> None:
    image = unit(0).float().requires_grad_()
    for pool in (unit(5, 10), unit(90, 180), unit(60), torch.zeros(0, 2)):
        found = exemplar_contrast(image, pool.float())
        assert (found.active, float(found.loss.detach())) == (0, 0.0)
        found.loss.backward()
    # one exemplar cannot be both, so a pool of one does nothing
    everywhere = exemplar_contrast(unit(*range(0, 360, 7)), unit(0))
    assert everywhere.active == 0


def test_the_published_temperature_does_not_overflow() -> None:
    found = exemplar_contrast(unit(0).float(), unit(1, 100).float(), tau=0.02)
    assert math.isfinite(float(found.loss))
    assert exemplar_contrast(unit(0).float(), unit(35, 74).float(), tau=0.0001).loss >= 0


def test_the_largest_contrast_is_that_of_pairs_at_the_thresholds() -> None:
    pool = unit(36.87, 72.5424)  # cosines 0.8 and 0.3
    for tau in (0.02, 0.1, 0.4, 2.0):
        bounds = {"alpha": 0.79999, "beta": 0.30001}
        found = exemplar_contrast(unit(0), pool, tau=tau, **bounds)
        most = largest_contrast(alpha=0.8, beta=0.3, tau=tau)
        assert float(found.loss) == pytest.approx(most, rel=1e-3)
        assert found.active == (most > HEARD)
        torch.manual_seed(1)
        others = torch.randn(50, 2, dtype=torch.float64)
        every = [exemplar_contrast(one[None], pool, tau=tau, **bounds).loss for one in others]
        assert max(map(float, every)) <= most * 1.001
    assert largest_contrast(alpha=0.8, beta=0.3, tau=0.02) < HEARD < 0.2
    assert largest_contrast(alpha=0.2, beta=0.4, tau=1e-4) == pytest.approx(2000)  # no overflow
    pulls = {}
    for tau in (0.3, 0.39, 0.5):
        image = unit(0).requires_grad_()
        exemplar_contrast(image, pool, tau=tau, alpha=0.79999, beta=0.30001).loss.backward()
        pulls[tau] = float(image.grad.norm())
    assert max(pulls, key=pulls.__getitem__) == 0.39


def test_exemplars_get_no_gradient() -> None:
    image, pool = unit(0).requires_grad_(), unit(20, 150).requires_grad_()
    exemplar_contrast(image, pool, tau=0.5).loss.backward()
    assert pool.grad is None
    assert float(image.grad.abs().sum()) > 0


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: max_projection_loss(x.sigmoid(), box(5, 1, 1, 3, 2)),
        lambda x: average_projection_loss(x.sigmoid(), box(5, 1, 1, 3, 2)),
        lambda x: pairwise_loss(x, torch.rand(8, 5, 5), torch.ones(1, 5, 5), dilation=1),
        lambda x: semantic_loss(x[0], torch.eye(5, dtype=torch.float64)),
        lambda x: exemplar_contrast(x[0, :2, :2], unit(3, 40, 170, 250), tau=0.5).loss,
    ],
)
def test_gradients_are_those_of_finite_differences(loss) -> None:
    torch.manual_seed(4)
    x = torch.randn(1, 5, 5, dtype=torch.float64)
    x[0, :2, :2] = unit(0, 35)

    def fixed(values: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(9)
        return loss(values)

    assert torch.autograd.gradcheck(fixed, (x.requires_grad_(),))
