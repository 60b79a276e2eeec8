import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch.nn import functional

from paring.models.pooling import PooledNorm, PyramidPool, averages

pytestmark = pytest.mark.torch


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    bins=st.sampled_from([1, 2, 3, 6]),
    seed=st.integers(0, 100),
)
def test_products_with_averages_are_adaptive_pooling(
    height: int, width: int, bins: int, seed: int
) -> None:
    features = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    pooled = averages(height, bins) @ features @ averages(width, bins).T
    assert torch.allclose(pooled, functional.adaptive_avg_pool2d(features, bins), atol=1e-6)


def test_a_level_of_the_pyramid_is_the_library_s_level() -> None:
    from segmentation_models_pytorch.decoders.pspnet.decoder import PSPBlock

    torch.manual_seed(0)
    level = PSPBlock(8, 4, 3).eval()
    features = torch.rand(2, 8, 7, 10)
    ours = PyramidPool(3, level.pool[1]).eval()
    with torch.no_grad():
        assert torch.allclose(ours(features), level(features), atol=1e-6)


def test_of_two_images_a_pooled_norm_is_batch_norm() -> None:
    ours, theirs = PooledNorm(5), torch.nn.BatchNorm2d(5)
    features = torch.rand(2, 5, 1, 1)
    assert torch.equal(ours(features), theirs(features))
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert torch.equal(ours.eval()(features), theirs.eval()(features))


def test_of_one_image_a_pooled_norm_trains_by_the_running_statistics_and_keeps_them() -> None:
    norm = PooledNorm(2, eps=0.0).train()
    norm.running_mean.copy_(torch.tensor([1.0, 2.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0]))
    out = norm(torch.tensor([3.0, 8.0]).view(1, 2, 1, 1))
    out.sum().backward()
    assert out.flatten().tolist() == [1.0, 2.0]
    assert norm.bias.grad.tolist() == [1.0, 1.0]
    assert norm.running_mean.tolist() == [1.0, 2.0]
    assert int(norm.num_batches_tracked) == 0
