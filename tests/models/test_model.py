from typing import Any

import pytest

torch = pytest.importorskip("torch")

from paring.errors import InputError
from paring.models.model import Normalised

pytestmark = pytest.mark.torch


def test_an_image_of_the_mean_becomes_zero_and_one_deviation_more_becomes_one() -> None:
    module = Normalised([0.1, 0.2, 0.3], [0.5, 0.25, 0.125])
    image = module.mean.view(1, 3, 1, 1).expand(2, 3, 2, 2)
    assert module.normalised(image).abs().max() < 1e-7
    assert torch.allclose(module.normalised(image + module.std.view(3, 1, 1)), torch.ones(1))


def test_without_a_mean_it_is_imagenet_s() -> None:
    module = Normalised(None, None)
    assert torch.allclose(module.mean, torch.tensor([0.485, 0.456, 0.406]))
    assert torch.allclose(module.std, torch.tensor([0.229, 0.224, 0.225]))


def test_mean_and_deviation_travel_with_the_weights() -> None:
    assert set(Normalised(None, None).state_dict()) == {"mean", "std"}


@pytest.mark.parametrize(
    ("mean", "std", "words"),
    [
        ([0.5, 0.5], None, "mean must be three finite numbers"),
        ([0.5, 0.5, float("nan")], None, "mean must be three finite numbers"),
        ("abc", None, "mean must be three numbers, not 'abc'"),
        (0.5, None, "mean must be three numbers, not 0.5"),
        (None, [1, 1, 0], "std must be above 0"),
        (None, [1, "x", 1], "std must be three numbers"),
    ],
)
def test_a_normalisation_that_cannot_be_is_refused(mean: Any, std: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Normalised(mean, std)
