import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional

from paring.models import build

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model():
    return build("emcad_mobilenet_v2", ["polyp"], seed=0).eval()


def test_an_odd_image_is_padded_with_the_mean_colour_and_its_logits_are_cut(model) -> None:
    image = torch.rand(1, 3, 65, 97)
    padded = model.mean.view(1, 3, 1, 1).repeat(1, 1, 96, 128)
    padded[..., :65, :97] = image
    with torch.no_grad():
        assert torch.allclose(model(image), model(padded)[..., :65, :97], atol=1e-5)


def test_the_logits_of_an_image_that_fits_are_those_of_the_net_upsampled(model) -> None:
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        own = model.net.final(model.normalised(image))[0]
        assert own.shape == (1, 1, 16, 24)
        expected = functional.interpolate(own, size=(64, 96), mode="bilinear")
        assert torch.equal(model(image), expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (31, 33)])
def test_images_of_any_size_are_answered_in_their_size(model, size: tuple[int, int]) -> None:
    with torch.no_grad():
        assert model(torch.rand(1, 3, *size)).shape == (1, 1, *size)


@pytest.mark.parametrize(
    "name", ["deeplabv3_mobilenet_v2", "pspnet_mobilenet_v2", "unet_mobilenet_v2"]
)
def test_one_image_of_a_few_pixels_can_be_trained_on(name: str) -> None:
    model = build(name, ["a", "b"], seed=0).train()
    stages = model.stages(torch.rand(1, 3, 8, 8))
    assert all(stage.isfinite().all() for stage in stages)


def test_models_that_differ_in_normalisation_alone_differ_by_it_alone() -> None:
    one = build("emcad_mobilenet_v2", ["p"], seed=0, mean=[0, 0, 0], std=[1, 1, 1]).eval()
    two = build("emcad_mobilenet_v2", ["p"], seed=0, mean=[0.5] * 3, std=[0.5] * 3).eval()
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(two(image), one(2 * image - 1), atol=1e-5)
