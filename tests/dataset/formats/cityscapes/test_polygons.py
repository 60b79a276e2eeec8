from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from paring.dataset.formats import carry_out, read
from paring.dataset.formats.cityscapes.polygons import paint_polygons
from paring.dataset.formats.indexed import Unusable
from paring.dataset.reading import Reading
from paring.errors import InputError

SCENE = "aachen_000000_000019"


def box(label: str, x0: int, y0: int, x1: int, y1: int, **more: Any) -> dict[str, Any]:
    """A region whose pixels are x0 to x1 and y0 to y1, both with the last."""
    return {"label": label, "polygon": [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]} | more


def polygons(root: Path, objects: list[dict[str, Any]], *, height: Any = 6, width: Any = 8) -> Path:
    path = root / "gtFine" / "train" / "aachen" / f"{SCENE}_gtFine_polygons.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    value = {"imgHeight": height, "imgWidth": width, "objects": objects}
    path.write_text(json.dumps(value))
    return path


def painted(root: Path, objects: list[dict[str, Any]]) -> NDArray[np.int32]:
    return paint_polygons(polygons(root, objects), "image 1")


def test_a_region_covers_its_border_pixels(tmp_path: Path) -> None:
    values = painted(tmp_path, [box("car", 2, 1, 4, 3)])
    expected = np.zeros((6, 8), int)
    expected[1:4, 2:5] = 26000
    np.testing.assert_array_equal(values, expected)


def test_later_regions_lie_over_earlier_ones(tmp_path: Path) -> None:
    objects = [box("car", 0, 0, 4, 4), box("person", 3, 0, 6, 4), box("car", 6, 0, 7, 4)]
    values = painted(tmp_path, objects)
    assert values[2].tolist() == [26000] * 3 + [24000] * 3 + [26001] * 2
    assert painted(tmp_path, objects[::-1])[2].tolist() == [26001] * 5 + [24000] * 2 + [26000]


def test_regions_without_instances_cover_what_is_under_them(tmp_path: Path) -> None:
    objects = [box("bus", 0, 0, 7, 5), box("pole", 2, 0, 3, 5), box("trailer", 5, 0, 5, 5)]
    assert painted(tmp_path, objects)[0].tolist() == [28000, 28000, 0, 0, 28000, 0, 28000, 28000]


def test_groups_are_crowds_of_their_class_and_are_not_numbered(tmp_path: Path) -> None:
    objects = [box("car", 0, 0, 1, 5), box("cargroup", 2, 0, 3, 5), box("car", 4, 0, 5, 5)]
    objects += [box("cargroup", 6, 0, 6, 5), box("polegroup", 7, 0, 7, 5)]
    assert painted(tmp_path, objects)[0].tolist() == [26000] * 2 + [26] * 2 + [26001] * 2 + [26, 0]


def test_license_plates_and_deleted_regions_leave_no_trace(tmp_path: Path) -> None:
    objects = [
        box("car", 0, 0, 7, 5),
        box("license plate", 1, 1, 2, 2),
        box("person", 3, 3, 4, 4, deleted=1),
    ]
    assert (painted(tmp_path, objects) == 26000).all()


def test_regions_past_the_border_are_cut(tmp_path: Path) -> None:
    assert (painted(tmp_path, [box("car", -50, -50, 500, 500)]) == 26000).all()


def test_a_folder_of_polygons_reads_as_one_of_instance_maps(tmp_path: Path) -> None:
    polygons(
        tmp_path,
        [box("sky", 0, 0, 7, 5), box("cargroup", 0, 0, 3, 1), box("car", 0, 3, 2, 5)],
    )
    reading = Reading(tmp_path)
    data = carry_out(reading)
    assert data.images.rows() == [(1, f"aachen/{SCENE}_leftImg8bit.png", 8, 6)]
    assert data.instances["category_id"].to_list() == [26, 26]
    assert data.instances["iscrowd"].to_list() == [True, False]
    assert data.instances["bbox"].to_list() == [[0, 0, 4, 2], [0, 3, 3, 3]]
    assert "masks of 1 images painted from their polygons" in reading.said


@pytest.mark.parametrize(
    ("region", "message"),
    [
        (box("cra", 0, 0, 1, 1), "object 1: 'cra' is not a label of Cityscapes"),
        ({"label": "car", "polygon": [[0, 0], [1, 1]]}, "object 1: the polygon has 2 points"),
        (box("car", 0, 0, 10**9, 1), "object 1: the polygon has a vertex far outside"),
        ({"label": "car"}, "is not a Cityscapes polygon file .*polygon"),
        ({"label": "car", "polygon": [[0, "a"]] * 3}, "is not a Cityscapes polygon file"),
    ],
)
def test_a_region_that_cannot_be_painted_is_refused_by_name(
    tmp_path: Path, region: dict[str, Any], message: str
) -> None:
    polygons(tmp_path, [box("car", 0, 0, 1, 1), region])
    with pytest.raises(InputError, match=rf"{SCENE}_gtFine_polygons\.json: image .*{message}"):
        read(tmp_path)


@pytest.mark.parametrize(("height", "width"), [(0, 8), (8, -1), (10**6, 8), (90_000, 90_000)])
def test_sizes_that_are_not_believed_are_refused_before_anything_is_painted(
    tmp_path: Path, height: int, width: int
) -> None:
    path = polygons(tmp_path, [], height=height, width=width)
    with pytest.raises(Unusable, match=f"{width} x {height} pixels"):
        paint_polygons(path, "image 1")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"imgHeight": 3}', b'{"imgHeight": 1e400}', b'{"\xff": 3}']
)
def test_a_file_that_is_no_drawing_is_refused(tmp_path: Path, text: bytes) -> None:
    path = polygons(tmp_path, [])
    path.write_bytes(text)
    with pytest.raises(Unusable, match="is not a Cityscapes polygon file"):
        paint_polygons(path, "image 1")


def test_more_objects_of_a_class_than_its_numbers_are_refused(tmp_path: Path) -> None:
    objects = [box("car", 0, 0, 1, 1)] * 1000
    assert painted(tmp_path, objects)[0, 0] == 26999
    with pytest.raises(Unusable, match="more than 1000 objects 'car'"):
        painted(tmp_path, [*objects, objects[0]])
