from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given
from hypothesis import strategies as st

from paring.training.cells import sigmoid_cells, softmax_cells

pytestmark = pytest.mark.torch


def test_a_cell_by_hand() -> None:
    z = math.log(3)  # probability 3/4
    cells = sigmoid_cells(torch.tensor([z, z]), torch.tensor([1, 0]))
    assert cells.margin.tolist() == pytest.approx([z, -z])
    assert cells.el2n.tolist() == pytest.approx([math.sqrt(2) / 4, math.sqrt(2) * 3 / 4])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert cells.entropy.tolist() == pytest.approx([entropy, entropy])


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=8), st.integers(0, 255))
def test_one_logit_is_two_classes_of_which_one_has_logit_zero(values, bits: int) -> None:
    z = torch.tensor(values)
    truth = torch.tensor([bits >> k & 1 for k in range(len(values))])
    one = sigmoid_cells(z, truth)
    two = softmax_cells(torch.stack([torch.zeros_like(z), z], 1), truth)
    for name in ("margin", "entropy", "el2n"):
        assert torch.allclose(getattr(one, name), getattr(two, name), atol=1e-5), name


def test_the_margin_of_classes_is_against_the_largest_other() -> None:
    logits = torch.tensor([[5.0, 2.0, 4.0], [5.0, 2.0, 4.0]])
    assert softmax_cells(logits, torch.tensor([0, 1])).margin.tolist() == [1.0, -3.0]


def test_el2n_of_a_sure_error_is_the_square_root_of_two() -> None:
    cells = softmax_cells(torch.tensor([[60.0, 0.0, 0.0]]), torch.tensor([2]))
    assert float(cells.el2n[0]) == pytest.approx(math.sqrt(2))
    assert float(cells.entropy[0]) == pytest.approx(0, abs=1e-6)


def test_very_large_logits_give_finite_numbers() -> None:
    cells = sigmoid_cells(torch.tensor([3e4, -3e4]), torch.tensor([0, 0]))
    assert torch.isfinite(cells.entropy).all()
    assert cells.entropy.abs().max() < 1e-6
