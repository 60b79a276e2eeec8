from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from paring.training.stopping import Limit, steps_ahead

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("limit", "steps"), [(None, 12), (20, 12), (12, 12), (5, 5)])
def test_a_limit_counts_where_it_comes_before_the_last_epoch(limit: int | None, steps: int) -> None:
    trainer: Any = SimpleNamespace(estimated_stepping_batches=12)
    assert steps_ahead(trainer, limit) == steps


def test_training_ends_at_the_limit_and_not_before() -> None:
    limit, stopped = Limit(3), []
    for step in (1, 2, 2, 3, 4):  # gradients are accumulated before the third
        trainer: Any = SimpleNamespace(global_step=step, should_stop=False)
        limit.on_train_batch_end(trainer)
        stopped.append(trainer.should_stop)
    assert stopped == [False, False, False, True, True]
