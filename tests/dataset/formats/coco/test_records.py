from pathlib import Path

import msgspec
import pytest

from paring.dataset.formats.coco.records import decoded, listed, name_of, plain
from paring.dataset.reading import Reading
from paring.errors import InputError


class Thing(msgspec.Struct):
    id: int
    size: list[int] = []


def test_records_that_fit_are_decoded_with_their_rows_and_the_others_named() -> None:
    reading = Reading(Path("d.json"), strict=False)
    raws = listed(b'[{"id": 1}, {"id": "x"}, 7, {"id": 4, "size": [1]}]', "things", reading)
    records, rows = decoded(raws, Thing, "thing", reading, first=10)
    assert [(r.id, r.size) for r in records] == [(1, []), (4, [1])]
    assert rows == [0, 3]
    assert [(f.record, f.message) for f in reading.faults] == [
        ('thing 11 (id "x")', "`id`: expected `int`, got `str`"),
        ("thing 12", "expected `object`, got `int`"),
    ]


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(InputError, match="'things' is not a list"):
        listed(b"{}", "things", Reading(Path("d.json")))


def test_a_record_is_called_by_place_and_id() -> None:
    assert name_of("image", 3, b'{"id": 12}') == "image 3 (id 12)"
    assert name_of("image", 3, b"{}") == "image 3"
    assert name_of("image", 3, b"[broken") == "image 3"


def test_messages_name_the_field_first() -> None:
    try:
        msgspec.json.decode(b'{"id": 1, "size": ["a"]}', type=Thing)
    except msgspec.ValidationError as error:
        assert plain(error) == "`size[0]`: expected `int`, got `str`"
