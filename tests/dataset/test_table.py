from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image

import factory
import paring
from paring.dataset.labelmaps import LabelMaps
from paring.dataset.table import Dataset
from paring.errors import InputError


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return paring.read(factory.write_json(tmp_path / "d.json", factory.coco()))


def test_a_subset_keeps_the_order_of_the_data_set_and_its_instances(data: Dataset) -> None:
    assert data.subset([2, 1]) == data
    one = data.subset([1])
    assert one.images["image_id"].to_list() == [1]
    assert one.instances["instance_id"].to_list() == [1, 2]
    assert one.masks == data.masks.take([0, 1])
    assert len(one.categories) == 2


def test_a_subset_of_an_unknown_image_is_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="image id 9 is not in the data set"):
        data.subset([1, 9])


def test_an_empty_subset_is_a_data_set(data: Dataset) -> None:
    assert len(data.subset([])) == 0


def test_parts_put_together_are_the_whole_and_keep_their_records(
    data: Dataset, tmp_path: Path
) -> None:
    whole = Dataset.concat([data.subset([1]), data.subset([2])])
    assert whole == data
    assert whole.fingerprint == data.fingerprint
    whole.write(tmp_path / "again.json")
    assert '"iso": 100' in (tmp_path / "again.json").read_text()


def test_images_that_occur_in_both_are_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="image id 1 occurs twice"):
        Dataset.concat([data, data.subset([1])])


def test_a_category_id_of_two_names_is_refused(data: Dataset) -> None:
    other = replace(data.subset([2]), categories=data.categories.with_columns(name=pl.lit("bird")))
    with pytest.raises(InputError, match="category id 1 has two names"):
        Dataset.concat([data.subset([1]), other])


def test_equality_looks_at_content_and_not_at_folders(data: Dataset, tmp_path: Path) -> None:
    assert data == replace(data, image_root=tmp_path)
    assert data != replace(data, categories=data.categories[::-1])
    assert data != "data"


def test_replacing_a_frame_drops_the_records_that_would_now_lie(data: Dataset) -> None:
    assert data.origin is not None
    renamed = data.images.with_columns(file_name=pl.lit("new.jpg") + pl.col("image_id").cast(str))
    assert replace(data, images=renamed).origin is None
    assert replace(data, image_root=None).origin is data.origin


@pytest.mark.parametrize(
    ("frame", "column", "message"),
    [
        ("images", "image_id", "image id 1 occurs twice"),
        ("instances", "instance_id", "instance id 1 occurs twice"),
        ("categories", "category_id", "category id 1 occurs twice"),
    ],
)
def test_an_id_that_occurs_twice_is_refused(
    data: Dataset, frame: str, column: str, message: str
) -> None:
    doubled = getattr(data, frame).with_columns(pl.lit(1).alias(column))
    with pytest.raises(InputError, match=message):
        replace(data, **{frame: doubled})


def test_an_instance_of_an_unknown_image_is_refused(data: Dataset) -> None:
    lost = data.instances.with_columns(image_id=pl.lit(7))
    with pytest.raises(InputError, match="instance 1 names image_id 7"):
        replace(data, instances=lost)


def test_frames_without_a_column_are_refused(data: Dataset) -> None:
    with pytest.raises(ValueError, match="images frame lacks width"):
        replace(data, images=data.images.drop("width"))


def test_tags_follow_their_images(data: Dataset) -> None:
    tags = pl.DataFrame({"image_id": [1, 2, 2], "category_id": [1, 1, 2]})
    tagged = replace(data, tags=tags)
    assert tagged.subset([2]).tags["category_id"].to_list() == [1, 2]
    assert tagged != data


def test_images_are_read_as_rgb_when_asked_for(data: Dataset, tmp_path: Path) -> None:
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[..., 0] = 200
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])
    names = pl.Series("file_name", ["a.png", "gone.png"])
    there = replace(data, images=data.images.with_columns(names), image_root=tmp_path)
    assert np.array_equal(there.read_image(1), pixels)
    with pytest.raises(InputError, match=r"gone\.png: the image does not exist"):
        there.read_image(2)
    with pytest.raises(InputError, match="the folder of image 'a.png' is not known"):
        replace(there, image_root=None).read_image(1)


def test_a_data_set_says_what_it_is(data: Dataset) -> None:
    assert repr(data) == "Dataset(2 images, 3 instances, 2 categories)"
    assert len(data) == 2


def test_recomputing_takes_area_and_box_from_the_masks_and_keeps_the_rest(
    tmp_path: Path,
) -> None:
    square = [factory.rectangle(2, 3, 10, 5)]
    records = [
        factory.annotation(1, 1, 1, square, area=999, bbox=[0, 0, 1, 1], note="kept"),
        factory.annotation(2, 1, 1, [], area=7, bbox=[5, 5, 2, 2]),
    ]
    data = paring.read(factory.write_json(tmp_path / "d.json", factory.coco(records)))
    fresh = data.recomputed()
    assert fresh.instances["area"].to_list() == [50.0, 7.0]
    assert fresh.instances["bbox"].to_list() == [[2.0, 3.0, 10.0, 5.0], [5.0, 5.0, 2.0, 2.0]]
    fresh.write(tmp_path / "fresh.json")
    assert paring.read(tmp_path / "fresh.json") == fresh
    assert '"note":"kept"' in (tmp_path / "fresh.json").read_text()
    assert data.instances["area"].to_list() == [999.0, 7.0]


