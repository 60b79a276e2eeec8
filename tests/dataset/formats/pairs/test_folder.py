from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import paring
from paring.dataset.formats import carry_out, format_of
from paring.dataset.labelmaps import VOID
from paring.dataset.reading import Reading
from paring.dataset.table import Dataset
from paring.errors import InputError


def build(root: Path, *masks: np.ndarray, suffix: str = ".png") -> Path:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, mask in zip("abcdefgh", masks, strict=False):
        Image.new("RGB", mask.shape[::-1]).save(root / "images" / f"{name}.jpg")
        Image.fromarray(mask).save(root / "masks" / f"{name}{suffix}")
    return root


def frames(data: Dataset) -> list[np.ndarray]:
    found = []
    for row in range(len(data.masks)):
        top, left, crop = data.masks.crop(row)
        frame = np.zeros((data.masks.heights[row], data.masks.widths[row]), bool)
        frame[top : top + crop.shape[0], left : left + crop.shape[1]] = crop
        found.append(frame)
    return found


MAP = np.array(
    [
        [0, 1, 1, 0, 2],
        [0, 1, 0, 2, 0],
        [0, 0, 0, 0, 0],
        [1, 1, 0, 2, 2],
    ],
    np.uint8,
)


@pytest.mark.parametrize("high", [1, 255])
def test_black_and_white_masks_give_one_instance_an_image(tmp_path: Path, high: int) -> None:
    white = (MAP == 1).astype(np.uint8) * high
    data = paring.read(build(tmp_path, white, np.zeros((2, 3), np.uint8)), classes=["polyp"])
    assert data.images.rows() == [(1, "a.jpg", 5, 4), (2, "b.jpg", 3, 2)]
    assert data.categories.rows() == [(1, "polyp")]
    assert data.instances["image_id"].to_list() == [1]
    assert data.instances["bbox"].to_list() == [[0, 0, 3, 4]]
    assert data.instances["area"].to_list() == [5]
    np.testing.assert_array_equal(frames(data)[0], MAP == 1)
    assert data.masks.is_rle.all()


def test_masks_of_one_bit_are_black_and_white(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path, MAP == 1))
    np.testing.assert_array_equal(frames(data)[0], MAP == 1)
    assert data.categories.rows() == [(1, "foreground")]


def test_noisy_masks_in_jpeg_are_cut_at_the_middle(tmp_path: Path) -> None:
    white = np.zeros((40, 50), np.uint8)
    white[10:25, 8:33] = 255
    root = build(tmp_path, white, suffix=".jpg")
    assert len(np.unique(np.asarray(Image.open(root / "masks" / "a.jpg")))) > 2
    np.testing.assert_array_equal(frames(paring.read(root))[0], white > 0)
    maps = paring.read(root, task="semantic").label_maps
    assert maps is not None
    np.testing.assert_array_equal(maps.read(1), white > 0)


@pytest.mark.parametrize("palette", [False, True])
def test_label_maps_give_one_instance_a_class(tmp_path: Path, palette: bool) -> None:
    root = build(tmp_path, MAP)
    if palette:
        picture = Image.fromarray(MAP)
        picture.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
        picture.save(root / "masks" / "a.png")
    data = paring.read(root)
    assert data.categories.rows() == [(1, "class 1"), (2, "class 2")]
    assert data.instances["category_id"].to_list() == [1, 2]
    for frame, value in zip(frames(data), (1, 2), strict=True):
        np.testing.assert_array_equal(frame, value == MAP)


def test_components_are_regions_that_touch_by_sides_or_corners(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path, MAP), components=True)
    assert data.instances["category_id"].to_list() == [1, 1, 2, 2]
    assert data.instances["area"].to_list() == [3, 2, 2, 2]
    upper = np.zeros(MAP.shape, bool)
    upper[0, 4] = upper[1, 3] = True
    np.testing.assert_array_equal(frames(data)[2], upper)


def test_sixteen_bit_label_maps_hold_large_numbers(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path, MAP.astype(np.uint16) * 1000))
    assert data.categories.rows() == [(1000, "class 1000"), (2000, "class 2000")]
    np.testing.assert_array_equal(frames(data)[1], MAP == 2)


def test_zero_is_an_instance_where_the_names_make_it_a_class(tmp_path: Path) -> None:
    data = paring.read(build(tmp_path, MAP), classes=["sky", "road", "car"])
    assert data.categories["name"].to_list() == ["sky", "road", "car"]
    np.testing.assert_array_equal(frames(data)[0], MAP == 0)


