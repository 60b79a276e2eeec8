import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import factory
import paring
from paring.dataset.formats import carry_out, format_of
from paring.dataset.labelmaps import LabelMaps
from paring.dataset.reading import Reading
from paring.dataset.table import Dataset
from paring.errors import InputError


def read(tmp_path: Path, value: Any, **options: Any) -> Dataset:
    return paring.read(factory.write_json(tmp_path / "d.json", value), **options)


def lenient(tmp_path: Path, value: Any, *, repair: bool = False) -> tuple[Dataset, Reading]:
    path = factory.write_json(tmp_path / "d.json", value)
    reading = Reading(path, strict=False, repair=repair)
    return carry_out(reading), reading


RICH = factory.coco(
    [
        factory.annotation(
            7, 2, 2, [factory.rectangle(1, 1, 5, 5)], note="two\u00e9", nested={"a": [1]}
        ),
        factory.annotation(1, 1, 1, [factory.rectangle(2, 3, 10, 5), [1, 1, 2, 2, 3, 1]]),
        factory.annotation(
            *(2, 1, 1),
            {"size": [48, 64], "counts": [10, 5, 48 * 64 - 15]},
            iscrowd=1,
            area=5,
            bbox=[0, 10, 1, 5],
        ),
        factory.annotation(
            *(3, 1, 1),
            {"size": [48, 64], "counts": "the text of the mask below"},
            area=1,
            bbox=[0, 0, 1, 1],
        ),
        factory.annotation(9, 1, 1, [], area=0, bbox=[1, 1, 2, 2]),
    ],
    licenses=[{"id": 3, "url": "x"}],
    custom={"deep": [1, {"b": None}]},
)


def rich() -> dict[str, Any]:
    from faster_coco_eval import mask as coco_mask

    value = json.loads(json.dumps(RICH))
    frame = np.zeros((48, 64), np.uint8)
    frame[4:9, 3:8] = 1
    text = coco_mask.encode(np.asfortranarray(frame))["counts"].decode()
    value["annotations"][3]["segmentation"]["counts"] = text
    return value


def test_every_kind_of_mask_is_read_as_what_it_is(tmp_path: Path) -> None:
    data = read(tmp_path, rich())
    assert data.instances["instance_id"].to_list() == [7, 1, 2, 3, 9]
    assert data.instances["iscrowd"].to_list() == [False, False, True, False, False]
    assert data.masks.is_polygon.tolist() == [True, True, False, False, False]
    assert data.masks.is_rle.tolist() == [False, False, True, True, False]
    assert [len(data.masks.polygon(k)) for k in range(5)] == [1, 2, 0, 0, 0]
    assert data.masks.polygon(1)[1].tolist() == [[1, 1], [2, 2], [3, 1]]
    assert data.masks.runs(2).tolist() == [10, 5, 48 * 64 - 15]
    top, left, crop = data.masks.crop(3)
    assert (top, left, crop.shape, int(crop.sum())) == (4, 3, (5, 5), 25)
    assert data.masks.heights.tolist() == [50, 48, 48, 48, 48]


def test_a_round_trip_keeps_every_record_as_it_came(tmp_path: Path) -> None:
    before = rich()
    data = read(tmp_path, before)
    data.write(tmp_path / "again.json")
    after = json.loads((tmp_path / "again.json").read_text())
    assert after == before
    assert list(after) == list(before)
    assert [list(a) for a in after["annotations"]] == [list(b) for b in before["annotations"]]
    assert paring.read(tmp_path / "again.json") == data


def test_records_keep_their_very_bytes(tmp_path: Path) -> None:
    record = (
        '{"id":1 ,  "image_id":1,"category_id":1,"segmentation":[[1.50,1,2,1e0,2,2]],"x":"\\u00e9"}'
    )
    text = (
        '{"images": [{"id":1,"file_name":"a","width":9,"height":9}],'
        f'"annotations":[{record}], "categories": [{{"id": 1, "name": "c"}}]}}'
    )
    (tmp_path / "d.json").write_text(text)
    paring.read(tmp_path / "d.json").write(tmp_path / "e.json")
    assert record in (tmp_path / "e.json").read_text()