def mapped(data: Dataset, folder: str = "labels", last: str = "b.png") -> Dataset:
    """The same with a label map for each image."""
    paths = pl.DataFrame({"image_id": [1, 2], "path": [f"{folder}/a.png", f"{folder}/{last}"]})
    return replace(data, label_maps=LabelMaps(paths, np.array([1, 2])))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"image_id": [9], "category_id": [1]}, "tag names image_id 9"),
        ({"image_id": [1], "category_id": [9]}, "tag names category_id 9"),
    ],
)
def test_a_tag_of_what_is_not_there_is_refused(data: Dataset, tags: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(data, tags=pl.DataFrame(tags))


def test_an_instance_of_an_unknown_category_is_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="instance 1 names category_id 7"):
        replace(data, instances=data.instances.with_columns(category_id=pl.lit(7)))


def test_as_many_masks_as_instances_are_asked_for(data: Dataset) -> None:
    with pytest.raises(ValueError, match="2 masks for 3 instances"):
        replace(data, masks=data.masks.take([0, 1]))


def test_equality_looks_at_masks_and_label_maps(data: Dataset) -> None:
    assert data != replace(data, masks=data.masks.take([1, 0, 2]))
    assert mapped(data) == mapped(data)
    assert mapped(data) != mapped(data, last="c.png")


def test_label_maps_count_in_the_fingerprint_by_their_names_alone(data: Dataset) -> None:
    assert mapped(data).fingerprint != data.fingerprint
    assert mapped(data).fingerprint != mapped(data, last="c.png").fingerprint
    assert mapped(data).fingerprint == mapped(data, folder="elsewhere").fingerprint


def test_label_maps_follow_their_images(data: Dataset) -> None:
    assert mapped(data).subset([2]).label_maps.paths["image_id"].to_list() == [2]


def test_data_sets_with_label_maps_are_not_put_together(data: Dataset) -> None:
    with pytest.raises(InputError, match="label maps cannot be put together"):
        Dataset.concat([mapped(data).subset([1]), data.subset([2])])


def test_nothing_cannot_be_put_together() -> None:
    with pytest.raises(InputError, match="nothing to put together"):
        Dataset.concat([])


def test_tags_stay_when_parts_are_put_together(data: Dataset) -> None:
    tags = pl.DataFrame({"image_id": [1, 2], "category_id": [1, 2]})
    tagged = replace(data, tags=tags)
    assert Dataset.concat([tagged.subset([1]), tagged.subset([2])]) == tagged


def test_a_folder_of_images_stays_only_where_all_parts_share_it(
    data: Dataset, tmp_path: Path
) -> None:
    here = replace(data, image_root=tmp_path)
    assert Dataset.concat([here.subset([1]), here.subset([2])]).image_root == tmp_path
    there = replace(data, image_root=tmp_path / "other")
    assert Dataset.concat([here.subset([1]), there.subset([2])]).image_root is None


def test_a_column_that_only_one_part_has_stays(data: Dataset) -> None:
    scored = replace(data, instances=data.instances.with_columns(score=pl.lit(0.5)))
    both = Dataset.concat([scored.subset([1]), data.subset([2])])
    assert both.instances["score"].to_list() == [0.5, 0.5, None]


def test_records_of_two_formats_are_not_mixed(data: Dataset) -> None:
    part = data.subset([2])
    other = replace(part, origin=replace(part.origin, format="yolo"))
    assert Dataset.concat([data.subset([1]), other]).origin is None


def test_categories_put_together_are_written_once(data: Dataset, tmp_path: Path) -> None:
    Dataset.concat([data.subset([1]), data.subset([2])]).write(tmp_path / "again.json")
    assert paring.read(tmp_path / "again.json") == data


def test_the_path_of_an_unknown_image_is_refused(data: Dataset) -> None:
    with pytest.raises(InputError, match="image id 9 is not in the data set"):
        data.image_path(9)


def test_an_image_that_is_there_but_broken_is_named(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a\.jpg: the image cannot be decoded"):
        replace(data, image_root=tmp_path).read_image(1)


def test_instances_follow_images_whose_ids_are_in_no_order(data: Dataset) -> None:
    turned = replace(data, images=data.images[::-1])
    assert turned.image_rows.tolist() == [1, 1, 0]
    assert turned.subset([2]).instances["instance_id"].to_list() == [3]


def test_recomputing_leaves_records_of_other_formats_as_they_came(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder / "train").mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(tmp_path / "images" / "train" / "a.png")
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 0 0 0.5 0 0 1\n")
    (tmp_path / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [cat]\n")
    data = paring.read(tmp_path)
    assert list(data.recomputed().origin.instances) == list(data.origin.instances)
