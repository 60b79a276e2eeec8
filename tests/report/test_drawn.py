from __future__ import annotations

import paring
from paring.labels.examples import Pictured, Shape, shapes_of
from paring.report.drawn import drawn_layers, layer_of


class Example(Pictured):
    found: list[Shape]


def test_masks_are_with_their_images_and_tags() -> None:
    data = paring.scenes(3, seed=0)
    examples = [
        Example(7, "b.jpg", 320, 240, shapes_of(data, [0, 1], [("cat", 0.5), ("", None)])),
        Example(3, "a.jpg", 320, 240, []),
        Example(5, "c.jpg", 320, 240, shapes_of(data, [2], [("dog", 0.1)])),
    ]
    found = layer_of(examples, "found", ["dog", "cat"], hidden=False)
    assert found.images["image_id"].to_list() == [7, 3, 5]
    assert found.instances["image_id"].to_list() == [7, 7, 5]
    assert found.instances["category_id"].to_list() == [2, 1, 1]
    assert found.categories["name"].to_list() == ["dog", "cat"]
    assert found.masks == data.masks.take([0, 1, 2]).to_rle()
    hidden = layer_of(examples, "found", ["dog", "cat"], hidden=True)
    assert hidden.categories["name"].to_list() == ["tag 1", "tag 2"]
    assert len(layer_of([], "found", [], hidden=False).images) == 0


def test_outlines_of_a_layer_are_with_their_images() -> None:
    data = paring.scenes(3, seed=0)
    examples = [
        Example(1, "b.jpg", 320, 240, shapes_of(data, [0, 1], [("cat", 0.5), ("dog", 0.2)])),
        Example(2, "a.jpg", 320, 240, []),
    ]
    layers = {"found": layer_of(examples, "found", ["dog", "cat"], hidden=False)}
    first, second = drawn_layers(layers)
    assert second == {}
    assert len(first["found"]["shapes"]) == 2
    assert [place for place, _ in first["found"]["shapes"]] == [1, 0]
