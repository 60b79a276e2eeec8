from pathlib import Path

import numpy as np
import pytest

import paring
from paring.errors import InputError
from paring.images.groups import group_table, groups_of, purity

DATA = paring.scenes(4, seed=0)  # 000001.jpg to 000004.jpg
NAMES = DATA.images["file_name"].to_list()


def csv_file(folder: Path, text: str) -> Path:
    path = folder / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return path


def rows(*groups: str) -> str:
    return "".join(f"{name},{group}\n" for name, group in zip(NAMES, groups, strict=True))


def test_a_table_gives_each_image_its_group_whatever_its_order_and_other_columns(tmp_path) -> None:
    lines = [f"{k}, {name} ,p{k % 2}" for k, name in enumerate(NAMES)][::-1]
    text = "\ufeffage,file_name,group\n\n" + "\n".join(lines) + "\n7,not-there.jpg,p9\n"
    path = csv_file(tmp_path, text)
    for given in (path, str(path)):
        assert groups_of(DATA, given) == ["p0", "p1", "p0", "p1"]


def test_a_table_may_quote_its_fields_and_have_any_ending(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "file_name,group\r\n" + rows('"a, b"', "c", "c", '"d ""e"""'))
    other = path.rename(tmp_path / "groups.txt")
    assert groups_of(DATA, str(other)) == ["a, b", "c", "c", 'd "e"']


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first line must name the columns file_name and group"),
        ("file,group\n" + rows(*"abcd"), "first line must name"),
        ("file_name,group\n" + rows(*"abcd") + "x.jpg\n", "line 6: has 1 fields, not 2"),
        ("file_name,group\n" + rows("a", " ", "c", "d"), "line 3: names no group"),
        ("file_name,group\n" + rows(*"abcd") + f"{NAMES[0]},b\n", "line 6: .* in two groups"),
        (f"file_name,group\n{NAMES[0]},a\n", f"no group for the image {NAMES[1]!r}"),
        ("file_name,group\n" + "x" * 200_000 + ",a\n", "line 2: field larger"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(tmp_path, text, says) -> None:
    with pytest.raises(InputError, match=f"groups.csv: .*{says}"):
        groups_of(DATA, csv_file(tmp_path, text))


def test_a_table_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.csv: cannot be read"):
        groups_of(DATA, tmp_path / "none.csv")
    path = tmp_path / "groups.csv"
    path.write_bytes(b"file_name,group\n\xff,\xfe\n")
    with pytest.raises(InputError, match="groups.csv: is not a text file"):
        groups_of(DATA, path)


def test_a_pattern_gives_its_first_bracket_or_all_it_finds() -> None:
    assert groups_of(DATA, r"(\d)\.jpg") == ["1", "2", "3", "4"]
    assert groups_of(DATA, r"\d\.") == ["1.", "2.", "3.", "4."]
    assert groups_of(DATA, r"(0+)(\d)") == ["00000"] * 4


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(", "no regular expression"),
        ("[123]", "does not match .*4.jpg"),
        ("(9)?", "empty group for .*1.jpg"),
    ],
)
def test_a_pattern_that_gives_no_group_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        groups_of(DATA, pattern)


def test_a_mapping_goes_by_the_name_in_full_or_without_its_folder() -> None:
    table = dict(zip(NAMES, "abcd", strict=True))
    assert groups_of(DATA, table) == list("abcd")
    with pytest.raises(InputError, match=f"no group for the image {NAMES[0]!r}"):
        groups_of(DATA, {"x.jpg": "a"})
    deep = DATA.images.with_columns(file_name="site/" + DATA.images["file_name"])
    moved = paring.Dataset(deep, DATA.instances, DATA.categories, DATA.masks)
    assert groups_of(moved, table) == list("abcd")
    assert groups_of(moved, table | {f"site/{NAMES[0]}": "z"}) == list("zbcd")


def test_a_sequence_has_a_group_for_each_image() -> None:
    assert groups_of(DATA, ["a", "b", "a", "b"]) == ["a", "b", "a", "b"]
    assert groups_of(DATA, [1, 2, 2, 0]) == ["1", "2", "2", "0"]  # type: ignore[list-item]
    with pytest.raises(InputError, match="3 groups were given for 4 images"):
        groups_of(DATA, ["a", "b", "c"])


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_group_is_no_name_for_one(nothing) -> None:
    with pytest.raises(InputError, match=f"no group for the image {NAMES[2]!r}"):
        groups_of(DATA, ["a", "b", nothing, "c"])
    with pytest.raises(InputError, match=f"no group for the image {NAMES[2]!r}"):
        groups_of(DATA, dict(zip(NAMES, ["a", "b", nothing, "c"], strict=True)))


def test_the_table_of_groups_is_that_of_a_hand_computed_case() -> None:
    # communities: {a a b}, {b b}, {a}; of a, two images lie 2/3 with their like and one alone
    groups, labels = ["a", "a", "b", "b", "b", "a"], np.array([0, 0, 0, 1, 1, 2])
    kept = np.array([True, False, False, True, False, True])
    table = group_table(groups, kept, labels)
    assert table.columns == ["group", "images", "kept", "communities", "purity"]
    a, b = table.rows()
    assert a[:4] == ("a", 3, 2, 2)
    assert b[:4] == ("b", 3, 1, 2)
    assert a[4] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert b[4] == pytest.approx((1 / 3 + 1 + 1) / 3)
    assert purity(groups, labels) == pytest.approx(5 / 6)


def test_purity_is_one_where_no_community_has_two_groups_and_least_where_all_is_one() -> None:
    groups = list("aabbcd")
    assert purity(groups, np.arange(6)) == 1
    assert purity(groups, np.array([0, 0, 1, 1, 2, 3])) == 1
    assert purity(groups, np.zeros(6, np.int64)) == pytest.approx(2 / 6)
