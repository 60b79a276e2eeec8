from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from paring.dataset.labelmaps import VOID, LabelMaps, label_size, read_labels
from paring.errors import InputError


def maps(tmp_path: Path, lookup: list[int]) -> LabelMaps:
    values = np.array([[0, 1], [2, 2]], np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    paths = pl.DataFrame({"image_id": [5], "path": [str(tmp_path / "a.png")]})
    return LabelMaps(paths, np.array(lookup))


def test_stored_values_become_category_ids_and_void(tmp_path: Path) -> None:
    assert maps(tmp_path, [7, VOID, 9]).read(5).tolist() == [[7, VOID], [9, 9]]


def test_a_value_past_the_class_list_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png: pixel value 2 is not in the class list"):
        maps(tmp_path, [7, 8]).read(5)


def test_a_picture_without_label_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="image 6 has no label map"):
        maps(tmp_path, [7, 8, 9]).read(6)


def test_taking_keeps_the_maps_of_the_pictures_named(tmp_path: Path) -> None:
    both = maps(tmp_path, [7, 8, 9])
    assert len(both.take(pl.Series([5])).paths) == 1
    assert len(both.take(pl.Series([6])).paths) == 0
    assert both == maps(tmp_path, [7, 8, 9])
    assert both != maps(tmp_path, [7, 8, 10])


def test_palette_images_give_their_indices_not_their_colours(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[3, 255]], np.uint8)).convert("P")
    picture.putdata([3, 255])
    picture.putpalette([200, 10, 10] * 256)
    picture.save(tmp_path / "p.png")
    assert read_labels(tmp_path / "p.png").tolist() == [[3, 255]]


def test_sixteen_bit_labels_keep_their_values(tmp_path: Path) -> None:
    Image.fromarray(np.array([[24001, 7]], np.uint16)).save(tmp_path / "i.png")
    assert read_labels(tmp_path / "i.png").tolist() == [[24001, 7]]


def test_colours_are_no_labels_but_equal_channels_are(tmp_path: Path) -> None:
    grey = np.full((2, 2, 3), 4, np.uint8)
    Image.fromarray(grey).save(tmp_path / "g.png")
    assert read_labels(tmp_path / "g.png").tolist() == [[4, 4], [4, 4]]
    grey[0, 0, 1] = 9
    Image.fromarray(grey).save(tmp_path / "c.png")
    with pytest.raises(InputError, match="one value per pixel"):
        read_labels(tmp_path / "c.png")


def test_a_file_that_is_no_image_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"not a png")
    with pytest.raises(InputError, match=r"x\.png: the label image cannot be read"):
        read_labels(tmp_path / "x.png")


def test_label_images_larger_than_is_believed_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (6, 2)).save(tmp_path / "a.png")
    for limit, size in (("LARGEST_SIDE", 5), ("LARGEST_IMAGE", 11)):
        with monkeypatch.context() as changed:
            changed.setattr(f"paring.dataset.labelmaps.{limit}", size)
            with pytest.raises(InputError, match=r"a\.png: the label image is 6 x 2 pixels"):
                read_labels(tmp_path / "a.png")
    assert read_labels(tmp_path / "a.png").shape == (2, 6)


def test_the_size_of_a_label_image_is_height_and_width(tmp_path: Path) -> None:
    Image.new("L", (6, 2)).save(tmp_path / "a.png")
    assert label_size(tmp_path / "a.png") == (2, 6)


def test_opacity_is_no_colour(tmp_path: Path) -> None:
    Image.new("RGBA", (2, 1), (4, 4, 4, 255)).save(tmp_path / "a.png")
    assert read_labels(tmp_path / "a.png").tolist() == [[4, 4]]


def test_label_maps_of_other_files_differ() -> None:
    one, other = (
        LabelMaps(pl.DataFrame({"image_id": [1], "path": [path]}), np.array([7])) for path in "ab"
    )
    assert one != other


def test_grey_with_transparency_is_no_colour(tmp_path: Path) -> None:
    pixels = np.array([[[3, 255], [4, 0]]], np.uint8)
    Image.fromarray(pixels, mode=None).save(tmp_path / "la.png")
    assert read_labels(tmp_path / "la.png").tolist() == [[3, 4]]
