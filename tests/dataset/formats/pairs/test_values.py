from pathlib import Path

import pytest

from paring.dataset.formats.pairs.values import Meaning, meaning_of, names_of
from paring.dataset.labelmaps import VOID
from paring.dataset.reading import Reading
from paring.errors import InputError


def meaning(*seen: set[int], said: int = 0, **options: object) -> Meaning:
    reading = Reading(Path("data"), **options)  # type: ignore[arg-type]
    found = meaning_of(reading, names_of(reading, []), [frozenset(one) for one in seen])
    assert len(reading.said) == said
    return found


@pytest.mark.parametrize("seen", [[{0, 1}], [{0, 255}], [{0}], [{0, 255}, {255}]])
def test_two_values_are_background_and_foreground(seen: list[set[int]]) -> None:
    found = meaning(*seen)
    assert found == Meaning({0: 0, 1: 1, 255: 1}, {0: "background", 1: "foreground"}, 0)
    assert found.instance_values == [1, 255]


def test_a_single_name_is_that_of_the_foreground() -> None:
    assert meaning({0, 255}, classes=["polyp"]).names == {0: "background", 1: "polyp"}
    assert meaning({0, 255}, classes=["bg", "polyp"]).names == {0: "bg", 1: "polyp"}


def test_unnamed_values_are_classes_called_by_their_number() -> None:
    found = meaning({0, 2}, {0, 5})
    assert found == Meaning({0: 0, 2: 2, 5: 5}, {0: "background", 2: "class 2", 5: "class 5"}, 0)
    assert found.instance_values == [2, 5]


def test_names_count_from_zero_and_zero_is_a_class_unless_it_is_called_background() -> None:
    roads = meaning({0, 1}, {2}, classes=["sky", "road", "car"])
    assert roads == Meaning({0: 0, 1: 1, 2: 2}, {0: "sky", 1: "road", 2: "car"}, None)
    assert roads.instance_values == [0, 1, 2]
    named = meaning({0, 1}, {2}, classes=["background", "road", "car"])
    assert named.instance_values == [1, 2]


def test_the_void_value_belongs_to_no_class() -> None:
    found = meaning({0, 1, 2, 11}, void=11)
    assert found.category_of == {0: 0, 1: 1, 2: 2}
    assert found.lookup(jpeg=False)[[0, 2, 3, 11]].tolist() == [0, 2, VOID, VOID]
    assert meaning({0, 1, 255}, void=255).names == {0: "background", 1: "foreground"}


def test_255_is_taken_for_void_among_classes_and_that_is_said() -> None:
    assert meaning({0, 1, 2, 255}, said=1).category_of == {0: 0, 1: 1, 2: 2}
    assert meaning({0, 1, 255}, said=1).category_of == {0: 0, 1: 1}
    assert 255 in meaning({0, 255, 300}).category_of


def test_masks_of_which_some_hold_1_and_others_255_are_refused() -> None:
    with pytest.raises(InputError, match="some masks hold 0 and 1, others 0 and 255; give void"):
        meaning({0, 1}, {0, 255})
    assert meaning({0, 1}, {0, 255}, classes=["background", "a", "b"], said=1).names[1] == "a"


def test_reduced_labels_count_down_by_one_and_zero_is_void() -> None:
    found = meaning({0, 1, 3}, {255}, reduce_zero_label=True, said=1)
    assert found == Meaning({1: 0, 3: 2}, {0: "class 1", 2: "class 3"}, None)
    named = meaning({0, 1}, reduce_zero_label=True, classes=["wall", "door"])
    assert named == Meaning({1: 0, 2: 1}, {0: "wall", 1: "door"}, None)
    assert named.lookup(jpeg=False)[:4].tolist() == [VOID, 0, 1, VOID]


def test_soft_edges_are_suspected_where_there_are_many_values() -> None:
    reading = Reading(Path("data"))
    meaning_of(reading, names_of(reading, []), [frozenset(range(200))])
    assert "soft edges" in reading.said[0]


def test_jpeg_masks_are_bright_or_dark() -> None:
    table = meaning({0, 1}).lookup(jpeg=True)
    assert table[[0, 3, 127, 128, 250, 255]].tolist() == [0, 0, 0, 1, 1, 1]


def test_names_are_found_in_a_list_beside_the_masks(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\ufeffbackground\r\n cat \n\ndog\n\n", encoding="utf-8")
    reading = Reading(tmp_path)
    names = names_of(reading, [tmp_path / "nowhere", tmp_path])
    assert [names[value] for value in range(4)] == ["background", "cat", "class 2", "dog"]
    assert (3 in names, 4 in names) == (True, False)
    assert "class names taken from" in reading.said[0]
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"labels\.txt: is not a text file"):
        names_of(Reading(tmp_path), [tmp_path])
