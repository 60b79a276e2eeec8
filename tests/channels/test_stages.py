from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from paring.channels.stages import Spread, Stage, check_stages, path_of_stages
from paring.errors import InputError

pytestmark = pytest.mark.torch


def test_the_path_takes_as_much_each_time_to_the_last() -> None:
    path = path_of_stages(keep_macs=0.2, stages=4, first=10, every=5)
    assert [stage.step for stage in path] == [10, 15, 20, 25]
    assert [stage.keep_macs for stage in path] == pytest.approx([0.8, 0.6, 0.4, 0.2])
    check_stages(path)


def test_stages_are_spread_over_the_first_part_of_a_training() -> None:
    assert [stage.step for stage in Spread(0.4).over(600)] == [100, 200, 300]
    assert Spread(0.4, stages=1, until=0.1).over(600) == [Stage(60, 0.4)]


@pytest.mark.parametrize(
    ("spread", "steps"),
    [
        (Spread(0.4), 5),
        (Spread(0.4, until=1.0), 600),
        (Spread(1.4), 600),
        (Spread(0.4, stages=0), 600),
    ],
)
def test_a_spread_that_cannot_be_is_said(spread: Spread, steps: int) -> None:
    with pytest.raises(InputError, match=f"cannot be in a training of {steps} steps"):
        spread.over(steps)


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ([], "no stage of pruning is given"),
        ([Stage(0, 0.5)], "cannot be"),
        ([Stage(3, 1.5)], "cannot be"),
        ([Stage(3, 0.5), Stage(3, 0.4)], "must come later and keep less"),
        ([Stage(3, 0.5), Stage(4, 0.6)], "must come later and keep less"),
    ],
)
def test_stages_that_cannot_be_are_said(stages: list[Stage], says: str) -> None:
    with pytest.raises(InputError, match=says):
        check_stages(stages)
