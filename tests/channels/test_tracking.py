from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import timm
from torch import nn

from narrowed import image
from paring.channels.groups import cuts_of, remove
from paring.channels.redundancy import pairwise_redundancy
from paring.channels.structure import find_structure
from paring.channels.tracking import calibrate, images_of, track
from paring.errors import InputError
from paring.models.cuts import apply_cuts

pytestmark = pytest.mark.torch


class Added(nn.Module):
    """Two layers that are added, one with a norm, then a layer that loses nothing."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.two = nn.Conv2d(3, 6, 1)
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        return self.last(self.norm(self.one(x)).relu() + self.two(x))


def weights_of(features: torch.Tensor) -> np.ndarray:
    return 1 - pairwise_redundancy(features.detach()).double().numpy()


def test_layers_of_a_group_are_averaged_each_after_its_norm() -> None:
    net, x = Added(), image(2, 3, 12, 12)
    found = find_structure(net, x)
    with track(net, found) as tracker:
        net(x)
    seen = copy.deepcopy(net)
    expected = (weights_of(seen.norm(seen.one(x))) + weights_of(seen.two(x))) / 2
    np.fill_diagonal(expected, 0)
    got = tracker.edge_weights(found.groups[0])
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_the_average_moves_by_its_decay_and_makes_up_for_its_start() -> None:
    net = Added()
    batches = [image(2, 3, 12, 12) ** (k + 1) for k in range(4)]
    found = find_structure(net, batches[0])
    tracker = calibrate(net, batches, structure=found, decay=0.9)
    net.eval()
    total, weight = np.zeros((6, 6)), 0.0
    for x in batches:
        new = (weights_of(net.norm(net.one(x))) + weights_of(net.two(x))) / 2
        total, weight = 0.9 * total + 0.1 * new, 0.9 * weight + 0.1
    np.fill_diagonal(total, 0)
    np.testing.assert_allclose(tracker.edge_weights(found.groups[0]), total / weight, atol=1e-6)
    assert tracker.times(found.groups[0]) == 4


def test_only_passes_with_gradients_count_and_only_each_nth() -> None:
    net, x = Added(), image(2, 3, 12, 12)
    found = find_structure(net, x)
    with track(net, found, every=3) as tracker:
        with torch.no_grad():
            net(x)
        assert tracker.edge_weights(found.groups[0]) is None
        for _ in range(7):
            net(x)
    assert tracker.times(found.groups[0]) == 3
    net(x)
    assert tracker.times(found.groups[0]) == 3


def test_a_norm_with_its_activation_inside_is_heard_before_that() -> None:
    net = timm.create_model("mobilenetv3_small_050").eval()
    x = image(2, 3, 64, 64)
    found = find_structure(net, x)
    tracker = calibrate(net, [x], structure=found)
    group = next(g for g in found.groups if "blocks.1.0.conv_pw" in g.makers)
    bn = net.get_submodule(found.norms["blocks.1.0.conv_pw"])
    heard = []
    bn.act.register_forward_pre_hook(lambda _, given: heard.append(given[0].detach().clone()))
    net(x)
    got = tracker.edge_weights(group)
    part = weights_of(heard[0])
    assert float(heard[0].min()) < 0
    dw = next(m for m in group.makers if m.endswith("conv_dw"))
    heard.clear()
    net.get_submodule(found.norms[dw]).act.register_forward_pre_hook(
        lambda _, given: heard.append(given[0].detach().clone())
    )
    net(x)
    expected = (part + weights_of(heard[-1])) / 2
    np.fill_diagonal(expected, 0)
    makers = [m for m in group.makers if not m.split(".")[-1].startswith("conv_expand")]
    assert len(makers) == 2
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_maps_of_one_pixel_are_compared_over_the_images() -> None:
    class Gate(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.last = nn.Linear(3, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.last(self.inner(x.mean((2, 3))).relu())

    net, x = Gate(), image(4, 3, 6, 6)
    found = find_structure(net, x)
    tracker = calibrate(net, [x], structure=found)
    vectors = net.inner(x.mean((2, 3)))[..., None, None]
    expected = 1 - pairwise_redundancy(vectors, resolution="vector").double().numpy()
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(tracker.edge_weights(found.groups[0]), expected, atol=1e-6)
    alone = calibrate(net, [x[:1]], structure=found)
    assert alone.edge_weights(found.groups[0]) is None


class Tokens(nn.Module):
    """A linear layer on places, whose channels come last."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.last = nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, x):
        return self.last(self.inner(x.flatten(2).transpose(1, 2)).relu())


def test_tokens_have_their_channels_last() -> None:
    net, x = Tokens(), image(2, 3, 5, 6)
    found = find_structure(net, x)
    tracker = calibrate(net, [x], structure=found)
    features = net.inner(x.flatten(2).transpose(1, 2)).transpose(1, 2)[:, :, None]
    expected = weights_of(features)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(tracker.edge_weights(found.groups[0]), expected, atol=1e-6)


