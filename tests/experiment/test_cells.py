import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import paring
from paring.dataset.subset import Subset
from paring.errors import InputError
from paring.experiment.cells import (
    Cell,
    Place,
    finished,
    load_cell,
    load_subset,
    percent,
    save_cell,
)

PLACE = Place("shape-si-cb", 0.4, 1, "steps")
DONE = Cell(status="done", metrics={"AP": 0.25}, images=8, instances=20, steps=4)


@pytest.fixture
def subset() -> Subset:
    return paring.images.keep_random(paring.scenes(6, seed=0), rate=0.5, seed=1)


def test_a_cell_has_a_folder_of_its_own_with_its_subset_and_result(
    tmp_path: Path, subset: Subset
) -> None:
    save_cell(tmp_path, PLACE, DONE, subset)
    folder = tmp_path / "cells" / "shape-si-cb" / "0.4" / "1-steps"
    assert sorted(path.name for path in folder.iterdir()) == ["cell.json", "subset.json"]
    assert [path for path in folder.parent.iterdir() if path != folder] == []
    assert load_cell(tmp_path, PLACE) == DONE
    assert load_subset(tmp_path, PLACE) == subset
    plain = json.loads((folder / "cell.json").read_text())
    assert plain["metrics"] == {"AP": 0.25}
    assert plain["status"] == "done"


def test_a_cell_that_was_not_come_to_is_none(tmp_path: Path) -> None:
    assert load_cell(tmp_path, PLACE) is None
    assert load_subset(tmp_path, PLACE) is None


def test_a_cell_that_is_there_is_replaced_whole(tmp_path: Path, subset: Subset) -> None:
    save_cell(tmp_path, PLACE, DONE, subset)
    failed = Cell(status="failed", error="no room")
    save_cell(tmp_path, PLACE, failed, None)
    assert load_cell(tmp_path, PLACE) == failed
    assert load_subset(tmp_path, PLACE) is None


def test_metrics_that_are_no_number_are_left_out(tmp_path: Path) -> None:
    odd = Cell(status="done", metrics={"AP": 0.5, "APS": math.nan, "APL": math.inf})
    save_cell(tmp_path, PLACE, odd, None)
    found = load_cell(tmp_path, PLACE)
    assert found is not None
    assert found.metrics == {"AP": 0.5}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"status": "going"}',
        '{"status": "done", "more": 1}',
        '{"status": "done", "metrics": {"AP": "high"}}',
        '{"status": "failed"}',
        "\xff",
    ],
)
def test_a_file_that_is_no_cell_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / PLACE.folder / "cell.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"cell\.json: .*remove its folder"):
        load_cell(tmp_path, PLACE)


def test_only_the_cells_that_are_there_are_listed_in_the_order_of_their_places(
    tmp_path: Path,
) -> None:
    places = [Place("random", 0.5, seed, "epochs") for seed in (2, 0, 1)]
    for place in (places[2], places[0]):
        save_cell(tmp_path, place, DONE, None)
    assert [place for place, _ in finished(tmp_path, places)] == [places[0], places[2]]


@given(st.lists(st.integers(1, 9999), min_size=2, max_size=2, unique=True))
def test_different_rates_have_different_folders_and_words(digits: list[int]) -> None:
    one, other = (Place("shape", value / 10_000, 0, "epochs") for value in digits)
    assert one.folder != other.folder
    assert percent(one.rate) != percent(other.rate)
    assert "e" not in percent(one.rate)
