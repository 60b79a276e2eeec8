import gc
from pathlib import Path
from typing import Any

import pytest

import factory
import paring
from paring.dataset.formats import carry_out
from paring.dataset.formats.coco import annotations as coco_annotations
from paring.dataset.reading import Reading


def test_chunks_do_not_change_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        factory.annotation(100 - k, 1 + k % 2, 1 + k % 2, [factory.rectangle(k % 7, 1, 3, 4)])
        for k in range(50)
    ]
    records[17]["score"] = 0.5
    path = factory.write_json(tmp_path / "d.json", factory.coco(records))
    whole = paring.read(path)
    monkeypatch.setattr(coco_annotations, "CHUNK", 7)
    steps: list[tuple[int, int]] = []
    chunked = paring.read(path, progress=lambda _, done, total: steps.append((done, total)))
    assert chunked == whole
    assert chunked.instances["score"].to_list()[17] == 0.5
    assert list(chunked.origin.instances) == list(whole.origin.instances)
    assert steps == [(min(k, 50), 50) for k in range(7, 57, 7)]


def test_an_id_repeated_across_chunks_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco_annotations, "CHUNK", 2)
    records = [factory.annotation(i, 1, 1, [factory.rectangle(1, 1, 3, 3)]) for i in (1, 2, 3, 1)]
    path = factory.write_json(tmp_path / "d.json", factory.coco(records))
    with pytest.raises(paring.InputError, match=r"annotation 3 \(id 1\): this id occurs twice"):
        paring.read(path)


SQUARE = [factory.rectangle(1, 1, 3, 3)]


def lenient(tmp_path: Path, records: list[Any], **more: Any) -> Reading:
    path = factory.write_json(tmp_path / "d.json", factory.coco(records, **more))
    reading = Reading(path, strict=False)
    carry_out(reading)
    return reading


def test_masks_have_the_size_of_their_image_whatever_the_order_of_ids(tmp_path: Path) -> None:
    images = [
        {"id": 7, "file_name": "a", "width": 64, "height": 48},
        {"id": 3, "file_name": "b", "width": 40, "height": 50},
    ]
    records = [factory.annotation(1, 7, 1, SQUARE), factory.annotation(2, 3, 1, SQUARE)]
    path = factory.write_json(tmp_path / "d.json", factory.coco(records, images=images))
    masks = paring.read(path).masks
    assert masks.widths.tolist() == [64, 40]
    assert masks.heights.tolist() == [48, 50]


def test_garbage_is_collected_again_after_reading(tmp_path: Path) -> None:
    paring.read(factory.write_json(tmp_path / "d.json", factory.coco()))
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("box", "odd"),
    [
        ([0, 0, 64, 48], False),
        ([-0.5, 0, 9, 9], False),
        ([-0.6, 0, 9, 9], True),
        ([60, 0, 4.5, 9], False),
        ([60, 0, 4.6, 9], True),
        ([0, 40, 9, 8.6], True),
    ],
)
def test_a_box_may_pass_the_border_by_half_a_pixel(
    tmp_path: Path, box: list[float], odd: bool
) -> None:
    reading = lenient(tmp_path, [factory.annotation(1, 1, 1, SQUARE, bbox=box, area=9)])
    assert [f.kind for f in reading.faults] == ["box outside the image"] * odd


def test_oddities_are_named_by_their_place_in_the_file_and_not_of_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco_annotations, "CHUNK", 2)
    records = [factory.annotation(i, 1, 1, SQUARE) for i in (1, 2)]
    records.append(factory.annotation(3, 9, 1, SQUARE, area=0, bbox=[1, 1, 3, 3]))
    records.append(factory.annotation(4, 1, 1, SQUARE, area=0, bbox=[1, 1, 3, 3]))
    found = [(f.kind, f.record) for f in lenient(tmp_path, records).faults]
    assert found == [
        ("unusable annotation", "annotation 2 (id 3)"),
        ("area of zero or less", "annotation 3 (id 4)"),
    ]


def test_ignore_is_false_in_chunks_that_do_not_speak_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco_annotations, "CHUNK", 1)
    records = [factory.annotation(1, 1, 1, SQUARE), factory.annotation(2, 1, 1, SQUARE, ignore=1)]
    data = paring.read(factory.write_json(tmp_path / "d.json", factory.coco(records)))
    assert data.instances["ignore"].to_list() == [False, True]
