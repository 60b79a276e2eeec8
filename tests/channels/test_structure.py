from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import segmentation_models_pytorch as smp
import timm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models as tv

from narrowed import image, masked
from paring.channels.groups import remove
from paring.channels.structure import find_structure
from paring.channels.tracing import call, trained
from paring.errors import InputError
from paring.models import build
from paring.models.calling import tensors_of

pytestmark = pytest.mark.torch

NETWORKS = {
    "resnet50": tv.resnet50,
    "resnet18": tv.resnet18,
    "mobilenet_v2": tv.mobilenet_v2,
    "mobilenet_v3_small": tv.mobilenet_v3_small,
    "regnet_y_400mf": tv.regnet_y_400mf,
    "efficientnet_b0": tv.efficientnet_b0,
    "lraspp": lambda: tv.segmentation.lraspp_mobilenet_v3_large(weights_backbone=None),
    "timm mobilenetv3": lambda: timm.create_model("mobilenetv3_small_050"),
    "timm seresnet": lambda: timm.create_model("legacy_seresnet18"),
    "smp unet": lambda: smp.Unet("resnet18", encoder_weights=None),
    "smp unet scse": lambda: smp.Unet(
        "mobilenet_v2", encoder_weights=None, decoder_attention_type="scse"
    ),
    "smp unet++": lambda: smp.UnetPlusPlus("resnet18", encoder_weights=None),
    "smp linknet": lambda: smp.Linknet("resnet18", encoder_weights=None),
    "smp deeplabv3+": lambda: smp.DeepLabV3Plus("resnet18", encoder_weights=None),
    "smp segformer": lambda: smp.Segformer("mit_b0", encoder_weights=None),
    "deeplabv3plus_mobilenet_v2": lambda: build("deeplabv3plus_mobilenet_v2", ["a", "b"]),
    "pspnet_mobilenet_v2": lambda: build("pspnet_mobilenet_v2", ["a", "b"]),
}


def uneven(model: nn.Module) -> nn.Module:
    """The model as if trained: with norms that differ from channel to channel."""
    torch.manual_seed(1)
    for part in model.modules():
        if isinstance(part, _BatchNorm):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.3)
            nn.init.normal_(part.running_mean, std=0.1)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    return model.eval()