def test_a_part_is_written_with_its_records_and_the_header(tmp_path: Path) -> None:
    before = rich()
    read(tmp_path, before).subset([1]).write(tmp_path / "part.json")
    after = json.loads((tmp_path / "part.json").read_text())
    assert after["annotations"] == [a for a in before["annotations"] if a["image_id"] == 1]
    assert after["images"] == before["images"][:1]
    for key in ("info", "licenses", "categories", "custom"):
        assert after[key] == before[key]


def test_a_data_set_without_records_is_written_from_its_columns(tmp_path: Path) -> None:
    data = read(tmp_path, rich())
    bare = Dataset(data.images, data.instances, data.categories, data.masks)
    bare.write(tmp_path / "bare.json")
    assert paring.read(tmp_path / "bare.json") == data


def test_missing_boxes_and_areas_come_from_the_geometry(tmp_path: Path) -> None:
    record = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[2, 3, 5, 3, 5, 7]]}
    for more in ({}, {"bbox": [], "area": None}, {"bbox": None}):
        data = read(tmp_path, factory.coco([record | more]))
        assert data.instances["bbox"].to_list() == [[2.0, 3.0, 3.0, 4.0]]
        assert data.instances["area"].to_list() == [6.0]


def test_scores_and_ignore_flags_become_columns_where_they_occur(tmp_path: Path) -> None:
    square = [factory.rectangle(1, 1, 3, 3)]
    records = [
        factory.annotation(1, 1, 1, square, score=0.5),
        factory.annotation(2, 1, 1, square, ignore=1),
    ]
    data = read(tmp_path, factory.coco(records))
    assert data.instances["score"].to_list() == [0.5, None]
    assert data.instances["ignore"].to_list() == [False, True]
    assert "score" not in read(tmp_path, factory.coco()).instances.columns


def test_a_folder_with_one_annotation_file_is_read_through_it(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    for split in ("train", "val"):
        factory.write_json(tmp_path / "annotations" / f"instances_{split}.json", factory.coco())
    assert format_of(tmp_path).name == "coco"
    assert len(paring.read(tmp_path, split="val")) == 2
    with pytest.raises(InputError, match="name one annotation file in it"):
        paring.read(tmp_path)


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(factory.coco()).encode())
    assert len(paring.read(tmp_path / "d.json")) == 2


