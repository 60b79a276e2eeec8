import numpy as np
import pytest
from numpy.typing import NDArray

from paring.images.similarity import kernel
from paring.images.similarity.bounds import Bounds, cosines
from paring.images.similarity.formula import Metric
from paring.images.similarity.tiles import Engine
from similarity_oracle import METRICS, engine_of, images_of_all_kinds, pairs_of

SIZES = (8, 9, 15, 16, 17, 31, 32, 33, 64)
ALL = slice(None)
CASES = (("ssim", None), ("ssim", 1e-3), ("pcc", None))
cases = pytest.mark.parametrize(("metric", "data_range"), CASES)


def adversaries(size: int, bits: int) -> NDArray:
    """Images for which the bounds are tight, or hold nothing, or are all rounding, (n, P)."""
    rng = np.random.default_rng(size)
    top = 2**bits - 1
    place = np.arange(size)
    waves = [
        np.outer(*(np.cos(np.pi * f * (2 * place + 1) / (2 * size)) for f in pair)) * 0.5 + 0.5
        for pair in (
            (size - 1, size - 1),  # nothing of it is seen
            (min(15, size - 1), min(15, size - 1)),  # the last that the first bound sees
            (min(16, size - 1), min(16, size - 1)),  # the first that it does not
            (min(31, size - 1), 0),
            (min(32, size - 1), 0),
            (1, 1),  # all of it is seen
        )
    ]
    flat = np.full((size, size), 0.5)
    halves = np.rint(rng.random((size, size)) * (top // 2)) / top
    drawn = [*waves, *(1 - wave for wave in waves), flat, halves, 2 * halves]
    images = [np.clip(np.rint(image * top), 0, top) for image in drawn]
    almost = np.full((size, size), top)
    almost[0, 0] = 0  # the rest of its mean is nearly 1, or its square dwarfs the variance
    nearly = np.ones((size, size))
    nearly[-1, -1] = 0
    faint = [top - 1 + rng.integers(0, 2, (size, size)) for _ in range(2)]
    kind = np.uint16 if bits == 16 else np.uint8
    return np.stack([*images, almost, nearly, *faint]).reshape(-1, size * size).astype(kind)


def everything(size: int, bits: int) -> NDArray:
    """All kinds of images and adversaries, each of them twice: of its copy the bound is tight."""
    pixels = np.concatenate([images_of_all_kinds(size, bits, seed=size), adversaries(size, bits)])
    return np.concatenate([pixels, pixels])


def assert_no_bound_is_low(engine: Engine) -> None:
    first, second = pairs_of(len(engine.store))
    value = engine.exact(first, second)
    defined = ~np.isnan(value)
    upper = engine.bounds.upper(ALL, ALL)[first, second]
    assert (upper[defined] >= value[defined]).all()
    rows = first.astype(np.int32), second.astype(np.int32)
    refined = engine.bounds.refined(*rows)
    if engine.metric == "pcc":  # where covariances are divided by the deviations
        assert (refined[defined] >= value[defined]).all()
        return
    products = engine.store.products(first, second)
    assert (refined >= engine.moments.covariance(first, second, products)).all()


@cases
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("size", SIZES)
def test_no_pair_is_more_similar_than_its_bounds(
    size: int, bits: int, metric: Metric, data_range: float | None
) -> None:
    assert_no_bound_is_low(engine_of(everything(size, bits), metric, data_range))


@pytest.mark.parametrize("metric", METRICS)
def test_no_pair_is_more_similar_than_its_bounds_at_the_size_of_the_paper(metric: Metric) -> None:
    assert_no_bound_is_low(engine_of(everything(352, 16), metric))


@cases
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("size", [8, 17, 40])
def test_a_threshold_on_or_just_under_a_pair_never_loses_it(
    size: int, bits: int, metric: Metric, data_range: float | None
) -> None:
    engine = engine_of(everything(size, bits), metric, data_range)
    bounds, n = engine.bounds, len(engine.store)
    first, second = pairs_of(n)
    value = engine.exact(first, second)
    defined = ~np.isnan(value)
    first, second, value = first[defined], second[defined], value[defined]
    covariance = bounds.refined(first.astype(np.int32), second.astype(np.int32))
    table = bounds.coarse @ bounds.coarse.T
    one, other = np.empty((2, n * n), np.int32)
    for threshold in (value, np.nextafter(value, -np.inf)):
        limit = np.array([bounds.lowered(low) for low in threshold.tolist()])
        assert bounds.reach(limit, first, second, covariance).all()
        for k in np.random.default_rng(0).permutation(len(value))[:300]:
            found = kernel.screen(
                table,
                bounds.mean,
                bounds.mean,
                bounds.variance,
                bounds.variance,
                bounds.c1,
                bounds.c2,
                limit[k],
                True,
                one,
                other,
            )
            assert ((one[:found] == first[k]) & (other[:found] == second[k])).any()


def test_bounds_of_smooth_images_are_close() -> None:
    # what is worth pruning by is not only above the truth, but near it
    size = 64
    y, x = np.mgrid[:size, :size] / size
    waves = np.random.default_rng(0).uniform(1, 12, (20, 3))
    images = [np.rint((np.sin(a * x + b * y + c) + 1) * 127) for a, b, c in waves]
    engine = engine_of(np.stack(images).reshape(20, -1).astype(np.uint8))
    first, second = pairs_of(20)
    value = engine.exact(first, second)
    assert (engine.bounds.upper(ALL, ALL)[first, second] - value).max() < 0.02
    assert np.abs(engine.bounds.estimate(ALL, ALL)[first, second] - value).max() < 0.02


@pytest.mark.parametrize("metric", METRICS)
def test_more_frequencies_bring_bounds_closer(metric: Metric) -> None:
    # waves that the first bound does not see and the second one does
    place = np.arange(64)
    waves = np.stack([np.cos(np.pi * f * (2 * place + 1) / 128) for f in range(18, 30)])
    mixed = np.random.default_rng(0).normal(size=(20, 12)) @ waves
    images = np.rint(mixed[:, :, None] * mixed[:, None, :] / np.abs(mixed).max() ** 2 * 120 + 128)
    engine = engine_of(images.reshape(20, -1).astype(np.uint8), metric)
    first, second = pairs_of(20)
    covariance = engine.moments.covariance(first, second, engine.store.products(first, second))
    if metric == "pcc":
        covariance = engine.exact(first, second)
    deviation = np.sqrt(engine.bounds.variance[first] * engine.bounds.variance[second])
    refined = engine.bounds.refined(first.astype(np.int32), second.astype(np.int32)) - covariance
    coarse = (engine.bounds.coarse @ engine.bounds.coarse.T)[first, second] - covariance
    assert (refined < 0.05 * deviation).all()
    assert (coarse > 0.3 * deviation).all()


@pytest.mark.parametrize("metric", METRICS)
def test_bounds_of_some_rows_are_those_of_all(metric: Metric) -> None:
    bounds = engine_of(everything(16, 8), metric).bounds
    rows, others = np.array([3, 40, 7]), np.array([5, 2])
    for bound in (bounds.upper, bounds.estimate):
        whole = bound(ALL, ALL)
        np.testing.assert_allclose(bound(rows, others), whole[rows][:, others], atol=2e-6)
        np.testing.assert_allclose(bound(rows, ALL), whole[rows], atol=2e-6)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("low", [-1e300, -2.0, -1.0])
def test_a_low_threshold_lets_all_pairs_pass(low: float, metric: Metric) -> None:
    engine = engine_of(everything(8, 8), metric)
    first, second = pairs_of(len(engine.store))
    covariance = engine.bounds.refined(first, second)
    assert engine.bounds.reach(engine.bounds.lowered(low), first, second, covariance).all()


@pytest.mark.parametrize("low", [1.001, 2.0, 1e300])
def test_a_threshold_above_one_lets_no_flat_pair_pass(low: float) -> None:
    pixels = np.full((4, 64), 100, np.uint8)
    bounds = engine_of(pixels).bounds
    first, second = pairs_of(4)
    covariance = bounds.refined(first, second)
    assert not bounds.reach(bounds.lowered(low), first, second, covariance).any()


def test_progress_ends_with_the_number_of_images() -> None:
    engine = engine_of(np.zeros((100, 64), np.uint8))
    told: list[int] = []
    Bounds.of(
        engine.store.pixels,
        engine.moments,
        size=8,
        metric="ssim",
        data_range=255,
        progress=told.append,
    )
    assert told == sorted(set(told))
    assert told[-1] == len(engine.bounds) == 100


@pytest.mark.parametrize(("count", "size"), [(8, 8), (16, 16), (32, 33), (32, 1024)])
def test_cosines_are_orthonormal_and_rise_in_frequency(count: int, size: int) -> None:
    rows = cosines(count, size).astype(float)
    np.testing.assert_allclose(rows @ rows.T, np.eye(count), atol=1e-6)
    turns = [(np.diff(np.sign(row)) != 0).sum() for row in rows]
    assert turns == list(range(count))
