from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from paring.training.moving import moved
from paring.training.resizing import Geometry

pytestmark = pytest.mark.torch


def test_tensors_and_tensors_in_lists_move_and_all_else_stays_as_it_is() -> None:
    geometry = Geometry.fit((4, 6), (2, 2), "stretch")
    batch = {
        "image": torch.zeros(2, 3, 2, 2),
        "boxes": [torch.zeros(1, 4), torch.zeros(0, 4)],
        "geometry": [geometry, geometry],
        "scale": 0.75,
    }
    there = moved(batch, torch.device("meta"))
    assert there["image"].device.type == "meta"
    assert [(len(part), part.device.type) for part in there["boxes"]] == [(1, "meta"), (0, "meta")]
    assert there["geometry"] == [geometry, geometry]
    assert there["scale"] == 0.75
    assert batch["image"].device.type == "cpu"


def test_what_is_there_already_is_not_copied() -> None:
    image = torch.rand(1, 3, 2, 2)
    assert moved({"image": image}, torch.device("cpu"))["image"] is image


def test_what_lies_deeper_moves_too() -> None:
    batch = [torch.zeros(2), ({"x": (torch.zeros(1), "name")}, 3)]
    images, (deep, number) = moved(batch, torch.device("meta"))
    inner, name = deep["x"]
    assert (images.device.type, inner.device.type) == ("meta", "meta")
    assert (name, number) == ("name", 3)