SQUARE = [factory.rectangle(1, 1, 3, 3)]
IMAGE = {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}
NOT_USABLE: dict[str, tuple[Any, str]] = {
    "list": ([], "is not a COCO data set"),
    "number": (5, "is not a COCO data set"),
    "no images": ({"annotations": [], "categories": []}, "has no 'images'"),
    "images no list": (factory.coco() | {"images": {}}, "'images' is not a list"),
    "empty": ({"images": [], "annotations": [], "categories": []}, "holds no images"),
    "image without id": (factory.coco(images=[{"file_name": "a"}]), "image 0: lacks `id`"),
    "image size text": (
        factory.coco([], images=[IMAGE | {"width": "64"}]),
        r"image 0 \(id 1\): `width`: expected `int`, got `str`",
    ),
    "image huge": (
        factory.coco([], images=[IMAGE | {"width": 10**9}]),
        r"image 0 \(id 1\): cannot be 1000000000 x 48 pixels",
    ),
    "image negative": (factory.coco([], images=[IMAGE | {"height": -4}]), "cannot be 64 x -4"),
    "image twice": (factory.coco([], images=[IMAGE, IMAGE]), r"image 1 \(id 1\): this id occurs"),
    "image no name": (factory.coco([], images=[IMAGE | {"file_name": ""}]), "no usable file name"),
    "category twice": (
        factory.coco([], categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]),
        r"category 1 \(id 1\): this id occurs twice",
    ),
    "category no name": (factory.coco([], categories=[{"id": 1}]), r"category 0 \(id 1\): lacks"),
    "unknown image": (
        factory.coco([factory.annotation(5, 9, 1, SQUARE)]),
        r"annotation 0 \(id 5\): names image 9, which is not there",
    ),
    "unknown category": (
        factory.coco([factory.annotation(5, 1, 9, SQUARE)]),
        r"annotation 0 \(id 5\): names category 9, which is not there",
    ),
    "annotation twice": (
        factory.coco([factory.annotation(5, 1, 1, SQUARE)] * 2),
        r"annotation 1 \(id 5\): this id occurs twice",
    ),
    "annotation no id": (
        factory.coco([{"image_id": 1, "category_id": 1, "segmentation": SQUARE}]),
        "annotation 0: has no id",
    ),
    "annotation no image": (factory.coco([{"id": 4}]), r"annotation 0 \(id 4\): lacks `image_id`"),
    "annotation text id": (
        factory.coco([factory.annotation(1, 1, 1, SQUARE) | {"id": "x"}]),
        "`id`: expected `int | null`, got `str`",
    ),
    "annotation no record": (factory.coco([3]), "annotation 0: expected `object`, got `int`"),
    "nan": (
        factory.coco([factory.annotation(5, 1, 1, [[1, 1, float("nan"), 2, 3, 3]], bbox=[])]),
        r"annotation 0 \(id 5\): coordinate 'NaN' is not a finite number",
    ),
    "infinite": (
        factory.coco([factory.annotation(5, 1, 1, [[1, 1, float("inf"), 2, 3, 3]], bbox=[])]),
        r"annotation 0 \(id 5\): coordinate 'Infinity' is not a finite number",
    ),
    "far": (
        factory.coco([factory.annotation(5, 1, 1, [[1, 1, 1e12, 2, 3, 3]])]),
        r"annotation 0 \(id 5\): coordinate \(1e\+12, 2\) cannot be in an image",
    ),
    "text": (
        factory.coco([factory.annotation(5, 1, 1, [[1, 1]]) | {"segmentation": [[1, "2", 3, 4]]}]),
        r"annotation 0 \(id 5\): coordinate '2' is not a finite number",
    ),
    "odd": (
        factory.coco([factory.annotation(5, 1, 1, []) | {"segmentation": [[1, 2, 3]]}]),
        r"annotation 0 \(id 5\): polygon of 3 numbers",
    ),
    "flat": (
        factory.coco([factory.annotation(5, 1, 1, []) | {"segmentation": [1, 2, 3, 4, 5, 6]}]),
        r"annotation 0 \(id 5\): segmentation is a flat list",
    ),
    "deep": (
        factory.coco([factory.annotation(5, 1, 1, []) | {"segmentation": [[[1, 2, 3, 4]]]}]),
        r"annotation 0 \(id 5\): coordinate \[1, 2, 3, 4\] is not a finite number",
    ),
    "segmentation text": (
        factory.coco([factory.annotation(5, 1, 1, "abc")]),
        r"annotation 0 \(id 5\): segmentation is neither",
    ),
    "rle size": (
        factory.coco([factory.annotation(5, 1, 1, {"size": [64, 48], "counts": [64 * 48]})]),
        r"annotation 0 \(id 5\): run lengths of size \[64, 48\] in an image of height 48",
    ),
    "rle sum": (
        factory.coco([factory.annotation(5, 1, 1, {"size": [48, 64], "counts": [5, 6]})]),
        r"annotation 0 \(id 5\): run lengths add up to 11 pixels; the image has 3,072",
    ),
    "rle negative": (
        factory.coco([factory.annotation(5, 1, 1, {"size": [48, 64], "counts": [-5, 3077]})]),
        r"annotation 0 \(id 5\): a run length is negative or too large",
    ),
    "rle text": (
        factory.coco([factory.annotation(5, 1, 1, {"size": [48, 64], "counts": "P"})]),
        r"annotation 0 \(id 5\): compressed run lengths cannot be decoded",
    ),
    "rle without counts": (
        factory.coco([factory.annotation(5, 1, 1, {"size": [48, 64]})]),
        r"annotation 0 \(id 5\): run lengths cannot be read",
    ),
    "short box": (
        factory.coco([factory.annotation(5, 1, 1, SQUARE, bbox=[1, 2, 3])]),
        r"annotation 0 \(id 5\): `bbox` has 3 numbers instead of 4",
    ),
    "text box": (
        factory.coco([factory.annotation(5, 1, 1, SQUARE, bbox="wide")]),
        r"annotation 0 \(id 5\): `bbox`: expected",
    ),
}


@pytest.mark.parametrize("name", NOT_USABLE)
def test_what_cannot_be_used_is_named_in_one_sentence(tmp_path: Path, name: str) -> None:
    value, message = NOT_USABLE[name]
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, value, format="coco")
    assert str(tmp_path / "d.json") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cut", [1, 10, 200, -3])
