from __future__ import annotations

import pytest

from paring.evaluation import timing
from paring.evaluation.timing import time_runs


def test_times_are_the_median_and_the_range_between_quartiles(monkeypatch) -> None:
    now, runs = [0.0], iter([9.0, 9.0, 0.004, 0.001, 0.002, 0.005, 0.003])

    def run() -> None:
        now[0] += next(runs)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    # two slow runs to warm up, then 1 to 5 ms: median 3, quartiles 2 and 4
    median, spread = time_runs(run, repeats=5, warmup=2)
    assert median == pytest.approx(3)
    assert spread == pytest.approx(2)