def half_of(groups, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(g.size, g.size // 2, replace=False)) for g in groups]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_without_channels_is_the_one_whose_channels_are_zero(name: str) -> None:
    torch.manual_seed(0)
    model, x = uneven(NETWORKS[name]()), image(1, 3, 64, 64)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    found = find_structure(model, x)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    removed = half_of(found.groups)
    small = copy.deepcopy(model)
    remove(small, found.groups, removed)
    with torch.no_grad():
        ours, expected = (
            tensors_of(call(m, x)) for m in (small, masked(model, found.groups, removed))
        )
        whole = tensors_of(call(model, x))
    assert sum(p.numel() for p in small.parameters()) < 0.8 * sum(
        p.numel() for p in model.parameters()
    )
    for one, other, plain in zip(ours, expected, whole, strict=True):
        scale = float(other.abs().max())
        assert float((one - other).abs().max()) < 1e-5 * scale
        assert float((plain - other).abs().max()) > 1e-3 * scale


def of_ssd(model: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """What an SSD gives at each place, before it becomes boxes."""
    features = list(model.backbone(x).values())
    heads = (model.head.classification_head, model.head.regression_head)
    return [one(f) for head in heads for one, f in zip(head.module_list, features, strict=True)]


def test_a_detector_is_followed_to_its_heads_by_a_forward_of_ones_own() -> None:
    torch.manual_seed(0)
    model = tv.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)
    model, x = uneven(model), image(1, 3, 320, 320)
    found = find_structure(model, x, forward=of_ssd)
    assert sum("an output" in why for why in found.left_alone.values()) == 12
    removed = half_of(found.groups)
    small = copy.deepcopy(model)
    remove(small, found.groups, removed)
    with torch.no_grad():
        ours, expected = of_ssd(small, x), of_ssd(masked(model, found.groups, removed), x)
        assert len(small([x[0]])[0]["boxes"]) == len(small([x[0]])[0]["scores"])
    assert sum(p.numel() for p in small.parameters()) < 0.5 * sum(
        p.numel() for p in model.parameters()
    )
    for one, other in zip(ours, expected, strict=True):
        assert float((one - other).abs().max()) < 1e-5 * float(other.abs().max())


def test_solo_is_followed_to_what_its_cells_tell() -> None:
    options = {"head_width": 64, "head_layers": 2, "fpn_channels": 32, "mask_width": 16}
    model = uneven(build("solov2_mobilenet_v2_fpn", ["a", "b"], seed=0, **options))
    x = [image(3, 64, 64)]
    found = find_structure(model, x)
    outputs = {layer for layer, why in found.left_alone.items() if "an output" in why}
    assert outputs == {"head.category", "head.kernel", "mask_features.last.0"}
    # the mean over a group of channels is another where the group has fewer: those stay here
    groups = [group for group in found.groups if group.name.startswith("backbone")]
    assert len(found.groups) - len(groups) == 4
    removed = half_of(groups)
    small = copy.deepcopy(model)
    remove(small, groups, removed)
    with torch.no_grad():
        ours, expected = (trained(m, x) for m in (small, masked(model, groups, removed)))
        assert small(x)[0]["masks"].shape[1:] == (1, 64, 64)
    for one, other in zip(tensors_of(ours), tensors_of(expected), strict=True):
        assert float((one - other).abs().max()) < 1e-5 * float(other.abs().max())


class Twice(nn.Module):
    """A layer is used twice, on what others and on what itself gave."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        x = self.shared(self.first(x).relu()).relu()
        return {"out": self.last(self.shared(x).relu()), "aux": [self.last(x)]}


def test_a_layer_used_twice_has_one_choice_of_channels() -> None:
    model, x = uneven(Twice()), image(1, 3, 8, 8)
    found = find_structure(model, x)
    assert names(found) == {"first": (8, ("first", "shared"))}
    removed = half_of(found.groups)
    small = copy.deepcopy(model)
    remove(small, found.groups, removed)
    with torch.no_grad():
        pairs = zip(
            tensors_of(small(x)),
            tensors_of(masked(model, found.groups, removed)(x)),
            strict=True,
        )
    for one, other in pairs:
        assert float((one - other).abs().max()) < 1e-5


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.Conv2d(8, 12, 3, padding=1)
        self.back = nn.Conv2d(12, 8, 3, padding=1)
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        x = self.first(x).relu()
        return {"out": [self.last((x + self.back(self.inner(x).relu())).relu())]}


def names(found) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {group.name: (group.size, group.makers) for group in found.groups}


def test_layers_that_are_added_are_one_choice_and_outputs_may_lie_deep() -> None:
    found = find_structure(Residual(), image(1, 3, 8, 8))
    assert names(found) == {"first": (8, ("first", "back")), "inner": (12, ("inner",))}
    assert dict(found.left_alone) == {"last": "its channels are an output of the network"}


def test_what_is_ignored_stays_with_its_inputs_and_what_is_added_to_it() -> None:
    net = nn.Sequential(nn.Conv2d(3, 6, 1), nn.Conv2d(6, 5, 1), nn.Conv2d(5, 4, 1), Residual())
    net[3].first = nn.Conv2d(4, 8, 1)
    found = find_structure(net, image(1, 3, 8, 8), ignored=["3"])
    assert [group.name for group in found.groups] == ["0", "1"]
    assert found.left_alone["2"] == "3.first is to be ignored"
    assert found.left_alone["3.inner"] == "3.inner is to be ignored"


class Fixed(nn.Module):
    """Its middle is reshaped to a number of channels that is written down."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 6, 1)
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        x = self.a(x)
        return self.last(self.b(x.reshape(x.shape[0], 8, *x.shape[2:])))


def test_a_layer_without_a_channel_of_which_the_network_does_not_run_is_left_alone() -> None:
    found = find_structure(Fixed(), image(1, 3, 8, 8))
    assert [group.name for group in found.groups] == ["b"]
    assert "the network does not run" in found.left_alone["a"]


class Shown(nn.Module):
    """It also gives its middle, cut off from the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 6, 1)
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        x = self.b(self.a(x))
        return self.last(x), x.detach()


def test_a_layer_whose_channels_are_seen_in_an_output_by_another_way_is_left_alone() -> None:
    found = find_structure(Shown(), image(1, 3, 8, 8))
    assert [group.name for group in found.groups] == ["a"]
    assert "output has another shape" in found.left_alone["b"]


@pytest.mark.parametrize(
    ("net", "x", "more", "words"),
    [
        (nn.Conv2d(3, 8, 1), (1, 4, 8, 8), {}, "Conv2d cannot be followed on the example"),
        (nn.Conv2d(3, 8, 1), (1, 3, 8, 8), {}, "no layer can lose a channel; .* an output"),
        (nn.ReLU(), (1, 3, 8, 8), {}, "ReLU gives no tensor that depends on its weights"),
        (Residual(), (1, 3, 8, 8), {"ignored": ["nowhere"]}, "has no module 'nowhere'"),
    ],
)
def test_what_cannot_be_pruned_is_one_sentence(net, x, more, words: str) -> None:
    with pytest.raises(InputError, match=words):
        find_structure(net, image(*x), **more)