def test_a_truncated_file_is_refused(tmp_path: Path, cut: int) -> None:
    (tmp_path / "d.json").write_text(json.dumps(factory.coco())[:cut])
    with pytest.raises(InputError, match="is not valid JSON"):
        paring.read(tmp_path / "d.json")


def test_brackets_without_end_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text('{"images": ' + "[" * 200_000)
    with pytest.raises(InputError, match="is not valid JSON"):
        paring.read(tmp_path / "d.json")


def test_all_refusals_are_listed_at_once_and_the_rest_is_read(tmp_path: Path) -> None:
    good = factory.annotation(1, 1, 1, SQUARE)
    bad = [value["annotations"][0] for name, (value, _) in NOT_USABLE.items() if "rle" in name]
    data, reading = lenient(
        tmp_path, factory.coco([good, *({**b, "id": 10 + k} for k, b in enumerate(bad))])
    )
    assert [f.record for f in reading.faults if f.refused] == [
        f"annotation {k + 1} (id {10 + k})" for k in range(len(bad))
    ]
    assert data.instances["instance_id"].to_list() == [1]


def test_oddities_are_told_and_kept(tmp_path: Path) -> None:
    records = [
        factory.annotation(1, 1, 1, [], area=4, bbox=[1, 1, 2, 2]),
        factory.annotation(2, 1, 1, SQUARE, area=0),
        factory.annotation(3, 1, 1, SQUARE, bbox=[60, 1, 30, 3]),
        factory.annotation(4, 1, 1, [[1, 1, 2, 2]], area=3, bbox=[1, 1, 1, 1]),
        factory.annotation(5, 1, 1, SQUARE),
    ]
    data, reading = lenient(tmp_path, factory.coco(records))
    assert len(data.instances) == 5
    assert {(f.kind, f.record) for f in reading.faults} == {
        ("empty segmentation", "annotation 0 (id 1)"),
        ("area of zero or less", "annotation 1 (id 2)"),
        ("box outside the image", "annotation 2 (id 3)"),
        ("polygon part with fewer than 3 points", "annotation 3 (id 4)"),
    }


def test_repair_renumbers_in_columns_and_records_alike(tmp_path: Path) -> None:
    records = [factory.annotation(i, 1, 1, SQUARE, note=n) for n, i in enumerate((5, 5, 8))]
    records.append({"image_id": 2, "category_id": 2, "segmentation": SQUARE})
    data, reading = lenient(tmp_path, factory.coco(records), repair=True)
    assert data.instances["instance_id"].to_list() == [5, 9, 8, 10]
    assert reading.mended == ["2 annotation ids given anew"]
    data.write(tmp_path / "mended.json")
    after = json.loads((tmp_path / "mended.json").read_text())["annotations"]
    assert [a["id"] for a in after] == [5, 9, 8, 10]
    assert after[1]["note"] == 1
    assert paring.read(tmp_path / "mended.json") == data


# -- fuzz: nothing but a clean error or a right answer -----------------------------------------

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.sampled_from([0, 1, -1, 2**31, 2**63, 10**9]),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just([[1, 2, 3, 4, 5]]),
    st.just({"size": [48, 64], "counts": "61X"}),
    st.just({"size": [10**9, 10**9], "counts": [10**18]}),
)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to every value inside a JSON value."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [here, *(p for key, v in inner for p in places(v, (*here, key)))]