class Gated(nn.Module):
    """Maps that are multiplied by one number a channel, as in squeeze-and-excitation."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps, self.gate = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(3, 6, 1)
        self.last = nn.Conv2d(6, 2, 1)

    def forward(self, x):
        return self.last(self.maps(x) * self.gate(x.mean((2, 3), keepdim=True)).sigmoid())


def test_maps_of_one_pixel_do_not_count_beside_larger_ones() -> None:
    net, x = Gated(), image(2, 3, 8, 8)
    found = find_structure(net, x)
    assert found.groups[0].makers == ("maps", "gate")
    tracker = calibrate(net, [x], structure=found)
    expected = weights_of(net.maps(x))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(tracker.edge_weights(found.groups[0]), expected, atol=1e-6)


def test_averages_are_sliced_with_the_network_and_go_on_or_begin_anew() -> None:
    net, x = Added(), image(2, 3, 12, 12)
    found = find_structure(net, x)
    tracker = track(net, found)
    net(x)
    before = tracker.edge_weights(found.groups[0])
    removed, stay = [np.array([1, 4])], [0, 2, 3, 5]
    cuts = cuts_of(net, found.groups, removed)
    apply_cuts(net, cuts)
    narrower = found.without(removed, cuts)
    tracker.cut(narrower, cuts)
    tracker.listen(net)
    np.testing.assert_array_equal(
        tracker.edge_weights(narrower.groups[0]), before[np.ix_(stay, stay)]
    )
    net(x)
    assert tracker.times(narrower.groups[0]) == 2
    tracker.cut(narrower, {}, restart=True)
    assert tracker.edge_weights(narrower.groups[0]) is None
    tracker.close()


def test_a_network_that_is_cut_without_its_tracker_is_refused() -> None:
    net, x = Added(), image(2, 3, 12, 12)
    found = find_structure(net, x)
    with track(net, found):
        net(x)
        remove(net, found.groups, [[1]])
        with pytest.raises(InputError, match="layer one gives 5 channels where 6 were gathered"):
            net(x)


def test_what_was_gathered_goes_on_in_another_tracker() -> None:
    net, x = Added(), image(2, 3, 12, 12)
    found = find_structure(net, x)
    whole, first, second = (track(net, found, every=2) for _ in range(3))
    whole.close(), second.close()
    for _ in range(3):
        net(x)
    first.close()
    second.load_state_dict(first.state_dict())
    second.listen(net), whole.load_state_dict(first.state_dict()), whole.listen(net)
    net(x), net(x**2)
    got, expected = (t.edge_weights(found.groups[0]) for t in (second, whole))
    np.testing.assert_array_equal(got, expected)
    assert second.times(found.groups[0]) == 3


def test_a_channel_that_is_zero_everywhere_has_no_edge() -> None:
    net, x = Added(), image(2, 3, 12, 12)
    net.norm.weight.data[2] = net.norm.bias.data[2] = 0
    net.two.weight.data[2] = net.two.bias.data[2] = 0
    found = find_structure(net, x)
    weights = calibrate(net, [x], structure=found).edge_weights(found.groups[0])
    assert not weights[2].any()
    assert not weights[:, 2].any()
    assert weights[0, 1] > 0


def test_calibrating_leaves_the_network_as_it_was_and_takes_so_many_batches() -> None:
    net = Added().train()
    before = copy.deepcopy(net.state_dict())
    tracker = calibrate(net, ({"image": image(2, 3, 8, 8), "k": 1} for _ in range(9)), batches=2)
    assert net.training
    assert net.norm.training
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert tracker.times(tracker.structure.groups[0]) == 2


@pytest.mark.parametrize(
    ("wished", "says"),
    [
        ({"metric": "cosine"}, "metric 'cosine' is not known; it is one of js, hellinger"),
        ({"resolution": "eighth"}, "resolution 'eighth' is not known"),
        ({"decay": 1.0}, "decay 1 cannot be"),
        ({"every": 0}, "every 0 cannot be"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_heard(wished: dict, says: str) -> None:
    net = Added()
    with pytest.raises(InputError, match=says):
        track(net, find_structure(net, image(1, 3, 8, 8)), **wished)


def test_batches_without_images_and_features_without_numbers_are_said() -> None:
    with pytest.raises(InputError, match="a batch has pixels, k and no image"):
        images_of({"pixels": 0, "k": 1})
    with pytest.raises(InputError, match="the loader gives no batch"):
        calibrate(Added(), [])
    with pytest.raises(InputError, match="batches 0 cannot be"):
        calibrate(Added(), [image(1, 3, 8, 8)], batches=0)
    net, x = Added(), image(1, 3, 8, 8)
    found = find_structure(net, x)
    net.two.weight.data[0] = float("nan")
    with pytest.raises(InputError, match="layer two: features hold numbers that are not finite"):
        calibrate(net, [x], structure=found)
