from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from narrowed import image, masked
from paring.channels.groups import remove
from paring.channels.structure import find_structure
from paring.channels.tracing import call
from paring.models.calling import tensors_of

pytestmark = pytest.mark.torch


def names(found) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {group.name: (group.size, group.makers) for group in found.groups}


class Joined(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 6, 1)
        self.each = nn.Conv2d(10, 10, 3, groups=10)
        self.last = nn.Conv2d(10, 2, 1)

    def forward(self, x):
        return self.last(self.each(torch.cat([self.a(x), self.b(x)], 1)))


def test_layers_side_by_side_are_choices_of_their_own_even_through_one_depthwise() -> None:
    found = find_structure(Joined(), image(1, 3, 8, 8))
    assert names(found) == {"a": (4, ("a", "each")), "b": (6, ("b", "each"))}
    assert found.groups[1].places_out("each").ravel().tolist() == [4, 5, 6, 7, 8, 9]


def test_a_layer_used_twice_couples_what_it_reads() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 6, 1), nn.Conv2d(3, 6, 1)
            self.shared = nn.Conv2d(6, 2, 1)

        def forward(self, x):
            return [self.shared(self.a(x).relu()), self.shared(self.b(x).relu())]

    net, x = Twice(), image(1, 3, 8, 8)
    found = find_structure(net, x)
    assert names(found) == {"a": (6, ("a", "b"))}
    small = copy.deepcopy(net)
    remove(small, found.groups, [[2, 4]])
    for one, other in zip(small(x), masked(net, found.groups, [[2, 4]])(x), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_an_example_is_a_tensor_or_all_arguments() -> None:
    class Two(nn.Module):
        def forward(self, a, b):
            return a - b

    a, b = torch.ones(2), torch.zeros(2)
    assert torch.equal(call(Two(), (a, b)), a)
    assert torch.equal(call(Two(), {"b": a, "a": b}), -a)
    assert tensors_of([call(nn.Identity(), a), {"x": (b, None)}, "text"]) == [a, b]