def mutated(value: Any, place: tuple[Any, ...], leaf: Any, how: str) -> Any:
    if not place:
        return leaf
    copy = json.loads(json.dumps(value))
    spot = copy
    for key in place[:-1]:
        spot = spot[key]
    if how == "drop":
        del spot[place[-1]]
    elif how == "double" and isinstance(spot, list):
        spot.append(spot[place[-1]])
    else:
        spot[place[-1]] = leaf
    return copy


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_file_gives_a_clean_error_or_a_data_set_that_holds_together(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    value = rich()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(value)))
        how = data.draw(st.sampled_from(["put", "drop", "double"]))
        value = mutated(value, place, data.draw(LEAVES), how)
        if not isinstance(value, dict):
            break
    text = json.dumps(value).encode()
    if data.draw(st.booleans()):
        spot = data.draw(st.integers(0, len(text) - 1))
        text = text[:spot] + data.draw(st.binary(min_size=1, max_size=3)) + text[spot + 1 :]
    path = tmp_path_factory.mktemp("fuzz") / "d.json"
    path.write_bytes(text)
    for strict in (True, False):
        try:
            found = carry_out(Reading(path, strict=strict), format="coco")
        except InputError as error:
            assert str(path) in str(error)
            assert "\n" not in str(error)
            continue
        assert np.isfinite(found.masks.points).all()
        assert found.instances["image_id"].is_in(found.images["image_id"].implode()).all()
        pixels = found.masks.heights.astype(np.int64) * found.masks.widths
        sums = [int(found.masks.runs(k).sum()) for k in range(len(found.masks))]
        assert all(s in (0, p) for s, p in zip(sums, pixels.tolist(), strict=True))
        found.fingerprint  # noqa: B018
        if strict:
            again = path.with_name("again.json")
            found.write(again, overwrite=True)
            assert paring.read(again) == found


@pytest.mark.parametrize(
    ("name", "start"), [("d.JSON", b"[]"), ("data", b" {}"), ("data", b"\xef\xbb\xbf{}")]
)
def test_a_file_is_recognised_by_its_suffix_or_its_start(
    tmp_path: Path, name: str, start: bytes
) -> None:
    (tmp_path / name).write_bytes(start)
    assert format_of(tmp_path / name).name == "coco"


def test_other_json_files_of_a_folder_are_no_annotations(tmp_path: Path) -> None:
    factory.write_json(tmp_path / "settings.json", {"colour": "red"})
    read(tmp_path, factory.coco())
    assert len(paring.read(tmp_path)) == 2


def test_coco_has_no_semantic_view(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hold no label maps"):
        read(tmp_path, factory.coco(), task="semantic")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "cannot be 0 x 48 pixels"),
        ({"height": 0}, "cannot be 64 x 0 pixels"),
        ({"file_name": "a\0.jpg"}, "no usable file name"),
    ],
)
def test_images_at_the_border_of_what_can_be_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, factory.coco([], images=[IMAGE | change]))


def test_what_is_left_out_is_not_written_either(tmp_path: Path) -> None:
    good = factory.coco()
    bad = factory.coco()
    bad["images"].insert(0, IMAGE | {"id": 8, "width": 0})
    bad["categories"].insert(1, {"id": 1, "name": "again"})
    bad["annotations"].insert(0, factory.annotation(7, 1, 9, SQUARE))
    bad["annotations"].insert(2, factory.annotation(1, 1, 1, SQUARE))
    data, _ = lenient(tmp_path, bad)
    data.write(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == good


def test_tags_and_label_maps_are_counted_as_lost(tmp_path: Path) -> None:
    data = read(tmp_path, factory.coco())
    tags = pl.DataFrame({"image_id": [1, 2, 2], "category_id": [1, 1, 2]})
    paths = pl.DataFrame({"image_id": [1, 2], "path": ["a.png", "b.png"]})
    rich = replace(data, tags=tags, label_maps=LabelMaps(paths, np.array([1])))
    assert rich.write(tmp_path / "x.json") == {"image tags": 3, "label maps": 2}


def test_further_columns_are_written_from_every_frame(tmp_path: Path) -> None:
    data = read(tmp_path, factory.coco())
    more = pl.lit("x").alias("more")
    wider = replace(
        data,
        images=data.images.with_columns(more),
        instances=data.instances.with_columns(more),
        categories=data.categories.with_columns(more),
    )
    wider.write(tmp_path / "x.json")
    written = json.loads((tmp_path / "x.json").read_text())
    for key in ("images", "annotations", "categories"):
        assert {record["more"] for record in written[key]} == {"x"}


def test_a_file_with_constants_that_json_has_not_says_that_its_bytes_are_not_kept(
    tmp_path: Path,
) -> None:
    value = factory.coco([factory.annotation(1, 1, 1, SQUARE, note=float("nan"))])
    reading = Reading(factory.write_json(tmp_path / "d.json", value))
    data = carry_out(reading)
    assert len(data.instances) == 1
    assert any("holds NaN or Infinity" in sentence for sentence in reading.said)
