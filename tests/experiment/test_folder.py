import os
from pathlib import Path

import pytest

import paring
from comparisons import compared_at, recipe_at, scenes_at
from paring.errors import InputError
from paring.experiment.cells import Cell, Place, load_cell, save_cell
from paring.experiment.folder import claim, clear, read_about, write_tables
from paring.experiment.plan import load_plan


def test_a_folder_is_claimed_with_the_whole_recipe_and_the_data(tmp_path: Path) -> None:
    plan, data = load_plan(recipe_at(tmp_path)), scenes_at(tmp_path)
    output = tmp_path / "out"
    claim(output, plan, data, None)
    assert load_plan(output / "recipe.yaml") == plan
    about = read_about(output)
    assert about["train"]["fingerprint"] == data.fingerprint
    assert about["test"] is None
    assert sorted(path.name for path in (output / "before").iterdir()) == [
        *("categories.parquet", "images.parquet", "instances.parquet"),
    ]
    claim(output, plan, data, None)


def test_a_claimed_folder_is_refused_to_another_recipe_or_other_data(tmp_path: Path) -> None:
    path, data = recipe_at(tmp_path), scenes_at(tmp_path)
    plan = load_plan(path)
    output = tmp_path / "out"
    claim(output, plan, data, data)
    with pytest.raises(InputError, match=r"seeds is \[7\] and was \[0, 1\]"):
        claim(output, load_plan(path, ["seeds=[7]"]), data, data)
    smaller = data.subset(data.images["image_id"].to_list()[:5])
    with pytest.raises(InputError, match="the training data has changed"):
        claim(output, plan, smaller, data)
    for test in (smaller, None):
        with pytest.raises(InputError, match="the test data has changed"):
            claim(output, plan, data, test)
    claim(output, load_plan(path, ["metrics=[AP]"]), data, data)
    assert load_plan(output / "recipe.yaml").metrics == ("AP",)


def test_a_folder_or_file_of_something_else_is_never_taken(tmp_path: Path) -> None:
    plan, data = load_plan(recipe_at(tmp_path)), scenes_at(tmp_path)
    with pytest.raises(InputError, match="holds 'compare.yaml', so it is no folder"):
        claim(tmp_path, plan, data, None)
    with pytest.raises(InputError, match="is no folder"):
        claim(tmp_path / "scenes.json", plan, data, None)
    for path in (tmp_path, tmp_path / "scenes.json"):
        with pytest.raises(InputError):
            clear(path)
    (tmp_path / "link").symlink_to(tmp_path / "images")
    with pytest.raises(InputError, match="so it is not replaced"):
        clear(tmp_path / "link")
    assert len(list((tmp_path / "images").iterdir())) == 12


def test_an_earlier_comparison_is_cleared_with_what_a_killed_one_left(tmp_path: Path) -> None:
    output = compared_at(tmp_path)
    (output / ".results.csv.abcd1234").mkdir()
    (output / ".training").mkdir()
    os.symlink(tmp_path / "images", output / "runs")
    clear(output)
    assert [path.name for path in output.iterdir() if path.name != ".lock"] == []
    assert len(list((tmp_path / "images").iterdir())) == 12
    clear(tmp_path / "none")


def test_tables_go_where_no_cell_is_done_any_more(tmp_path: Path) -> None:
    output = compared_at(tmp_path, methods=[])
    plan = load_plan(output / "recipe.yaml")
    assert (output / "table.md").is_file()
    for place in plan.places():
        save_cell(output, place, Cell(status="failed", error="no"), None)
    frame, table = write_tables(output, plan)
    assert table is None
    assert set(frame["status"]) == {"failed"}
    assert not (output / "table.md").exists()
    assert not (output / "table.csv").exists()
    assert load_cell(output, Place("full", 0.0, 0, "epochs")).error == "no"


@pytest.mark.parametrize("text", ["", "[]", '{"train": null}', '{"train": {}}'])
def test_a_broken_note_on_the_data_is_refused(tmp_path: Path, text: str) -> None:
    output = compared_at(tmp_path, methods=[])
    (output / "data.json").write_text(text)
    with pytest.raises(InputError, match=r"data\.json: is not what a comparison wrote"):
        read_about(output)


def test_the_frames_kept_are_those_of_the_data(tmp_path: Path) -> None:
    from paring.dataset.snapshot import load_frames

    output = compared_at(tmp_path, methods=[])
    frames = load_frames(output / "before")
    data = paring.read(tmp_path / "scenes.json")
    assert frames.images.equals(data.images)
    assert frames.instances.equals(data.instances)