def test_the_semantic_view_has_the_background_and_void(tmp_path: Path) -> None:
    void = MAP.copy()
    void[2, 2] = 255
    data = paring.read(build(tmp_path, void), task="semantic")
    assert data.categories["name"].to_list() == ["background", "class 1", "class 2"]
    assert len(data.instances) == 0
    assert data.label_maps is not None
    expected = MAP.astype(np.int64)
    expected[2, 2] = VOID
    np.testing.assert_array_equal(data.label_maps.read(1), expected)


def test_reduced_labels_count_down_in_both_views(tmp_path: Path) -> None:
    root = build(tmp_path, MAP)
    data = paring.read(root, reduce_zero_label=True, classes=["wall", "door"])
    assert data.categories.rows() == [(0, "wall"), (1, "door")]
    assert data.instances["category_id"].to_list() == [0, 1]
    maps = paring.read(root, reduce_zero_label=True, task="semantic").label_maps
    assert maps is not None
    np.testing.assert_array_equal(maps.read(1), np.where(MAP == 0, VOID, MAP.astype(int) - 1))


def test_a_mask_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    root = build(tmp_path, MAP, MAP, MAP, MAP, MAP, MAP)
    colour = np.zeros((4, 5, 3), np.uint8)
    colour[..., 0] = 128
    Image.fromarray(colour).save(root / "masks" / "b.png")
    (root / "masks" / "c.png").write_bytes(b"no image")
    Image.fromarray(MAP[:3]).save(root / "masks" / "d.png")
    Image.fromarray(MAP + 7).save(root / "masks" / "e.png")
    (root / "images" / "f.jpg").write_bytes(b"no image")
    reading = Reading(root, strict=False, classes=["background", "x", "y"])
    data = carry_out(reading)
    assert data.images["image_id"].to_list() == [1]
    assert [(f.record, f.message.split("(")[0].strip()[:40]) for f in reading.faults] == [
        ("image b.jpg", "a label image holds one value per pixel"),
        ("image c.jpg", "the label image cannot be read"),
        ("image d.jpg", "is 5 x 3 pixels, but the image is 5 x 4"),
        ("image e.jpg", "holds pixel value 7, which is not in the"),
        ("image f.jpg", "the image cannot be read"),
    ]
    with pytest.raises(InputError, match=r"masks/b\.png: image b\.jpg: a label image holds one"):
        paring.read(root)


def test_nothing_usable_is_refused(tmp_path: Path) -> None:
    root = build(tmp_path, MAP)
    (root / "masks" / "a.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="holds no masks that can be used"):
        carry_out(Reading(root, strict=False))


def test_fractions_are_no_classes(tmp_path: Path) -> None:
    root = build(tmp_path, MAP.astype(np.float32), suffix=".tif")
    with pytest.raises(InputError, match="holds fractions"):
        paring.read(root)


def test_label_maps_of_more_classes_than_void_allows_are_refused(tmp_path: Path) -> None:
    root = build(tmp_path, MAP.astype(np.uint16) * 300)
    with pytest.raises(InputError, match="label maps hold 255 classes"):
        paring.read(root, task="semantic")


def test_kvasir_s_masks_are_read_as_one_class(shared_data: Path) -> None:
    reading = Reading(shared_data / "kvasir", split="val", classes=["polyp"])
    data = carry_out(reading)
    assert format_of(shared_data / "kvasir").name == "pairs"
    assert len(data) == len(data.instances) == 100
    assert data.categories.rows() == [(1, "polyp")]
    for row in (0, 57):
        name = Path(data.images["file_name"][row]).with_suffix(".png").name
        mask = np.asarray(Image.open(shared_data / "kvasir" / "validation" / "masks" / name))
        np.testing.assert_array_equal(frames(data.subset([row + 1]))[0], mask)


def test_camvid_s_label_maps_are_read_with_their_void(shared_data: Path) -> None:
    names = [f"class {k}" for k in range(11)]
    for task in ("instances", "semantic"):
        data = paring.read(
            *(shared_data / "camvid",), split="val", classes=names, void=11, task=task
        )
        assert (len(data), len(data.categories)) == (101, 11)
        path = shared_data / "camvid" / "valannot" / "0016E5_07959.png"
        stored = np.asarray(Image.open(path))
        if task == "semantic":
            assert data.label_maps is not None
            expected = np.where(stored == 11, VOID, stored)
            np.testing.assert_array_equal(data.label_maps.read(1), expected)
        else:
            first = data.subset([1])
            assert first.instances["category_id"].to_list() == sorted({*stored.flat} - {11})
            for frame, value in zip(frames(first), first.instances["category_id"], strict=True):
                np.testing.assert_array_equal(frame, stored == value)
