from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

torch = pytest.importorskip("torch")

from paring.channels import kernel
from paring.channels.redundancy import LN2, entropy_sums_torch, pairwise_redundancy
from paring.errors import InputError

pytestmark = pytest.mark.torch

METRICS = ("js", "hellinger", "kl", "dice", "dot")


def maps(*shape: int, seed: int = 0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def spaces(features, distribution: str) -> np.ndarray:
    """Distributions over space in double precision, (B, C, N)."""
    flat = features.double().flatten(2).numpy()
    flat = np.exp(flat) if distribution == "softmax" else np.abs(flat)
    return flat / flat.sum(-1, keepdims=True)


def oracle(p: np.ndarray, q: np.ndarray, metric: str) -> float:
    """One pair by the formula of the docstring, in double precision."""
    if metric == "js":
        return LN2 - jensenshannon(p, q) ** 2
    if metric == "hellinger":
        return LN2 * np.sqrt(p * q).sum()
    if metric == "kl":
        p, q = ((x + 1e-6 / len(x)) / (1 + 1e-6) for x in (p, q))
        return -(rel_entr(p, q).sum() + rel_entr(q, p).sum()) / 2
    return 2 * (p * q).sum() / ((p**2).sum() + (q**2).sum())


@pytest.mark.parametrize("distribution", ["l1", "softmax"])
@pytest.mark.parametrize("metric", ["js", "hellinger", "kl", "dice"])
def test_every_pair_is_what_its_formula_says(metric: str, distribution: str) -> None:
    features = maps(3, 5, 9, 7)
    p = spaces(features, distribution)
    expected = [
        [np.mean([oracle(p[b, i], p[b, j], metric) for b in range(3)]) for j in range(5)]
        for i in range(5)
    ]
    found = pairwise_redundancy(features, metric=metric, distribution=distribution)
    assert found.dtype == torch.float32
    assert np.abs(found.numpy() - expected).max() < 2e-6


def test_the_product_keeps_the_signs() -> None:
    features = maps(2, 4, 5, 6)
    f = features.double().flatten(2)
    f = f / f.abs().sum(-1, keepdim=True)
    expected = 30 * (f @ f.transpose(1, 2)).mean(0)
    assert torch.allclose(pairwise_redundancy(features, metric="dot").double(), expected, atol=1e-6)
    mirrored = torch.cat([features[:, :1], -features[:, :1]], 1)
    assert pairwise_redundancy(mirrored, metric="dot")[0, 1] < 0
    assert pairwise_redundancy(mirrored, metric="js")[0, 1] == pytest.approx(LN2)


@pytest.mark.parametrize("metric", METRICS)
def test_the_matrix_is_symmetric_and_scale_and_place_in_the_batch_do_not_matter(
    metric: str,
) -> None:
    features = maps(3, 6, 8, 8, seed=3)
    found = pairwise_redundancy(features, metric=metric)
    assert torch.equal(found, found.T)
    scaled = features * torch.logspace(-6, 6, 6)[:, None, None]
    assert torch.allclose(pairwise_redundancy(scaled, metric=metric), found, atol=2e-6)
    turned = pairwise_redundancy(features.flip(0), metric=metric)
    assert torch.allclose(turned, found, atol=1e-6)


@given(st.integers(1, 70), st.integers(1, 1400), st.integers(0, 1000), st.integers(1, 3))
def test_compiled_and_plain_sums_are_those_of_double_precision(
    channels: int, pixels: int, seed: int, workers: int
) -> None:
    density = maps(channels, pixels, seed=seed).abs() ** 3
    density[:, ::7] = 0
    density[:, 0] = 1
    density = density / density.mean(1, keepdim=True)
    p = density.double().numpy()
    some = np.random.default_rng(seed).integers(0, channels, (20, 2))
    compiled = kernel.entropy_sums(density.numpy(), workers=workers)
    plain = entropy_sums_torch(density, memory=4096).numpy()
    for i, j in some:
        s = p[i] if i == j else p[i] + p[j]
        expected = (s * np.log(np.where(s > 0, s, 1))).sum()
        bound = 1e-6 * (pixels + abs(expected))
        assert abs(compiled[i, j] - expected) < bound
        assert abs(plain[i, j] - expected) < bound


def test_hellinger_is_above_js_by_no_more_than_its_bound() -> None:
    features = maps(4, 24, 12, 12) ** 3
    exact = pairwise_redundancy(features, metric="js")
    fast = pairwise_redundancy(features, metric="hellinger")
    assert (fast - exact).min() > -1e-6
    assert ((fast - exact) <= (1 - LN2) * (1 - fast / LN2) + 1e-6).all()


@pytest.mark.parametrize("metric", METRICS)
def test_a_map_of_zeros_repeats_all_others_and_changes_none(metric: str) -> None:
    features = maps(2, 5, 6, 6)
    features[:, 2] = 0
    found = pairwise_redundancy(features, metric=metric)
    rest = [0, 1, 3, 4]
    assert (found[2] == 1).all()
    assert torch.allclose(
        found[rest][:, rest], pairwise_redundancy(features[:, rest], metric=metric), atol=1e-6
    )


def test_a_map_that_is_zero_on_one_of_two_images_is_so_by_half() -> None:
    features = maps(2, 3, 6, 6)
    alone = pairwise_redundancy(features[:1])
    features[1, 0] = 0
    found = pairwise_redundancy(features)
    assert found[0, 1] == pytest.approx((float(alone[0, 1]) + 1) / 2, abs=1e-6)


def test_resolutions_are_those_of_the_maps_resized_by_hand() -> None:
    features = maps(2, 4, 8, 12)
    blocks = features.reshape(2, 4, 4, 2, 6, 2).mean((3, 5))
    assert torch.allclose(
        pairwise_redundancy(features, resolution="half"), pairwise_redundancy(blocks), atol=1e-6
    )
    quarter = features.reshape(2, 4, 2, 4, 3, 4).mean((3, 5))
    assert torch.allclose(
        pairwise_redundancy(features, resolution="quarter"),
        pairwise_redundancy(quarter),
        atol=1e-6,
    )
    twice = torch.nn.functional.interpolate(features, size=(16, 24), mode="bilinear")
    assert torch.allclose(
        pairwise_redundancy(features, resolution="twice"), pairwise_redundancy(twice), atol=1e-6
    )


def test_a_vector_compares_mean_magnitudes_over_the_images() -> None:
    features = maps(6, 3, 4, 4)
    v = features.abs().mean((2, 3)).T.double().numpy()
    v = v / v.sum(1, keepdims=True)
    found = pairwise_redundancy(features, resolution="vector")
    assert float(found[0, 1]) == pytest.approx(oracle(v[0], v[1], "js"), abs=1e-6)
    with pytest.raises(InputError, match="over the images of a batch; give two"):
        pairwise_redundancy(features[:1], resolution="vector")


def test_half_precision_is_computed_in_single_precision() -> None:
    features = maps(2, 6, 9, 9).half()
    assert torch.equal(pairwise_redundancy(features), pairwise_redundancy(features.float()))


def test_the_work_space_of_the_plain_sums_is_bounded_at_the_widest_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    plain = torch.Tensor.clamp_min

    def watched(pair, *others):
        made.append(2 * pair.element_size() * pair.numel())  # of pairs, and of their logarithms
        return plain(pair, *others)

    monkeypatch.setattr(torch.Tensor, "clamp_min", watched)
    entropy_sums_torch(maps(2048, 40).abs(), memory=2**20)
    assert 2**19 < max(made) <= 2**20


@pytest.mark.parametrize(
    ("shape", "wished", "words"),
    [
        ((3, 4, 5), {}, r"must be \(B, C, H, W\), not of shape \(3, 4, 5\)"),
        ((0, 4, 5, 5), {}, "not of shape"),
        ((1, 2, 3, 3), {"metric": "cos"}, "metric 'cos' is not known; it is one of js"),
        ((1, 2, 3, 3), {"distribution": "l2"}, "distribution 'l2' is not known"),
        ((1, 2, 3, 3), {"resolution": "tiny"}, "resolution 'tiny' is not known"),
    ],
)
def test_what_cannot_be_compared_is_refused(shape, wished, words: str) -> None:
    with pytest.raises(InputError, match=words):
        pairwise_redundancy(torch.ones(shape), **wished)


def test_numbers_that_are_not_finite_are_refused() -> None:
    features = maps(1, 2, 3, 3)
    features[0, 1, 2, 2] = float("nan")
    with pytest.raises(InputError, match="not finite"):
        pairwise_redundancy(features)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
def test_on_a_device_it_is_the_same() -> None:
    features = maps(2, 40, 20, 20)
    there = pairwise_redundancy(features.cuda())
    assert torch.allclose(there.cpu(), pairwise_redundancy(features), atol=1e-5)
