import json
from pathlib import Path

import pytest

import factory
import paring
from paring.dataset.subset import Subset
from paring.dataset.table import Dataset
from paring.errors import InputError


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return paring.read(factory.write_json(tmp_path / "d.json", factory.coco()))


def subset_of(data: Dataset) -> Subset:
    return Subset.of(
        [1, 2],
        [False, True],
        method="mine",
        dataset=data.fingerprint,
        parameters={"k": 1},
        seed=4,
        reasons={1: "too plain"},
    )


def test_a_subset_comes_back_from_its_file(data: Dataset, tmp_path: Path) -> None:
    before = subset_of(data)
    before.save(tmp_path / "subset.json")
    assert Subset.load(tmp_path / "subset.json") == before
    keys = json.loads((tmp_path / "subset.json").read_text())
    assert keys["kept"] == [2]
    assert keys["dropped"] == [1]
    assert keys["rate"] == 0.5
    assert keys["version"] == paring.__version__
    assert {"method", "parameters", "seed", "dataset"} <= set(keys)


def test_applying_keeps_the_kept_images(data: Dataset) -> None:
    assert subset_of(data).apply(data) == data.subset([2])


def test_another_data_set_is_refused_unless_forced(data: Dataset) -> None:
    other = Subset.of([1, 2], [False, True], method="m", dataset="0" * 32, parameters={})
    with pytest.raises(InputError, match="made from another data set"):
        other.apply(data)
    assert other.apply(data, force=True) == data.subset([2])


def test_two_subsets_can_be_compared(data: Dataset) -> None:
    other = Subset.of([1, 2], [True, True], method="all", dataset="", parameters={})
    assert subset_of(data).compare(other) == {
        "kept by both": 1,
        "kept only here": 0,
        "kept only there": 1,
    }


@pytest.mark.parametrize("text", ["[]", "{", '{"kept": [1]}', '{"kept": 1, "colour": 2}'])
def test_a_file_that_is_no_subset_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match=r"s\.json: is not a subset"):
        Subset.load(tmp_path / "s.json")


def test_a_subset_is_not_written_over_another_file(data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        subset_of(data).save(tmp_path / "s.json")
    assert (tmp_path / "s.json").read_text() == "mine"


def test_the_rate_is_the_share_removed_and_reasons_are_kept() -> None:
    flags = [True, True, True, False]
    subset = Subset.of(
        [1, 2, 3, 4], flags, method="m", dataset="", parameters={}, reasons={4: "plain"}
    )
    assert subset.rate == 0.25
    assert subset.reasons == {4: "plain"}


def test_image_ids_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    text = '{"kept": ["a"], "dropped": [], "method": "m", "rate": 0, "dataset": ""}'
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match="not lists of whole numbers"):
        Subset.load(tmp_path / "s.json")


def test_a_subset_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: cannot be read"):
        Subset.load(tmp_path / "gone.json")


def test_a_subset_is_written_over_another_when_allowed(tmp_path: Path) -> None:
    subset = Subset.of([1], [True], method="m", dataset="", parameters={})
    (tmp_path / "s.json").write_text("old")
    subset.save(tmp_path / "s.json", overwrite=True)
    assert Subset.load(tmp_path / "s.json") == subset


@pytest.mark.parametrize(
    "change",
    [
        {"kept": 5},
        {"kept": [True]},
        {"kept": [10**30]},
        {"kept": []},
        {"dataset": 5},
        {"method": 1},
    ],
)
def test_values_that_no_subset_has_are_refused(tmp_path: Path, change: dict) -> None:
    plain = {"kept": [1], "dropped": [], "method": "m", "rate": 0, "dataset": ""} | change
    (tmp_path / "s.json").write_text(json.dumps(plain))
    with pytest.raises(InputError, match=r"s\.json: is not a subset"):
        Subset.load(tmp_path / "s.json")
