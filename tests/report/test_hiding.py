import hashlib
import hmac

import polars as pl
import pytest

from paring.report.hiding import Names, hashed

IMAGES = pl.DataFrame({"file_name": ["patient-1.png", "übung/2.png", "x.avi#000003"]})


def test_names_are_shown_unless_they_are_hidden() -> None:
    names = Names.of(IMAGES, "abc", hide=False)
    assert names.shown == IMAGES["file_name"].to_list()
    assert not names.hidden


def test_a_hash_is_the_begin_of_an_hmac_under_the_fingerprint() -> None:
    names = Names.of(IMAGES, "abc", hide=True)
    assert names.hidden
    for shown, name in zip(names.shown, IMAGES["file_name"], strict=True):
        whole = hmac.new(b"abc", name.encode(), hashlib.sha256).hexdigest()
        assert shown == whole[:12]


def test_another_data_set_gives_other_hashes_and_the_same_one_the_same() -> None:
    one, again = (Names.of(IMAGES, "abc", hide=True).shown for _ in range(2))
    other = Names.of(IMAGES, "abd", hide=True).shown
    assert one == again
    assert not set(one) & set(other)


def test_a_name_that_is_no_text_has_a_hash_all_the_same() -> None:
    assert len(hashed("bad\udcff.png", b"key")) == 12
    assert hashed("bad\udcff.png", b"key") != hashed("bad\udcfe.png", b"key")


REASONS = {
    "patient-1.png is 0.993 similar": "",
    "no kept image can be compared with it": "no kept image can be compared with it",
    "brought back: the worst covered of those to go": (
        "brought back: the worst covered of those to go"
    ),
    "brought back: for patient-1.png": "",
    "looks like patient-1.png": "",
    "gave way to a floor (patient-1.png is 0.993 similar)": "gave way to a floor",
    "cannot be read: /data/me/patient-1.png is cut off": "cannot be read",
    "kept for the floor of category 'cat'": "kept for the floor of category 'cat'",
    "kept for the floor of group 'patient 1'": "kept for the floor of a group",
    "kept for its rank": "kept for its rank",
    "gave way to a floor": "gave way to a floor",
    "new, and not shown by what was kept before": "new, and not shown by what was kept before",
}


@pytest.mark.parametrize("text", REASONS)
def test_a_reason_names_no_file_and_no_group_where_names_are_hidden(text: str) -> None:
    assert Names([], True).reason(text) == REASONS[text]
    assert Names([], False).reason(text) == text


@pytest.mark.parametrize("group", ["O'Brien", "a 'quoted' one", 'say "x"', 'it\'s "both"', "x\\n"])
def test_a_group_of_any_name_is_hidden(group: str) -> None:
    text = Names([], True).reason(f"kept for the floor of group {group!r}")
    assert text == "kept for the floor of a group"


def test_what_follows_a_group_is_hidden_where_it_names_a_file() -> None:
    said = "gave way to a floor (patient-1.png is 0.288 similar)"
    assert "patient" not in Names([], True).reason(said)


def test_only_known_parameters_of_plain_values_are_shown_where_names_are_hidden() -> None:
    given = {
        "contour": "raster",
        "rate": 0.5,
        "class_balanced": True,
        "extends": "623b28d7",
        "labels": "/data/jane/patients.csv",
        "metric": "of Jane-Doe/1",
    }
    assert Names([], False).parameters(given) == given
    shown = {"contour": "raster", "rate": 0.5, "class_balanced": True}
    assert Names([], True).parameters(given) == shown
