from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from paring.evaluation.threads import torch_threads

pytestmark = pytest.mark.torch


def test_threads_are_as_wished_in_the_block_and_as_before_after_it() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), torch_threads(before + 1) as threads:
        assert threads == torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_without_a_wish_they_stay() -> None:
    with torch_threads(None) as threads:
        assert threads == torch.get_num_threads()
