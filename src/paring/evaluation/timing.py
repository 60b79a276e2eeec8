"""Wall-clock time of something that is run again and again. No torch here."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


def time_runs(run: Callable[[], object], *, repeats: int, warmup: int) -> tuple[float, float]:
    """Median time of a run in milliseconds, and the range between its quartiles.

    >>> median, spread = time_runs(lambda: time.sleep(0.002), repeats=5, warmup=1)
    >>> median >= 2, spread >= 0
    (True, True)
    """
    for _ in range(warmup):
        run()
    times = np.empty(repeats)
    for k in range(repeats):
        started = time.perf_counter()
        run()
        times[k] = 1000 * (time.perf_counter() - started)
    low, median, high = np.percentile(times, (25, 50, 75))
    return float(median), float(high - low)
