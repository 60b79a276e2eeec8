from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from paring.dataset.formats.names import names_text
from paring.dataset.formats.voc.classes import NAMES, name_of, numbering, read_names
from paring.errors import InputError


def categories(**names: int) -> pl.DataFrame:
    return pl.DataFrame({"category_id": list(names.values()), "name": list(names)})


def test_a_part_of_the_classes_of_voc_keeps_its_values_and_needs_no_names() -> None:
    assert numbering(categories(person=15, cat=8)) == ({15: 15, 8: 8}, None)


def test_ids_that_count_from_one_are_kept_whatever_their_order() -> None:
    values, names = numbering(categories(fork=2, spoon=1, knife=3))
    assert values == {1: 1, 2: 2, 3: 3}
    assert names == ["spoon", "fork", "knife"]


def test_ids_with_gaps_are_counted_by_their_place() -> None:
    values, names = numbering(categories(fork=90, spoon=0, person=15))
    assert values == {90: 1, 0: 2, 15: 3}
    assert names == ["fork", "spoon", "person"]


def test_254_categories_fit_and_255_do_not() -> None:
    fitting = pl.DataFrame({"category_id": range(254), "name": [f"c{k}" for k in range(254)]})
    assert sorted(numbering(fitting)[0].values()) == list(range(1, 255))
    with pytest.raises(InputError, match="255 categories cannot be written as VOC"):
        numbering(pl.concat([fitting, categories(more=1000)], how="vertical_relaxed"))


def test_a_name_that_spans_lines_is_refused() -> None:
    with pytest.raises(InputError, match="spans lines"):
        numbering(pl.DataFrame({"category_id": [1], "name": ["a\nb"]}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("background\nspoon\nfork\n", ("spoon", "fork")),
        ("__ignore__\n_background_\nspoon\n", ("spoon",)),
        ("spoon\r\nfork", ("spoon", "fork")),
        ("background\nbackground\n", ("background",)),
        ("\ufeffspoon\n\nfork\n\n", ("spoon", "", "fork")),
    ],
)
def test_lists_of_names_may_begin_with_void_and_background(
    tmp_path: Path, text: str, expected: tuple[str, ...]
) -> None:
    (tmp_path / "labels.txt").write_bytes(text.encode())
    assert read_names(tmp_path) == expected


def test_written_names_are_read_as_they_were(tmp_path: Path) -> None:
    names = ("spoon", "background", "éclair  au chocolat")
    (tmp_path / "labels.txt").write_text(names_text(names), encoding="utf-8")
    assert read_names(tmp_path) == names


def test_without_a_list_the_names_are_those_of_voc(tmp_path: Path) -> None:
    assert read_names(tmp_path) == NAMES
    assert name_of(20, NAMES) == "tvmonitor"
    assert name_of(21, NAMES) == "class 21"
    assert name_of(1, ("",)) == "class 1"
