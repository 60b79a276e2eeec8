from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from paring.channels import kernel


def densities(*shape: int) -> np.ndarray:
    return np.abs(np.random.default_rng(0).standard_normal(shape)).astype(np.float32)


def test_threads_change_nothing_to_the_bit() -> None:
    density = densities(100, 300)
    one, three = (kernel.entropy_sums(density, workers=w) for w in (1, 3))
    assert (one == three).all()


def test_numbers_of_any_size_have_their_logarithm() -> None:
    for size in (2e-38, 1e-30, 1e-3, 0.5, 0.70710, 0.7072, 1.0, 1.4142, 1.5, 3e4, 1e30):
        value = np.float32(size)
        (found,) = kernel.entropy_sums(np.array([[value]], np.float32)).ravel()
        expected = float(value) * math.log(float(value))
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-44)


def test_the_compiled_sums_take_little_beside_their_result() -> None:
    density = densities(256, 4096)
    kernel.entropy_sums(density)
    tracemalloc.start()
    kernel.entropy_sums(density)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5 * 256 * 256 * 8
