"""Losses of CIM, by hand and against loops over the sums of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from paring.labels.tags.losses import (
    bag_loss,
    class_loss,
    cluster_loss,
    image_loss,
    integrity_loss,
)


@pytest.fixture
def probabilities() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(7, 4, dtype=torch.float64).softmax(dim=1)


def test_image_loss_is_binary_cross_entropy_of_the_sum() -> None:
    classes = torch.tensor([[0.5, 0.5], [0.2, 0.8]], dtype=torch.float64)
    detection = torch.tensor([[0.3, 0.9], [0.7, 0.1]], dtype=torch.float64)
    score = [0.5 * 0.3 + 0.2 * 0.7, 0.5 * 0.9 + 0.8 * 0.1]
    for present, second in ((1, -math.log(score[1])), (0, -math.log(1 - score[1]))):
        loss = image_loss(classes, detection, torch.tensor([1, present]))
        assert float(loss) == pytest.approx((-math.log(score[0]) + second) / 2)


def test_cluster_loss_equals_eq_7(probabilities) -> None:
    labels = torch.tensor([1, 1, 2, 0, 0, -1, 1])
    clusters = torch.tensor([0, 0, 4, 5, 6, -1, 0])
    expected = 0.0
    negatives = 0.0
    for members, label in (([0, 1, 6], 1), ([2], 2), ([3], 0), ([4], 0)):
        mean = probabilities[members].mean(dim=0)
        expected -= len(members) * math.log(mean[label])
        negatives -= len(members) * sum(math.log(1 - mean[c]) for c in range(4) if c != label)
    plain = cluster_loss(probabilities, labels, clusters, negatives=False)
    assert float(plain) == pytest.approx(expected / 6)
    whole = cluster_loss(probabilities, labels, clusters, negatives=True)
    assert float(whole) == pytest.approx((expected + negatives) / 6)


def test_class_and_integrity_losses_equal_eq_3(probabilities) -> None:
    labels = torch.tensor([1, 0, -1, 3, 2, 0, 1])
    weights = torch.tensor([0.5, 1.0, 9.0, 0.1, 0.7, 0.3, 0.2], dtype=torch.float64)
    complete = torch.tensor([1.0, 0, 0, 1, 0, 0, 1])
    torch.manual_seed(1)
    integrity = torch.rand(7, 4, dtype=torch.float64)
    kept = [0, 1, 3, 4, 5, 6]
    expected = -sum(weights[n] * math.log(probabilities[n, labels[n]]) for n in kept) / 6
    assert float(class_loss(probabilities, labels, weights)) == pytest.approx(float(expected))
    smooth = sum(
        weights[n] * 0.5 * (complete[n] - integrity[n, labels[n]]) ** 2 for n in (0, 3, 4, 6)
    )
    found = integrity_loss(integrity, labels, complete, weights)
    assert float(found) == pytest.approx(float(smooth / 4))


def test_bag_loss_takes_the_best_of_each_class() -> None:
    scores = torch.tensor(
        [[0.1, 0.8, 0.3, 0.2], [0.6, 0.9, 0.1, 0.4], [0.5, 0.2, 0.2, 0.1]], dtype=torch.float64
    )
    labels = torch.tensor([1, 0, 0])
    weights = torch.tensor([0.5, 0.4, 0.3], dtype=torch.float64)
    present = torch.tensor([1, 1, 0, 1])  # class 3 is a tag, but nothing is labelled with it
    expected = (-0.4 * math.log(0.6) - 0.5 * math.log(0.8) - math.log(1 - 0.3)) / 4
    assert float(bag_loss(scores, labels, weights, present)) == pytest.approx(expected)


def test_losses_fall_to_nothing_where_they_are_right() -> None:
    sure = torch.eye(3, dtype=torch.float64)[[1, 2, 0]]
    labels, weights = torch.tensor([1, 2, 0]), torch.ones(3, dtype=torch.float64)
    assert float(class_loss(sure, labels, weights)) == pytest.approx(0, abs=1e-5)
    assert float(integrity_loss(sure, labels, torch.ones(3), weights)) == pytest.approx(0, abs=1e-5)
    assert float(bag_loss(sure, labels, weights, torch.ones(3))) == pytest.approx(0, abs=1e-5)
    assert float(cluster_loss(sure, labels, torch.arange(3), negatives=True)) == pytest.approx(
        0, abs=1e-5
    )


def test_nothing_labelled_gives_a_loss_of_zero_with_a_gradient() -> None:
    values = torch.rand(3, 2, requires_grad=True)
    nothing, weights = torch.full((3,), -1), torch.zeros(3)
    for loss in (
        class_loss(values, nothing, weights),
        integrity_loss(values, nothing, weights, weights),
        cluster_loss(values, nothing, nothing, negatives=True),
    ):
        assert float(loss.detach()) == 0
        loss.backward()
    assert values.grad is not None


def test_certain_and_wrong_is_finite() -> None:
    wrong = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = class_loss(wrong, torch.tensor([1]), torch.ones(1))
    loss = loss + cluster_loss(wrong, torch.tensor([1]), torch.tensor([0]), negatives=True)
    loss = loss + image_loss(wrong, torch.ones(1, 2), torch.tensor([0, 1]))
    loss.backward()
    assert np.isfinite(float(loss.detach()))
    assert bool(torch.isfinite(wrong.grad).all())


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(3)
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    labels, clusters = torch.tensor([1, 2, 0, -1, 1]), torch.tensor([0, 1, 2, -1, 0])
    weights = torch.rand(5, dtype=torch.float64)

    def loss(values: torch.Tensor) -> torch.Tensor:
        p = values.softmax(dim=1)
        return (
            class_loss(p, labels, weights)
            + cluster_loss(p, labels, clusters, negatives=True)
            + bag_loss(p, labels, weights, torch.tensor([1, 1, 1]))
            + image_loss(p, values.softmax(dim=0), torch.tensor([1, 1, 0]))
        )

    assert torch.autograd.gradcheck(loss, (logits,))
